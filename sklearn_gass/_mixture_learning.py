"""What starts and critics share that train a network on synthetic mixtures."""

from __future__ import annotations

from abc import abstractmethod
from itertools import pairwise
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import nn

from sklearn_gass._bases import BeginsAtBase
from sklearn_gass._checkpoints import agreed_seed
from sklearn_gass._random import as_seed
from sklearn_gass._validation import Interval, fit_context
from sklearn_gass.engine import CleanSource, MixtureBatches, Problem
from sklearn_gass.networks import StateDict, check_widths, from_arrays, load_arrays, shapes_fit, step_cost, to_arrays


class MixtureLearner(BeginsAtBase):
    """Base of estimators whose `fit` trains a network on mixtures of clean training frames.

    A subclass has the parameters below, and implements `_make_network`, `_make_trainee` and `_take_over`.
    """

    hidden_layer_sizes: Any
    max_iter: int
    batch_size: int
    levels: Any
    weight_average: float = 0.0  # of learners without such a parameter
    warm_start: bool
    callbacks: list | None
    verbose: int
    random_state: Any
    weights_: StateDict
    history_: list[dict[str, Any]]

    _parameter_constraints: dict = {
        **BeginsAtBase._parameter_constraints,
        "hidden_layer_sizes": ["array-like", Integral],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "levels": ["array-like"],
        "warm_start": ["boolean"],
        "callbacks": [list, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    @abstractmethod
    def _make_network(self, problem: Problem, generator: torch.Generator | None = None) -> nn.Module:
        """Return the network, without memory for weights if there is no generator."""

    @abstractmethod
    def _make_trainee(self, network: Any, problem: Problem) -> Any:
        """Return what is trained; the network is on the problem's device."""

    @abstractmethod
    def _take_over(self, network: Any, problem: Problem, batch: tuple[torch.Tensor, list[torch.Tensor]]) -> None:
        """Load the weights of the base where they suit a batch of mixtures best, or raise ValueError."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, problem: Problem, sources: list[CleanSource]) -> MixtureLearner:
        """Train the network.

        Parameters
        ----------
        problem : Problem
            Frozen decoders of the fitted source models, the divergence, and the start if there is one.
        sources : list of CleanSource
            Clean frames of each source, in the order of the problem's decoders and in its unit.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a width is no integer of at least 1, `levels` is no pair of finite numbers in rising order, or weights
            to go on from do not fit, as those of `base` may not.

        Warns
        -----
        ConvergenceWarning
            If training diverged; the last finite weights are kept.
        """
        from sklearn_gass.networks._training import train  # skorch is slow to import

        seed = agreed_seed(self.random_state, as_seed)
        generator = torch.Generator(problem.device).manual_seed(seed)
        network = self._make_network(problem, torch.Generator().manual_seed(seed))
        network, begin = self._begin_at_base(network, problem, sources, seed)
        history: list[dict] = []
        if self.warm_start and hasattr(self, "weights_"):
            self._check_weights(network)
            load_arrays(network, self.weights_)
            history = list(self.history_)
        network = network.to(problem.device)
        batches = MixtureBatches(
            sources, self.max_iter, batch_size=self.batch_size, levels=check_levels(self.levels), generator=generator
        )
        train(
            self._make_trainee(network, problem),
            batches,
            generator=generator,
            history=history,
            average=self.weight_average,
            callbacks=self.callbacks,
            verbose=self.verbose,
        )
        self.weights_, self.history_ = to_arrays(network), history
        self._set_distance(self.weights_, begin)
        return self

    def _begin_at_base(
        self, network: nn.Module, problem: Problem, sources: list[CleanSource], seed: int
    ) -> tuple[nn.Module, StateDict | None]:
        """Return the network with the weights of the base, and these, if there is one."""
        if self._fitted_base() is None:
            return network, None
        generator = torch.Generator(problem.device).manual_seed(seed)
        levels = check_levels(self.levels)
        batch = next(iter(MixtureBatches(sources, 1, batch_size=_N_COMPARED, levels=levels, generator=generator)))
        network = network.to(problem.device)
        with torch.no_grad():
            self._take_over(network, problem, batch)
        return network, to_arrays(network)

    def _check_weights(self, network: nn.Module) -> None:
        if not shapes_fit(network.state_dict(), self.weights_):
            raise ValueError(
                f"This {type(self).__name__} was fitted for other sources, or with other layers, than it has now: fit "
                "it again, without warm_start."
            )

    def _training_cost(self, n_bins: int, n_sources: int, n_weights: int) -> float:
        """Return about how many milliseconds training takes, for sources whose models have so many weights."""
        n_own = self._n_weights(n_bins, n_sources)
        return self.max_iter * (step_cost(self.batch_size, n_own + n_weights / 6) + 2.5)

    def _n_weights(self, n_bins: int, n_sources: int) -> int:
        widths = [n_bins, *check_widths("hidden_layer_sizes", self.hidden_layer_sizes)]
        return sum(n_in * n_out for n_in, n_out in pairwise(widths))

    def _frozen_network(self, problem: Problem) -> nn.Module:
        return from_arrays(self._make_network(problem), self.weights_, problem.dtype, problem.device)


_N_COMPARED = 512  # mixture frames that tell which part of a base suits which source


def check_levels(levels: Any) -> tuple[float, float]:
    """Return the lowest and the highest gain of a source in dB.

    Raises
    ------
    ValueError
        If `levels` is no pair of finite numbers in rising order.
    """
    try:
        pair = [float(level) for level in np.ravel(levels)]
    except (TypeError, ValueError):
        pair = []
    if len(pair) != 2 or not np.isfinite(pair).all() or pair[0] > pair[1]:
        raise ValueError(f"levels must be the lowest and the highest gain of a source in dB, got {levels!r}.")
    return pair[0], pair[1]

"""What goes along with training from step to step: learning rates and averages of weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor


class LinearDecay:
    """Learning rates that fall linearly to zero; a function of the step alone, so that it has no state to keep.

    Parameters
    ----------
    optimisers : sequence of Optimizer
        With their first learning rates.
    n_steps : int
        Steps of the whole training.
    """

    def __init__(self, optimisers: Sequence[torch.optim.Optimizer], n_steps: int) -> None:
        self.optimisers, self.n_steps = optimisers, n_steps
        self.first_rates = [optimiser.param_groups[0]["lr"] for optimiser in optimisers]

    def begin_step(self, step: int) -> None:
        """Set the learning rates of a step, the first of which is 0."""
        for optimiser, rate in zip(self.optimisers, self.first_rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * (1 - step / self.n_steps)


class RunningAverage:
    """A running average of weights, over few steps at first.

    Parameters
    ----------
    parameters : iterable of Tensor
        Weights.
    decay : float
        Share of the average that a step leaves, later on.
    """

    def __init__(self, parameters: Iterable[Tensor], decay: float) -> None:
        self.parameters, self.decay = list(parameters), decay
        self.weights = [p.detach().clone() for p in self.parameters]

    def end_step(self, step: int) -> None:
        """Take the weights in after a step, the first of which is 0."""
        decay = min(self.decay, (2 + step) / (11 + step))
        torch._foreach_lerp_(self.weights, [p.detach() for p in self.parameters], 1 - decay)

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on from here."""
        return {"weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        for weight, kept in zip(self.weights, state["weights"], strict=True):
            weight.copy_(kept)

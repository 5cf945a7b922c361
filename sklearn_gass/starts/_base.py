"""What every start has to offer."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Sequence

from sklearn.base import BaseEstimator
from torch import Tensor

from sklearn_gass._versioned import Versioned
from sklearn_gass.engine import CleanSource, Problem


class BaseStart(Versioned, BaseEstimator, metaclass=ABCMeta):
    """Base of everything that says where the optimisation of latents begins.

    The separator clones a start, gives it a seed if it has a `random_state` without a value, and calls `fit` once the
    source models are fitted. At separation it calls `freeze`. What `fit` finds is kept in attributes that end in an
    underscore, as plain arrays, numbers and strings.

    Attributes
    ----------
    is_anchor : bool
        Whether the latents should stay near the start, as strongly as the separator's `start_weight` says. A class sets
        it to True if its points are informed guesses.
    """

    is_anchor = False

    def fit(self, problem: Problem, sources: Sequence[CleanSource]) -> BaseStart:
        """Learn from clean frames of all sources; a start that needs no training keeps this method.

        Parameters
        ----------
        problem : Problem
            Frozen decoders of the fitted source models, and the divergence.
        sources : sequence of CleanSource
            Clean frames of each source, in the order of the problem's decoders and in its unit.

        Returns
        -------
        self : BaseStart
            The fitted start.
        """
        return self

    @abstractmethod
    def freeze(self, problem: Problem) -> Callable[[Tensor], Tensor]:
        """Return the fitted start as a function.

        Parameters
        ----------
        problem : Problem
            Frozen decoders, and the floating type and device that the function has to work in.

        Returns
        -------
        points : callable
            From mixture frames of shape (n_frames, n_bins), in the unit of the problem, to free latents of shape
            (n_frames, problem.n_latents). The result of a row must not depend on the other rows.
        """

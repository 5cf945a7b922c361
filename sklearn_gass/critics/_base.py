"""What every critic has to offer."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Sequence

from sklearn.base import BaseEstimator
from torch import Tensor

from sklearn_gass._versioned import Versioned
from sklearn_gass.engine import CleanSource, Problem


class BaseCritic(Versioned, BaseEstimator, metaclass=ABCMeta):
    """Base of everything that ranks estimates of sources while a mixture is separated.

    The separator clones a critic, gives it a seed if it has a `random_state` without a value, and calls `fit` once the
    source models and the start are fitted. At separation it calls `freeze`. What `fit` finds is kept in attributes that
    end in an underscore, as plain arrays, numbers and strings.
    """

    def fit(self, problem: Problem, sources: Sequence[CleanSource]) -> BaseCritic:
        """Learn from clean frames of all sources; a critic that needs no training keeps this method.

        Parameters
        ----------
        problem : Problem
            Frozen decoders of the fitted source models, the divergence, and the fitted start: what is generated from
            ``problem.first_points(mixture)`` is what separation makes of a mixture before any optimisation.
        sources : sequence of CleanSource
            Clean frames of each source, in the order of the problem's decoders and in its unit.

        Returns
        -------
        self : BaseCritic
            The fitted critic.
        """
        return self

    @abstractmethod
    def freeze(self, problem: Problem) -> Callable[[Tensor, Sequence[Tensor]], list[Tensor]]:
        """Return the fitted critic as a function.

        Parameters
        ----------
        problem : Problem
            Frozen decoders, and the floating type and device that the function has to work in.

        Returns
        -------
        scores : callable
            From mixture frames of shape (n_frames, n_bins) and the generated frames of each source, of the same shape
            and in the unit of the problem, to a list of scores of shape (n_frames,), higher for better estimates. It
            must be differentiable in the generated frames, and the result of a row must not depend on the other rows.
        """

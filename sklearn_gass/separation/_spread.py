"""How far true sources may be from separated ones: many plausible separations of each bin of a mixture.

A source is taken to be complex Gaussian around zero in each bin. Its deviation is the estimated magnitude times a
log-normal factor, since the generated frames of a source model may be wrong by such a factor. A plausible separation
is a draw of all sources given that they add up to the mixture (conditional simulation), and it counts as much as its
factors make the mixture likely (importance sampling). Without the factors, the mean of the draws is what a mask of
exponent 2 leaves of the mixture.

All frames share the random numbers, so the result of a frame does not depend on other frames.

References
----------
A. Liutkus, R. Badeau, "Generalized Wiener filtering with fractional power spectrograms", ICASSP 2015.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_gass._random import derive_seed

LEVEL = 0.9
"""Share of the plausible magnitudes between `lower` and `upper` of a `Spread`."""
LOG_DEVIATIONS = (1.2, 1.8)
"""Standard deviation of the logarithm of the factors, for networks and for templates, which describe sources less
closely. `docs/decisions.md` says how they were chosen."""
_RATIOS = (0.01, 1e6)  # of estimate and mixture; an estimate of zero would leave nothing plausible but zero
_VALUES_AT_ONCE = 200_000  # which the processor's cache holds


@dataclass(frozen=True, eq=False)
class Spread:
    """How far the magnitudes of separated sources are certain, in each bin.

    It describes the magnitudes that the true sources may have, given the mixture and the estimates. It does not depend
    on masks. Where the mixture is silent, all is zero.

    Attributes
    ----------
    std : ndarray of shape (n_sources, n_frames, n_bins)
        Standard deviation of the plausible magnitudes.
    lower, upper : ndarray of shape (n_sources, n_frames, n_bins)
        Bounds of the interval that holds 90 % of the plausible magnitudes, 5 % being below and 5 % above.

    See Also
    --------
    SupervisedSeparator.explain : Computes it for frames.
    AudioSeparator.separate : Computes it for waveforms.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass import NMFSourceModel, SupervisedSeparator
    >>> rng = np.random.RandomState(0)
    >>> low, high = rng.rand(40, 6) * [9, 8, 5, 1, 0, 0], rng.rand(40, 6) * [0, 1, 1, 6, 9, 9]
    >>> X, y = np.vstack([low, high]), ["low"] * 40 + ["high"] * 40
    >>> separator = SupervisedSeparator(NMFSourceModel(n_components=3), random_state=0).fit(X, y)
    >>> spread = separator.explain(low + high, n_samples=100).spread
    >>> spread.std.shape, bool((spread.lower <= spread.upper).all())
    ((2, 40, 6), True)
    """

    std: NDArray[np.floating]
    lower: NDArray[np.floating]
    upper: NDArray[np.floating]


def change_spreads(change: Callable[..., NDArray[np.floating]], *spreads: Spread) -> Spread:
    """Return what a function makes of each array of one or several spreads."""
    parts = zip(*((spread.std, spread.lower, spread.upper) for spread in spreads), strict=True)
    return Spread(*(change(*arrays) for arrays in parts))


def join_frames(spreads: Sequence[Spread]) -> Spread:
    """Return the spread of successive blocks of frames."""
    return change_spreads(lambda *parts: np.concatenate(parts, axis=1), *spreads)


class RecordingSpread:
    """The spread of a recording, gathered block by block.

    Attributes
    ----------
    sampler : SpreadSampler
        What draws it.
    level : float
        What the magnitudes of blocks are to be multiplied by; whoever knows the recording sets it.
    blocks : list of Spread
        Spreads of successive frames.
    """

    def __init__(self, sampler: SpreadSampler) -> None:
        self.sampler, self.level = sampler, 1.0
        self.blocks: list[Spread] = []

    def add(self, spread: Spread, rows: slice = slice(None)) -> None:
        """Add the next frames: some rows of a spread."""
        self.blocks.append(change_spreads(lambda part: part[:, rows] * self.level, spread))

    def add_silence(self, shape: tuple[int, int, int]) -> None:
        """Add frames of shape (n_sources, n_frames, n_bins) in which nothing is heard."""
        self.blocks.append(Spread(*np.zeros((3, *shape), dtype=np.float32)))

    def whole(self) -> Spread:
        """Return the spread of all frames."""
        return join_frames(self.blocks)


class SpreadSampler:
    """Draws plausible separations, and keeps of them what a `Spread` says.

    Parameters
    ----------
    n_samples : int
        Number of draws.
    seed : int
        Seed of their random numbers.
    """

    def __init__(self, n_samples: int, seed: int) -> None:
        self.n_samples, self.seed = n_samples, seed

    @classmethod
    def make(cls, n_samples: Any, random_state: Any) -> SpreadSampler | None:
        """Return a sampler, or ``None`` for no draws; raise ValueError for a wrong number of them."""
        if n_samples is None:
            return None
        if not isinstance(n_samples, Integral) or isinstance(n_samples, bool) or n_samples < 2:
            raise ValueError(f"n_samples must be None or an integer of at least 2, got {n_samples!r}.")
        return cls(int(n_samples), derive_seed(random_state))

    def __call__(
        self, mixture: NDArray[np.floating], estimates: NDArray[np.floating], are_linear: Sequence[bool]
    ) -> Spread:
        """Return the spread of all sources.

        Parameters
        ----------
        mixture : ndarray of shape (n_frames, n_bins)
            Magnitudes.
        estimates : ndarray of shape (n_sources, n_frames, n_bins)
            Generated frames of each source.
        are_linear : sequence of bool
            Whether these come from templates, of each source.
        """
        n_sources, n_frames, n_bins = estimates.shape
        draws = self._draws(are_linear, n_bins, estimates.dtype)
        n_rows = max(1, _VALUES_AT_ONCE // (n_sources * n_bins * self.n_samples))
        parts = []
        for begin in range(0, n_frames, n_rows):
            rows = slice(begin, begin + n_rows)
            relative = _describe(*_condition(mixture[rows], estimates[:, rows], *draws))
            parts.append(change_spreads(partial(np.multiply, mixture[rows]), relative))
        return join_frames(parts)

    def _draws(self, are_linear: Sequence[bool], n_bins: int, dtype: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return factors, and complex Gaussian numbers of unit power, of shape (n_sources, 1, n_bins, n_samples)."""
        normal = np.random.RandomState(self.seed).standard_normal((3, len(are_linear), 1, n_bins, self.n_samples))
        log_deviations = np.take(LOG_DEVIATIONS, are_linear).reshape(-1, 1, 1, 1)
        factors = np.exp(log_deviations * normal[0]).astype(dtype)
        return factors, ((normal[1] + 1j * normal[2]) / np.sqrt(2)).astype(np.result_type(dtype, np.complex64))


def _condition(
    mixture: NDArray[Any], estimates: NDArray[Any], factors: NDArray[Any], noise: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return magnitudes of draws that add up to the mixture, (n_sources, n_frames, n_bins, n_samples), and weights.

    Magnitudes are relative to the mixture, whose phase does not matter.
    """
    with np.errstate(over="ignore"):  # where the mixture is next to nothing
        ratios = np.divide(estimates, mixture, out=np.ones_like(estimates), where=mixture > 0).clip(*_RATIOS)
    deviations = ratios[..., np.newaxis] * factors
    powers = np.square(deviations)
    total = powers.sum(0)
    sources = deviations * noise
    sources += powers / total * (1 - sources.sum(0))
    log_likelihood = -1 / total - np.log(total)
    weights = np.exp(log_likelihood - log_likelihood.max(-1, keepdims=True))
    return np.abs(sources), weights / weights.sum(-1, keepdims=True)


def _describe(magnitudes: NDArray[Any], weights: NDArray[Any]) -> Spread:
    """Return standard deviation and bounds of weighted samples, which are on the last axis."""
    mean = (weights * magnitudes).sum(-1, keepdims=True)
    std = np.sqrt((weights * np.square(magnitudes - mean)).sum(-1))
    order = magnitudes.argsort(-1)
    rising = np.take_along_axis(magnitudes, order, -1)
    ordered = np.take_along_axis(np.broadcast_to(weights, magnitudes.shape), order, -1)
    below = ordered.cumsum(-1) - ordered / 2
    bounds = []
    for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2):
        place = np.minimum((below < share).sum(-1, keepdims=True), magnitudes.shape[-1] - 1)
        bounds.append(np.take_along_axis(rising, place, -1)[..., 0])
    return Spread(std, *bounds)

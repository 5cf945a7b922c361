"""Consistent Wiener filtering: sources whose spectra are those of waveforms, a group of frames at a time.

Masks treat each bin by itself. But frames overlap, so that a masked mixture is the spectrum of no waveform, and the way
back to a waveform averages what its frames say. A better average trusts each bin as far as the models are sure of it.
With a mixture x and power spectra p_k of the sources, a source of Gaussian bins has the mean ``w = p_k / sum(p) * x``,
which is its masked mixture, and the variance ``v = p_k * (sum(p) - p_k) / sum(p)``. The filter comes close to the
spectra s that minimise the sum over the sources of

    sum(abs(s - w)**2 / v) + sum(abs(s - project(s))**2) / scale,

where `project` returns the nearest spectrum of a waveform, under the condition that the sources sum to the mixture. Of
two sources, each has the same minimum by itself. Where models are sure, v is small, and s stays w; elsewhere,
neighbouring frames decide. Loud estimates in a quiet bin mean that sources cancel each other there. Masks cannot undo
that, and neighbours can.

References
----------
J. Le Roux, E. Vincent, "Consistent Wiener Filtering for Audio Source Separation", IEEE Signal Processing Letters 20(3),
2013. Here, Chebyshev's iteration (G. H. Golub, R. S. Varga, Numerische Mathematik 3, 1961) takes the place of conjugate
gradients, whose steps depend on all frames of a recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_gass.masks import sum_in_any_order
from sklearn_gass.stft import STFT

Frames = tuple[NDArray[Any], ...]
"""Arrays of successive frames, which lie on their last axis but one."""


def consistent_spectra(
    blocks: Iterable[Frames], stft: STFT, n_samples: int, scale: float
) -> Iterator[NDArray[np.complexfloating]]:
    """Filter the blocks of one recording; the numbers do not depend on how it is cut into blocks.

    Parameters
    ----------
    blocks : iterable of (masks, powers, mixture)
        Masks and power spectra of all sources, of shape (n_sources, n_frames, n_bins) each, and the complex spectrum of
        the mixture of shape (n_frames, n_bins), or of channels of shape (n_channels, n_frames, n_bins).
    stft : STFT
        How frames were made.
    n_samples : int
        Length of the recording.
    scale : float
        Variance at which a bin and the consistency of its neighbourhood count the same.

    Yields
    ------
    spectra : ndarray of shape (n_sources, n_frames, n_bins) or (n_sources, n_channels, n_frames, n_bins)
        Successive frames, whose sum over the sources is that of the masked mixtures.
    """
    hop, begin = stft.hop_samples, 0
    reach = max(_N_STEPS * (-(-stft.n_fft // hop) - 1), 1)  # the shortest waveform has two frames
    for (masks, powers, mixture), own in with_neighbours(_regrouped(blocks, max(reach, _FEWEST)), reach):
        first, n_frames = begin - own.start, mixture.shape[-2]
        length = min((n_frames - 1) * hop, n_samples - first * hop)
        shape = (len(masks), *[1] * (mixture.ndim - 2), *mixture.shape[-2:])
        begin += own.stop - own.start
        masked, variances = masks.reshape(shape) * mixture, _variances(powers).reshape(shape)
        yield _filtered(masked, variances, stft, length, scale)[..., own, :]


def _variances(powers: NDArray[Any]) -> NDArray[Any]:
    """Return the variance of each source given the mixture."""
    total = sum_in_any_order(powers)
    rest = total - powers  # of two sources: the other one, without rounding that depends on their order
    if len(powers) == 2:
        rest = powers[::-1]
    return np.divide(powers * rest, total, out=np.zeros_like(powers), where=total > 0)


def _filtered(
    masked: NDArray[Any], variances: NDArray[Any], stft: STFT, n_samples: int, scale: float
) -> NDArray[np.complexfloating]:
    """Return the spectra of all sources, whose sum is that of the masked mixtures."""
    trust = np.divide(variances, variances + scale, out=np.zeros_like(variances), where=variances > 0)  # in neighbours
    if len(masked) == 2:  # both have one variance, and what one gains the other one loses
        middle, half = masked.sum(0) / 2, _solution(masked[0] / 2 - masked[1] / 2, trust[0], None, stft, n_samples)
        return np.stack([middle + half, middle - half])
    total = sum_in_any_order(trust)
    shares = np.divide(trust, total, out=np.zeros_like(trust), where=total > 0)
    return _solution(masked, trust, shares, stft, n_samples)


def _solution(
    masked: NDArray[Any], trust: NDArray[Any], shares: NDArray[Any] | None, stft: STFT, n_samples: int
) -> NDArray[Any]:
    """Return the spectra between masked mixtures and consistency; with shares, sources keep their sum."""

    def residual(spectra: NDArray[Any]) -> NDArray[Any]:
        change: NDArray[Any] = stft.project(spectra, n_samples)
        change -= masked
        change *= trust
        change += masked
        change -= spectra
        if shares is not None:
            change -= shares * sum_in_any_order(change)
        return change

    return chebyshev(residual, masked, (_LOWEST, 1.0), _N_STEPS)


def chebyshev(
    residual: Callable[[NDArray[Any]], NDArray[Any]],
    start: NDArray[Any],
    eigenvalues: tuple[float, float],
    n_steps: int,
) -> NDArray[Any]:
    """Solve a linear system by Chebyshev's iteration, whose steps do not depend on the values.

    Parameters
    ----------
    residual : callable
        From an approximate solution to what is left of the right side of the system.
    start : ndarray
        First approximation.
    eigenvalues : (float, float)
        Bounds of the eigenvalues of the system, positive.
    n_steps : int
        Number of residuals that are worked out.

    Returns
    -------
    solution : ndarray
        A better approximation.
    """
    low, high = eigenvalues
    centre, radius = (high + low) / 2, (high - low) / 2
    solution, ratio = start.copy(), radius / centre
    step = residual(solution) / centre
    for _ in range(n_steps - 1):
        solution += step
        following = 1 / (2 * centre / radius - ratio)
        step *= ratio * following
        step += (2 * following / radius) * residual(solution)
        ratio = following
    return solution + step


def _regrouped(blocks: Iterable[Frames], n_frames: int) -> Iterator[Frames]:
    """Yield the same frames in groups of so many, the last of at most as many."""
    waiting: Frames | None = None
    for block in blocks:
        waiting = block if waiting is None else _joined([waiting, block])
        while waiting[0].shape[-2] > n_frames:
            yield _rows(waiting, slice(n_frames))
            waiting = _rows(waiting, slice(n_frames, None))
    if waiting is not None:
        yield waiting


def with_neighbours(blocks: Iterator[Frames], reach: int) -> Iterator[tuple[Frames, slice]]:
    """Yield each block with some frames before and after it, and where its own ones are.

    Parameters
    ----------
    blocks : iterator of tuple of ndarray
        Successive frames; all blocks but the last have at least `reach` of them.
    reach : int
        Number of frames before and after.
    """
    before: list[Frames] = []
    block: Frames | None = next(blocks)
    while block is not None:
        after = next(blocks, None)
        last = [] if after is None else [_rows(after, slice(reach))]
        begin, n_own = sum(part[0].shape[-2] for part in before), block[0].shape[-2]
        yield _joined([*before, block, *last]), slice(begin, begin + n_own)
        before, block = [_rows(block, slice(n_own - reach, None))] if reach else [], after


def _rows(frames: Frames, rows: slice) -> Frames:
    return tuple(part[..., rows, :] for part in frames)


def _joined(blocks: list[Frames]) -> Frames:
    return tuple(np.concatenate(parts, axis=-2) for parts in zip(*blocks, strict=True))


_N_STEPS = 16
_LOWEST = 0.003  # smaller eigenvalues are left to a slower convergence
_FEWEST = 512  # frames of a group

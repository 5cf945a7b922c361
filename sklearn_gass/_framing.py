"""Cutting waveforms into overlapping frames and adding frames up again, a block of frames at a time.

Frame ``k`` is centred on sample ``k * hop``, and the waveform is zero outside its ends. Every frame is worked out by
itself and every sample is added up from the first frame that covers it to the last, so that the numbers are the same to
the last bit however many frames a block has.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

_FRAME_SECONDS = 0.064


def frame_length(sample_rate: int) -> int:
    """Return the power of two closest to 64 ms of samples, 16 at least; at 16 kHz 1024."""
    return max(int(2 ** round(math.log2(_FRAME_SECONDS * sample_rate))), 16)


def cut_frames(
    samples: NDArray[np.floating], first: int, last: int, *, n_fft: int, hop: int, level: float = 1.0
) -> NDArray[np.floating]:
    """Return some frames of a waveform.

    Parameters
    ----------
    samples : ndarray of shape (..., n_samples)
        The waveform, or several.
    first, last : int
        The first frame, and the one behind the last.
    n_fft : int
        Length of a frame in samples.
    hop : int
        Samples between the centres of neighbouring frames.
    level : float, default=1.0
        What samples are divided by.

    Returns
    -------
    frames : ndarray of shape (..., last - first, n_fft)
        Frames, a read-only view into a copy of the samples that they cover.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass._framing import cut_frames
    >>> cut_frames(np.arange(1.0, 6.0), 0, 3, n_fft=4, hop=2)
    array([[0., 0., 1., 2.],
           [1., 2., 3., 4.],
           [3., 4., 5., 0.]])
    """
    begin = first * hop - n_fft // 2
    covered = np.zeros((*samples.shape[:-1], (last - first - 1) * hop + n_fft), samples.dtype)
    inside = slice(max(begin, 0), min(begin + covered.shape[-1], samples.shape[-1]))
    if inside.start < inside.stop:
        np.divide(samples[..., inside], level, out=covered[..., inside.start - begin : inside.stop - begin])
    return sliding_window_view(covered, n_fft, axis=-1)[..., ::hop, :]


def overlap_add(
    blocks: Iterable[NDArray[np.floating]], window: NDArray[np.floating], *, hop: int, n_frames: int, n_samples: int
) -> Iterator[NDArray[np.floating]]:
    """Add frames up to the waveform that is nearest to them in the least-squares sense, piece by piece.

    Parameters
    ----------
    blocks : iterable of ndarray of shape (..., n, n_fft)
        Successive frames of one waveform or of several, `n_frames` in all.
    window : ndarray of shape (n_fft,)
        What frames are multiplied by before they are added up.
    hop : int
        Samples between the centres of neighbouring frames.
    n_frames : int
        Frames in all blocks together.
    n_samples : int
        Length of the waveform in samples.

    Yields
    ------
    piece : ndarray of shape (..., n)
        Successive samples, as soon as no further frame covers them; `n_samples` in all.

    Raises
    ------
    ValueError
        If the blocks do not hold `n_frames` frames.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass._framing import cut_frames, overlap_add
    >>> frames = cut_frames(np.arange(1.0, 6.0), 0, 4, n_fft=4, hop=2)
    >>> list(overlap_add([frames[:2], frames[2:]], np.ones(4), hop=2, n_frames=4, n_samples=5))
    [array([1., 2.]), array([3., 4., 5.])]
    """
    n_fft = len(window)
    n_slots = -(-n_fft // hop)  # stretches of one hop that a frame covers
    squares = _in_slots(np.square(window)[None], hop)[0]
    pending: NDArray[np.floating] | None = None
    first, n_before = 0, n_fft // 2
    for block in blocks:
        parts = _in_slots(block * window.astype(block.dtype), hop)
        last = first + parts.shape[-3]
        if last > n_frames:
            raise ValueError(f"The blocks hold more than the {n_frames} frames of {n_samples} samples.")
        sums = np.zeros((*parts.shape[:-3], last - first + n_slots - 1, hop), block.dtype)
        if pending is not None:
            sums[..., : n_slots - 1, :] = pending
        weights = np.zeros(sums.shape[-2:])
        for slot in reversed(range(n_slots)):  # a sample gets its earliest frame first
            sums[..., slot : slot + last - first, :] += parts[..., slot, :]
            frame = np.arange(first, first + len(weights)) - slot
            weights += ((frame >= 0) & (frame < n_frames))[:, None] * squares[slot]
        n_complete = len(weights) if last == n_frames else last - first
        pending = sums[..., n_complete:, :].copy()
        begin = max(n_before - first * hop, 0)
        end = min(n_complete * hop, n_before + n_samples - first * hop)
        if begin < end:
            piece = sums.reshape(*sums.shape[:-2], -1)[..., begin:end]
            piece /= weights.reshape(-1)[begin:end].astype(piece.dtype)
            yield np.ascontiguousarray(piece)
        first = last
    if first != n_frames:
        raise ValueError(f"The blocks hold {first} frames, but {n_samples} samples have {n_frames}.")


def least_coverage(window: NDArray[np.float64], hop: int) -> float:
    """Return the smallest energy that windows at a sample add up to, as a share of the window's peak energy.

    Parameters
    ----------
    window : ndarray of shape (n_fft,)
        The window of every frame.
    hop : int
        Samples between the centres of neighbouring frames.

    Returns
    -------
    coverage : float
        0 if some sample cannot be recovered; this is the nonzero-overlap-add condition for waveforms with ends.
    """
    # whatever the length of a waveform, a sample has at least the two frames between whose centres it lies
    centre = len(window) // 2
    energy = np.zeros(centre + max(hop, len(window)))
    energy[: len(window)] = np.square(window)
    after = np.zeros(hop)
    covered = min(hop, centre)
    after[hop - covered :] = energy[centre - covered : centre]
    return float((energy[centre : centre + hop] + after).min() / energy.max())


def _in_slots(frames: NDArray[np.floating], hop: int) -> NDArray[np.floating]:
    """Cut frames of shape (..., n_frames, n_fft) into stretches of one hop, the last filled up with zeros."""
    missing = -frames.shape[-1] % hop
    if missing:
        frames = np.pad(frames, [(0, 0)] * (frames.ndim - 1) + [(0, missing)])
    return frames.reshape(*frames.shape[:-1], -1, hop)

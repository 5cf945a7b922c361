"""Separate a waveform a block of frames at a time, so that memory does not grow with its length."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_gass._rumble import without_rumble
from sklearn_gass.stft import STFT


def clean_frames(
    waves: Any, codes: NDArray[np.intp], labels: NDArray[Any], stft: STFT, sample_rate: int
) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.intp]]:
    """Return the frames of all utterances, each source at unit level, and source and utterance of each frame.

    Raises
    ------
    ValueError
        If all utterances of a source are silent.
    """
    frames, rows = [], []
    for code, label in enumerate(labels):
        own = np.flatnonzero(codes == code)
        audible = [without_rumble(waves[i].astype(np.float32, copy=False), sample_rate) for i in own]
        level = wave_level(np.concatenate(audible))
        if level == 0:
            raise ValueError(f"All utterances of source {str(label)!r} are silent.")
        frames += [stft.analyze(wave / level)[0] for wave in audible]
        rows += own.tolist()
    utterances = np.repeat(rows, [len(part) for part in frames])
    return np.concatenate(frames), codes[utterances], utterances


def separate_pieces(
    separator: Any, stft: STFT, mixture: NDArray[np.floating], sample_rate: int, n_sources: int
) -> Iterator[NDArray[np.floating]]:
    """Separate a waveform piece by piece.

    Parameters
    ----------
    separator : SupervisedSeparator
        Fitted separator of frames.
    stft : STFT
        How frames are made.
    mixture : ndarray of shape (n_samples,)
        Waveform of any level.
    sample_rate : int
        Samples per second. What lies below 20 Hz is shared equally between the sources.
    n_sources : int
        Number of sources.

    Yields
    ------
    piece : ndarray of shape (n_sources, n)
        Successive samples, which sum to the mixture.
    """
    audible = without_rumble(mixture, sample_rate)
    level = wave_level(audible) / math.sqrt(n_sources)
    if level == 0:
        for block in _blocks(mixture):
            yield np.stack([block / n_sources] * n_sources)
        return
    n_frames, begin = stft.n_frames(mixture.size), 0
    blocks = stft.analyze_blocks(audible, block_frames(separator, n_frames), level=level)
    has_background = getattr(separator, "has_background", False)
    separate = separator.recording_separator() if has_background else separator.separate
    separated = ((separate(magnitudes), phase) for magnitudes, phase in blocks)
    for piece in stft.synthesize_blocks(separated, mixture.size):
        end = begin + piece.shape[1]
        yield piece * level + (mixture[begin:end] - audible[begin:end]) / n_sources
        begin = end


def block_frames(separator: Any, n_frames: int) -> int:
    """Return how many frames to separate at a time: whole batches of the separator, which then sees the same ones.

    A separator that couples frames, or does not say that it does not, gets all of them. One that learns a background
    gets enough at a time to learn from, and carries on with it.
    """
    if getattr(separator, "has_background", False):
        return min(n_frames, _BACKGROUND_FRAMES)
    if getattr(separator, "couples_frames", True):
        return n_frames
    n_batches = _BLOCK_VALUES // (separator.n_features_in_ * separator.batch_size)
    return min(n_frames, max(n_batches, 1) * separator.batch_size)


def wave_level(wave: NDArray[np.floating]) -> float:
    """Return the standard deviation, in double precision since squares of quiet samples vanish in single."""
    if np.ptp(wave) == 0:
        return 0.0
    # in blocks, since double precision of the whole would take twice its memory
    mean = math.fsum(np.sum(block, dtype=np.float64) for block in _blocks(wave)) / wave.size
    squares = (np.square(np.subtract(block, mean, dtype=np.float64)) for block in _blocks(wave))
    return math.sqrt(math.fsum(map(np.sum, squares)) / wave.size)


def _blocks(wave: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    return (wave[begin : begin + _BLOCK_VALUES] for begin in range(0, wave.size, _BLOCK_VALUES))


_BACKGROUND_FRAMES = 2048
_BLOCK_VALUES = 550_000  # in frames of the default length at 16 kHz, a quarter of a minute

"""What nobody hears at the low end of a waveform: constant offsets and rumble."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import signal

_LOWEST_AUDIBLE = 20.0  # Hz
_NEGLIGIBLE = 1e-3  # share of the audible energy
_BLOCK = 2**19  # samples filtered at a time, in double precision


def without_rumble(wave: NDArray[np.floating], sample_rate: float) -> NDArray[np.floating]:
    """Return a waveform without its constant offset and without what lies below 20 Hz, if that is much.

    A Butterworth high-pass of fourth order runs over the waveform forwards and backwards, which leaves phases alone. A
    waveform with less than a thousandth of its energy down there stays as it is, so that its pauses remain silent.

    Parameters
    ----------
    wave : ndarray of shape (n_samples,)
        Waveform.
    sample_rate : float
        Samples per second.

    Returns
    -------
    audible : ndarray of shape (n_samples,)
        Waveform of the same type.
    """
    if wave.size * _LOWEST_AUDIBLE < sample_rate:  # too short to tell what is low
        return wave
    if np.ptp(wave) == 0:
        return np.zeros_like(wave)
    audible = wave - wave.dtype.type(wave.mean(dtype=np.float64))
    if sample_rate <= 2 * _LOWEST_AUDIBLE:
        return wave
    sections = signal.butter(4, _LOWEST_AUDIBLE, "highpass", fs=sample_rate, output="sos")
    for direction in (audible, audible[::-1]):
        state = signal.sosfilt_zi(sections) * float(direction[0])
        for block in _blocks(direction):
            block[:], state = signal.sosfilt(sections, block, zi=state)
    pairs = list(zip(_blocks(wave), _blocks(audible), strict=True))
    below = math.fsum(float(np.square(whole - kept, dtype=np.float64).sum()) for whole, kept in pairs)
    above = math.fsum(float(np.square(kept, dtype=np.float64).sum()) for _, kept in pairs)
    return audible if below > _NEGLIGIBLE * above else wave


def _blocks(wave: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    return (wave[begin : begin + _BLOCK] for begin in range(0, wave.size, _BLOCK))

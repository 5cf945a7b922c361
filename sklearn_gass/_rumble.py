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

    The mean is subtracted, or a Butterworth high-pass of fourth order runs over the waveform forwards and backwards,
    which leaves phases alone. Each is done only where more than a thousandth of the energy is down there, so that the
    pauses of other waveforms remain silent.

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
    mean = wave.dtype.type(wave.mean(dtype=np.float64))
    centred = wave - mean
    audible = _high_passed(centred, sample_rate) if sample_rate > 2 * _LOWEST_AUDIBLE else centred
    pairs = list(zip(_blocks(centred), _blocks(audible), strict=True))
    below = math.fsum(float(np.square(whole - kept, dtype=np.float64).sum()) for whole, kept in pairs)
    above = math.fsum(float(np.square(kept, dtype=np.float64).sum()) for _, kept in pairs)
    if below > _NEGLIGIBLE * above:
        return audible
    return centred if wave.size * float(mean) ** 2 > _NEGLIGIBLE * above else wave


def _high_passed(wave: NDArray[np.floating], sample_rate: float) -> NDArray[np.floating]:
    filtered = wave.copy()
    sections = signal.butter(4, _LOWEST_AUDIBLE, "highpass", fs=sample_rate, output="sos")
    for direction in (filtered, filtered[::-1]):
        state = signal.sosfilt_zi(sections) * float(direction[0])
        for block in _blocks(direction):
            block[:], state = signal.sosfilt(sections, block, zi=state)
    return filtered


def _blocks(wave: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    return (wave[begin : begin + _BLOCK] for begin in range(0, wave.size, _BLOCK))

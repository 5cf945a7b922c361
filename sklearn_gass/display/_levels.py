"""Waveforms to show: whether they are valid, their levels, and how decibels are written."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_gass._validation import check_wave

_SQUARED_AT_ONCE = 2**20  # samples


def format_decibel(value: float) -> str:
    """Write a level or ratio with one decimal, or as more than 99 dB.

    Parameters
    ----------
    value : float
        Number of dB.

    Returns
    -------
    text : str
        Such as "6.5", ">99" or "-inf"; ASCII only, since it goes to terminals.

    Examples
    --------
    >>> from sklearn_gass.display import format_decibel
    >>> [format_decibel(value) for value in (6.54, -0.01, 250, float("inf"), -float("inf"))]
    ['6.5', '0.0', '>99', 'inf', '-inf']
    """
    if math.isinf(value) or math.isnan(value):
        return f"{value:g}"
    if abs(value) > 99:
        return ">99" if value > 0 else "<-99"
    return f"{round(value, 1) + 0.0:.1f}"


def check_waves(waves: Mapping[str, ArrayLike], sample_rate: int) -> dict[str, NDArray[np.floating]]:
    """Return waveforms as arrays by name, or raise ValueError in one sentence."""
    if not waves:
        raise ValueError("There is no waveform to show.")
    if not sample_rate > 0:
        raise ValueError(f"sample_rate must be positive, got {sample_rate!r}.")
    return {str(name): check_wave(wave, name=f"Waveform {name!r}") for name, wave in waves.items()}


def peak_level(wave: NDArray[np.floating]) -> float:
    """Return the largest absolute sample."""
    return float(max(wave.max(), -wave.min()))


def decibel_level(wave: NDArray[np.floating]) -> float:
    """Return the level in dB relative to a mean square of 1."""
    peak = peak_level(wave)
    if peak == 0:
        return -math.inf
    blocks = (wave[begin : begin + _SQUARED_AT_ONCE] for begin in range(0, wave.size, _SQUARED_AT_ONCE))
    energy = math.fsum(float(np.sum(np.square(block / peak), dtype=np.float64)) for block in blocks)
    return 20 * math.log10(peak) + 10 * math.log10(energy / wave.size)

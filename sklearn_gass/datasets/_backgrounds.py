"""Synthetic backgrounds: sounds that a voice may have to be separated from, for machines without recordings."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sklearn_gass._validation import Interval, StrOptions, validate_params

__all__ = ["BACKGROUNDS", "make_background"]

_Wave = NDArray[np.floating]


def _coloured(magnitude: Callable[[_Wave], _Wave], n_samples: int, sample_rate: int, rng: RandomState) -> _Wave:
    """Return Gaussian noise with a magnitude spectrum that is a function of the frequency in Hz."""
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    shaped: _Wave = np.fft.irfft(spectrum * magnitude(np.fft.rfftfreq(n_samples, 1 / sample_rate)), n_samples)
    return shaped


def _slow(n_samples: int, sample_rate: int, period: float, rng: RandomState) -> _Wave:
    """Return a smooth random curve with a standard normal value every `period` seconds."""
    n_knots = int(n_samples / sample_rate / period) + 3
    places = np.arange(n_samples) / sample_rate / period + rng.uniform()
    curve: _Wave = np.interp(places, np.arange(n_knots), rng.standard_normal(n_knots))
    return curve


def _noise(n_samples: int, sample_rate: int, rng: RandomState) -> _Wave:
    """Return noise that falls with frequency, with two broad resonances and a level that changes slowly."""
    slope, centres = rng.uniform(0.3, 0.7), rng.uniform(200, 3000, size=2)

    def magnitude(frequency: _Wave) -> _Wave:
        bumps = sum(np.exp(-(np.log2(np.maximum(frequency, 1) / centre) ** 2) / 0.1) for centre in centres)
        spectrum: _Wave = (1 + frequency / 100) ** -slope * (0.4 + bumps)
        return spectrum

    return _coloured(magnitude, n_samples, sample_rate, rng) * 10 ** (2 * _slow(n_samples, sample_rate, 0.7, rng) / 20)


def _machine(n_samples: int, sample_rate: int, rng: RandomState) -> _Wave:
    """Return the hum of a machine: harmonics of a rotation that is not quite even, and some hiss."""
    rotation = rng.uniform(45, 75) * (1 + 0.003 * _slow(n_samples, sample_rate, 0.3, rng))
    phase = 2 * np.pi * np.cumsum(rotation) / sample_rate
    levels = rng.uniform(0.2, 1, size=60) / np.sqrt(np.arange(1, 61))
    harmonics = [number for number in range(1, 61) if 75 * number < 0.45 * sample_rate]
    hum = sum(levels[n - 1] * np.sin(n * phase + rng.uniform(0, 2 * np.pi)) for n in harmonics)
    hiss = _coloured(lambda frequency: (1 + frequency / 300) ** -0.5, n_samples, sample_rate, rng)
    whole: _Wave = hum + 0.15 * hum.std() / hiss.std() * hiss
    return whole


def _rain(n_samples: int, sample_rate: int, rng: RandomState) -> _Wave:
    """Return rain: many short drops of different pitch on top of a steady rustle."""
    rustle = _coloured(lambda frequency: np.minimum(frequency / 1000, 1), n_samples, sample_rate, rng)
    wave: _Wave = rustle / rustle.std()
    time = np.arange(int(0.01 * sample_rate)) / sample_rate
    for begin in rng.randint(0, max(1, n_samples - len(time)), size=int(150 * n_samples / sample_rate)):
        drop = np.exp(-time / rng.uniform(0.0005, 0.003)) * np.sin(2 * np.pi * rng.uniform(800, 5000) * time)
        end = min(n_samples, begin + len(time))
        wave[begin:end] += 6 * rng.exponential() * drop[: end - begin]
    return wave


def _melody(n_samples: int, sample_rate: int, rng: RandomState) -> _Wave:
    """Return plucked notes of a pentatonic scale, two of which may sound at a time."""
    wave, now = np.zeros(n_samples), 0.0
    scale = rng.uniform(180, 260) * 2 ** (np.array([0, 2, 4, 7, 9, 12, 14, 16]) / 12)
    damping = rng.uniform(2, 4)
    while now * sample_rate < n_samples:
        for pitch in rng.choice(scale, size=rng.randint(1, 3), replace=False):
            time = np.arange(n_samples - int(now * sample_rate)) / sample_rate
            harmonics = [number for number in range(1, 16) if number * pitch < 0.45 * sample_rate]
            level = rng.uniform(0.5, 1)
            for number in harmonics:
                decay = np.exp(-time * damping * (0.7 + 0.3 * number))
                wave[int(now * sample_rate) :] += level / number * decay * np.sin(2 * np.pi * number * pitch * time)
        now += rng.choice([0.15, 0.3, 0.3, 0.45])
    return wave


def _transients(n_samples: int, sample_rate: int, rng: RandomState) -> _Wave:
    """Return knocks: short resonating bursts of noise at uneven times, of a few kinds, above a faint rustle."""
    rustle = _coloured(lambda frequency: (1 + frequency / 300) ** -0.5, n_samples, sample_rate, rng)
    wave: _Wave = 0.02 * rustle / rustle.std()
    now = rng.uniform(0, 0.2)
    kinds = [(rng.uniform(150, 3000, size=6), rng.uniform(30, 120, size=6)) for _ in range(3)]
    time = np.arange(int(0.2 * sample_rate)) / sample_rate
    while now * sample_rate < n_samples:
        pitches, damping = kinds[rng.randint(len(kinds))]
        knock = rng.standard_normal(len(time)) * np.exp(-time * 300)
        knock += sum(np.exp(-time * d) * np.sin(2 * np.pi * f * time) for f, d in zip(pitches, damping, strict=True))
        begin = int(now * sample_rate)
        end = min(n_samples, begin + len(time))
        wave[begin:end] += rng.uniform(0.4, 1) * knock[: end - begin]
        now += rng.uniform(0.1, 0.4)
    return wave


BACKGROUNDS: dict[str, Callable[[int, int, RandomState], _Wave]] = {
    "machine": _machine,
    "melody": _melody,
    "noise": _noise,
    "rain": _rain,
    "transients": _transients,
}
"""How each kind is made, by its name."""


@validate_params(
    {
        "kind": [StrOptions(set(BACKGROUNDS))],
        "duration": [Interval(Real, 0.1, None, closed="left")],
        "sample_rate": [Interval(Integral, 8000, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_background(
    kind: str,
    *,
    duration: float = 2.5,
    sample_rate: int = 16000,
    random_state: int | RandomState | None = None,
) -> NDArray[np.float32]:
    """Generate a background sound.

    Parameters
    ----------
    kind : {"machine", "melody", "noise", "rain", "transients"}
        The hum of a machine, plucked notes, coloured noise whose level changes slowly, rain, or knocks.
    duration : float, default=2.5
        Length in seconds, at least 0.1.
    sample_rate : int, default=16000
        Samples per second, at least 8000.
    random_state : int, RandomState instance or None, default=None
        Seed. Every seed gives another machine, melody and so on. Pass an int for the same sound at every call.

    Returns
    -------
    wave : ndarray of shape (n_samples,)
        Waveform of single precision with a peak of 0.5.

    See Also
    --------
    make_voices : Synthetic voices.
    make_mixture : Mix recordings at a given level.

    Examples
    --------
    >>> from sklearn_gass.datasets import make_background
    >>> make_background("rain", duration=0.5, random_state=0).shape
    (8000,)
    """
    wave = BACKGROUNDS[kind](round(duration * sample_rate), sample_rate, check_random_state(random_state))
    scaled: NDArray[np.float32] = (0.5 * wave / np.abs(wave).max()).astype(np.float32)
    return scaled

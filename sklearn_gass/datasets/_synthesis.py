"""A source-filter model of speech.

A glottal-like harmonic source with a pitch contour drives a cascade of resonators that glide between the formants of
vowels and sonorants; noise bursts stand for unvoiced consonants. After D. H. Klatt, "Software for a cascade/parallel
formant synthesizer", J. Acoust. Soc. Am. 67(3), 1980, with far fewer controls.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

_Wave = NDArray[np.float64]

# Formants in Hz of an adult male vocal tract, and level in dB. Vowels after Peterson and Barney (1952).
_VOICED = np.array(
    [
        # F1, F2, F3, F4, level
        [270, 2290, 3010, 3500, -4],
        [390, 1990, 2550, 3500, -2],
        [530, 1840, 2480, 3500, -1],
        [660, 1720, 2410, 3500, 0],
        [730, 1090, 2440, 3500, 0],
        [570, 840, 2410, 3400, 0],
        [440, 1020, 2240, 3400, -2],
        [300, 870, 2240, 3400, -4],
        [640, 1190, 2390, 3500, -1],
        [490, 1350, 1690, 3400, -2],
        [250, 1200, 2200, 3300, -14],  # nasals
        [250, 1600, 2500, 3400, -14],
        [350, 1050, 2800, 3500, -9],  # liquid, glide
        [290, 700, 2200, 3300, -9],
    ],
    dtype=float,
)
_N_VOWELS = 10
_BANDWIDTHS = np.array([70.0, 100.0, 150.0, 220.0])  # Hz
# Unvoiced consonants: lower and upper edge in Hz, level in dB, shortest and longest duration in s.
_UNVOICED = np.array(
    [
        [4200, 7600, -10, 0.08, 0.15],
        [2200, 5500, -9, 0.08, 0.14],
        [1500, 7500, -20, 0.06, 0.12],
        [3000, 7000, -12, 0.02, 0.05],
        [1200, 3500, -13, 0.02, 0.05],
    ]
)
_STEP = 0.01  # s, between two settings of the resonators
_NOISE_FLOOR = 10 ** (-55 / 20)
_PEAK = 0.5


@dataclass(frozen=True)
class Voice:
    """What stays the same in everything one voice says."""

    pitch: float  # Hz
    pitch_range: float  # semitones
    tract: float  # factor on formants
    formant_shift: _Wave  # factor on each formant
    tilt: float  # power of 1/harmonic
    breath: float  # noise in the source
    vibrato: float  # semitones
    speed: float  # factor on durations
    hiss: float  # factor on noise bands


@dataclass(frozen=True)
class _Score:
    """What one utterance says, on the time grid of the resonators."""

    formants: _Wave  # (n_steps, 4), Hz
    voicing: _Wave  # (n_steps,), amplitude of the voiced source
    accents: _Wave  # (n_steps,), semitones
    bursts: list[tuple[int, int, int]]  # unvoiced consonants: kind, first step, last step


def speak(voice: Voice, n_samples: int, sample_rate: int, rng: RandomState) -> NDArray[np.float32]:
    """Return one utterance with a peak of 0.5, of at least 0.5 s so that some voiced sound is in it."""
    n_steps = int(np.ceil(n_samples / (_STEP * sample_rate))) + 1
    score = _compose(voice, n_steps, rng)
    times = np.arange(n_samples) / sample_rate / _STEP  # in steps
    source = _glottal_source(voice, score, times, sample_rate, rng)
    wave = _resonate(source, score.formants, sample_rate) + _unvoiced(voice, score, n_samples, sample_rate, rng)
    wave += _NOISE_FLOOR * np.abs(wave).max() * rng.standard_normal(n_samples)
    scaled: NDArray[np.float32] = (wave * (_PEAK / np.abs(wave).max())).astype(np.float32)
    return scaled


def _compose(voice: Voice, n_steps: int, rng: RandomState) -> _Score:
    """Draw a sequence of pauses and syllables: maybe a consonant, a vowel, maybe a sonorant."""
    targets: list[tuple[float, _Wave]] = []
    voicing, accents = np.zeros(n_steps), np.zeros(n_steps)
    bursts = []
    scale = voice.tract * voice.formant_shift
    now = rng.uniform(0.03, 0.1) / _STEP

    def sound(phone: int, seconds: float) -> None:
        nonlocal now
        length = seconds * voice.speed / _STEP
        middle = slice(int(now), int(now + length) + 1)
        voicing[middle] = 10 ** ((_VOICED[phone, 4] + rng.uniform(-3, 1)) / 20)
        formants = _VOICED[phone, :4] * scale * rng.uniform(0.95, 1.05, size=4)
        targets.extend([(now + 0.3 * length, formants), (now + 0.7 * length, formants)])
        now += length

    while now < n_steps:
        onset = rng.uniform()
        if onset < 0.4:
            kind = rng.randint(len(_UNVOICED))
            length = rng.uniform(*_UNVOICED[kind, 3:]) * voice.speed / _STEP
            bursts.append((kind, int(now), int(now + length)))
            now += length
        elif onset < 0.75:
            sound(rng.randint(_N_VOWELS, len(_VOICED)), rng.uniform(0.05, 0.09))
        start = int(now)
        sound(rng.randint(_N_VOWELS), rng.uniform(0.07, 0.2))
        accents[start : int(now)] = rng.uniform(-1, 1) * voice.pitch_range
        if rng.uniform() < 0.25:
            sound(rng.randint(_N_VOWELS, len(_VOICED)), rng.uniform(0.05, 0.09))
        if rng.uniform() < 0.15:
            now += rng.uniform(0.1, 0.3) / _STEP
    steps = np.arange(n_steps)
    at, formants = zip(*targets, strict=True)
    tracks = np.stack([np.interp(steps, at, track) for track in np.transpose(formants)], axis=1)
    return _Score(tracks, _smooth(voicing, 3), _smooth(accents, 11), bursts)


def _smooth(values: _Wave, width: int) -> _Wave:
    window = np.hanning(width + 2)[1:-1]
    return np.convolve(np.pad(values, width // 2, mode="edge"), window / window.sum(), mode="valid")


def _glottal_source(voice: Voice, score: _Score, times: _Wave, sample_rate: int, rng: RandomState) -> _Wave:
    """Return a harmonic source with a pitch contour, and breath noise that follows its pulses."""
    seconds = times * _STEP
    n_steps = len(score.accents)
    jitter = _smooth(rng.standard_normal(n_steps), 3) * 0.15
    semitones = np.interp(times, np.arange(n_steps), score.accents + jitter)
    semitones += 2.0 - 4.0 * seconds / seconds[-1]  # declination
    semitones += voice.vibrato * np.sin(2 * np.pi * (rng.uniform(4.5, 6.0) * seconds + rng.uniform()))
    pitch = voice.pitch * 2 ** (semitones / 12)
    cycles = np.cumsum(pitch) / sample_rate
    # One period of all harmonics below half the sample rate, read at the running phase.
    harmonics = np.arange(1, max(2, int(0.5 * sample_rate / pitch.max())))
    phase = np.linspace(0, 1, 1025)
    period = np.sin(2 * np.pi * np.outer(phase, harmonics)) @ harmonics ** -float(voice.tilt)
    source: NDArray[np.float64] = np.interp(cycles % 1.0, phase, period / period.std())
    source += voice.breath * rng.standard_normal(len(times)) * (1 + np.cos(2 * np.pi * cycles))
    return source * np.interp(times, np.arange(n_steps), score.voicing)


def _resonate(source: _Wave, formants: _Wave, sample_rate: int) -> _Wave:
    """Filter by a cascade of resonators with unit gain at 0 Hz, set anew at every step."""
    from scipy.signal import sosfilt

    radius = np.exp(-np.pi * _BANDWIDTHS / sample_rate)
    angle = 2 * np.pi * np.minimum(formants, 0.47 * sample_rate) / sample_rate
    sections = np.zeros((len(formants), len(radius), 6))
    sections[..., 3] = 1.0
    sections[..., 4] = -2 * radius * np.cos(angle)
    sections[..., 5] = radius**2
    sections[..., 0] = sections[..., 3:].sum(axis=-1)
    edges = np.round(np.arange(len(formants) + 1) * _STEP * sample_rate).astype(int)
    state = np.zeros((len(radius), 2))
    wave = np.empty_like(source)
    for setting, (start, stop) in zip(sections, pairwise(np.minimum(edges, len(source))), strict=True):
        if stop > start:
            wave[start:stop], state = sosfilt(setting, source[start:stop], zi=state)
    return wave / max(float(np.sqrt(np.mean(wave**2))), np.finfo(float).tiny)


def _unvoiced(voice: Voice, score: _Score, n_samples: int, sample_rate: int, rng: RandomState) -> _Wave:
    """Return the noise of fricatives and plosives."""
    from scipy.signal import butter, sosfilt

    wave = np.zeros(n_samples)
    for kind, first, last in score.bursts:
        start, stop = (min(n_samples, round(step * _STEP * sample_rate)) for step in (first, last))
        if stop - start < 2:
            continue
        band = np.minimum(_UNVOICED[kind, :2] * voice.hiss, [0.35 * sample_rate, 0.48 * sample_rate])
        noise = sosfilt(butter(2, band, "bandpass", fs=sample_rate, output="sos"), rng.standard_normal(stop - start))
        noise *= np.hanning(stop - start) ** 0.5 / max(noise.std(), np.finfo(float).tiny)
        wave[start:stop] += noise * 10 ** ((_UNVOICED[kind, 2] + rng.uniform(-3, 3)) / 20)
    return wave

"""What a user may take instead: noise reduction that knows no voice. Each is scored where its package is installed."""

from __future__ import annotations

import importlib.util

import librosa
import numpy as np

_LARGEST_DELAY = 2400  # samples at 48 kHz


def available():
    """Return the methods whose packages are installed, by name: from a mixture and its sample rate to an estimate."""
    methods = {"noisereduce": ("noisereduce", spectral_gating), "RNNoise": ("pyrnnoise", rnnoise)}
    return {name: method for name, (package, method) in methods.items() if importlib.util.find_spec(package)}


def spectral_gating(mixture, sample_rate):
    """Return what the spectral gating of noisereduce (MIT licence) leaves."""
    import noisereduce

    return noisereduce.reduce_noise(y=mixture, sr=sample_rate)


def rnnoise(mixture, sample_rate):
    """Return what RNNoise leaves, a small network that was trained on many voices and noises.

    pyrnnoise (Apache-2.0) wraps it (BSD-3-Clause) and has its weights inside. It works at 48 kHz and in 16 bits, and
    delays sound, which is undone by the largest correlation with the mixture.
    """
    from pyrnnoise.rnnoise import FRAME_SIZE, SAMPLE_RATE, create, destroy, process_mono_frame

    wave = librosa.resample(mixture, orig_sr=sample_rate, target_sr=SAMPLE_RATE)
    wave = np.pad(0.5 * wave / np.abs(wave).max(), (0, -len(wave) % FRAME_SIZE + _LARGEST_DELAY))
    frames = wave[: len(wave) // FRAME_SIZE * FRAME_SIZE].astype(np.float32).reshape(-1, FRAME_SIZE)
    state = create()
    try:
        left = np.concatenate([process_mono_frame(state, frame)[0] for frame in frames]).astype(np.float32)
    finally:
        destroy(state)
    n = len(left) - _LARGEST_DELAY
    delay = np.argmax([np.dot(wave[:n], left[d : d + n]) for d in range(_LARGEST_DELAY)])
    back = librosa.resample(left[delay:], orig_sr=SAMPLE_RATE, target_sr=sample_rate)
    return librosa.util.fix_length(back, size=len(mixture))

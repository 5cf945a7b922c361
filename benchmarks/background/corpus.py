"""Test mixtures of one known voice and a background that nothing was trained on."""

from __future__ import annotations

import numpy as np

from sklearn_gass.datasets import make_background, make_mixture

SYNTHETIC = ("noise", "machine", "rain", "melody", "transients")
SPOKEN = ("babble", "voice")  # three other voices at once; one voice of the other sex
BACKGROUNDS = (*SYNTHETIC, *SPOKEN)
LEVELS = (0.0, -5.0, 5.0)  # of the voice against the background, in dB


def split(data, speaker):
    """Return the training sentences of a speaker and the test sentence, the last one of ten."""
    own = [data.utterances[i] for i in np.flatnonzero(data.speakers == speaker)]
    return own[:-1], own[-1]


def background(data, speaker, kind, n_samples):
    """Return a background, which is the same at every level and another one for every speaker."""
    speakers = np.unique(data.speakers)
    seed = 17 * speakers.tolist().index(speaker)
    if kind in SYNTHETIC:
        return make_background(kind, duration=n_samples / data.sample_rate, random_state=seed)[:n_samples]
    rng = np.random.RandomState(seed)
    strangers = [s for s in speakers if s != speaker and (kind == "babble" or s[0] != speaker[0])]
    wave = np.zeros(n_samples)
    for stranger in rng.choice(strangers, 3 if kind == "babble" else 1, replace=False):
        # not the first two, which every speaker says
        sentence = data.utterances[rng.choice(np.flatnonzero(data.speakers == stranger)[2:])]
        wave += np.resize(sentence / sentence.std(), n_samples)
    return wave


def make_test(data, speaker, kind, level):
    """Return a mixture at a level in dB, of single precision, and its two references, voice first."""
    _, voice = split(data, speaker)
    mixture, references = make_mixture([voice, background(data, speaker, kind, len(voice))], snr=level)
    return mixture.astype(np.float32), references

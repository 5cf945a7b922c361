"""Small frame sets and voices that several test modules share; the only seeds are here."""

from __future__ import annotations

import os

import hypothesis
import numpy as np
import pytest
from sklearn.utils import Bunch

from sklearn_gass import MixtureCritic, MixtureStart, VAESourceModel
from sklearn_gass.datasets import fetch_timit_sample, make_voices

# Property tests draw the same examples in every run, so that a run says something about the code alone, and time
# decides nothing. `tests/run explore` draws others.
_NO_CLOCK = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("repeatable", derandomize=True, database=None, **_NO_CLOCK)
hypothesis.settings.register_profile("explore", max_examples=1000, database=None, print_blob=True, **_NO_CLOCK)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def seed():
    """Value of `random_state` where a test needs any fixed one."""
    return 0


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def draw_frames(rng, n_frames, n_bins, n_templates):
    """Positive frames that a few templates nearly explain, as magnitudes of sound are."""
    templates = rng.gamma(0.5, 1, (n_templates, n_bins)) + 0.01
    activations = rng.gamma(1, 1, (n_frames, n_templates)) + 0.01
    return activations @ templates * rng.gamma(20, 1 / 20, (n_frames, n_bins))


def read_only(array):
    array.flags.writeable = False
    return array


@pytest.fixture(scope="session")
def frames():
    """Frames of one source, of shape (60, 12)."""
    return read_only(draw_frames(np.random.default_rng(0), 60, 12, 3))


@pytest.fixture(scope="session")
def make_sources():
    """Function of a number of sources that returns clean frames, labels, groups and frames of a mixture.

    Labels are "a", "b", ... in random order; a source has 30 frames in groups ("utterances") of five, and energy in
    all of the 12 bins, but most in its own.
    """

    def make(n_sources=2, dtype=np.float64):
        rng = np.random.default_rng(n_sources)
        centres = np.linspace(1, 10, n_sources)
        envelopes = np.exp(-((np.arange(12) - centres[:, None]) ** 2) / 8) + 0.05
        clean = [draw_frames(rng, 30, 12, 3) * envelope for envelope in envelopes]
        mixture = sum(draw_frames(rng, 20, 12, 3) * envelope for envelope in envelopes)
        order = rng.permutation(30 * n_sources)
        return Bunch(
            X=read_only(np.concatenate(clean).astype(dtype)[order]),
            y=np.repeat(list("abcdefgh"[:n_sources]), 30)[order],
            groups=np.repeat(np.arange(6 * n_sources), 5)[order],
            mixture=read_only(mixture.astype(dtype)),
        )

    return make


@pytest.fixture
def quick_defaults(monkeypatch):
    """Let the default models, start and critics train for a few steps, where nothing asks for good separation."""
    for estimator in (VAESourceModel, MixtureStart, MixtureCritic):
        monkeypatch.setitem(estimator.__init__.__kwdefaults__, "max_iter", 3)


@pytest.fixture(scope="session")
def short_voices():
    """Two synthetic voices with three utterances of different lengths each."""
    voices = make_voices(2, n_utterances=3, duration=0.6, random_state=0)
    voices.utterances = [wave[: len(wave) - 1000 * i] for i, wave in enumerate(voices.utterances)]
    return voices


@pytest.fixture(scope="session")
def real_speech():
    """Ten speakers of the TIMIT sample."""
    folder = os.environ.get("SKLEARN_GASS_DATA")
    if not folder:
        pytest.skip("needs real speech: SKLEARN_GASS_DATA names no folder with the TIMIT sample")
    return fetch_timit_sample(data_home=folder, download_if_missing=False)

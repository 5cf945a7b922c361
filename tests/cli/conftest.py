"""Tiny synthetic voices in a folder of their own, for commands that are run in this process."""

import numpy as np
import pytest

from cli.commands import PNG_SIGNATURE, RATE
from sklearn_gass import STFT, AudioSeparator, NMFSourceModel, SupervisedSeparator, save_audio, save_model
from sklearn_gass.cli import _report as report
from sklearn_gass.datasets import make_mixture, make_voices


@pytest.fixture(scope="session")
def voices():
    return make_voices(2, n_utterances=3, duration=0.5, sample_rate=RATE, random_state=0)


@pytest.fixture
def files(tmp_path, voices, monkeypatch):
    """Two training folders, two references and their mixture, relative to the current folder."""
    monkeypatch.chdir(tmp_path)
    for label, first in (("low", 0), ("high", 3)):
        folder = tmp_path / label / "day 1"
        folder.mkdir(parents=True)
        for number in (0, 1):
            save_audio(folder / f"{number}.wav", voices.utterances[first + number], RATE)
    mixture, references = make_mixture([voices.utterances[2], voices.utterances[5]])
    gain = 0.5 / np.abs(mixture).max()
    save_audio("mix.wav", mixture * gain, RATE)
    for label, reference in zip(("low", "high"), references, strict=True):
        save_audio(f"{label}.wav", reference * gain, RATE)
    return tmp_path


@pytest.fixture
def quick_picture(monkeypatch):
    """Leave out drawing where the picture does not matter, since it takes longer than all the rest."""
    monkeypatch.setattr(report, "spectrograms_png", lambda waves, sample_rate: PNG_SIGNATURE)


@pytest.fixture(scope="session")
def trained(voices):
    """A separator of waveforms, not to be changed."""
    separator = SupervisedSeparator(NMFSourceModel(3, max_iter=30), random_state=0)
    audio = AudioSeparator(separator, stft=STFT.for_sample_rate(RATE), sample_rate=RATE)
    labels = ["low", "low", "high", "high"]
    return audio.fit([voices.utterances[i] for i in (0, 1, 3, 4)], labels)


@pytest.fixture
def model(files, trained):
    """A model file beside the sound files."""
    save_model(trained, "voices.safetensors", card={"licence": "CC0"})
    return "voices.safetensors"

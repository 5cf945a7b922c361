"""What recordings are like in the field: offsets, rumble, containers, labels, and fits that fail."""

import multiprocessing
import os
import pickle
import subprocess
import sys
from copy import deepcopy

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError

import sklearn_gass
from sklearn_gass import AudioSeparator, BackgroundModel, NMFSourceModel, SupervisedSeparator, VAESourceModel
from sklearn_gass._rumble import without_rumble
from sklearn_gass.datasets import make_mixture
from sklearn_gass.metrics import si_sdr

RATE = 16000


@pytest.fixture(scope="module")
def audio(seed):
    return AudioSeparator(SupervisedSeparator(NMFSourceModel(5, max_iter=10), max_iter=20), random_state=seed)


@pytest.fixture(scope="module")
def clean(short_voices):
    return list(short_voices.utterances), short_voices.speakers


@pytest.fixture(scope="module")
def fitted(audio, clean):
    return clone(audio).fit(*clean)


@pytest.fixture(scope="module")
def example(clean):
    return make_mixture([clean[0][2], clean[0][5]])


def rumble(n_samples, level):
    time = np.arange(n_samples) / RATE
    return level * (np.sin(2 * np.pi * 3 * time) + np.sin(2 * np.pi * 8 * time + 1)).astype(np.float32)


class TestRumble:
    @pytest.mark.parametrize("frequency", [0.5, 5, 10])
    def test_is_taken_out(self, frequency):
        wave = np.sin(2 * np.pi * frequency * np.arange(4 * RATE) / RATE)
        assert np.std(without_rumble(wave + 3, RATE)[RATE:-RATE]) < 0.01

    @pytest.mark.parametrize("frequency", [60, 100, 1000])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_voices_stay(self, frequency, dtype):
        wave = np.sin(2 * np.pi * frequency * np.arange(4 * RATE) / RATE).astype(dtype)
        audible = without_rumble(wave + dtype(3), RATE)
        assert audible.dtype == dtype
        assert np.abs(audible - wave)[RATE:-RATE].max() < 2e-3

    def test_little_of_it_leaves_the_waveform_alone(self, clean):
        assert without_rumble(clean[0][0], RATE) is clean[0][0]

    def test_numbers_do_not_depend_on_blocks(self, rng, monkeypatch):
        wave = rng.normal(size=5000) + 3
        whole = without_rumble(wave, RATE)
        monkeypatch.setattr("sklearn_gass._rumble._BLOCK", 700)
        np.testing.assert_allclose(without_rumble(wave, RATE), whole, rtol=0, atol=1e-12)

    @pytest.mark.parametrize("disturb", [lambda n: np.float32(2), lambda n: rumble(n, 1.5)], ids=["offset", "rumble"])
    @pytest.mark.parametrize("where", ["training", "mixture"])
    def test_does_not_matter(self, where, disturb, audio, fitted, clean, example):
        (X, y), (mixture, references) = clean, example
        undisturbed = si_sdr(references, np.asarray(fitted.separate(mixture))).mean()
        if where == "training":
            X = [w + w.std() * disturb(w.size) if label == "voice0" else w for w, label in zip(X, y, strict=True)]
            sources = np.asarray(clone(audio).fit(X, y).separate(mixture))
        else:
            disturbed = mixture + mixture.std() * disturb(mixture.size)
            sources = fitted.separate(disturbed).sources
            np.testing.assert_allclose(sources.sum(0), disturbed, atol=1e-5)
            sources = np.stack([without_rumble(source, RATE) for source in sources])
        assert si_sdr(references, sources).mean() > undisturbed - 0.5

    def test_is_shared_equally(self, fitted):
        offset = np.full(4000, 0.3)
        assert_array_equal(fitted.separate(offset).sources, np.stack([offset / 2] * 2))

    @pytest.mark.parametrize("wave", [np.full(4000, 0.3), rumble(9000, 1.0)], ids=["offset", "rumble"])
    @pytest.mark.parametrize("label", ["background", "zzz"])
    def test_is_the_background_if_there_is_one(self, label, wave, clean, example):
        models = [("voice0", NMFSourceModel(5)), (label, BackgroundModel(2))]
        own = [w for w, name in zip(*clean, strict=True) if name == "voice0"]
        audio = AudioSeparator(SupervisedSeparator(models), random_state=0, sample_rate=RATE)
        audio.fit(own, ["voice0"] * len(own))
        alone = audio.separate(wave)
        assert np.square(alone["voice0"]).sum() < 1e-3 * np.square(wave).sum()
        np.testing.assert_allclose(alone.sources.sum(0), wave, atol=1e-5)
        quiet = example[0][: wave.size]
        with_it, without = audio.separate(quiet + wave[: quiet.size]), audio.separate(quiet)
        assert np.square(with_it["voice0"] - without["voice0"]).sum() < 0.1 * np.square(without["voice0"]).sum()


class TestContainers:
    @pytest.mark.parametrize(
        "pack",
        [
            tuple,
            lambda waves: [torch.tensor(wave) for wave in waves],
            lambda waves: [wave.tolist() for wave in waves],
            lambda waves: pd.DataFrame({"wave": waves})["wave"],
            lambda waves: pl.DataFrame({"wave": [wave.tolist() for wave in waves]})["wave"],
        ],
        ids=["tuple", "tensors", "lists", "pandas", "polars"],
    )
    def test_waveforms_of_different_lengths(self, pack, audio, fitted, clean, example):
        again = clone(audio).fit(pack(clean[0]), clean[1])
        assert_array_equal(again.separate(example[0]).sources, fitted.separate(example[0]).sources)

    @pytest.mark.parametrize("output", ["pandas", "polars"])
    def test_a_list_stays_a_list_whatever_tables_are_asked_for(self, output, fitted, example):
        with config_context(transform_output=output):
            separated = fitted.transform([example[0], example[0][:2000]])
        assert [sources.shape for sources in separated] == [(2, example[0].size), (2, 2000)]

    @pytest.mark.parametrize("missing", [None, np.nan, float("nan")])
    def test_no_label_is_no_source(self, missing, audio, clean):
        with pytest.raises(ValueError, match="row 1 has no label"):
            clone(audio).fit(clean[0], ["a", missing, "a", "b", "b", "b"])

    @pytest.mark.parametrize(
        "missing",
        [np.float32("nan"), pd.NaT, pd.NA, np.datetime64("NaT"), np.ma.masked],
        ids=lambda m: type(m).__name__,
    )
    def test_kinds_of_missing_labels(self, missing, audio, clean):
        y = np.array(["a", "a", "a", "b", "b", None], dtype=object)
        y[5] = missing
        with pytest.raises(ValueError, match="row 5 has no label"):
            clone(audio).fit(clean[0], y)

    @pytest.mark.parametrize("dtype", ["<i2", ">i2", "i4", "i1", "u1", "u2"])
    def test_integers_have_full_scale(self, dtype, fitted, example):
        info = np.iinfo(dtype)
        floats = 0.5 * example[0] / np.abs(example[0]).max()
        integers = np.round(floats * info.max if info.min else (floats + 1) / 2 * info.max).astype(dtype)
        np.testing.assert_allclose(fitted.separate(integers).mixture, floats, atol=3 / info.max + 1e-6)

    @pytest.mark.parametrize(
        ("X", "message"),
        [
            (["a.wav", "b.wav"], "read each utterance with load_audio"),
            ([(np.ones(9), 8000)] * 2, "take the first of each"),
        ],
        ids=["names", "pairs"],
    )
    def test_what_is_easily_mistaken_for_waveforms(self, X, message, audio):
        with pytest.raises(ValueError, match=message):
            clone(audio).fit(X, ["a", "b"])

    def test_generators_are_lists(self, audio, fitted, clean, example):
        again = clone(audio).fit((wave for wave in clean[0]), clean[1])
        assert_array_equal(again.separate(example[0]).sources, fitted.separate(example[0]).sources)

    def test_saving_keeps_all_sources_or_none(self, fitted, example, tmp_path, monkeypatch):
        from sklearn_gass.separation import _separation

        calls = []

        def full(path, wave, sample_rate):
            calls.append(path)
            if len(calls) == 2:
                raise OSError(28, "No space left on device", str(path))
            save(path, wave, sample_rate)

        save = _separation.save_audio
        monkeypatch.setattr(_separation, "save_audio", full)
        with pytest.raises(OSError, match="No space left"):
            fitted.separate(example[0]).save(tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_labels_in_a_separation(self, fitted, example):
        separation = fitted.separate(example[0])
        assert "voice0" in separation
        assert "nobody" not in separation

    def test_precision_of_recordings_does_not_matter(self, audio, fitted, clean, example):
        double = clone(audio).fit([wave.astype(np.float64) for wave in clean[0]], clean[1])
        assert_array_equal(double.separate(example[0]).sources, fitted.separate(example[0]).sources)


class TestFitsThatFail:
    def test_after_an_error_nothing_is_fitted(self, fitted, clean):
        audio = deepcopy(fitted)
        with pytest.raises(ValueError, match="silent"):
            audio.fit([clean[0][0], 0 * clean[0][3]], ["carl", "dora"])
        with pytest.raises(NotFittedError):
            audio.separate(clean[0][0])

    def test_an_interruption_leaves_the_old_fit(self, fitted, clean, monkeypatch):
        audio = deepcopy(fitted)
        before = audio.separate(clean[0][0])

        def interrupt(*args):
            raise KeyboardInterrupt

        monkeypatch.setattr(NMFSourceModel, "_train", interrupt)
        with pytest.raises(KeyboardInterrupt):
            audio.fit(clean[0][:2] + clean[0][3:], ["x", "x", "y", "y", "y"])
        monkeypatch.undo()
        after = audio.separate(clean[0][0])
        assert after.labels.tolist() == before.labels.tolist()
        assert_array_equal(after.sources, before.sources)

    @pytest.mark.parametrize("model", [NMFSourceModel(2), VAESourceModel(2, hidden_layer_sizes=(4,), max_iter=1)])
    def test_a_first_fit_that_is_interrupted(self, model, frames, monkeypatch):
        def interrupt(*args):
            raise KeyboardInterrupt

        monkeypatch.setattr(type(model), "_train", interrupt)
        model = clone(model)
        with pytest.raises(KeyboardInterrupt):
            model.fit(frames)
        with pytest.raises(NotFittedError):
            model.transform(frames)


def test_another_version_warns_about_a_pickle(fitted, monkeypatch):
    stored = pickle.dumps(fitted)
    monkeypatch.setattr(sklearn_gass, "__version__", "9.9.9")
    with pytest.warns(
        InconsistentVersionWarning, match=r"sklearn_gass 0\.1\.0 when using version sklearn_gass 9\.9\.9"
    ):
        pickle.loads(stored)


def test_stored_residuals_give_no_training_frames_back(frames):
    model = NMFSourceModel(3, random_state=0).fit(frames)
    explained = model.activations_ @ model.components_
    order = np.argsort(explained.sum(1))
    attempt = np.empty_like(explained)
    attempt[order] = (explained[order] + 1e-3) * model.residuals_.astype(float) - 1e-3
    plain = np.linalg.norm(explained * model.scale_ - frames)
    assert np.linalg.norm(attempt * model.scale_ - frames) > 0.5 * plain


FORK = """
import multiprocessing, sys
import numpy as np
from sklearn_gass import SupervisedSeparator, VAESourceModel
rng = np.random.default_rng(0)
X = rng.random((300, 257)).astype(np.float32)
model = VAESourceModel(16, hidden_layer_sizes=(200,), max_iter=3)
separator = SupervisedSeparator(model, start="source", critic=None, max_iter=5).fit(X, ["a", "b"] * 150)
with multiprocessing.get_context("fork").Pool(2) as pool:
    print([part.shape for part in pool.map_async(separator.transform, [X[:50], X[50:80]]).get(90)])
"""


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
def test_forked_processes_separate_after_training_on_threads():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        env={**os.environ, "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.stdout.strip() == "[(50, 514), (30, 514)]", done.stderr

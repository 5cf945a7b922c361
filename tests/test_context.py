"""Templates that span three frames: `NMFSourceModel` with a context."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from sklearn_gass import (
    AudioSeparator,
    BackgroundModel,
    NMFSourceModel,
    SupervisedSeparator,
    VAESourceModel,
    load_model,
    save_model,
)
from sklearn_gass.datasets import make_mixture, make_voices
from sklearn_gass.divergences import DIVERGENCES
from sklearn_gass.engine import GammaPrior
from sklearn_gass.engine._context import with_context, without_context
from sklearn_gass.separation import _blockwise, _consistency
from sklearn_gass.separation._blockwise import block_frames

MODEL = NMFSourceModel(6, context=2, random_state=0)


def moving(direction, n_frames=240):
    """Return frames in which a peak moves up or down, one bin a frame, again and again."""
    places = direction * np.arange(n_frames)[:, None] - np.arange(12)
    return np.float64(0.05) + np.exp(4 * (np.cos(2 * np.pi * places / 12) - 1))


UP, DOWN = moving(1), moving(-1)


def separator(**params):
    return SupervisedSeparator(clone(MODEL).set_params(**params))


class TestRows:
    def test_hold_a_frame_between_an_earlier_and_a_later_one(self):
        frames = torch.arange(10.0).reshape(5, 2)
        rows = with_context(frames, 2)
        assert_array_equal(rows[2], torch.cat([frames[0], frames[2], frames[4]]))
        assert_array_equal(rows[0], torch.cat([frames[0], frames[0], frames[2]]))
        assert_array_equal(rows[4], torch.cat([frames[2], frames[4], frames[4]]))

    @given(st.integers(1, 9), st.integers(0, 12))
    def test_frames_are_found_again(self, n_frames, context):
        frames = torch.rand(n_frames, 3, generator=torch.Generator().manual_seed(0))
        assert_allclose(without_context(with_context(frames, context), context), frames, rtol=1e-6)

    def test_no_context_changes_nothing(self):
        frames = torch.rand(4, 3)
        assert with_context(frames, 0) is frames
        assert without_context(frames, 0) is frames

    def test_disagreeing_rows_are_averaged(self):
        rows = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 4.0], [5.0, 0.0, 0.0], [0.0, 3.0, 0.0]])
        assert_allclose(without_context(rows, 1)[:, 0], [1 / 2, (0 + 5 + 0) / 3, (0 + 0 + 4) / 3, 3 / 2])


class TestModel:
    def test_templates_know_where_a_sound_goes(self):
        """Both sounds have the same single frames, and only their movement tells them apart."""
        scores = {}
        for context in (0, 2):
            own = NMFSourceModel(12, context=context, max_iter=300, tol=0, random_state=0).fit(UP)
            scores[context] = own.score(UP) - own.score(DOWN)
        assert abs(scores[0]) < 0.1
        assert scores[2] > 1

    @pytest.mark.parametrize("beta_loss", DIVERGENCES)
    @pytest.mark.parametrize("prior", [None, "gamma"])
    def test_fit_transform_and_sample(self, beta_loss, prior):
        model = NMFSourceModel(6, context=2, beta_loss=beta_loss, prior=prior, random_state=0).fit(UP)
        assert model.components_.shape == (6, 36)
        assert model.context_ == 2
        latents = model.transform(UP)
        assert latents.shape == (240, 6)
        again = model.inverse_transform(latents)
        assert again.shape == UP.shape
        assert np.abs(again - UP).mean() < 0.5 * np.abs(UP - UP.mean(0)).mean()
        for sequence in (False, True):
            drawn = model.sample(50, sequence=sequence, random_state=1)
            assert drawn.shape == (50, 12)
            assert (drawn >= 0).all()
            assert np.isfinite(drawn).all()

    def test_sequences_move_as_the_sound_does(self):
        model = NMFSourceModel(12, context=2, max_iter=200, random_state=0).fit(UP)
        drawn = model.sample(400, sequence=True, output_noise=False, random_state=0)
        forth = np.mean(drawn[1:, 1:] * drawn[:-1, :-1])
        assert forth > 1.02 * np.mean(drawn[1:, :-1] * drawn[:-1, 1:])

    def test_no_context_is_the_default(self):
        plain = [NMFSourceModel(6, random_state=0, **given).fit(UP) for given in ({}, {"context": 0})]
        assert plain[0].components_.shape == (6, 12)
        assert_array_equal(plain[0].components_, plain[1].components_)

    @pytest.mark.parametrize("n_frames", [1, 2, 5])
    def test_few_frames(self, n_frames):
        model = clone(MODEL).fit(UP[:n_frames])
        assert model.inverse_transform(model.transform(UP[:n_frames])).shape == (n_frames, 12)
        assert np.isfinite(model.score(UP[:1]))

    def test_frames_hear_of_those_up_to_twice_as_far_away(self):
        model = clone(MODEL).fit(UP)
        changed = UP.copy()
        changed[100] *= 5
        found = model.inverse_transform(model.transform(UP)) != model.inverse_transform(model.transform(changed))
        rows = np.flatnonzero(found.any(axis=1))
        assert rows.min() == 96
        assert rows.max() == 104

    def test_context_acts_in_training(self):
        model = clone(MODEL).fit(UP)
        assert_array_equal(model.transform(UP), model.set_params(context=3).transform(UP))

    def test_training_goes_on_with_the_same_context_only(self):
        model = clone(MODEL).set_params(warm_start=True).fit(UP)
        before = model.reconstruction_err_
        assert model.fit(UP).reconstruction_err_ < before
        with pytest.raises(ValueError, match="context=2, not 1: fit it again"):
            model.set_params(context=1).fit(UP)
        assert model.context_ == 2

    @pytest.mark.parametrize("context", [240, 2**63, 10**30])
    def test_context_longer_than_the_recording(self, context):
        model = NMFSourceModel(3, context=context, random_state=0).fit(UP)
        assert np.isfinite(model.inverse_transform(model.transform(UP))).all()

    @pytest.mark.parametrize("bad", [-1, 1.5, True, None, "2"])
    def test_bad_context(self, bad):
        with pytest.raises(ValueError, match="context"):
            NMFSourceModel(context=bad).fit(UP)

    def test_context_from_a_grid_is_kept_as_a_python_int(self, tmp_path):
        model = NMFSourceModel(3, context=np.int64(2), random_state=0).fit(UP)
        save_model(model, tmp_path / "model.safetensors")
        assert_array_equal(load_model(tmp_path / "model.safetensors").transform(UP), model.transform(UP))


class TestSeparator:
    def test_separates_what_differs_in_movement_only(self):
        X, y = np.vstack([UP, DOWN]), ["up"] * 240 + ["down"] * 240
        errors = {}
        for context in (0, 2):
            fitted = separator(n_components=12, max_iter=200, context=context).fit(X, y)
            down, up = fitted.separate(UP + DOWN)
            errors[context] = np.square(up - UP).mean() + np.square(down - DOWN).mean()
        assert errors[2] < 0.5 * errors[0]

    def test_is_exact_in_blocks(self, monkeypatch):
        voices = make_voices(2, n_utterances=2, duration=1.5, random_state=0)
        audio = AudioSeparator(SupervisedSeparator(clone(MODEL), batch_size=32), random_state=0)
        audio.fit(voices.utterances, voices.speakers)
        mixture, _ = make_mixture([voices.utterances[0], voices.utterances[2]])
        whole = audio.separate(mixture)
        monkeypatch.setattr(_blockwise, "_BLOCK_VALUES", 1000)
        monkeypatch.setattr(_consistency, "_FEWEST", 1)
        assert block_frames(audio.separator_, 1000) == 32
        assert_array_equal(audio.separate(mixture).sources, whole.sources)
        assert audio.separator_.n_neighbours == 4
        assert_allclose(np.sum(whole.sources, axis=0), mixture, atol=1e-5)
        assert audio.separate(mixture, n_samples=5).spread.std.shape[1:] == audio.stft_.analyze(mixture)[0].shape

    def test_saved_and_loaded(self, tmp_path):
        X, y = np.vstack([UP, DOWN]), ["up"] * 240 + ["down"] * 240
        fitted = separator().fit(X, y)
        save_model(fitted, tmp_path / "model.safetensors")
        assert_array_equal(load_model(tmp_path / "model.safetensors").separate(UP), fitted.separate(UP))

    def test_put_together_of_fitted_models(self):
        models = {label: clone(MODEL).fit(frames) for label, frames in (("down", DOWN), ("up", UP))}
        together = SupervisedSeparator.from_fitted(list(models.items()))
        assert together.separate(UP + DOWN).shape == (2, 240, 12)

    @pytest.mark.parametrize(
        "other",
        [
            NMFSourceModel(6),
            NMFSourceModel(6, context=1),
            VAESourceModel(2, hidden_layer_sizes=(4,), max_iter=1),
            BackgroundModel(2),
        ],
        ids=["no context", "another context", "VAE", "background"],
    )
    def test_sources_need_the_same_context(self, other):
        X, y = np.vstack([UP, DOWN]), ["up"] * 240 + ["down"] * 240
        mixed = SupervisedSeparator([("down", other), ("up", MODEL)])
        with pytest.raises(ValueError, match="the same context"):
            mixed.fit(X, y)
        if not isinstance(other, BackgroundModel):
            fitted = [("down", clone(other).fit(DOWN)), ("up", FrozenEstimator(clone(MODEL).fit(UP)))]
            with pytest.raises(ValueError, match="the same context"):
                SupervisedSeparator.from_fitted(fitted)

    def test_context_of_a_fitted_separator_is_not_changed(self):
        fitted = separator().fit(np.vstack([UP, DOWN]), ["up"] * 240 + ["down"] * 240)
        fitted.set_params(source_model__context=1)
        with pytest.raises(ValueError, match="source_model__context has changed"):
            fitted.separate(UP)


def test_priors_of_several_sources_stand_side_by_side():
    models = [NMFSourceModel(3, context=1, prior="gamma", random_state=0).fit(frames) for frames in (UP, DOWN)]
    assert all(isinstance(model.decoder().linear.prior, GammaPrior) for model in models)
    together = SupervisedSeparator.from_fitted([("a", models[0]), ("b", models[1])])
    assert np.isfinite(together.explain(UP + DOWN).objective).all()

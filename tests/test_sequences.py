"""Sequences of frames that source models draw, and the transition of latents behind them."""

import copy
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sklearn_gass import (
    BackgroundModel,
    DAESourceModel,
    GANSourceModel,
    NMFSourceModel,
    VAESourceModel,
    WGANSourceModel,
    load_model,
    save_model,
)
from sklearn_gass.source_models._dynamics import fit_transition, noise_covariance

SMALL = {"hidden_layer_sizes": (16,), "batch_size": 32, "max_iter": 8, "random_state": 0}
ADVERSARIAL = {**SMALL, "critic_hidden_layer_sizes": (8,), "critic_max_iter": 1, "inversion_max_iter": 8}
MODELS = {
    "NMF": NMFSourceModel(3, random_state=0),
    "NMF-gamma": NMFSourceModel(3, prior="gamma", random_state=0),
    "VAE": VAESourceModel(3, **SMALL),
    "VAE-early": VAESourceModel(3, **SMALL, early_stopping=True),
    "DAE": DAESourceModel(3, **SMALL),
    "GAN": GANSourceModel(3, **ADVERSARIAL),
    "WGAN-alone": WGANSourceModel(3, **ADVERSARIAL, reconstruction_weight=0.0),
    "WGAN-data": WGANSourceModel(3, **ADVERSARIAL, latent="data", reconstruction_weight=0.0),
}
each = pytest.mark.parametrize("name", MODELS)


def moving_frames(n_frames=600):
    """Frames of three templates whose logarithmic activations follow an autoregression with a coefficient of 0.9."""
    rng = np.random.default_rng(0)
    levels = rng.standard_normal((n_frames, 3))
    for t in range(1, n_frames):
        levels[t] = 0.9 * levels[t - 1] + np.sqrt(1 - 0.9**2) * levels[t]
    templates = rng.gamma(0.5, 1, (3, 12)) + 0.05
    return np.exp(levels) @ templates * rng.gamma(100, 1 / 100, (n_frames, 12))


X = moving_frames()


@cache
def fit(name):
    """Return a fitted model, not to be changed."""
    return clone(MODELS[name]).fit(X)


def correlation(frames):
    """Mean correlation of a bin's logarithms in successive frames."""
    logs = np.log(frames)
    return np.mean([np.corrcoef(column[1:], column[:-1])[0, 1] for column in logs.T])


def draw(model, n_samples=2000, **options):
    return model.sample(n_samples, random_state=1, **{"output_noise": False, "sequence": True, **options})


def reconstructed(model):
    """Return what a model makes of the latents of the training frames that it keeps."""
    return model.inverse_transform(model._known_latents())


class TestMovement:
    @each
    def test_neighbours_are_alike_as_in_training(self, name):
        fitted = fit(name)
        assert abs(correlation(draw(fitted)) - correlation(reconstructed(fitted))) < 0.12
        assert abs(correlation(draw(fitted, sequence=False))) < 0.1
        assert 0.2 < correlation(draw(fitted, output_noise=True)) < correlation(draw(fitted)) + 0.01

    @each
    def test_shuffled_frames_give_independent_ones(self, name):
        shuffled = X[np.random.default_rng(1).permutation(len(X))]
        assert abs(correlation(draw(clone(MODELS[name]).fit(shuffled)))) < 0.15

    @each
    def test_levels_are_spread_as_in_training(self, name):
        fitted = fit(name)
        drawn, known = np.log(draw(fitted, 6000)), np.log(reconstructed(fitted))
        spans = [np.diff(np.quantile(logs, [0.1, 0.9], axis=0))[0] for logs in (drawn, known)]
        assert_allclose(drawn.mean(), known.mean(), atol=0.35)
        assert 0.7 < np.median(spans[0] / spans[1]) < 1.3

    def test_first_frames_are_spread_as_all_others(self):
        fitted = fit("NMF")
        first = np.concatenate([fitted.sample(1, seed, output_noise=False, sequence=True) for seed in range(400)])
        assert abs(np.log(first).std() / np.log(X).std() - 1) < 0.15

    def test_latents_move_together(self):
        """One latent that follows another one a frame later does so in a sequence, too."""
        rng = np.random.default_rng(0)
        leader = rng.standard_normal(801)
        transition, covariance = fit_transition(np.stack([leader[1:], leader[:-1]], axis=1))
        assert transition[1, 0] > 0.9
        assert abs(transition[0, 1]) < 0.1
        assert noise_covariance(transition, covariance)[1, 1] < 0.1


class TestTransition:
    @given(
        n_frames=st.integers(1, 40),
        n_latents=st.integers(1, 6),
        kind=st.sampled_from(["noise", "walk", "trend", "constant", "same"]),
        seed=st.integers(0, 1000),
    )
    def test_is_stationary_whatever_the_latents(self, n_frames, n_latents, kind, seed):
        noise = np.random.default_rng(seed).standard_normal((n_frames, n_latents))
        latents = {
            "noise": noise,
            "walk": noise.cumsum(0),
            "trend": np.arange(n_frames)[:, None] + np.zeros(n_latents),
            "constant": np.zeros((n_frames, n_latents)),
            "same": np.repeat(noise[:, :1].cumsum(0), n_latents, axis=1),
        }[kind]
        transition, covariance = fit_transition(latents.astype(np.float32))
        assert np.abs(np.linalg.eigvals(transition)).max() < 1
        assert np.linalg.eigvalsh(noise_covariance(transition, covariance)).min() > 0.01

    @each
    @pytest.mark.parametrize("n_frames", [1, 2])
    def test_few_frames(self, name, n_frames):
        model = MODELS[name]
        params = {"early_stopping": False} if hasattr(model, "early_stopping") else {}
        drawn = draw(clone(model).set_params(**params).fit(X[:n_frames]), 7)
        assert drawn.shape == (7, 12)
        assert np.isfinite(drawn).all() and (drawn >= 0).all()

    def test_silence(self):
        assert not draw(NMFSourceModel(2).fit(np.zeros((5, 4))), 3).any()


class TestSeeds:
    @each
    def test_same_seed_same_sequence(self, name):
        fitted = fit(name)
        assert_array_equal(draw(fitted, 5), draw(fitted, 5))
        again = clone(MODELS[name]).fit(X).sample(5, sequence=True)
        assert_array_equal(fitted.sample(5, sequence=True), again)
        others = [fitted.sample(5, seed, sequence=True) for seed in (0, 1)]
        assert not np.array_equal(*others)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_unit_and_type_of_training(self, dtype):
        for model in (MODELS["NMF"], MODELS["VAE"]):
            quiet, loud = (clone(model).fit((level * X).astype(dtype)) for level in (1, 1024))
            assert_array_equal(1024 * draw(quiet, 20), draw(loud, 20))
            assert draw(quiet, 2).dtype == quiet.sample(2).dtype


class TestWhatKnowsNoMovement:
    def test_untrained_encoder(self):
        model = WGANSourceModel(3, **{**ADVERSARIAL, "inversion_max_iter": 0}, reconstruction_weight=0.0).fit(X)
        assert model.transition_ is None
        with pytest.raises(ValueError, match="This WGANSourceModel does not know how its latents move"):
            model.sample(3, sequence=True)
        assert model.sample(3).shape == (3, 12)

    def test_background(self):
        with pytest.raises(ValueError, match="This BackgroundModel does not know how its latents move"):
            BackgroundModel(2, random_state=0).fit(X).sample(3, sequence=True)

    def test_files_of_older_versions(self, tmp_path):
        model = copy.copy(fit("VAE"))
        del model.transition_, model.transition_covariance_
        save_model(model, tmp_path / "old")
        loaded = load_model(tmp_path / "old")
        assert_array_equal(loaded.sample(3), model.sample(3))
        with pytest.raises(ValueError, match="does not know how its latents move"):
            loaded.sample(3, sequence=True)


class TestFiles:
    @each
    def test_same_sequence_after_loading(self, name, tmp_path):
        fitted = fit(name)
        save_model(fitted, tmp_path / "m")
        assert_array_equal(draw(load_model(tmp_path / "m"), 20), draw(fitted, 20))

    @pytest.mark.parametrize("name", ["transition_", "transition_covariance_"])
    @pytest.mark.parametrize(
        "change",
        [
            lambda a: a[:2],
            lambda a: 50 * a - 49,
            lambda a: np.nan * a,
            lambda a: a.astype(float),
            lambda a: "text",
            lambda a: None,
        ],
        ids=["shape", "values", "NaN", "type", "kind", "missing"],
    )
    def test_damaged_transitions_are_refused(self, name, change, tmp_path):
        model = copy.copy(fit("NMF"))
        setattr(model, name, change(getattr(model, name)))
        with pytest.raises(ValueError, match=r"^Cannot save this NMFSourceModel: transition_"):
            save_model(model, tmp_path / "m")

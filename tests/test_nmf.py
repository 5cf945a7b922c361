"""Behaviour of the NMF source model and of the multiplicative updates under it."""

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special, stats
from sklearn.decomposition import NMF
from sklearn.exceptions import NotFittedError

from sklearn_gass import NMFSourceModel
from sklearn_gass.divergences import DIVERGENCES
from sklearn_gass.engine._multiplicative import GammaPrior, solve_activations, update_activations, update_components

LOSSES = list(DIVERGENCES)
PRIORS = [None, "gamma"]
DTYPES = [np.float32, np.float64]


def divergence(frames, reconstruction, beta_loss):
    """Divergence of each frame from its textbook definition, for positive numbers."""
    ratio = frames / reconstruction
    if beta_loss == "kullback-leibler":
        return np.sum(frames * np.log(ratio) - frames + reconstruction, axis=1)
    if beta_loss == "frobenius":
        return np.sum((frames - reconstruction) ** 2, axis=1) / 2
    return np.sum(ratio - np.log(ratio) - 1, axis=1)


def positive(*shape, low=1e-2, high=1e2):
    return hnp.arrays(np.float64, shape, elements=st.floats(low, high)).map(torch.from_numpy)


class TestUpdates:
    """No update may raise what is minimised."""

    @pytest.mark.parametrize("beta_loss", LOSSES)
    @settings(deadline=None, max_examples=60)
    @given(data=st.data(), with_prior=st.booleans())
    def test_activations(self, beta_loss, data, with_prior):
        frames, components = data.draw(positive(3, 5)), data.draw(positive(2, 5))
        activations = data.draw(positive(3, 2))
        prior = GammaPrior(data.draw(positive(2, low=0.05, high=20)), data.draw(positive(2))) if with_prior else None

        def objective(h):
            return DIVERGENCES[beta_loss](frames, h @ components) + (prior.energy(h) if with_prior else 0)

        before = objective(activations)
        for _ in range(5):
            activations = update_activations(frames, activations, components, beta_loss, prior)
            after = objective(activations)
            assert (activations >= 0).all()
            assert (after <= before + 1e-9 * (1 + before.abs())).all()
            before = after

    @pytest.mark.parametrize("beta_loss", LOSSES)
    @settings(deadline=None, max_examples=40)
    @given(data=st.data())
    def test_components(self, beta_loss, data):
        frames, components, activations = (
            data.draw(positive(4, 5)),
            data.draw(positive(2, 5)),
            data.draw(positive(4, 2)),
        )
        before = DIVERGENCES[beta_loss](frames, activations @ components).sum()
        for _ in range(5):
            components = update_components(frames, activations, components, beta_loss)
            after = DIVERGENCES[beta_loss](frames, activations @ components).sum()
            assert (components >= 0).all()
            assert after <= before + 1e-9 * (1 + before.abs())
            before = after

    @pytest.mark.parametrize("beta_loss", LOSSES)
    def test_activations_far_above_the_best_with_a_strong_prior(self, beta_loss):
        """A step by the plain ratio of slopes overshoots here for Gaussian outputs."""
        frames, components = torch.ones(1, 5).double(), torch.ones(2, 5).double()
        prior = GammaPrior(torch.full((2,), 19.0).double(), torch.ones(2).double())
        activations = torch.full((1, 2), 6.0).double()
        values = []
        for _ in range(20):
            values.append(float(DIVERGENCES[beta_loss](frames, activations @ components) + prior.energy(activations)))
            activations = update_activations(frames, activations, components, beta_loss, prior)
        assert np.diff(values).max() <= 1e-9

    @pytest.mark.parametrize("beta_loss", LOSSES)
    def test_end_at_a_stationary_point_of_the_posterior(self, beta_loss, rng):
        """With shapes above one the best activations lie inside, where the gradient must vanish."""
        frames = torch.from_numpy(rng.gamma(2, 1, (6, 8)))
        components = torch.from_numpy(rng.gamma(1, 1, (3, 8)))
        prior = GammaPrior(torch.tensor([1.5, 3.0, 10.0]).double(), torch.tensor([0.1, 1.0, 5.0]).double())
        activations, _ = solve_activations(frames, components, beta_loss, prior=prior, max_iter=3000, tol=1e-12)
        activations.requires_grad_()
        value = DIVERGENCES[beta_loss](frames, activations @ components) + prior.energy(activations)
        (gradient,) = torch.autograd.grad(value.sum(), activations)
        assert (gradient * activations).abs().max() < 1e-4

    def test_fitted_prior(self, frames, seed):
        """The same at the shapes and rates that training finds, on which users depend."""
        model = NMFSourceModel(4, prior="gamma", random_state=seed).fit(frames)
        prior = GammaPrior(torch.from_numpy(model.prior_shape_), torch.from_numpy(model.prior_rate_))
        components, rows = torch.from_numpy(model.components_), torch.from_numpy(frames / model.scale_)
        activations = torch.ones(len(rows), 4, dtype=torch.float64)
        values = []
        for _ in range(30):
            activations = update_activations(rows, activations, components, model.beta_loss, prior)
            values.append(DIVERGENCES[model.beta_loss](rows, activations @ components) + prior.energy(activations))
        steps = torch.diff(torch.stack(values), dim=0)
        assert steps.max() <= 1e-9
        assert steps.min() < -1e-3


class TestTraining:
    @pytest.mark.parametrize("beta_loss", LOSSES)
    def test_more_updates_never_raise_the_divergence(self, beta_loss, frames, seed):
        models = [
            NMFSourceModel(3, beta_loss=beta_loss, max_iter=n, tol=0, random_state=seed).fit(frames)
            for n in (1, 2, 3, 5, 10, 20, 40)
        ]
        errors = np.array([model.reconstruction_err_ for model in models])
        assert (np.diff(errors) <= 1e-9 * errors[:-1]).all()
        assert errors[-1] < 0.7 * errors[0]

    @pytest.mark.parametrize("beta_loss", LOSSES)
    def test_no_worse_than_scikit_learn_at_equal_iterations(self, beta_loss, frames, seed):
        """Starts are random, so the better of a few is compared, with a margin."""
        options = {"beta_loss": beta_loss, "max_iter": 100, "tol": 0}

        def reached(model):
            reconstruction = model.inverse_transform(model.fit_transform(frames))
            return divergence(frames, reconstruction, beta_loss).mean()

        theirs = min(reached(NMF(3, solver="mu", init="random", random_state=seed + i, **options)) for i in range(4))
        ours = min(reached(NMFSourceModel(3, random_state=seed + i, **options)) for i in range(4))
        assert ours < 1.05 * theirs

    @pytest.mark.parametrize("prior", PRIORS)
    def test_fitted_state(self, prior, frames, seed):
        model = NMFSourceModel(3, prior=prior, random_state=seed).fit(frames)
        np.testing.assert_allclose(model.components_.mean(1), 1)
        assert model.scale_ == pytest.approx(frames.mean())
        explained = model.activations_ @ model.components_
        assert model.reconstruction_err_ == pytest.approx(
            divergence(frames / model.scale_, explained, model.beta_loss).mean(), rel=1e-6
        )
        residuals = (frames / model.scale_ + 1e-3) / (explained + 1e-3)
        np.testing.assert_allclose(np.sort(model.residuals_, axis=0), np.sort(residuals, axis=0), rtol=1e-3)
        assert 1 <= model.n_iter_ <= model.max_iter
        assert hasattr(model, "prior_shape_") == (prior == "gamma")

    def test_tolerance_ends_training(self, frames, seed):
        model = NMFSourceModel(3, max_iter=500, random_state=seed)
        assert model.set_params(tol=1e-2).fit(frames).n_iter_ < model.set_params(tol=0).fit(frames).n_iter_

    def test_seed_decides(self, frames, seed):
        first, again, other = (
            NMFSourceModel(3, random_state=s).fit(frames).components_ for s in (seed, seed, seed + 1)
        )
        np.testing.assert_array_equal(first, again)
        assert not np.allclose(first, other)

    def test_training_data_stay_as_they_are(self, frames, seed):
        before = frames.copy()
        NMFSourceModel(3, max_iter=5, random_state=seed).fit(frames).transform(frames)
        np.testing.assert_array_equal(frames, before)


class TestScale:
    @pytest.mark.parametrize("prior", PRIORS)
    @pytest.mark.parametrize("beta_loss", LOSSES)
    @settings(deadline=None, max_examples=5)
    @given(gain=st.floats(1e-6, 1e6))
    def test_only_the_unit_follows_the_level(self, beta_loss, prior, gain, frames, seed):
        """Equal latents and scores, samples at the other level: rounding aside, whatever the level."""
        model = NMFSourceModel(3, beta_loss=beta_loss, prior=prior, max_iter=10, tol=0, random_state=seed)
        latents, scores = model.fit(frames).transform(frames), model.score_samples(frames)
        samples = model.sample(5, random_state=seed, output_noise=False)
        model.fit(gain * frames)
        np.testing.assert_allclose(model.transform(gain * frames), latents, rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose(model.score_samples(gain * frames), scores, rtol=1e-5, atol=1e-8)
        scaled = model.sample(5, random_state=seed, output_noise=False)
        np.testing.assert_allclose(scaled, gain * samples, rtol=1e-5, atol=1e-8 * gain)

    @pytest.mark.parametrize("prior", PRIORS)
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_floating_type_is_kept(self, dtype, prior, frames, seed):
        X = frames.astype(dtype)
        model = NMFSourceModel(3, prior=prior, max_iter=20, random_state=seed).fit(X)
        latents = model.transform(X)
        outputs = {
            "components_": model.components_,
            "latents": latents,
            "frames": model.inverse_transform(latents),
            "samples": model.sample(2),
            "noisy samples": model.sample(2, output_noise=True),
            "scores": model.score_samples(X),
        }
        assert {name: out.dtype for name, out in outputs.items()} == dict.fromkeys(outputs, np.dtype(dtype))

    def test_both_types_find_the_same(self, frames, seed):
        double, single = (
            NMFSourceModel(3, max_iter=20, tol=0, random_state=seed).fit(frames).transform(frames.astype(dtype))
            for dtype in (np.float64, np.float32)
        )
        np.testing.assert_allclose(single, double, rtol=1e-2, atol=1e-3)


class TestLatents:
    def test_inverse_transform_is_the_template_sum(self, frames, seed):
        model = NMFSourceModel(3, random_state=seed).fit(frames)
        latents = model.transform(frames)
        assert latents.shape == (60, 3)
        assert (latents >= 0).all()
        np.testing.assert_allclose(model.inverse_transform(latents), latents @ model.components_ * model.scale_)

    def test_frames_made_of_templates_are_found_again(self, frames, seed, rng):
        model = NMFSourceModel(3, random_state=seed).fit(frames)
        made = model.inverse_transform(rng.gamma(2, 1, (20, 3)))
        np.testing.assert_allclose(model.inverse_transform(model.transform(made)), made, rtol=0.1)

    @pytest.mark.parametrize("beta_loss", LOSSES)
    def test_score_is_minus_the_divergence(self, beta_loss, frames, seed):
        model = NMFSourceModel(3, beta_loss=beta_loss, random_state=seed).fit(frames)
        explained = model.inverse_transform(model.transform(frames))
        expected = -divergence(frames / model.scale_, explained / model.scale_, beta_loss)
        np.testing.assert_allclose(model.score_samples(frames), expected, rtol=1e-6)
        assert model.score(frames) == pytest.approx(expected.mean())

    def test_score_with_a_prior_is_a_log_density_up_to_constants(self, frames, seed):
        model = NMFSourceModel(3, prior="gamma", random_state=seed).fit(frames)
        latents = model.transform(frames)
        fit = divergence(frames / model.scale_, latents @ model.components_, model.beta_loss)
        # shapes below one have their highest density at zero, so the logarithm needs a floor
        logarithm = np.log(np.maximum(latents, np.finfo(np.float64).eps))
        energy = latents @ model.prior_rate_ - logarithm @ (model.prior_shape_ - 1)
        np.testing.assert_allclose(model.score_samples(frames), -fit - energy, rtol=1e-6)

    def test_prior_draws_latents_towards_itself(self, frames, seed):
        """A louder frame than any in training gets smaller activations than without the prior."""
        model = NMFSourceModel(3, prior="gamma", random_state=seed).fit(frames)
        free = NMFSourceModel(3, random_state=seed).fit(frames)
        np.testing.assert_array_equal(model.components_, free.components_)
        loud = 20 * frames
        assert model.transform(loud).sum() < 0.99 * free.transform(loud).sum()

    def test_higher_for_frames_of_the_own_source(self, make_sources, seed):
        data = make_sources(2)
        own, other = data.X[data.y == "a"], data.X[data.y == "b"]
        model = NMFSourceModel(3, random_state=seed).fit(own)
        assert model.score(own) > model.score(other)

    @pytest.mark.parametrize("prior", PRIORS)
    def test_a_row_depends_on_itself_only(self, prior, frames, seed):
        model = NMFSourceModel(3, prior=prior, random_state=seed).fit(frames)
        whole = model.transform(frames)
        np.testing.assert_allclose(model.transform(frames[::-1])[::-1], whole, rtol=1e-9)
        np.testing.assert_allclose(model.transform(frames[7:9]), whole[7:9], rtol=1e-9)

    @pytest.mark.parametrize("prior", PRIORS)
    def test_memory_mapped_model_works(self, prior, frames, seed, tmp_path):
        """A fitted model that joblib maps has read-only arrays, which torch does not like."""
        model = NMFSourceModel(3, prior=prior, max_iter=5, random_state=seed).fit(frames)
        joblib.dump(model, tmp_path / "model.joblib")
        mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
        np.testing.assert_array_equal(mapped.transform(frames), model.transform(frames))
        np.testing.assert_array_equal(mapped.sample(5), model.sample(5))

    def test_feature_names(self, frames, seed):
        model = NMFSourceModel(2, max_iter=2, random_state=seed).fit(frames)
        assert model.get_feature_names_out().tolist() == ["nmfsourcemodel0", "nmfsourcemodel1"]
        bins = pd.DataFrame(frames, columns=[f"bin{i}" for i in range(12)])
        assert model.fit(bins).feature_names_in_.tolist() == bins.columns.tolist()
        table = model.set_output(transform="pandas").transform(bins)
        assert table.columns.tolist() == ["nmfsourcemodel0", "nmfsourcemodel1"]


class TestSamples:
    @pytest.mark.parametrize("output_noise", [False, True])
    @pytest.mark.parametrize("prior", PRIORS)
    @pytest.mark.parametrize("beta_loss", LOSSES)
    def test_are_frames(self, beta_loss, prior, output_noise, frames, seed):
        model = NMFSourceModel(3, beta_loss=beta_loss, prior=prior, max_iter=20, random_state=seed).fit(frames)
        samples = model.sample(50, output_noise=output_noise)
        assert samples.shape == (50, 12)
        assert np.isfinite(samples).all()
        assert (samples >= 0).all()
        assert model.sample().shape == (1, 12)

    def test_own_seed_or_that_of_the_model(self, frames, seed):
        model = NMFSourceModel(3, prior="gamma", max_iter=5, random_state=seed).fit(frames)
        np.testing.assert_array_equal(model.sample(4), model.sample(4))
        np.testing.assert_array_equal(model.sample(4), model.sample(4, random_state=seed))
        assert not np.allclose(model.sample(4), model.sample(4, random_state=seed + 1))
        model.set_params(random_state=None)
        assert not np.allclose(model.sample(4), model.sample(4))
        state = np.random.RandomState(seed)
        assert not np.allclose(model.sample(4, random_state=state), model.sample(4, random_state=state))

    def test_without_a_prior_come_from_training_activations(self, frames, seed):
        model = NMFSourceModel(3, random_state=seed).fit(frames)
        possible = model.inverse_transform(model.activations_)
        for sample in model.sample(20, output_noise=False):
            assert np.isclose(possible, sample).all(axis=1).any()

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_gamma_draws_have_the_fitted_moments(self, dtype, frames, seed):
        n_samples = 20_000
        model = NMFSourceModel(3, prior="gamma", random_state=seed).fit(frames.astype(dtype))
        shape, rate, components = (
            a.astype(np.float64) for a in (model.prior_shape_, model.prior_rate_, model.components_)
        )
        mean, variance = shape / rate @ components, shape / rate**2 @ components**2
        samples = model.sample(n_samples, output_noise=False).astype(np.float64) / model.scale_
        # 5 standard errors; that of the variance is estimated from the fourth moment
        assert (np.abs(samples.mean(0) - mean) < 5 * np.sqrt(variance / n_samples)).all()
        squares = (samples - mean) ** 2
        assert (np.abs(squares.mean(0) - variance) < 5 * squares.std(0) / np.sqrt(n_samples)).all()

    @pytest.mark.parametrize("beta_loss", LOSSES)
    def test_output_noise_is_that_of_training_frames_about_as_loud(self, beta_loss, rng, seed):
        """Quiet frames rougher than loud ones stay so."""
        templates = rng.random((2, 12)) + 0.5
        loud = np.repeat([0.1, 10.0], 300)
        roughness = np.where(loud > 1, 0.05, 0.5)
        noise = np.exp(roughness[:, None] * rng.standard_normal((600, 12)))
        frames = loud[:, None] * (rng.random((600, 2)) + 0.5) @ templates * noise
        model = NMFSourceModel(2, beta_loss=beta_loss, max_iter=200, random_state=seed).fit(frames)
        clean = model.sample(1000, random_state=seed, output_noise=False)
        spread = np.log(model.sample(1000, random_state=seed) / clean).std(1)
        is_loud = clean.mean(1) > 2
        assert 0.3 < is_loud.mean() < 0.7
        assert np.median(spread[is_loud]) < 0.1
        assert np.median(spread[~is_loud]) > 0.25


class TestGammaPrior:
    @pytest.mark.parametrize("shape", [0.3, 1.0, 4.0])
    def test_recovers_the_distribution_of_activations(self, shape, rng, seed):
        """With one template the activations are known but for their unit."""
        activations = rng.gamma(shape, 2.5, 4000)
        template = rng.gamma(1, 1, 6)
        model = NMFSourceModel(1, prior="gamma", random_state=seed).fit(np.outer(activations, template))
        # the standard error of the maximum-likelihood shape, from the Fisher information
        error = np.sqrt(shape / (shape * special.polygamma(1, shape) - 1) / 4000)
        assert abs(model.prior_shape_[0] - shape) < 5 * error
        mean = model.prior_shape_[0] / model.prior_rate_[0] * model.scale_
        assert mean == pytest.approx(activations.mean() * template.mean(), rel=1e-6)

    def test_is_the_likelihood_maximum(self, frames, seed):
        model = NMFSourceModel(3, prior="gamma", random_state=seed).fit(frames)
        for values, shape, rate in zip(model.activations_.T, model.prior_shape_, model.prior_rate_, strict=True):
            values = np.maximum(values, 1e-6 * model.activations_.mean())
            expected, _, scale = stats.gamma.fit(values, floc=0)
            assert shape == pytest.approx(expected, rel=1e-3)
            assert rate == pytest.approx(1 / scale, rel=1e-3)

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_template_that_is_never_active(self, dtype, seed):
        """More templates than a rank-one frame set needs: no NaN, and samples stay near the data."""
        X = np.outer(np.arange(1, 9), [1, 0, 2, 0]).astype(dtype)
        model = NMFSourceModel(6, prior="gamma", max_iter=300, random_state=seed).fit(X)
        assert np.isfinite(model.prior_shape_).all()
        assert np.isfinite(model.prior_rate_).all()
        assert (model.prior_rate_ > 0).all()
        assert model.sample(100).max() < 20 * X.max()


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("beta_loss", LOSSES)
@pytest.mark.parametrize("dtype", DTYPES)
class TestCorners:
    def fit(self, X, dtype, beta_loss, prior, seed, n_components=3):
        model = NMFSourceModel(n_components, beta_loss=beta_loss, prior=prior, max_iter=20, random_state=seed)
        return model.fit(np.asarray(X).astype(dtype))

    def check(self, model, X):
        latents = model.transform(X)
        for out in (latents, model.inverse_transform(latents), model.sample(3), model.sample(3, output_noise=True)):
            assert np.isfinite(out).all()
            assert (out >= 0).all()
        assert np.isfinite(model.score_samples(X)).all()

    def test_silent_frames(self, dtype, beta_loss, prior, frames, seed):
        X = np.concatenate([frames[:20], np.zeros((2, 12))]).astype(dtype)
        model = self.fit(X, dtype, beta_loss, prior, seed)
        self.check(model, X)
        assert not model.transform(X)[-2:].any()
        assert not model.inverse_transform(model.transform(X))[-2:].any()

    def test_silent_training_data(self, dtype, beta_loss, prior, frames, seed):
        model = self.fit(np.zeros((10, 12)), dtype, beta_loss, prior, seed)
        self.check(model, frames[:3].astype(dtype))
        assert not model.sample(3).any()

    def test_one_row(self, dtype, beta_loss, prior, frames, seed):
        model = self.fit(frames[:1], dtype, beta_loss, prior, seed)
        self.check(model, frames[:1].astype(dtype))

    def test_one_bin(self, dtype, beta_loss, prior, frames, seed):
        model = self.fit(frames[:, :1], dtype, beta_loss, prior, seed)
        self.check(model, frames[:, :1].astype(dtype))

    def test_more_templates_than_rows(self, dtype, beta_loss, prior, frames, seed):
        model = self.fit(frames[:4], dtype, beta_loss, prior, seed, n_components=20)
        self.check(model, frames[:6].astype(dtype))


class TestErrors:
    @pytest.mark.parametrize("method", ["fit", "transform", "score_samples", "score"])
    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            (lambda X: np.where(X == X[0, 0], np.nan, X), "contains NaN"),
            (lambda X: np.where(X == X[0, 0], np.inf, X), "contains infinity"),
            (lambda X: -X, "Negative values in data"),
            (lambda X: X + 1j, "Complex data not supported"),
            (lambda X: X[:0], r"0 sample\(s\)"),
            (lambda X: X[0], "Expected 2D array, got 1D array"),
        ],
        ids=["NaN", "infinite", "negative", "complex", "empty", "1-D"],
    )
    def test_bad_frames(self, method, bad, message, frames, seed):
        model = NMFSourceModel(2, max_iter=2, random_state=seed)
        if method != "fit":
            model.fit(frames)
        with pytest.raises(ValueError, match=message):
            getattr(model, method)(bad(frames))

    @pytest.mark.parametrize("method", ["transform", "score_samples", "score"])
    def test_wrong_width(self, method, frames, seed):
        model = NMFSourceModel(2, max_iter=2, random_state=seed).fit(frames)
        with pytest.raises(ValueError, match="X has 11 features, but NMFSourceModel is expecting 12 features"):
            getattr(model, method)(frames[:, 1:])

    @pytest.mark.parametrize("n_samples", [0, -1, 2.5, "3", None])
    def test_bad_number_of_samples(self, n_samples, frames, seed):
        model = NMFSourceModel(2, max_iter=2, random_state=seed).fit(frames)
        with pytest.raises(ValueError, match="n_samples must be an integer of at least 1, got"):
            model.sample(n_samples)

    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            (np.ones((2, 3)), "latents has 3 columns, but the model has 2 latents"),
            (np.array([[np.nan, 1.0]]), "latents contains NaN"),
            (np.ones(2), "Expected 2D array, got 1D array"),
        ],
    )
    def test_bad_latents(self, bad, message, frames, seed):
        model = NMFSourceModel(2, max_iter=2, random_state=seed).fit(frames)
        with pytest.raises(ValueError, match=message):
            model.inverse_transform(bad)

    @pytest.mark.parametrize("method", ["transform", "inverse_transform", "score_samples", "score"])
    def test_unfitted(self, method, frames):
        with pytest.raises(NotFittedError, match="This NMFSourceModel instance is not fitted yet"):
            getattr(NMFSourceModel(), method)(frames)

    def test_unfitted_sample(self):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            NMFSourceModel().sample()

    @pytest.mark.parametrize(
        "parameter",
        [{"n_components": 0}, {"beta_loss": "hinge"}, {"prior": "normal"}, {"max_iter": 0}, {"tol": -1.0}],
        ids=str,
    )
    def test_bad_parameters(self, parameter, frames):
        (name,) = parameter
        with pytest.raises(ValueError, match=f"The '{name}' parameter of NMFSourceModel must be"):
            NMFSourceModel(**parameter).fit(frames)


def test_many_updates_stay_finite():
    frames = np.random.RandomState(0).rand(12, 5).astype(np.float32)
    model = NMFSourceModel(3, max_iter=600, tol=0, random_state=0).fit(frames)
    assert np.isfinite(model.components_).all()
    assert model.reconstruction_err_ < 1

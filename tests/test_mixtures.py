"""Behaviour of what a separator learns from synthetic mixtures."""

from itertools import permutations

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone

from sklearn_gass import SupervisedSeparator, VAESourceModel, WGANSourceModel
from sklearn_gass.engine._inference import Problem
from sklearn_gass.engine._mixtures import (
    CleanSource,
    add_up,
    make_critics,
    make_mixture_encoder,
    train_critics,
    train_mixture_encoder,
)
from sklearn_gass.divergences import kl_divergence
from sklearn_gass.separation import _learned, _separator

SMALL = {"hidden_layer_sizes": (8,), "batch_size": 16, "max_iter": 3}


@pytest.fixture(scope="module")
def separator(seed):
    """Unfitted separator with cheap neural models."""
    return SupervisedSeparator(
        VAESourceModel(2, **SMALL), start_max_iter=2, critic_max_iter=2, max_iter=3, random_state=seed
    )


@pytest.fixture
def generator(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def clean(make_sources):
    """Function of a slice that returns clean frames of two sources, of mean 1."""
    data = make_sources(2)

    def of(rows):
        parts = [torch.tensor(data.X[data.y == label][rows], dtype=torch.float32) for label in "ab"]
        return [part / part.mean() for part in parts]

    return of


def sources(parts):
    """Return what training draws from, without variations."""
    return [CleanSource(part, lambda frames, generator: frames) for part in parts]


class TestAddUp:
    @pytest.mark.parametrize("n_sources", [1, 2, 3])
    def test_magnitude_of_a_sum(self, n_sources, generator):
        parts = list(torch.rand(n_sources, 200, 50, generator=generator, dtype=torch.float64) + 0.1)
        mixture = add_up(parts, generator)
        largest, total = torch.stack(parts).max(0).values, torch.stack(parts).sum(0)
        assert (mixture <= total + 1e-6).all()  # phases are of single precision
        assert (mixture >= 2 * largest - total - 1e-6).all()

    @pytest.mark.parametrize("n_sources", [2, 3])
    def test_powers_add_up_on_average(self, n_sources, generator):
        levels = torch.tensor([1.0, 0.5, 2.0])[:n_sources]
        mixture = add_up([level.expand(1000, 100) for level in levels], generator)
        assert float(mixture.square().mean()) == pytest.approx(float(levels.square().sum()), rel=0.02)
        assert float(mixture.std()) > 0.1

    def test_one_source_is_left_alone(self, generator):
        part = torch.rand(5, 4, generator=generator)
        torch.testing.assert_close(add_up([part], generator), part)


class TestMixtureEncoder:
    def test_gets_closer_on_held_out_mixtures(self, clean, make_sources, generator, seed):
        data = make_sources(2)
        model = VAESourceModel(2, **{**SMALL, "max_iter": 30}, random_state=seed)
        models = [clone(model).fit(data.X[data.y == label][:20]) for label in "ab"]
        problem = Problem([model._decoder(torch.float32) for model in models], "kullback-leibler")
        encoder = make_mixture_encoder(problem, 12, generator)
        held_out = clean(slice(20, 30))
        mixture = add_up(held_out, generator)

        def loss():
            with torch.no_grad():
                generated = problem.generate(problem.split(encoder(mixture)))
            return sum(float(kl_divergence(a, b).mean()) for a, b in zip(held_out, generated, strict=True))

        before = loss()
        train_mixture_encoder(encoder, problem, sources(clean(slice(20))), max_iter=30, generator=generator)
        assert loss() < 0.97 * before

    def test_decoders_learn_nothing(self, clean, make_sources, generator, seed):
        model = VAESourceModel(2, **SMALL, random_state=seed).fit(make_sources(2).X)
        decoder = model._decoder(torch.float32)
        problem = Problem([decoder, decoder], "kullback-leibler")
        before = [weight.clone() for weight in decoder.generate.parameters()]
        encoder = make_mixture_encoder(problem, 12, generator)
        train_mixture_encoder(encoder, problem, sources(clean(slice(20))), max_iter=2, generator=generator)
        assert all(map(torch.equal, before, decoder.generate.parameters()))


class TestCritics:
    def test_prefer_clean_to_separated_frames(self, clean, generator, seed):
        """The further an estimate is from the clean frame, with what the others leave behind, the lower the score."""
        models = [VAESourceModel(2, **SMALL, random_state=seed).fit(part) for part in clean(slice(20))]
        problem = Problem([model._decoder(torch.float32) for model in models], "kullback-leibler")
        critics = make_critics(2, 12, generator)
        train_critics(critics, problem, sources(clean(slice(20))), max_iter=40, generator=generator)
        held_out = clean(slice(20, 30))
        with torch.no_grad():
            separated = problem.generate(problem.split(problem.first_points(add_up(held_out, generator))))
            for critic, part, estimate in zip(critics, held_out, separated, strict=True):
                scores = [critic(torch.lerp(part, estimate, share)).mean() for share in (0.0, 0.5, 1.0)]
                assert scores[0] > scores[1] > scores[2]


class TestFit:
    def test_reproducible(self, separator, make_sources):
        data = make_sources(2)
        first, second = (clone(separator).fit(data.X, data.y) for _ in range(2))
        other = clone(separator).set_params(random_state=1).fit(data.X, data.y)
        assert_array_equal(first.transform(data.mixture), second.transform(data.mixture))
        for part in ("encoder", "critics"):
            weights, again, others = (getattr(s.learned_, part) for s in (first, second, other))
            for name in weights:
                assert_array_equal(weights[name], again[name])
            assert any(not np.array_equal(weights[name], others[name]) for name in weights)

    @pytest.mark.parametrize("model", [VAESourceModel(2, **SMALL), WGANSourceModel(2, **SMALL)], ids=["VAE", "WGAN"])
    @pytest.mark.parametrize("n_sources", [2, 3])
    def test_renaming_permutes_the_output_exactly(self, n_sources, model, separator, make_sources):
        data = make_sources(n_sources)
        separator = clone(separator).set_params(source_model=model)
        names = np.unique(data.y)
        expected = dict(zip(names, clone(separator).fit(data.X, data.y).separate(data.mixture), strict=True))
        for new_names in list(permutations(names))[-2:]:
            renamed = dict(zip(names, new_names, strict=True))
            other = clone(separator).fit(data.X, [renamed[label] for label in data.y])
            sources = dict(zip(other.classes_, other.separate(data.mixture), strict=True))
            for name in names:
                assert_array_equal(sources[renamed[name]], expected[name])

    @pytest.mark.parametrize("start", ["mixture", "source", "random"])
    @pytest.mark.parametrize("critic", ["mixture", "source"])
    def test_learns_what_it_needs(self, critic, start, separator, make_sources):
        data = make_sources(2)
        separator = clone(separator).set_params(source_model=WGANSourceModel(2, **SMALL), start=start, critic=critic)
        separator.fit(data.X, data.y)
        assert (separator.learned_.encoder is not None) == (start == "mixture")
        assert (separator.learned_.critics is not None) == (critic == "mixture")
        separated = separator.transform(data.mixture)
        assert np.isfinite(separated).all()
        np.testing.assert_allclose(separator.inverse_transform(separated), data.mixture)

    @pytest.mark.parametrize("name", ["start", "critic"])
    def test_what_only_another_fit_can_learn(self, name, separator, make_sources):
        data = make_sources(2)
        fitted = clone(separator).set_params(**{name: "source"}).fit(data.X, data.y)
        fitted.set_params(**{name: "mixture"}, critic_weight=1.0)
        with pytest.raises(ValueError, match=f'{name}="mixture" was not set when this separator was fitted: fit it'):
            fitted.transform(data.mixture)

    def test_without_weight_no_critics_are_needed(self, separator, make_sources):
        data = make_sources(2)
        fitted = clone(separator).set_params(critic="source", critic_weight=0).fit(data.X, data.y)
        before = fitted.transform(data.mixture)
        assert_array_equal(fitted.set_params(critic="mixture").transform(data.mixture), before)

    def test_no_model_has_a_critic(self, separator, make_sources):
        data = make_sources(2)
        fitted = clone(separator).set_params(critic="source").fit(data.X, data.y)
        with pytest.raises(ValueError, match="the critics of the source models, none of which has one"):
            fitted.transform(data.mixture)
        fitted.set_params(critic_weight=0).transform(data.mixture)

    def test_one_model_has_a_critic(self, separator, make_sources):
        """The weight acts by this one alone."""
        data = make_sources(2)
        first, second = np.unique(data.y)
        models = [(first, VAESourceModel(2, **SMALL)), (second, WGANSourceModel(2, **SMALL))]
        fitted = clone(separator).set_params(source_model=models, critic="source").fit(data.X, data.y)
        judged, plain = (fitted.set_params(critic_weight=weight).transform(data.mixture) for weight in (10, 0))
        assert np.isfinite(judged).all()
        assert not np.array_equal(judged, plain)

    def test_unknown_device(self, separator, make_sources):
        data = make_sources(2)
        with pytest.raises(ValueError, match="device 'abacus' cannot be used"):
            clone(separator).set_params(device="abacus").fit(data.X, data.y)
        fitted = clone(separator).fit(data.X, data.y).set_params(device="abacus")
        with pytest.raises(ValueError, match="device 'abacus' cannot be used"):
            fitted.transform(data.mixture)


class TestFromFitted:
    def test_of_neural_models(self, make_sources, seed):
        data = make_sources(2)
        models = [
            (label, WGANSourceModel(2, **SMALL, random_state=seed).fit(data.X[data.y == label])) for label in "ab"
        ]
        settings = {"start_max_iter": 2, "critic_max_iter": 2, "max_iter": 3, "random_state": seed}
        first, second = (SupervisedSeparator.from_fitted(models, **settings) for _ in range(2))
        separated = first.transform(data.mixture)
        assert_array_equal(separated, second.transform(data.mixture))
        np.testing.assert_allclose(first.inverse_transform(separated), data.mixture)
        back = SupervisedSeparator.from_fitted(models[::-1], **settings)
        assert_array_equal(back.transform(data.mixture), separated)


class TestMemory:
    def test_what_acts_at_transform_trains_nothing_again(self, separator, make_sources, tmp_path, monkeypatch):
        """Neither source models nor what is learned from mixtures."""
        data, calls = make_sources(2), []

        class Counted(joblib.Memory):
            def cache(self, func=None, **kwargs):
                cached = super().cache(func, **kwargs)

                def call(*args):
                    calls.append((func.__name__, cached.check_call_in_cache(*args)))
                    return cached(*args)

                return call

        def fit(**params):
            calls.clear()
            memory = Counted(tmp_path, verbose=0)
            return clone(separator).set_params(memory=memory, **params).fit(data.X, data.y).transform(data.mixture)

        first = fit()
        assert [hit for _, hit in calls] == [False] * 3
        assert {name for name, _ in calls} == {_separator._fit_model.__name__, _learned.learn_from_mixtures.__name__}
        assert_array_equal(fit(), first)
        assert [hit for _, hit in calls] == [True] * 3
        for change in ({"critic_weight": 30.0}, {"start_weight": 0.0}, {"mask_exponent": 1.0}):
            assert not np.array_equal(fit(**change), first)
            assert [hit for _, hit in calls] == [True] * 3
        fit(source_model__latent_weight=0.5)
        assert [hit for _, hit in calls] == [False] * 3

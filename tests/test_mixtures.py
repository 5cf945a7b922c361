"""Behaviour of starts and critics, and of what they learn from synthetic mixtures."""

import pickle
from copy import deepcopy
from dataclasses import replace
from itertools import permutations

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklearn_gass import (
    MixtureCritic,
    MixtureStart,
    SourceCritic,
    SourceStart,
    SupervisedSeparator,
    VAESourceModel,
    WGANSourceModel,
)
from sklearn_gass.divergences import kl_divergence
from sklearn_gass.engine import CleanSource, MixtureBatches, Problem
from sklearn_gass.engine._mixtures import add_up
from sklearn_gass.separation._fitting import fit_model, fit_part

SMALL = {"hidden_layer_sizes": (8,), "batch_size": 16, "max_iter": 3}


@pytest.fixture(scope="module")
def separator(seed):
    """Unfitted separator with cheap neural models."""
    return SupervisedSeparator(
        VAESourceModel(2, **SMALL),
        start=MixtureStart(max_iter=2),
        critic=MixtureCritic(max_iter=2),
        max_iter=3,
        random_state=seed,
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


class TestCleanSource:
    def test_loud_frames_come_more_often(self, generator):
        frames = torch.tensor([1.0, 4.0, 9.0])[:, None].expand(3, 5)
        (source,) = sources([frames])
        drawn = source.draw(30_000, generator)[:, 0]
        shares = [float((drawn == level).double().mean()) for level in (1.0, 4.0, 9.0)]
        assert shares == pytest.approx([1 / 6, 2 / 6, 3 / 6], abs=0.01)

    def test_silent_frames_can_be_all_there_is(self, generator):
        (source,) = sources([torch.zeros(3, 5)])
        torch.testing.assert_close(source._chances_up_to, torch.tensor([1 / 3, 2 / 3, 1], dtype=torch.float64))
        assert (source.draw(4, generator) == torch.zeros(4, 5)).all()


class TestMixtureBatches:
    def test_sources_are_absent_from_a_tenth_of_mixtures(self, generator):
        parts = list(torch.ones(2, 10, 6))
        batches = MixtureBatches(sources(parts), 2, batch_size=5000, levels=(-5.0, 5.0), generator=generator)
        for mixture, drawn in batches:
            absent = [part.eq(0).all(1) for part in drawn]
            assert [float(rows.double().mean()) for rows in absent] == pytest.approx([0.1, 0.1], abs=0.02)
            assert (mixture[absent[0]] == drawn[1][absent[0]]).all()
            heard = 20 * torch.log10(drawn[0][~absent[0]])
            assert -5.01 <= float(heard.min()) < -4.9
            assert 4.9 < float(heard.max()) <= 5.01


@pytest.fixture(scope="module")
def problem(make_sources, seed):
    """Decoders of two trained models."""
    data = make_sources(2)
    model = VAESourceModel(2, **{**SMALL, "max_iter": 30}, random_state=seed)
    models = [clone(model).fit(data.X[data.y == label][:20]) for label in "ab"]
    return Problem([model.decoder() for model in models], "kullback-leibler", n_bins=12)


class TestMixtureStart:
    def test_gets_closer_on_held_out_mixtures(self, clean, problem, generator, seed):
        held_out = clean(slice(20, 30))
        mixture = add_up(held_out, generator)

        def loss(n_steps):
            start = MixtureStart(max_iter=n_steps, random_state=seed).fit(problem, sources(clean(slice(20))))
            with torch.no_grad():
                generated = problem.generate(problem.split(start.freeze(problem)(mixture)))
            return sum(float(kl_divergence(a, b).mean()) for a, b in zip(held_out, generated, strict=True))

        assert loss(40) < 0.97 * loss(1)

    def test_decoders_learn_nothing(self, clean, problem, seed):
        weights = [weight for decoder in problem.decoders for weight in decoder.generate.parameters()]
        before = [weight.clone() for weight in weights]
        MixtureStart(max_iter=2, random_state=seed).fit(problem, sources(clean(slice(20))))
        assert all(map(torch.equal, before, weights))

    @pytest.mark.parametrize("part", [MixtureStart, MixtureCritic])
    def test_history_has_an_entry_for_each_hundred_steps(self, part, clean, problem, seed, capsys):
        fitted = part((8,), max_iter=250, batch_size=4, verbose=1, random_state=seed)
        fitted.fit(problem, sources(clean(slice(20))))
        assert [epoch["epoch"] for epoch in fitted.history_] == [1, 2, 3]
        assert all(np.isfinite(epoch["train_loss"]) for epoch in fitted.history_)
        assert len(capsys.readouterr().out.splitlines()) == 2 + 3

    @pytest.mark.parametrize("part", [MixtureStart, MixtureCritic])
    def test_diverging_training_keeps_finite_weights(self, part, clean, problem, seed):
        with pytest.warns(ConvergenceWarning, match="Training diverged"):
            fitted = part((8,), max_iter=300, learning_rate_init=1e20, random_state=seed).fit(
                problem, sources(clean(slice(20)))
            )
        assert all(np.isfinite(weight).all() for weight in fitted.weights_.values())

    @pytest.mark.parametrize("part", [MixtureStart, MixtureCritic])
    @pytest.mark.parametrize("levels", [(1,), (3, -3), (0, np.inf), "ab"])
    def test_levels_are_a_range(self, levels, part, clean, problem):
        with pytest.raises(ValueError, match="levels"):
            part(levels=levels).fit(problem, sources(clean(slice(20))))


class TestMixtureCritic:
    def test_prefers_clean_to_separated_frames(self, clean, problem, generator, seed):
        """The further an estimate is from the clean frame, with what the others leave behind, the lower the score."""
        critic = MixtureCritic(max_iter=60, random_state=seed).fit(problem, sources(clean(slice(20))))
        held_out = clean(slice(20, 30))
        mixture = add_up(held_out, generator)
        scores_of = critic.freeze(problem)
        with torch.no_grad():
            separated = problem.generate(problem.split(problem.first_points(mixture)))
            scores = [
                [scores.mean() for scores in scores_of(mixture, [torch.lerp(*pair, share) for pair in pairs])]
                for pairs in [list(zip(held_out, separated, strict=True))]
                for share in (0.0, 0.5, 1.0)
            ]
        for clean_score, half, separated_score in zip(*scores, strict=True):
            assert clean_score > half > separated_score


class TestFit:
    def test_reproducible(self, separator, make_sources):
        data = make_sources(2)
        first, second = (clone(separator).fit(data.X, data.y) for _ in range(2))
        other = clone(separator).set_params(random_state=1).fit(data.X, data.y)
        assert_array_equal(first.transform(data.mixture), second.transform(data.mixture))
        for part in ("start_", "critic_"):
            weights, again, others = (getattr(s, part).weights_ for s in (first, second, other))
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
    @pytest.mark.parametrize("critic", ["mixture", "source", None])
    def test_every_start_with_every_critic(self, critic, start, separator, make_sources):
        data = make_sources(2)
        separator = clone(separator).set_params(source_model=WGANSourceModel(2, **SMALL), start=start, critic=critic)
        cheap = {f"{part}__max_iter": 2 for part in ("start", "critic") if getattr(separator, part) == "mixture"}
        separated = separator.set_params(**cheap).fit(data.X, data.y).transform(data.mixture)
        assert np.isfinite(separated).all()
        np.testing.assert_allclose(separator.inverse_transform(separated), data.mixture)

    @pytest.mark.parametrize(
        "change",
        [
            {"start": "source"},
            {"critic": None},
            {"start__max_iter": 3},
            {"critic__levels": (-1.0, 1.0)},
            {"source_model__latent_weight": 0.5},
            {"source_model": WGANSourceModel(2, **SMALL)},
            {"random_state": 7},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_what_only_training_reads_needs_another_fit(self, change, separator, make_sources):
        data = make_sources(2)
        fitted = clone(separator).fit(data.X, data.y)
        before, old = fitted.transform(data.mixture), {name: fitted.get_params()[name] for name in change}
        fitted.set_params(**change)
        with pytest.raises(ValueError, match=r"has changed since this SupervisedSeparator was fitted.*fit again"):
            fitted.transform(data.mixture)
        assert_array_equal(fitted.set_params(**old).transform(data.mixture), before)

    def test_what_neither_reads_may_change(self, separator, make_sources):
        data = make_sources(2)
        fitted = clone(separator).fit(data.X, data.y)
        before = fitted.transform(data.mixture)
        assert_array_equal(fitted.set_params(memory="x", n_jobs=2, start__verbose=1).transform(data.mixture), before)

    @pytest.mark.parametrize("copy", [lambda s: pickle.loads(pickle.dumps(s)), deepcopy], ids=["pickle", "deepcopy"])
    def test_copies_know_what_they_were_trained_with(self, copy, separator, make_sources):
        data = make_sources(2)
        seeded = clone(separator).set_params(random_state=np.random.RandomState(0))
        fitted = seeded.set_params(start__levels=[-3, np.float64(3.0)]).fit(data.X, data.y)
        assert_array_equal(copy(fitted).transform(data.mixture), fitted.transform(data.mixture))

    def test_a_string_becomes_what_it_stands_for_once_parameters_nest(self):
        separator = SupervisedSeparator(critic="source").set_params(start__max_iter=7, critic="mixture")
        assert (separator.start.max_iter, separator.critic) == (7, "mixture")
        separator.set_params(critic="mixture", critic__max_iter=9)
        assert (separator.start.max_iter, separator.critic.max_iter) == (7, 9)
        assert isinstance(separator.set_params(start="source").start, str)

    @pytest.mark.parametrize(
        "part", [MixtureStart(max_iter=2), SourceStart(), MixtureCritic(max_iter=2), SourceCritic()]
    )
    def test_objects_given_are_not_changed(self, part, separator, make_sources):
        data = make_sources(2)
        name = "critic" if "Critic" in type(part).__name__ else "start"
        model = WGANSourceModel(2, **SMALL)
        clone(separator).set_params(source_model=model).set_params(**{name: part}).fit(data.X, data.y)
        assert not [attribute for attribute in vars(part) if attribute.endswith("_")]
        assert getattr(part, "random_state", None) is None

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
        parts = {"start": MixtureStart(max_iter=2), "critic": MixtureCritic(max_iter=2)}
        settings = {**parts, "max_iter": 3, "random_state": seed}
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
        assert [hit for _, hit in calls] == [False] * 4
        assert {name for name, _ in calls} == {fit_model.__name__, fit_part.__name__}
        assert_array_equal(fit(), first)
        assert [hit for _, hit in calls] == [True] * 4
        for change in ({"critic_weight": 30.0}, {"start_weight": 0.0}, {"mask_exponent": 1.0}):
            assert not np.array_equal(fit(**change), first)
            assert [hit for _, hit in calls] == [True] * 4
        fit(critic__max_iter=3)
        assert [hit for _, hit in calls] == [True, True, True, False]
        fit(start__max_iter=3)
        assert [hit for _, hit in calls] == [True, True, False, False]
        fit(source_model__latent_weight=0.5)
        assert [hit for _, hit in calls] == [False] * 4


class TestContracts:
    """What a start or critic of one's own returns is checked, since broadcasting would hide a wrong shape."""

    @pytest.mark.parametrize("scores", [lambda f, g: g[0].sum(1), lambda f, g: [g[0].sum(1, keepdim=True)]])
    def test_critic_of_another_shape(self, scores, problem):
        frames = torch.ones(4, 12)
        latents = [torch.zeros(4, 2)] * 2
        wrong = replace(problem, critic=scores, critic_weight=1.0)
        with pytest.raises(ValueError, match=r"A critic must return a list of scores of shape \(4,\)"):
            wrong.objective(frames, latents, problem.generate(latents))

    @pytest.mark.parametrize("points", [lambda f: torch.zeros(4), lambda f: torch.zeros(4, 3), lambda f: None])
    def test_start_of_another_shape(self, points, problem):
        with pytest.raises(ValueError, match=r"A start must return a tensor of free latents of shape \(4, 4\)"):
            replace(problem, start=points).first_points(torch.ones(4, 12))

    def test_nested_parameters_of_nothing(self):
        with pytest.raises(ValueError, match="critic__max_iter cannot be set while critic is None"):
            SupervisedSeparator(critic=None).set_params(critic__max_iter=5)
        with pytest.raises(ValueError, match="start must be one of"):
            SupervisedSeparator(start="Mixture").set_params(start__max_iter=5)

"""Training that begins at a base: other weights, and what survives clone, grids and files."""

import copy
import pickle
from dataclasses import replace

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

from sklearn_gass import (
    STFT,
    AudioSeparator,
    DAESourceModel,
    GANSourceModel,
    MixtureCritic,
    MixtureStart,
    NMFSourceModel,
    SourceStart,
    SupervisedSeparator,
    VAESourceModel,
    WGANSourceModel,
    load_model,
    save_model,
)
from sklearn_gass.base_models import POOLS, fit_base, parts_of_base, pitch, unfitted_base
from sklearn_gass.datasets import make_voices
from sklearn_gass.separation._fitting import make_problem

STILL = 1e-12
"""Learning rate at which weights stay what they were."""
SHAPE = {"hidden_layer_sizes": (8,), "max_iter": 2, "random_state": 0}
ADVERSARY = {"critic_hidden_layer_sizes": 4, "inversion_max_iter": 1, "critic_max_iter": 1, **SHAPE}
MODELS = [
    VAESourceModel(3, **SHAPE),
    DAESourceModel(3, **SHAPE),
    GANSourceModel(3, **ADVERSARY),
    WGANSourceModel(3, **ADVERSARY),
    WGANSourceModel(3, latent="data", reconstruction_weight=0, **ADVERSARY),
]


@pytest.fixture(scope="module")
def base(frames):
    return VAESourceModel(3, **SHAPE).fit(frames)


@pytest.fixture(scope="module")
def sources(make_sources):
    return make_sources(2)


@pytest.fixture(scope="module")
def separator(sources):
    """A fitted separator, not to be changed, whose parts are bases."""
    parts = {"start": MixtureStart((8,), max_iter=60), "critic": MixtureCritic((8,), max_iter=60)}
    return SupervisedSeparator(VAESourceModel(3, **SHAPE), random_state=0, **parts).fit(sources.X, sources.y)


@pytest.fixture(scope="module")
def problem(separator):
    models = [separator.source_models_[i] for i in separator._known_in_order()]
    return make_problem(models, separator._objective_loss(models), torch.float32, "cpu")


def begun_at(separator, **params):
    """Return an unfitted separator that begins at the parts of a fitted one, at low rates of learning."""
    bases = {"source_model__base": separator.source_models_[0]}
    bases |= {"start__base": separator.start_, "critic__base": separator.critic_}
    still = {f"{part}__learning_rate_init": STILL for part in ("source_model", "start", "critic")}
    short = {"start__max_iter": 2, "critic__max_iter": 2, "start__weight_average": 0.0}
    return clone(separator).set_params(**{**bases, **still, **short, **params})


class TestSourceModels:
    @pytest.mark.parametrize("model", MODELS, ids=lambda model: repr(model)[:40])
    def test_training_begins_at_the_weights_of_the_base(self, model, frames):
        base = clone(model).fit(frames[:30])
        before = joblib.hash(vars(base))
        begun = clone(model).set_params(base=base, random_state=1).fit(frames[30:])
        assert joblib.hash(vars(base)) == before
        from_nothing = clone(model).set_params(random_state=1).fit(frames[30:])
        assert 0 < begun.distance_from_base_ < 0.3
        assert not hasattr(from_nothing, "distance_from_base_")
        far = np.linalg.norm(
            from_nothing.weights_["decoder.layers.0.weight"] - base.weights_["decoder.layers.0.weight"]
        )
        near = np.linalg.norm(begun.weights_["decoder.layers.0.weight"] - base.weights_["decoder.layers.0.weight"])
        assert near < far / 2

    def test_the_distance_is_the_relative_change_of_all_weights(self, base, frames):
        still = VAESourceModel(3, **SHAPE, base=base, learning_rate_init=STILL).fit(frames)
        assert still.distance_from_base_ < 1e-6
        model = VAESourceModel(3, **SHAPE, base=base).fit(frames)
        begin, end = (np.concatenate([w.ravel() for w in m.weights_.values()]) for m in (base, model))
        assert model.distance_from_base_ == pytest.approx(np.linalg.norm(end - begin) / np.linalg.norm(begin), rel=1e-5)

    def test_the_scale_is_that_of_the_own_frames(self, base, frames):
        model = VAESourceModel(3, **SHAPE, base=base).fit(100 * frames)
        assert model.scale_ == pytest.approx(100 * base.scale_)

    def test_the_same_numbers_every_time(self, base, frames):
        models = [VAESourceModel(3, **SHAPE, base=base).fit(frames) for _ in range(2)]
        for name, weight in models[0].weights_.items():
            assert_array_equal(weight, models[1].weights_[name])

    def test_warm_start_goes_on_from_its_own_weights(self, base, frames):
        model = VAESourceModel(3, **SHAPE, base=base, warm_start=True).fit(frames)
        first = model.distance_from_base_
        model.set_params(learning_rate_init=STILL).fit(frames)
        assert model.distance_from_base_ == pytest.approx(first, rel=1e-4)

    def test_another_fit_without_base_has_no_distance(self, base, frames):
        model = VAESourceModel(3, **SHAPE, base=base).fit(frames).set_params(base=None).fit(frames)
        assert not hasattr(model, "distance_from_base_")

    @pytest.mark.parametrize(
        ("params", "sentence"),
        [
            ({"n_components": 2}, "has n_components 3, but 2 is asked for: both must be the same"),
            ({"hidden_layer_sizes": (8, 8)}, r"has hidden_layer_sizes \[8\], but \[8, 8\] is asked for"),
            ({"activation": "tanh"}, "has activation leaky_relu, but tanh is asked for"),
            ({"base": VAESourceModel(3, **SHAPE)}, "is not fitted: fit it before, and in a grid wrap it in"),
            ({"base": FrozenEstimator(VAESourceModel(3, **SHAPE))}, "is not fitted"),
            ({"base": NMFSourceModel(3)}, "must be another VAESourceModel, got NMFSourceModel"),
            ({"base": "base.safetensors"}, "The 'base' parameter of VAESourceModel must be"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, base, frames, params, sentence):
        model = VAESourceModel(3, **SHAPE, base=base).set_params(**params)
        with pytest.raises(ValueError, match=sentence):
            model.fit(frames)
        assert not hasattr(model, "weights_")

    def test_another_width_of_frames_is_refused(self, base, frames):
        with pytest.raises(ValueError, match="was trained on frames of another width: both need the same STFT"):
            VAESourceModel(3, **SHAPE, base=base).fit(frames[:, :10])

    def test_a_width_may_be_a_number(self, base, frames):
        VAESourceModel(3, **{**SHAPE, "hidden_layer_sizes": 8}, base=base).fit(frames)


class TestCloneAndGrids:
    def test_clone_keeps_the_base(self, base, separator):
        model = VAESourceModel(3, base=base)
        assert clone(model).base is base
        assert clone(clone(SupervisedSeparator(model))).source_model.base is base
        assert clone(SupervisedSeparator([("a", model), ("b", NMFSourceModel())])).source_model[0][1].base is base
        audio = clone(AudioSeparator(begun_at(separator)))
        assert audio.separator.start.base is separator.start_
        assert audio.separator.critic.base is separator.critic_
        frozen = FrozenEstimator(base)
        assert clone(VAESourceModel(base=frozen)).base is frozen

    def test_parameters_of_the_base_are_not_those_of_the_model(self, base):
        model = VAESourceModel(3, base=base)
        assert not [name for name in SupervisedSeparator(model).get_params() if "base__" in name]
        for owner, name in ((model, "base__max_iter"), (SupervisedSeparator(model), "source_model__base__max_iter")):
            with pytest.raises(ValueError, match="base__max_iter cannot be set: a base stays as it was trained"):
                owner.set_params(**{name: 7})
        assert base.max_iter == 2

    def test_copies(self, base, frames):
        model = VAESourceModel(3, **SHAPE, base=base).fit(frames)
        for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
            assert_array_equal(clone(other).fit(frames).transform(frames), model.transform(frames))

    def test_a_grid(self, base, frames):
        model = VAESourceModel(3, **SHAPE, learning_rate_init=STILL)
        grid = GridSearchCV(model, {"base": [None, FrozenEstimator(base)]}, cv=2, error_score="raise").fit(frames)
        assert grid.best_params_["base"] is not None
        assert grid.best_estimator_.distance_from_base_ < 1e-6
        assert grid.cv_results_["mean_test_score"][0] < grid.cv_results_["mean_test_score"][1]

    def test_a_grid_of_separators(self, separator, sources):
        search = GridSearchCV(
            begun_at(separator),
            {"source_model__base": [None, FrozenEstimator(separator.source_models_[0])], "start__base": [None]},
            scoring=lambda fitted, X, y=None: float(hasattr(fitted.source_models_[0], "distance_from_base_")),
            cv=2,
            error_score="raise",
        ).fit(sources.X, sources.y)
        assert search.cv_results_["mean_test_score"].tolist() == [0, 1]

    def test_a_bare_base_in_a_grid_is_refused(self, base, frames):
        grid = GridSearchCV(VAESourceModel(3, **SHAPE), {"base": [base]}, cv=2, error_score="raise")
        with pytest.raises(ValueError, match="in a grid wrap it in FrozenEstimator"):
            grid.fit(frames)

    def test_a_base_that_is_set_after_fit_is_refused(self, separator, sources):
        fitted = begun_at(separator).fit(sources.X, sources.y)
        fitted.transform(sources.mixture)
        fitted.set_params(source_model__base=separator.source_models_[1])
        with pytest.raises(
            ValueError, match="source_model__base has changed since this SupervisedSeparator was fitted"
        ):
            fitted.transform(sources.mixture)

    def test_a_cache_knows_bases_apart(self, separator, sources, tmp_path):
        cached = begun_at(separator, memory=str(tmp_path))
        first = clone(cached).fit(sources.X, sources.y).source_models_[0]
        cached.set_params(source_model__base=separator.source_models_[1])
        second = clone(cached).fit(sources.X, sources.y).source_models_[0]
        assert not np.array_equal(first.weights_["decoder.layers.0.weight"], second.weights_["decoder.layers.0.weight"])

    def test_a_checkpoint_knows_bases_apart(self, base, frames, tmp_path):
        model = VAESourceModel(3, **SHAPE, base=base, checkpoint=tmp_path / "training").fit(frames)
        again = clone(model).fit(frames)
        assert again.distance_from_base_ == model.distance_from_base_
        with pytest.raises(ValueError, match="belongs to a training with other parameters"):
            clone(model).set_params(base=None).fit(frames)


class TestStartAndCritic:
    def test_outputs_go_to_the_sources_that_they_suit(self, separator, sources, problem):
        """Also if the sources come in another order: the louder one, which the order goes by, is the quieter now."""
        first, second = separator._known_in_order()
        gain = 10 * separator.source_models_[second].scale_ / separator.source_models_[first].scale_
        X = np.where(sources.y[:, None] == separator.classes_[first], gain * sources.X, sources.X)
        models = list(zip(separator.classes_, map(FrozenEstimator, separator.source_models_), strict=True))
        same = begun_at(separator).set_params(source_model=models).fit(sources.X, sources.y)
        assert same.start_.distance_from_base_ < 1e-6
        frames = torch.tensor(sources.mixture, dtype=torch.float32) / problem.unit
        expected = separator.start_.freeze(problem)(frames)
        torch.testing.assert_close(same.start_.freeze(problem)(frames), expected, rtol=1e-4, atol=1e-4)

        scaled = [copy.deepcopy(model.estimator) for _, model in models]
        scaled[first].scale_ *= gain
        swapped = begun_at(separator, start__levels=(-1.0, 1.0)).set_params(
            source_model=[(label, FrozenEstimator(model)) for (label, _), model in zip(models, scaled, strict=True)]
        )
        swapped.fit(X, sources.y)
        assert swapped._known_in_order() == [second, first]
        flipped = replace(problem, decoders=problem.decoders[::-1])
        found = swapped.start_.freeze(flipped)(frames)
        torch.testing.assert_close(found, torch.cat(expected.split(3, dim=1)[::-1], dim=1), rtol=1e-4, atol=1e-4)

    def test_critics_go_to_the_sources_that_they_suit(self, separator, sources):
        """Of a critic and its contrary, each source takes the one that scores its clean frames higher."""
        base = copy.deepcopy(separator.critic_)
        for name in ("layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"):
            sign = -1 if name.startswith("layers.1") else 1
            base.weights_[f"1.{name}"] = sign * base.weights_[f"0.{name}"]
        begun = begun_at(separator, critic__base=base, critic__batch_size=512).fit(sources.X, sources.y)
        assert begun.critic_.history_[0]["train_loss"] < 0
        assert begun.critic_.distance_from_base_ < 1e-6

    def test_further_sources_begin_anew(self, separator, make_sources):
        three = make_sources(3)
        fitted = begun_at(separator).fit(three.X, three.y)
        assert fitted.start_.n_latents_ == [3, 3, 3]
        assert_array_equal(
            np.round(fitted.start_.weights_["layers.0.weight"], 5),
            np.round(separator.start_.weights_["layers.0.weight"], 5),
        )
        last = {tuple(row) for row in np.round(separator.start_.weights_["layers.1.weight"], 5).tolist()}
        own = [tuple(row) for row in np.round(fitted.start_.weights_["layers.1.weight"], 5).tolist()]
        assert sum(row in last for row in own) == 6
        assert len(fitted.critic_.weights_) == 3 * len(separator.critic_.weights_) / 2

    def test_outputs_of_other_latents_begin_anew(self, separator, sources):
        changed = begun_at(separator, source_model__base=None, source_model__n_components=2)
        start = changed.fit(sources.X, sources.y).start_
        assert start.weights_["layers.1.weight"].shape == (4, 8)
        np.testing.assert_allclose(start.weights_["layers.0.weight"], separator.start_.weights_["layers.0.weight"])
        assert start.distance_from_base_ < 1e-6

    @pytest.mark.parametrize("part", ["start", "critic"])
    def test_other_layers_are_refused(self, part, separator, sources):
        with pytest.raises(ValueError, match=r"has hidden_layer_sizes \[8\], but \[9\] is asked for"):
            begun_at(separator, **{f"{part}__hidden_layer_sizes": 9}).fit(sources.X, sources.y)
        with pytest.raises(ValueError, match="was trained on frames of another width"):
            begun_at(separator, source_model__base=None).set_params(
                **{f"{other}__base": None for other in ("start", "critic") if other != part}
            ).fit(sources.X[:, :10], sources.y)

    def test_other_blocks_are_refused(self, separator, sources):
        with pytest.raises(ValueError, match="has n_residual_blocks 4, but 2 is asked for"):
            begun_at(separator, start__n_residual_blocks=2).fit(sources.X, sources.y)

    def test_another_class_is_refused(self, separator, sources):
        with pytest.raises(
            ValueError, match="The base of a MixtureStart must be another MixtureStart, got SourceStart"
        ):
            begun_at(separator, start__base=SourceStart()).fit(sources.X, sources.y)


class TestFiles:
    def test_what_began_at_a_base_is_saved_without_it(self, separator, sources, tmp_path):
        fitted = begun_at(separator).fit(sources.X, sources.y)
        save_model(fitted, tmp_path / "m.safetensors")
        loaded = load_model(tmp_path / "m.safetensors")
        assert loaded.source_model.base is loaded.start_.base is loaded.critic_.base is None
        assert loaded.start_.distance_from_base_ == fitted.start_.distance_from_base_
        assert loaded.source_models_[1].distance_from_base_ == fitted.source_models_[1].distance_from_base_
        assert_array_equal(loaded.transform(sources.mixture), fitted.transform(sources.mixture))
        plain = clone(separator).fit(sources.X, sources.y)
        save_model(plain, tmp_path / "plain.safetensors")
        sizes = [(tmp_path / name).stat().st_size for name in ("m.safetensors", "plain.safetensors")]
        assert sizes[0] < sizes[1] + 2000

    def test_a_loaded_model_may_be_a_base(self, separator, sources, tmp_path):
        save_model(separator, tmp_path / "m.safetensors")
        fitted = [
            begun_at(base).fit(sources.X, sources.y) for base in (separator, load_model(tmp_path / "m.safetensors"))
        ]
        assert_array_equal(*(one.transform(sources.mixture) for one in fitted))

    @pytest.mark.parametrize(("name", "value"), [("distance_from_base_", -1.0), ("n_latents_", [3, 4])])
    def test_wrong_values_are_refused(self, name, value, separator, tmp_path):
        damaged = copy.deepcopy(separator)
        setattr(damaged.start_, name, value)
        with pytest.raises(ValueError, match=r"of its .* has a wrong type, shape or value"):
            save_model(damaged, tmp_path / "m.safetensors")


@pytest.fixture(scope="module")
def voices():
    return make_voices(5, n_utterances=2, duration=0.5, sample_rate=8000, random_state=0)


SMALL_STFT = STFT(256, 64)


def pools(monkeypatch, utterances, voices, **params):
    """Return the frames of both sources that a base would be trained on."""
    seen = {}

    def fit(self, X, y):
        seen.update({pool: X[y == pool] for pool in POOLS})
        raise KeyboardInterrupt

    monkeypatch.setattr(SupervisedSeparator, "fit", fit)
    model = VAESourceModel(2, hidden_layer_sizes=(4,), max_iter=1)
    separator = AudioSeparator(SupervisedSeparator(model), stft=SMALL_STFT, sample_rate=8000)
    with pytest.raises(KeyboardInterrupt):
        fit_base(utterances, voices, separator, **params)
    return seen[POOLS[0]], seen[POOLS[1]]


@pytest.fixture(scope="module")
def voices_base(voices):
    """A base of the first three of five voices."""
    separator = unfitted_base(stft=SMALL_STFT, sample_rate=8000, random_state=0)
    short = {"source_model__max_iter": 2, "start__max_iter": 2, "critic__max_iter": 2}
    separator.separator.set_params(source_model__hidden_layer_sizes=(8,), **short)
    return fit_base(voices.utterances[:6], voices.speakers[:6], separator)


class TestBases:
    def test_a_base_is_a_separator_with_one_source_model(self, voices_base):
        assert list(map(str, voices_base.classes_)) == list(POOLS)
        higher, lower = voices_base.separator_.source_models_
        assert higher is lower

    @pytest.mark.parametrize("frequency", [80.0, 130.0, 310.0])
    def test_pitch(self, frequency, rng):
        time = np.arange(16000) / 16000
        tone = sum(np.sin(2 * np.pi * frequency * k * time) / k for k in range(1, 8))
        assert pitch(STFT().analyze(tone)[0], STFT(), 16000) == pytest.approx(frequency, rel=0.03)
        assert pitch(STFT().analyze(rng.normal(size=16000))[0], STFT(), 16000) == 0
        assert pitch(np.zeros((3, 513)), STFT(), 16000) == 0

    def test_a_separator_begins_at_it(self, voices, voices_base, tmp_path):
        save_model(voices_base, tmp_path / "base.safetensors")
        results = []
        for base in (voices_base, load_model(tmp_path / "base.safetensors")):
            parts = parts_of_base(base)
            for part in parts.values():
                part.set_params(max_iter=2)
            audio = AudioSeparator(SupervisedSeparator(**parts), stft=base.stft, sample_rate=8000, random_state=0)
            audio.fit(voices.utterances[6:], voices.speakers[6:])
            inner = audio.separator_
            assert all(
                0 < part.distance_from_base_ < 1 for part in (*inner.source_models_, inner.start_, inner.critic_)
            )
            results.append(audio.separate(voices.utterances[6]).sources)
        assert_array_equal(*results)

    def test_the_same_base_every_time(self, voices, voices_base):
        separator = clone(AudioSeparator(voices_base.separator_, stft=SMALL_STFT, sample_rate=8000, random_state=0))
        model = clone(voices_base.separator_.source_models_[0].estimator)
        separator.separator.source_model = model
        again = fit_base(voices.utterances[:6], voices.speakers[:6], separator)
        assert_array_equal(
            again.separate(voices.utterances[6]).sources, voices_base.separate(voices.utterances[6]).sources
        )

    def test_the_lower_half_of_the_voices_is_one_source(self, monkeypatch, voices):
        higher, lower = pools(monkeypatch, voices.utterances[:6], voices.speakers[:6], speeds=())
        assert len(higher) == 2 * len(lower)
        voice_pitches = [pitch(part, SMALL_STFT, 8000) for part in np.split(higher, 2)]
        assert pitch(lower, SMALL_STFT, 8000) <= min(voice_pitches)

    def test_recordings_at_other_speeds_are_those_of_other_voices(self, monkeypatch):
        time = np.arange(8000) / 8000
        voices = [np.sin(2 * np.pi * frequency * np.outer([1, 2, 3], time)).sum(0) for frequency in (150, 200)]
        higher, lower = pools(monkeypatch, voices, ["a", "b"], speeds=[0.8, 1.6])
        # 120, 150 and 160 Hz; 200, 240 and 320 Hz
        assert len(lower) == pytest.approx(len(higher) * (1 / 0.8 + 1 + 1 / 0.8) / (1 + 2 / 1.6), rel=0.05)
        assert pitch(lower, SMALL_STFT, 8000) < 170 < pitch(higher, SMALL_STFT, 8000)

    @pytest.mark.parametrize("speeds", [0.9, "12", [0], [0.9, 2.1], [1], [True], [np.nan], [None], None, {0.9: 1}])
    def test_what_is_no_speed_is_refused(self, voices, speeds):
        with pytest.raises(ValueError, match="speeds must be a sequence of numbers"):
            fit_base(voices.utterances, voices.speakers, speeds=speeds)

    def test_how_a_base_was_trained_is_not_taken_over(self, voices_base, tmp_path):
        trained = copy.deepcopy(voices_base)
        trained.separator_.start_.set_params(verbose=1, warm_start=True)
        trained.separator_.source_models_[0].estimator.set_params(checkpoint=tmp_path / "c", device="cuda")
        parts = parts_of_base(trained)
        assert (parts["start"].verbose, parts["start"].warm_start) == (0, False)
        assert (parts["source_model"].checkpoint, parts["source_model"].device) == (None, "cpu")

    def test_what_is_no_base_is_refused(self, voices, sources):
        with pytest.raises(ValueError, match="needs a SupervisedSeparator with one neural source model"):
            fit_base(voices.utterances, voices.speakers, AudioSeparator(SupervisedSeparator(NMFSourceModel())))
        with pytest.raises(ValueError, match="1 class"):
            fit_base(voices.utterances[:2], voices.speakers[:2])
        linear = SupervisedSeparator(NMFSourceModel(2, max_iter=2)).fit(sources.X, sources.y)
        with pytest.raises(ValueError, match="NMFSourceModel cannot be a base"):
            parts_of_base(linear)

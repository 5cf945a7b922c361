"""Sources that are added to fitted ones, or left out: what the new separator begins at, and who has the last word."""

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.frozen import FrozenEstimator

from sklearn_gass import (
    STFT,
    AudioSeparator,
    BackgroundModel,
    MixtureCritic,
    MixtureStart,
    NMFSourceModel,
    SourceCritic,
    SourceStart,
    SupervisedSeparator,
    SupervisedSeparatorCV,
    VAESourceModel,
)
from sklearn_gass._random import derive_seed
from sklearn_gass.datasets import make_voices
from sklearn_gass.separation._composition import _N_SAMPLES

SHAPE = {"hidden_layer_sizes": (8,), "max_iter": 2}
MODEL = VAESourceModel(3, **SHAPE)
PARTS = {"start": MixtureStart((8,), max_iter=30), "critic": MixtureCritic((8,), max_iter=30)}
STILL = {f"{part}__{name}": value for part in PARTS for name, value in [("max_iter", 2), ("learning_rate_init", 1e-12)]}


@pytest.fixture(scope="module")
def sources(make_sources):
    return make_sources(3)


@pytest.fixture(scope="module")
def fit(sources):
    """Function of labels that returns a separator of frames, fitted on these sources."""

    def fit(labels, model=MODEL, **params):
        own = np.isin(sources.y, list(labels))
        separator = SupervisedSeparator(model, **{"random_state": 0, "max_iter": 3, **PARTS, **params})
        return separator.fit(sources.X[own], sources.y[own])

    return fit


@pytest.fixture(scope="module")
def pair(fit):
    return fit("ab")


@pytest.fixture(scope="module")
def third(fit):
    """A separator that knows one source, whose model has another number of latents than those of the pair."""
    return fit("c", [("c", VAESourceModel(2, **SHAPE)), ("rest", BackgroundModel(2, max_iter=2))])


def is_in(part, other):
    """Tell whether each row of the first and of the last layer of one start is in those of another one, about."""
    names = [name for name in part.weights_ if name.startswith("layers.") and name.endswith("weight")]
    rows = [(part.weights_[name], other.weights_[name]) for name in (min(names), max(names))]
    return all((np.abs(one[:, None] - all_[None]).max(2).min(1) < 1e-6).all() for one, all_ in rows)


class TestWhatTrainingBeginsAt:
    def test_an_added_source_leaves_the_start_of_the_others(self, pair, third):
        before = joblib.hash(pair)
        three = SupervisedSeparator.from_fitted([("a", pair), ("c", third), ("b", pair)], random_state=0, **STILL)
        assert sorted(three.start_.n_latents_) == [2, 3, 3]
        assert is_in(pair.start_, three.start_)
        assert three.start_.distance_from_base_ < 1e-6
        assert three.critic_.distance_from_base_ < 1e-6
        assert joblib.hash(pair) == before

    def test_a_source_left_out_leaves_the_start_of_the_others(self, fit):
        three = fit("abc")
        two = SupervisedSeparator.from_fitted([("a", three), ("c", three)], random_state=0, **STILL)
        assert two.classes_.tolist() == ["a", "c"]
        assert is_in(two.start_, three.start_)

    def test_training_is_short(self, pair, third, monkeypatch):
        lengths = {}
        monkeypatch.setattr(MixtureStart, "fit", lambda self, *_: lengths.update(start=self.max_iter) or self)
        monkeypatch.setattr(MixtureCritic, "fit", lambda self, *_: lengths.update(critic=self.max_iter) or self)
        monkeypatch.setattr(MixtureStart, "freeze", lambda self, problem: problem.encode_shares)
        SupervisedSeparator.from_fitted([("a", pair), ("b", pair), ("c", third)])
        short = dict(lengths)
        models = [(label, pair.source_models_[i]) for i, label in enumerate("ab")]
        SupervisedSeparator.from_fitted(models)
        assert lengths == {"start": MixtureStart().max_iter, "critic": MixtureCritic().max_iter}
        assert all(2 * short[part] < lengths[part] for part in PARTS)

    def test_a_short_training_takes_smaller_steps(self, pair, third):
        items = [("a", pair), ("b", pair), ("c", third)]
        three = SupervisedSeparator.from_fitted(items, start__max_iter=2, critic__max_iter=2)
        assert three.start_.learning_rate_init == 0.002
        assert three.start_.learning_rate_init < pair.start_.learning_rate_init

    def test_bases_do_not_pile_up(self, pair, third):
        separator, short = pair, {"start__max_iter": 2, "critic__max_iter": 2, "random_state": 0}
        for _ in range(2):
            separator = SupervisedSeparator.from_fitted([("a", separator), ("b", separator), ("c", third)], **short)
            for part in (separator.start_, separator.critic_):
                assert part.base.weights_
                assert part.base.base is None

    def test_a_short_training_learns_from_frames_without_noise(self, pair, third, monkeypatch):
        learned = []
        monkeypatch.setattr(MixtureStart, "fit", lambda self, _, sources: learned.append(sources) or self)
        monkeypatch.setattr(MixtureStart, "freeze", lambda self, problem: problem.encode_shares)
        items = [("a", pair), ("b", pair), ("c", third)]
        for start in ({}, {"start": "mixture"}):
            SupervisedSeparator.from_fitted(items, critic=None, random_state=0, **start)
        models = [*pair.source_models_, third.source_models_[0]]
        unit = np.mean([model.scale_ for model in models])
        without, with_noise = ([float(source.frames.sum()) for source in sources] for sources in learned)
        means = [m.sample(_N_SAMPLES, derive_seed(0), output_noise=False, spread=1.0).sum() / unit for m in models]
        np.testing.assert_allclose(sorted(without), sorted(means), rtol=1e-4)
        assert not np.allclose(sorted(with_noise), sorted(means), rtol=1e-4)

    def test_the_separator_that_gives_most_sources_is_begun_at(self, fit, pair):
        other = fit("bc", random_state=1)
        items = [("c", other), ("a", pair), ("b", pair)]
        assert is_in(pair.start_, SupervisedSeparator.from_fitted(items, random_state=0, **STILL).start_)

    def test_neither_order_nor_random_numbers_of_others_have_a_part(self, fit, pair, sources):
        items = [("c", fit("bc", random_state=1)), ("a", pair)]
        short = {"start__max_iter": 2, "critic__max_iter": 2, "max_iter": 3, "random_state": 0}
        results = []
        for listed in (items, items[::-1], items):
            np.random.seed(len(results))
            results.append(SupervisedSeparator.from_fitted(listed, **short).transform(sources.mixture))
        assert_array_equal(results[0], results[1])
        assert_array_equal(results[0], results[2])

    def test_labels_of_any_type_and_searches_around(self, fit, pair, sources):
        own = np.isin(sources.y, ["a", "b"])
        search = SupervisedSeparatorCV(SupervisedSeparator(MODEL, max_iter=2, **PARTS), critic_weights=[1], cv=2)
        search.fit(sources.X[own], np.where(sources.y[own] == "a", 1, 2))
        frozen = FrozenEstimator(pair)
        joined = SupervisedSeparator.from_fitted([("1", search), ("2", search), ("b", frozen)], **STILL)
        assert joined.classes_.tolist() == ["1", "2", "b"]
        assert is_in(search.separator_.start_, joined.start_)


class TestWhoHasTheLastWord:
    def test_parameters_that_are_given(self, pair, third):
        items = [("a", pair), ("b", pair), ("c", third)]
        plain = SupervisedSeparator.from_fitted(items, start=MixtureStart((4,), max_iter=2), critic=None)
        assert not hasattr(plain.start_, "distance_from_base_")
        assert plain.critic_ is None
        untrained = SupervisedSeparator.from_fitted(items, start="source", critic=None)
        assert isinstance(untrained.start_, SourceStart)
        longer = SupervisedSeparator.from_fitted(items, start__max_iter=3, critic__max_iter=2)
        assert longer.start_.max_iter == 3
        assert longer.start_.base is pair.start_
        with pytest.raises(ValueError, match="Invalid parameter 'steps'"):
            SupervisedSeparator.from_fitted(items, start__steps=3)

    def test_to_begin_anew_is_the_same_as_with_source_models(self, pair, third, sources, quick_defaults):
        items = [("a", pair), ("b", pair), ("c", third)]
        models = [*zip("ab", pair.source_models_, strict=True), ("c", third.source_models_[0])]
        plain = SupervisedSeparator.from_fitted(models, max_iter=3, random_state=0)
        anew = SupervisedSeparator.from_fitted(items, start="mixture", critic="mixture", max_iter=3, random_state=0)
        assert_array_equal(anew.transform(sources.mixture), plain.transform(sources.mixture))

    def test_no_critic_stays_no_critic(self, fit, third):
        for critic in (None, SourceCritic()):
            pair = fit("ab", critic=critic, critic_weight=0.0)
            three = SupervisedSeparator.from_fitted(
                [("a", pair), ("b", pair), ("c", third)], start__max_iter=2, critic_weight=0.0
            )
            assert type(three.critic_) is type(critic)

    def test_source_models_have_nothing_to_begin_at(self, pair, quick_defaults):
        models = [(label, pair.source_models_[i]) for i, label in enumerate("ab")]
        joined = SupervisedSeparator.from_fitted(models)
        assert not hasattr(joined.start_, "distance_from_base_")
        assert joined.start_.hidden_layer_sizes == MixtureStart().hidden_layer_sizes

    def test_linear_separators_have_nothing_to_begin_at(self, fit, third, quick_defaults):
        linear = fit("ab", NMFSourceModel(2, max_iter=2))
        three = SupervisedSeparator.from_fitted([("a", linear), ("b", linear), ("c", third)])
        assert not hasattr(three.start_, "distance_from_base_")

    def test_what_is_not_there_is_refused(self, pair):
        with pytest.raises(ValueError, match=r"separator for 'c' has no such source; it has \['a', 'b'\]"):
            SupervisedSeparator.from_fitted([("a", pair), ("c", pair)])

    @pytest.mark.parametrize("kind", [SupervisedSeparator, AudioSeparator])
    def test_what_is_no_list_of_pairs(self, kind, pair):
        model = pair.source_models_[0]
        for wrong, got in [
            ({"a": pair, "b": pair}, "dict"),
            (model, "VAESourceModel"),
            (3, "int"),
            (None, "NoneType"),
            ("ab", "str with str"),
            ([("a", pair), model], "list with VAESourceModel"),
            ([("a", pair), None], "list with NoneType"),
            ((("a", pair), ("b",)), "tuple with tuple"),
            ([(1, pair), (2, pair)], "list with tuple"),
        ]:
            message = rf"from_fitted takes .*a list of \(label, .*\) with str labels, got {got}\."
            with pytest.raises(ValueError, match=message):
                kind.from_fitted(wrong)

    def test_a_tuple_is_as_good_as_a_list(self, fit):
        linear = fit("ab", NMFSourceModel(2, max_iter=2))
        pairs = [("a", linear), ("b", linear)]
        joined = [AudioSeparator.from_fitted(kind(pairs), stft=STFT(22, 11)) for kind in (list, tuple, iter)]
        wave = np.sin(np.arange(200.0))
        for other in joined[1:]:
            assert_array_equal(other.separate(wave).sources, joined[0].separate(wave).sources)

    @pytest.mark.parametrize("join", [SupervisedSeparator.from_fitted, AudioSeparator.from_fitted])
    @pytest.mark.parametrize("given", [AudioSeparator, [("a", SupervisedSeparator), ("b", NMFSourceModel)]])
    def test_a_class_is_refused(self, join, given):
        with pytest.raises(ValueError, match="must be an estimator, got the class"):
            join(given)


class TestWaveforms:
    def test_a_voice_is_added_in_two_lines(self):
        voices = make_voices(3, n_utterances=2, duration=0.5, sample_rate=8000, random_state=0)
        X, y, sound = voices.utterances, voices.speakers, {"stft": STFT(256, 64), "sample_rate": 8000}
        pair = AudioSeparator(SupervisedSeparator(MODEL, **PARTS), random_state=0, **sound).fit(X[:4], y[:4])
        alone = SupervisedSeparator([("voice2", MODEL), ("rest", BackgroundModel(2, max_iter=2))])
        short = {"separator__start__max_iter": 2, "separator__critic__max_iter": 2, "random_state": 0}

        third = AudioSeparator(alone, random_state=0, **sound).fit(X[4:], y[4:])
        three = AudioSeparator.from_fitted([("voice0", pair), ("voice1", pair), ("voice2", third)], **short)

        assert three.separator_.start_.base is pair.separator_.start_
        assert three.separator_.start_.max_iter == 2
        assert (three.stft_.n_fft, three.sample_rate) == (256, 8000)
        mixture = X[0] + X[2] + X[4]
        separation = three.separate(mixture)
        np.testing.assert_allclose(separation.sources.sum(0), mixture, atol=1e-6)
        again = AudioSeparator.from_fitted(
            [("voice2", third.separator_), ("voice1", pair.separator_), ("voice0", pair)], **short
        )
        assert_array_equal(again.separate(mixture).sources, separation.sources)
        with pytest.raises(ValueError, match="separator__start is for a list of fitted models"):
            AudioSeparator.from_fitted(three.separator_, separator__start="source", **sound)

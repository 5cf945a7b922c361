"""Choice of λ and the mask exponent: folds, fits, scores, and the searches of others over the same."""

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    LeaveOneGroupOut,
    RandomizedSearchCV,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_gass import (
    AudioSeparator,
    MixtureCritic,
    MixtureStart,
    NMFSourceModel,
    SupervisedSeparator,
    SupervisedSeparatorCV,
    VAESourceModel,
)
from sklearn_gass.scoring import SeparationScorer

GRID = {"critic_weight": [0, 3, 100], "mask_exponent": [1, 2]}


class CountedVAE(VAESourceModel):
    """Counts fits in this process."""

    n_fits = 0

    def fit(self, X, y=None):
        type(self).n_fits += 1
        return super().fit(X, y)


@pytest.fixture
def counted():
    CountedVAE.n_fits = 0
    return CountedVAE(2, hidden_layer_sizes=(8,), max_iter=3)


@pytest.fixture(scope="module")
def separator(seed):
    """Unfitted separator with cheap models that have a λ."""
    model = VAESourceModel(2, hidden_layer_sizes=(8,), max_iter=3)
    return SupervisedSeparator(
        model, max_iter=5, start=MixtureStart(max_iter=2), critic=MixtureCritic(max_iter=2), random_state=seed
    )


@pytest.fixture(scope="module")
def search(separator):
    return SupervisedSeparatorCV(separator, critic_weights=GRID["critic_weight"], mask_exponents=GRID["mask_exponent"])


@pytest.fixture(scope="module")
def fitted(search, make_sources):
    """Fitted search, not to be changed."""
    data = make_sources(2)
    return clone(search).fit(data.X, data.y, groups=data.groups)


@pytest.fixture(scope="module")
def audio(separator, seed):
    nmf = clone(separator).set_params(source_model=NMFSourceModel(3, max_iter=5), random_state=None)
    return AudioSeparator(nmf, random_state=seed)


def assert_same_results(found, expected):
    """All of `cv_results_` but times, to the last digit."""
    assert set(found) == set(expected)
    for key in found:
        if not key.endswith("_time"):
            np.testing.assert_array_equal(found[key], expected[key], err_msg=key)


class TestAgainstGridSearch:
    def test_same_results_on_frames(self, fitted, separator, make_sources):
        data = make_sources(2)
        grid = GridSearchCV(separator, GRID, cv=StratifiedGroupKFold(3)).fit(data.X, data.y, groups=data.groups)
        assert_same_results(fitted.cv_results_, grid.cv_results_)
        assert len(np.unique(grid.cv_results_["mean_test_score"])) == 6, "every candidate must matter"
        assert fitted.best_params_ == grid.best_params_
        assert fitted.best_index_ == grid.best_index_
        assert fitted.best_score_ == grid.best_score_
        assert fitted.score(data.X, data.y) == grid.score(data.X, data.y)
        np.testing.assert_array_equal(fitted.transform(data.mixture), grid.transform(data.mixture))

    def test_same_results_on_waveforms_with_several_metrics(self, separator, short_voices, seed):
        X, y = short_voices.utterances, short_voices.speakers
        audio = AudioSeparator(clone(separator).set_params(random_state=None), random_state=seed)
        scorer = SeparationScorer(("sdr", "sir", "si_sdr_improvement"))
        search = SupervisedSeparatorCV(audio, critic_weights=[0, 100], scoring=scorer, refit="sir").fit(X, y)
        grid = {"separator__critic_weight": [0, 100]}
        grid = GridSearchCV(audio, grid, scoring=scorer, refit="sir", cv=StratifiedKFold(3)).fit(X, y)
        assert_same_results(search.cv_results_, grid.cv_results_)
        assert search.multimetric_ and grid.multimetric_
        assert search.best_params_ == grid.best_params_
        assert search.best_score_ == grid.best_score_
        for found, expected in zip(search.transform(X), grid.transform(X), strict=True):
            np.testing.assert_array_equal(found, expected)

    def test_fits_once_per_fold_and_once_more(self, counted, separator, make_sources):
        """Six values of λ, three folds and two sources: 8 fits, where the grid needs 38."""
        data, weights = make_sources(2), [0, 1, 3, 10, 30, 100]
        separator = clone(separator).set_params(source_model=counted)
        SupervisedSeparatorCV(separator, critic_weights=weights).fit(data.X, data.y, groups=data.groups)
        assert CountedVAE.n_fits == 8
        CountedVAE.n_fits = 0
        GridSearchCV(separator, {"critic_weight": weights}, cv=3).fit(data.X, data.y)
        assert CountedVAE.n_fits == 38

    def test_grid_search_with_memory_fits_as_few(self, counted, separator, make_sources, tmp_path):
        data = make_sources(2)
        separator = clone(separator).set_params(source_model=counted)
        folds = list(StratifiedGroupKFold(3).split(data.X, data.y, data.groups))
        plain = GridSearchCV(separator, GRID, cv=folds).fit(data.X, data.y)
        CountedVAE.n_fits = 0
        separator.set_params(memory=str(tmp_path))
        cached = GridSearchCV(separator, GRID, cv=folds).fit(data.X, data.y)
        assert CountedVAE.n_fits == 8
        assert_same_results(cached.cv_results_, plain.cv_results_)
        again = SupervisedSeparatorCV(separator, critic_weights=[0, 3], cv=folds).fit(data.X, data.y)
        assert CountedVAE.n_fits == 8, "another search finds the same models"
        assert again.cv_results_["mean_test_score"][0] == plain.cv_results_["mean_test_score"][1]


class TestChoice:
    def test_attributes(self, fitted, make_sources):
        data = make_sources(2)
        assert fitted.n_splits_ == 3
        assert fitted.best_params_ == {
            "critic_weight": fitted.critic_weight_,
            "mask_exponent": fitted.mask_exponent_,
        }
        assert fitted.separator_.critic_weight == fitted.critic_weight_
        means = fitted.cv_results_["mean_test_score"]
        assert fitted.best_score_ == means.max() == means[fitted.best_index_]
        assert fitted.classes_.tolist() == ["a", "b"]
        assert fitted.n_features_in_ == 12
        np.testing.assert_array_equal(fitted.inverse_transform(fitted.transform(data.mixture)).shape, (20, 12))
        assert fitted.separate(data.mixture).shape == (2, 20, 12)

    def test_mask_exponent_of_the_separator_stays_if_none_is_to_be_tried(self, separator, make_sources):
        data = make_sources(2)
        separator = clone(separator).set_params(mask_exponent=3)
        search = SupervisedSeparatorCV(separator, critic_weights=[0, 1]).fit(data.X, data.y, groups=data.groups)
        assert search.mask_exponent_ == 3
        assert list(search.best_params_) == ["critic_weight"]

    def test_choice_by_a_function(self, separator, make_sources):
        """The largest λ whose score is within a dB of the best."""

        def largest_of_the_good(results):
            good = results["mean_test_sdr"] >= results["mean_test_sdr"].max() - 1e6
            return np.flatnonzero(good)[-1]

        data = make_sources(2)
        search = SupervisedSeparatorCV(
            separator, critic_weights=[0, 1, 2], scoring=["sdr", "si_sdr"], refit=largest_of_the_good
        ).fit(data.X, data.y, groups=data.groups)
        assert search.critic_weight_ == 2
        assert search.best_score_ == search.cv_results_["mean_test_sdr"][2]
        assert search.score(data.X, data.y) == SeparationScorer("sdr")(search, data.X, data.y)

    def test_own_scorer(self, separator, make_sources):
        data = make_sources(2)
        search = SupervisedSeparatorCV(
            separator, critic_weights=[0, 1, 2], scoring=lambda estimator, X, y: -abs(estimator.critic_weight - 1)
        ).fit(data.X, data.y)
        assert search.critic_weight_ == 1
        assert search.best_score_ == 0

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_dtype(self, dtype, search, make_sources):
        data = make_sources(2, dtype)
        fitted = clone(search).set_params(critic_weights=[0]).fit(data.X, data.y, groups=data.groups)
        assert fitted.transform(data.mixture).dtype == dtype

    def test_unseeded_separator_gets_one_seed_for_all_folds(self, separator, make_sources):
        """Otherwise differences between values of λ would be those between starts of the training."""
        data = make_sources(2)
        search = SupervisedSeparatorCV(clone(separator).set_params(random_state=None), critic_weights=[0])
        folds = [(np.arange(60), np.arange(60))] * 2
        scores = search.set_params(cv=folds).fit(data.X, data.y).cv_results_
        assert scores["split0_test_score"] == scores["split1_test_score"]
        number = clone(search).set_params(random_state=0).fit(data.X, data.y)
        outer = clone(separator).set_params(critic_weight=0, random_state=0).fit(data.X, data.y)
        np.testing.assert_array_equal(number.transform(data.mixture), outer.transform(data.mixture))


class TestFolds:
    def test_groups_stay_whole(self, search, make_sources):
        data, seen = make_sources(2), []
        search = clone(search).set_params(cv=2, scoring=lambda estimator, X, y: seen.append(X) or 0.0)
        search.fit(data.X, data.y, groups=data.groups)
        held_out = [{tuple(row) for row in X} for X in (seen[0], seen[-1])]
        for group in np.unique(data.groups):
            rows = {tuple(row) for row in data.X[data.groups == group]}
            assert sum(rows <= fold for fold in held_out) == 1

    def test_without_groups_blocks_of_consecutive_rows_are_held_out(self, search, make_sources):
        data, seen = make_sources(2), []
        X, y = np.concatenate([data.X[data.y == label] for label in "ab"]), np.repeat(["a", "b"], 30)
        search = clone(search).set_params(critic_weights=[0], mask_exponents=None)
        search.set_params(scoring=lambda estimator, X, y: seen.append(X) or 0.0).fit(X, y)
        for number, rows in enumerate(seen):
            block = slice(10 * number, 10 * number + 10)
            np.testing.assert_array_equal(rows, np.concatenate([X[:30][block], X[30:][block]]))

    @pytest.mark.parametrize("cv", [GroupKFold(2), LeaveOneGroupOut()])
    def test_fold_without_a_source_is_refused_before_any_fit(self, cv, counted, separator, make_sources):
        data = make_sources(3)
        groups = np.where(data.y == "c", 7, data.groups % 5)
        search = SupervisedSeparatorCV(clone(separator).set_params(source_model=counted), cv=cv)
        with pytest.raises(ValueError, match=r"no (training|held-out) frames of source\(s\).*StratifiedGroupKFold"):
            search.fit(data.X, data.y, groups=groups)
        assert CountedVAE.n_fits == 0

    def test_source_with_fewer_utterances_than_folds(self, search, make_sources):
        data = make_sources(2)
        groups = np.where(data.y == "b", 100, data.groups)
        with pytest.raises(ValueError, match="Source 'b' has 1 groups, but 2 folds need as many of every source"):
            clone(search).fit(data.X, data.y, groups=groups)

    def test_rarest_source_decides_how_many_folds_there_are(self, search, make_sources):
        data = make_sources(2)
        groups = np.where(data.y == "b", data.groups % 2, data.groups)
        search = clone(search).set_params(critic_weights=[0], mask_exponents=None)
        assert search.fit(data.X, data.y, groups=groups).n_splits_ == 2
        with pytest.raises(ValueError, match="Source 'b' has 2 groups, but 3 folds need as many"):
            search.set_params(cv=3).fit(data.X, data.y, groups=groups)

    def test_masks_of_rows(self, audio, short_voices):
        X, y = short_voices.utterances, short_voices.speakers
        folds = list(StratifiedKFold(2).split(X, y))
        masks = [tuple(np.isin(np.arange(len(y)), side) for side in fold) for fold in folds]
        searches = [SupervisedSeparatorCV(audio, critic_weights=[0], cv=cv).fit(X, y) for cv in (folds, masks)]
        assert searches[0].best_score_ == searches[1].best_score_

    def test_utterances_in_order_of_speaker(self, audio, short_voices):
        search = SupervisedSeparatorCV(audio, cv=KFold(2))
        with pytest.raises(ValueError, match=r"utterances of source\(s\) \['voice0'\].*Use StratifiedKFold"):
            search.fit(short_voices.utterances, short_voices.speakers)

    @pytest.mark.filterwarnings("ignore:Scoring failed", "ignore:.*non-finite")
    def test_grid_search_of_such_folds_needs_error_score(self, separator, make_sources):
        """scikit-learn takes failures for bad scores unless told otherwise; what it then raises is ours."""
        data = make_sources(3)
        folds = [(np.flatnonzero(data.y != "c"), np.arange(90)), (np.arange(90), np.arange(90))]
        grid = GridSearchCV(separator, {"critic_weight": [0]}, cv=folds)
        assert np.isnan(grid.fit(data.X, data.y).cv_results_["mean_test_score"]).all()
        with pytest.raises(ValueError, match=r"Unknown source label\(s\) \['c'\].*StratifiedGroupKFold"):
            grid.set_params(error_score="raise").fit(data.X, data.y)


class TestMetadataRouting:
    def test_groups_reach_the_splitter(self, fitted, search, make_sources):
        data = make_sources(2)
        with config_context(enable_metadata_routing=True):
            for cv in (None, 3, StratifiedGroupKFold(3)):
                routed = clone(search).set_params(cv=cv).fit(data.X, data.y, groups=data.groups)
                assert_same_results(routed.cv_results_, fitted.cv_results_)

    def test_groups_that_the_splitter_does_not_ask_for(self, search, make_sources):
        data = make_sources(2)
        with config_context(enable_metadata_routing=True), pytest.raises(TypeError, match="groups"):
            clone(search).set_params(cv=KFold(2)).fit(data.X, data.y, groups=data.groups)

    @pytest.mark.parametrize("cv", [None, StratifiedKFold(2), StratifiedGroupKFold(2)])
    def test_inside_of_an_audio_separator(self, cv, search, short_voices):
        """Which passes groups by itself, but only to those who ask for them."""
        search = clone(search).set_params(critic_weights=[0], mask_exponents=None, cv=cv)
        with config_context(enable_metadata_routing=True):
            audio = AudioSeparator(search).fit(short_voices.utterances, short_voices.speakers)
        assert audio.separator_.best_params_ == {"critic_weight": 0}

    @pytest.mark.parametrize("enabled", [False, True])
    def test_outer_validation_hands_groups_down(self, enabled, search, make_sources):
        """Nested: utterances stay whole in the outer and in the inner folds."""
        data, seen = make_sources(2), []
        search = clone(search).set_params(critic_weights=[0], mask_exponents=None, cv=2)
        search.set_params(scoring=lambda estimator, X, y: seen.append(len(X)) or 0.0)
        # without routing the outer splitter and the estimator's fit are told separately
        groups = {"params": {"groups": data.groups}} | ({} if enabled else {"groups": data.groups})
        with config_context(enable_metadata_routing=enabled):
            result = cross_validate(search, data.X, data.y, cv=StratifiedGroupKFold(3), error_score="raise", **groups)
        assert len(result["test_score"]) == 3
        inner = np.reshape(seen, (3, 3))[:, :2]  # the third is the outer score
        assert (inner % 5 == 0).all(), "groups have five frames"

    def test_pipeline(self, search, fitted, make_sources):
        data = make_sources(2)
        pipeline = make_pipeline(FunctionTransformer(), clone(search))
        with config_context(enable_metadata_routing=True):
            pipeline.fit(data.X, data.y, groups=data.groups)
        assert_same_results(pipeline[-1].cv_results_, fitted.cv_results_)

    def test_grid_search_with_routing(self, separator, make_sources):
        data, results = make_sources(2), []
        for enabled in (False, True):
            with config_context(enable_metadata_routing=enabled):
                grid = GridSearchCV(
                    separator, {"mask_exponent": [1, 2]}, cv=StratifiedGroupKFold(2), scoring=SeparationScorer("si_sdr")
                )
                results.append(grid.fit(data.X, data.y, groups=data.groups).cv_results_)
        assert_same_results(*results)


class TestAsEstimator:
    def test_clone_and_nested_parameters(self, search):
        copy = clone(search).set_params(separator__source_model__n_components=5, critic_weights=[7])
        assert copy.separator.source_model.n_components == 5
        assert search.separator.source_model.n_components == 2
        assert clone(copy).get_params()["separator__source_model__n_components"] == 5

    def test_parameters_by_label(self, separator, make_sources):
        data = make_sources(2)
        models = [("a", NMFSourceModel(2, max_iter=3)), ("b", separator.source_model)]
        search = SupervisedSeparatorCV(clone(separator).set_params(source_model=models), critic_weights=[0, 1])
        search.set_params(separator__a__n_components=4, separator__a__beta_loss="kullback-leibler")
        search.fit(data.X, data.y, groups=data.groups)
        assert search.separator_.source_models_[0].components_.shape == (4, 12)

    def test_html(self, search, fitted):
        for estimator in (search, fitted):
            page = estimator._repr_html_()
            for name in ("SupervisedSeparatorCV", "SupervisedSeparator", "VAESourceModel"):
                assert name in page

    def test_pickle(self, fitted, make_sources):
        mixture = make_sources(2).mixture
        copy = pickle.loads(pickle.dumps(fitted))
        np.testing.assert_array_equal(copy.transform(mixture), fitted.transform(mixture))

    def test_feature_names(self, fitted):
        assert fitted.get_feature_names_out()[[0, 12]].tolist() == ["a_x0", "b_x0"]

    def test_not_fitted(self, search, make_sources):
        data = make_sources(2)
        for call in (search.transform, search.separate, search.inverse_transform):
            with pytest.raises(NotFittedError, match="This SupervisedSeparatorCV instance is not fitted yet"):
                call(data.mixture)
        with pytest.raises(NotFittedError):
            search.score(data.X, data.y)
        with pytest.raises(NotFittedError):
            search.get_feature_names_out()

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"critic_weights": [0, -1]}, "'critic_weight' parameter of SupervisedSeparator must be"),
            ({"mask_exponents": [0]}, "'mask_exponent' parameter of SupervisedSeparator must be"),
            ({"critic_weights": []}, "critic_weight.* non-empty sequence"),
            ({"scoring": ["sdr", "cat"]}, r"Unknown metric\(s\) \['cat'\]"),
            ({"scoring": ["sdr", "si_sdr"], "refit": "sir"}, "refit='sir' is none of the metrics"),
            ({"scoring": "sdr", "refit": "si_sdr"}, r"refit='si_sdr' is none of the metrics \['sdr'\]"),
            ({"refit": "sir"}, r"refit='sir' is none of the metrics \['score'\]"),
            ({"scoring": "cat"}, "'scoring' parameter of SupervisedSeparatorCV must be"),
            ({"cv": []}, "no fold"),
            ({"separator": NMFSourceModel()}, "'separator' parameter of SupervisedSeparatorCV must be"),
            ({"scoring": lambda estimator, X, y: {"own": 1.0}, "refit": "other"}, "refit='other' is none of the"),
            ({"scoring": lambda estimator, X, y: np.nan}, r"gave no number \(score\) for {'critic_weight': 0"),
        ],
    )
    def test_wrong_parameters(self, params, message, search, make_sources):
        data = make_sources(2)
        with pytest.raises(ValueError, match=message):
            clone(search).set_params(**params).fit(data.X, data.y)

    def test_groups_of_another_length(self, search, make_sources):
        data = make_sources(2)
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            clone(search).fit(data.X, data.y, groups=data.groups[1:])

    def test_holds_no_other_search(self, search, make_sources):
        data = make_sources(2)
        with pytest.raises(ValueError, match="must be a SupervisedSeparator, or an AudioSeparator around one"):
            SupervisedSeparatorCV(clone(search)).fit(data.X, data.y)


class TestWaveforms:
    def test_inside_an_audio_separator_utterances_stay_whole(self, separator, short_voices, seed):
        seen = []
        search = SupervisedSeparatorCV(
            clone(separator).set_params(random_state=None),
            critic_weights=[0],
            scoring=lambda estimator, X, y: seen.append(len(X)) or 0.0,
        )
        audio = AudioSeparator(search, random_state=seed).fit(short_voices.utterances, short_voices.speakers)
        lengths = [len(audio.stft_.analyze(wave)[0]) for wave in short_voices.utterances]
        sums = {lengths[i] + lengths[j] for i in range(3) for j in range(3, 6)}
        assert len(seen) == 3
        assert set(seen) <= sums, "a fold holds out one utterance of each voice"
        assert audio.separator_.separator_.random_state == audio.separator_.random_state is not None

    def test_inside_an_audio_separator_separates_with_the_choice(self, separator, short_voices, seed):
        X, y = short_voices.utterances, short_voices.speakers
        inner = SupervisedSeparatorCV(clone(separator).set_params(random_state=None), critic_weights=[5])
        audio = AudioSeparator(inner, random_state=seed).fit(X, y)
        plain = AudioSeparator(clone(separator).set_params(random_state=None, critic_weight=5), random_state=seed).fit(
            X, y
        )
        np.testing.assert_array_equal(audio.separate(X[0]).sources, plain.separate(X[0]).sources)
        audio.set_params(separator__separator__source_model__n_components=3)
        assert audio.fit(X, y).separator_.separator_.source_models_[0].n_components == 3

    def test_around_an_audio_separator(self, audio, short_voices):
        search = SupervisedSeparatorCV(audio, critic_weights=[0, 1], mask_exponents=[1, 4], scoring="sir")
        search.fit(short_voices.utterances, short_voices.speakers)
        assert search.mask_exponent_ == 4, "sharper masks let less of the other voice through"
        assert search.best_params_ == {"separator__critic_weight": 0, "separator__mask_exponent": 4}
        separation = search.separate(short_voices.utterances[0] + 0)
        assert separation.labels.tolist() == ["voice0", "voice1"]
        separated = search.transform(short_voices.utterances)
        np.testing.assert_array_equal(separated[0], separation.sources)
        np.testing.assert_allclose(search.inverse_transform(separated)[0], short_voices.utterances[0], atol=1e-4)

    def test_around_an_audio_separator_without_one_of_its_own(self, short_voices, quick_defaults):
        X = np.stack([wave[:4000] for wave in short_voices.utterances])
        search = SupervisedSeparatorCV(AudioSeparator(), critic_weights=[0], random_state=0, cv=3)
        search.fit(X, short_voices.speakers)
        assert search.transform(X).shape == (6, 8000)
        assert search.n_features_in_ == 4000
        assert len(search.get_feature_names_out()) == 8000


class TestOtherSearches:
    """The searches of scikit-learn and Optuna over models, their architecture, and parameters of separation."""

    def test_grid_over_classes_of_source_models(self, separator, make_sources):
        data = make_sources(2)
        models = [NMFSourceModel(2, max_iter=5), VAESourceModel(2, hidden_layer_sizes=(8,), max_iter=2)]
        grid = [
            {"source_model": models},
            {"source_model": [models[1]], "source_model__hidden_layer_sizes": [(4,), (8, 8)], "critic_weight": [0, 5]},
        ]
        search = GridSearchCV(separator, grid, cv=StratifiedGroupKFold(2), error_score="raise")
        search.fit(data.X, data.y, groups=data.groups)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        assert len(search.cv_results_["params"]) == 6
        assert isinstance(search.best_estimator_.source_model, NMFSourceModel | VAESourceModel)

    def test_grid_over_a_list_of_models(self, separator, make_sources):
        data = make_sources(2)
        mixed = [("a", NMFSourceModel(2, max_iter=5)), ("b", VAESourceModel(2, hidden_layer_sizes=(8,), max_iter=2))]
        same = [("a", NMFSourceModel(2, max_iter=5)), ("b", NMFSourceModel(2, max_iter=5))]
        grid = {"source_model": [mixed, same], "a__n_components": [1, 3]}
        separator = clone(separator).set_params(source_model=same)
        search = GridSearchCV(separator, grid, cv=StratifiedGroupKFold(2), error_score="raise")
        search.fit(data.X, data.y, groups=data.groups)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        best = search.best_estimator_.source_models_[0]
        assert best.components_.shape[0] == search.best_params_["a__n_components"]

    def test_randomized_search(self, separator, make_sources, seed):
        data = make_sources(2)
        search = RandomizedSearchCV(
            separator,
            {"critic_weight": [0, 1, 5], "source_model__n_components": range(1, 4), "mask_exponent": [1, 2]},
            n_iter=3,
            cv=StratifiedGroupKFold(2),
            scoring=SeparationScorer("si_sdr_improvement"),
            error_score="raise",
            random_state=seed,
        ).fit(data.X, data.y, groups=data.groups)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()

    def test_halving_with_epochs_as_resource(self, separator, make_sources):
        data = make_sources(2)
        search = HalvingGridSearchCV(
            separator,
            {"critic_weight": [0, 1, 5], "source_model__hidden_layer_sizes": [(4,), (8,)]},
            resource="source_model__max_iter",
            max_resources=4,
            min_resources=1,
            factor=2,
            cv=StratifiedGroupKFold(2),
            error_score="raise",
        ).fit(data.X, data.y, groups=data.groups)
        assert search.n_resources_ == [1, 2, 4]
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()

    def test_halving_on_waveforms(self, audio, short_voices):
        search = HalvingGridSearchCV(
            audio,
            {"separator__mask_exponent": [1, 4]},
            resource="separator__source_model__max_iter",
            max_resources=4,
            min_resources=2,
            factor=2,
            cv=StratifiedKFold(3),
            scoring=SeparationScorer("sir"),
            error_score="raise",
        ).fit(short_voices.utterances, short_voices.speakers)
        assert search.n_resources_ == [2, 4]
        assert search.best_params_["separator__mask_exponent"] == 4, "sharper masks let less through"

    def test_optuna(self, separator, counted, make_sources, seed, tmp_path):
        optuna = pytest.importorskip("optuna", reason="optuna is not installed: pip install 'sklearn_gass[search]'")
        data = make_sources(2)
        folds = list(StratifiedGroupKFold(2).split(data.X, data.y, data.groups))
        separator = clone(separator).set_params(source_model=counted, memory=str(tmp_path))

        def objective(trial):
            candidate = clone(separator).set_params(
                critic_weight=trial.suggest_float("critic_weight", 0.1, 100, log=True),
                source_model__n_components=trial.suggest_int("source_model__n_components", 1, 2),
            )
            scores = cross_val_score(candidate, data.X, data.y, cv=folds, scoring=SeparationScorer("si_sdr"))
            return scores.mean()

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=seed))
        study.optimize(objective, n_trials=6)
        assert CountedVAE.n_fits <= 2 * 2 * 2, "trials with the same architecture share models"
        best = clone(separator).set_params(**study.best_params)
        scores = cross_val_score(best, data.X, data.y, cv=folds, scoring=SeparationScorer("si_sdr"))
        assert scores.mean() == study.best_value

    def test_frozen_models(self, separator, make_sources):
        """Models fitted elsewhere are left as they are, and only λ is chosen."""
        data = make_sources(2)
        models = clone(separator).fit(data.X, data.y).source_models_
        frozen = [(label, FrozenEstimator(model)) for label, model in zip("ab", models, strict=True)]
        search = SupervisedSeparatorCV(clone(separator).set_params(source_model=frozen), critic_weights=[0, 1])
        search.fit(data.X, data.y, groups=data.groups)
        assert np.isfinite(search.best_score_)

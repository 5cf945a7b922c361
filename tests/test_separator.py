"""Behaviour of the separator of frames."""

import pickle
import re
from itertools import permutations

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, KFold, StratifiedGroupKFold

from sklearn_gass import (
    AudioSeparator,
    MixtureCritic,
    MixtureStart,
    NMFSourceModel,
    SupervisedSeparator,
    SupervisedSeparatorCV,
    VAESourceModel,
)
from sklearn_gass.separation._fitting import order_without_labels

LOSSES = ["kullback-leibler", "frobenius", "itakura-saito"]


class CountedModel(NMFSourceModel):
    """Counts fits in this process."""

    n_fits = 0

    def fit(self, X, y=None):
        type(self).n_fits += 1
        return super().fit(X, y)


@pytest.fixture
def counted():
    CountedModel.n_fits = 0
    return CountedModel(n_components=2, max_iter=5)


@pytest.fixture(scope="module")
def separator(seed):
    """Unfitted separator with cheap models; tests clone it before they fit or change it."""
    return SupervisedSeparator(NMFSourceModel(n_components=4, max_iter=30), random_state=seed)


@pytest.fixture(scope="module")
def fitted(separator, make_sources):
    """Fitted separator of two sources, not to be changed."""
    data = make_sources(2)
    return clone(separator).fit(data.X, data.y)


class TestSum:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("n_sources", [2, 3, 4])
    def test_inverse_transform_gives_the_mixture_back(self, n_sources, dtype, separator, make_sources):
        data = make_sources(n_sources, dtype)
        separator = clone(separator).fit(data.X, data.y)
        separated = separator.transform(data.mixture)
        assert separated.shape == (20, n_sources * 12)
        assert separated.dtype == dtype
        assert (separated >= 0).all()
        mixture = separator.inverse_transform(separated)
        assert mixture.dtype == dtype
        np.testing.assert_allclose(mixture, data.mixture, rtol=1e-6)

    @settings(deadline=None, max_examples=50)
    @given(mixture=hnp.arrays(np.float64, (3, 12), elements=st.floats(0, 1e6, allow_subnormal=False)))
    def test_for_any_mixture(self, mixture, fitted):
        separated = fitted.transform(mixture)
        assert np.isfinite(separated).all()
        assert (separated >= 0).all()
        # shares of the smallest normal numbers are subnormal, which have fewer digits
        np.testing.assert_allclose(fitted.inverse_transform(separated), mixture, rtol=1e-6, atol=1e-300)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("beta_loss", LOSSES)
    def test_silence_gives_silence(self, beta_loss, dtype, separator, make_sources):
        data = make_sources(3, dtype)
        separator = clone(separator).set_params(source_model__beta_loss=beta_loss).fit(data.X, data.y)
        assert not separator.transform(np.zeros((4, 12), dtype)).any()
        gap = np.array(data.mixture)
        gap[5:8] = 0
        separated = separator.transform(gap)
        assert np.isfinite(separated).all()
        assert not separated[5:8].any()

    def test_separate_stacks_what_transform_concatenates(self, fitted, make_sources):
        mixture = make_sources(2).mixture
        sources = fitted.separate(mixture)
        assert sources.shape == (2, 20, 12)
        np.testing.assert_array_equal(np.concatenate(sources, axis=1), fitted.transform(mixture))


class TestSeparation:
    @pytest.mark.parametrize("n_sources", [2, 3, 4])
    def test_brings_the_sources_out(self, n_sources, separator, make_sources):
        """Better than to take the mixture for every source."""
        data = make_sources(n_sources)
        separator = clone(separator).fit(data.X, data.y)
        clean = np.stack([data.X[data.y == label][:15] for label in separator.classes_])
        mixture = clean.sum(0)
        ratio = np.sum(clean**2, axis=(1, 2)) / np.sum((clean - mixture) ** 2, axis=(1, 2))
        assert separator.score(data.X, data.y) > np.mean(10 * np.log10(ratio)) + 3

    def test_score_is_the_ratio_of_signal_to_error(self, fitted, make_sources):
        data = make_sources(2)
        # sources of different counts: the longer one is cut
        X, y = np.concatenate([data.X[data.y == "b"], data.X[data.y == "a"][:11]]), ["b"] * 30 + ["a"] * 11
        clean = np.stack([data.X[data.y == "a"][:11], data.X[data.y == "b"][:11]])
        error = fitted.separate(clean.sum(0)) - clean
        expected = 10 * np.log10(np.sum(clean**2, axis=(1, 2)) / np.sum(error**2, axis=(1, 2)))
        assert fitted.score(X, y) == pytest.approx(expected.mean())

    @pytest.mark.parametrize("prior", [None, "gamma"])
    def test_a_row_depends_on_itself_only(self, prior, separator, make_sources):
        data = make_sources(3)
        separator = clone(separator).set_params(source_model__prior=prior).fit(data.X, data.y)
        whole = separator.transform(data.mixture)
        order = np.arange(20)[::-1]
        np.testing.assert_allclose(separator.transform(data.mixture[order])[order], whole, rtol=1e-7)
        np.testing.assert_allclose(separator.transform(data.mixture[3:4]), whole[3:4], rtol=1e-7)
        np.testing.assert_allclose(separator.transform(data.mixture[[1, 8, 15]]), whole[[1, 8, 15]], rtol=1e-7)

    @pytest.mark.parametrize("batch_size", [1, 7, 20])
    def test_chunks_give_the_same(self, batch_size, separator, make_sources):
        data = make_sources(2)
        separator = clone(separator).fit(data.X, data.y)
        whole = separator.transform(data.mixture)
        separator.set_params(batch_size=batch_size)
        np.testing.assert_allclose(separator.transform(data.mixture), whole, rtol=1e-7)

    @pytest.mark.parametrize("gain", [1e-5, 3.0, 1e5])
    def test_level_of_training_and_mixture(self, gain, separator, make_sources):
        data = make_sources(2)
        separated = clone(separator).fit(data.X, data.y).transform(data.mixture)
        louder = clone(separator).fit(gain * data.X, data.y).transform(gain * data.mixture)
        np.testing.assert_allclose(louder, gain * separated, rtol=1e-4, atol=1e-6 * gain)

    @pytest.mark.parametrize(("mask_exponent", "sharper"), [(1.0, 2.0), (2.0, np.inf)])
    def test_exponent_takes_effect_on_a_fitted_separator(self, mask_exponent, sharper, separator, make_sources):
        """A higher exponent gives each bin more to its louder source, and the order stays."""
        data = make_sources(2)
        separator = clone(separator).fit(data.X, data.y)
        soft = separator.set_params(mask_exponent=mask_exponent).separate(data.mixture)
        hard = separator.set_params(mask_exponent=sharper).separate(data.mixture)
        assert (hard.max(0) >= soft.max(0) * (1 - 1e-9)).all()
        assert hard.max(0).sum() > 1.001 * soft.max(0).sum()
        np.testing.assert_array_equal(hard.argmax(0), soft.argmax(0))


class TestLabels:
    @pytest.mark.parametrize("n_sources", [2, 3])
    def test_renaming_permutes_the_output_exactly(self, n_sources, separator, make_sources):
        """Every permutation of names, so also those that turn the sort order of the labels round."""
        data = make_sources(n_sources)
        names = np.unique(data.y)
        expected = dict(zip(names, clone(separator).fit(data.X, data.y).separate(data.mixture), strict=True))
        for new_names in permutations(names):
            renamed = dict(zip(names, new_names, strict=True))
            other = clone(separator).fit(data.X, [renamed[label] for label in data.y])
            sources = dict(zip(other.classes_, other.separate(data.mixture), strict=True))
            for name in names:
                np.testing.assert_array_equal(sources[renamed[name]], expected[name])

    def test_renaming_is_exact_at_equal_levels(self, separator, make_sources):
        """Models of equal scale, which cannot be told apart by it."""
        data = make_sources(2)
        X = np.round(data.X, 0) + 1  # whole numbers add up exactly in any order
        X[data.y == "b"] = X[data.y == "a"][:, ::-1]
        models = clone(separator).fit(X, data.y).source_models_
        assert models[0].scale_ == models[1].scale_
        first, second = clone(separator).fit(X, data.y).separate(data.mixture)
        swapped = clone(separator).fit(X, np.where(data.y == "a", "b", "a")).separate(data.mixture)
        np.testing.assert_array_equal(swapped, [second, first])

    def test_renaming_listed_models(self, separator, make_sources):
        data = make_sources(2)
        small, large = NMFSourceModel(2, max_iter=20), NMFSourceModel(5, max_iter=20)
        first, second = (
            clone(separator).set_params(source_model=[("a", small), ("b", large)]).fit(data.X, data.y)
        ).separate(data.mixture)
        swapped = clone(separator).set_params(source_model=[("z", small), ("b", large)])
        swapped.fit(data.X, np.where(data.y == "a", "z", data.y))
        np.testing.assert_array_equal(swapped.separate(data.mixture), [second, first])

    @pytest.mark.parametrize(
        "names",
        [(7, -2), (np.int8(1), np.int8(0)), ("b", "a"), (True, False), (2.0, 1.0)],
        ids=["int", "int8", "str", "bool", "float"],
    )
    @pytest.mark.parametrize("as_object", [False, True])
    def test_kinds_of_labels(self, names, as_object, fitted, separator, make_sources):
        data = make_sources(2)
        y = np.array([names["ab".index(label)] for label in data.y], dtype=object if as_object else None)
        other = clone(separator).fit(data.X, y)
        assert other.classes_.tolist() == sorted(names)
        np.testing.assert_array_equal(other.separate(data.mixture)[::-1], fitted.separate(data.mixture))
        assert other.score(data.X, y) == pytest.approx(fitted.score(data.X, data.y))

    def test_listed_models_of_integer_labels(self, fitted, separator, make_sources):
        data = make_sources(2)
        model = separator.source_model
        listed = clone(separator).set_params(source_model=[("11", model), ("2", model)])
        listed.fit(data.X, np.where(data.y == "a", 2, 11))
        assert listed.classes_.tolist() == [2, 11]
        np.testing.assert_array_equal(listed.separate(data.mixture), fitted.separate(data.mixture))

    def test_names_of_the_columns(self, fitted, separator, make_sources):
        data = make_sources(2)
        expected = [f"{label}_x{i}" for label in "ab" for i in range(12)]
        assert fitted.get_feature_names_out().tolist() == expected
        bins = [f"{i} Hz" for i in range(12)]
        named = clone(separator).fit(pd.DataFrame(data.X, columns=bins), data.y)
        assert named.get_feature_names_out().tolist() == [f"{label}_{b}" for label in "ab" for b in bins]
        assert fitted.get_feature_names_out(bins).tolist() == named.get_feature_names_out().tolist()
        with pytest.raises(ValueError, match="input_features should have length equal to number of features"):
            fitted.get_feature_names_out(bins[1:])

    @pytest.mark.parametrize("container", ["pandas", "polars"])
    def test_data_frames(self, container, fitted, separator, make_sources):
        data = make_sources(2)
        table = clone(separator).fit(data.X, data.y).set_output(transform=container).transform(data.mixture)
        assert isinstance(table, {"pandas": pd.DataFrame, "polars": pl.DataFrame}[container])
        assert list(table.columns) == fitted.get_feature_names_out().tolist()
        np.testing.assert_array_equal(table.to_numpy(), fitted.transform(data.mixture))
        np.testing.assert_allclose(fitted.inverse_transform(table.to_numpy()), data.mixture)


class TestParameters:
    def test_of_one_model_for_all(self, separator):
        assert separator.get_params()["source_model__n_components"] == 4
        assert "source_model__n_components" not in separator.get_params(deep=False)
        changed = clone(separator).set_params(source_model__n_components=7, mask_exponent=1)
        assert (changed.source_model.n_components, changed.mask_exponent) == (7, 1)
        assert separator.source_model.n_components == 4

    def test_of_listed_models(self):
        speech, engine = NMFSourceModel(20), NMFSourceModel(10)
        separator = SupervisedSeparator([("speech", speech), ("engine", engine)])
        params = separator.get_params()
        assert params["speech"] is speech
        assert (params["speech__n_components"], params["engine__n_components"]) == (20, 10)
        assert {"speech", "speech__n_components"}.isdisjoint(separator.get_params(deep=False))
        copy = clone(separator)
        separator.set_params(engine__n_components=15, speech__tol=0.5)
        assert (engine.n_components, speech.tol) == (15, 0.5)
        assert copy.get_params()["engine__n_components"] == 10

    def test_replace_a_whole_model(self):
        separator = SupervisedSeparator([("speech", NMFSourceModel(20)), ("engine", NMFSourceModel(10))])
        other = NMFSourceModel(3, prior="gamma")
        separator.set_params(engine=other, engine__max_iter=9)
        assert dict(separator.source_model)["engine"] is other
        assert other.max_iter == 9
        assert [label for label, _ in separator.source_model] == ["speech", "engine"]
        separator.set_params(source_model=other)
        assert separator.get_params()["source_model__n_components"] == 3

    @pytest.mark.parametrize("name", ["brakes__tol", "brakes", "engine__brakes"])
    def test_unknown(self, name):
        separator = SupervisedSeparator([("speech", NMFSourceModel()), ("engine", NMFSourceModel())])
        with pytest.raises(ValueError, match="Invalid parameter"):
            separator.set_params(**{name: 1})

    def test_show_themselves(self, make_sources):
        data = make_sources(2)
        separator = SupervisedSeparator([("a", NMFSourceModel(3, max_iter=2)), ("b", NMFSourceModel(5, max_iter=2))])
        for state in (separator, separator.fit(data.X, data.y)):
            assert repr(state).count("NMFSourceModel") == 2
            page = state._repr_mimebundle_()["text/html"]
            assert "SupervisedSeparator" in page
            assert page.count("NMFSourceModel") >= 2
            assert state._repr_html_()

    def test_order_of_the_list_does_not_matter(self, separator, make_sources):
        data = make_sources(3)
        models = [(label, NMFSourceModel(k, max_iter=20)) for label, k in zip("abc", (2, 3, 4), strict=True)]
        first, second = (
            clone(separator).set_params(source_model=order).fit(data.X, data.y) for order in (models, models[::-1])
        )
        assert [model.n_components for model in second.source_models_] == [2, 3, 4]
        np.testing.assert_array_equal(first.transform(data.mixture), second.transform(data.mixture))

    def test_models_given_are_not_fitted_themselves(self, separator, make_sources):
        data = make_sources(2)
        separator = clone(separator).fit(data.X, data.y)
        assert not hasattr(separator.source_model, "components_")
        assert separator.source_model.random_state is None

    def test_default_model_is_the_best_of_the_table(self, make_sources, seed):
        data = make_sources(2)
        separator = SupervisedSeparator(start="source", critic=None, random_state=seed).fit(data.X, data.y)
        assert [type(model) for model in separator.source_models_] == [VAESourceModel] * 2

    @pytest.mark.parametrize(
        "parameter",
        [
            {"source_model": 3},
            {"critic_weight": -1},
            {"mask_exponent": 0},
            {"beta_loss": "hinge"},
            {"max_iter": 0},
            {"tol": -1},
            {"batch_size": 0},
            {"n_jobs": 1.5},
        ],
        ids=str,
    )
    def test_out_of_range(self, parameter, separator, make_sources):
        data = make_sources(2)
        (name,) = parameter
        with pytest.raises(ValueError, match=f"The '{name}' parameter of SupervisedSeparator must be"):
            clone(separator).set_params(**parameter).fit(data.X, data.y)


class TestRandomness:
    def test_seed_decides(self, separator, fitted, make_sources, seed):
        data = make_sources(2)
        again = clone(separator).fit(data.X, data.y)
        np.testing.assert_array_equal(again.transform(data.mixture), fitted.transform(data.mixture))
        other = clone(separator).set_params(random_state=seed + 1).fit(data.X, data.y)
        assert not np.allclose(other.transform(data.mixture), fitted.transform(data.mixture), rtol=1e-4)

    def test_all_models_get_one_seed(self, fitted):
        seeds = {model.random_state for model in fitted.source_models_}
        assert len(seeds) == 1
        assert seeds != {None}

    def test_seed_of_a_model_stays(self, separator, make_sources):
        data = make_sources(2)
        separator = clone(separator).set_params(source_model__random_state=77).fit(data.X, data.y)
        assert [model.random_state for model in separator.source_models_] == [77, 77]

    def test_equal_scales_leave_the_order_to_the_models(self, make_sources, seed):
        """And not to how long their training took, which the history tells."""
        data = make_sources(2)
        X = np.concatenate([data.X[data.y == label] / data.X[data.y == label].mean() for label in "ab"])
        model = VAESourceModel(2, hidden_layer_sizes=(8,), max_iter=2)
        separator = SupervisedSeparator(
            model, start=MixtureStart(max_iter=2), critic=MixtureCritic(max_iter=2), random_state=seed
        )
        first = clone(separator).fit(X, np.repeat(["a", "b"], len(X) // 2))
        order = order_without_labels(first.source_models_)
        for seconds in (1.0, 2.0, 3.0, 4.0):
            first.source_models_[0].history_[0]["dur"] = seconds
            assert order_without_labels(first.source_models_) == order

    def test_jobs_do_not_change_numbers(self, separator, fitted, make_sources):
        data = make_sources(2)
        parallel = clone(separator).set_params(n_jobs=2).fit(data.X, data.y)
        np.testing.assert_allclose(parallel.transform(data.mixture), fitted.transform(data.mixture), rtol=1e-7)

    def test_threads_do_not_change_numbers(self, separator, fitted, make_sources):
        data = make_sources(2)
        with joblib.parallel_config(backend="threading"):
            parallel = clone(separator).set_params(n_jobs=2).fit(data.X, data.y)
        np.testing.assert_allclose(parallel.transform(data.mixture), fitted.transform(data.mixture), rtol=1e-7)


class TestFittedModels:
    def test_put_together_equal_those_trained_here(self, fitted, make_sources):
        data = make_sources(2)
        a, b = fitted.source_models_
        joined = SupervisedSeparator.from_fitted([("b", b), ("a", a)])
        assert joined.classes_.tolist() == ["a", "b"]
        assert joined.n_features_in_ == 12
        np.testing.assert_array_equal(joined.transform(data.mixture), fitted.transform(data.mixture))
        np.testing.assert_array_equal(joined.get_feature_names_out(), fitted.get_feature_names_out())
        assert joined.score(data.X, data.y) == fitted.score(data.X, data.y)

    def test_take_parameters(self, fitted, make_sources):
        data = make_sources(2)
        models = list(zip("ab", fitted.source_models_, strict=True))
        joined = SupervisedSeparator.from_fitted(models, mask_exponent=1)
        assert joined.mask_exponent == 1
        assert not np.allclose(joined.transform(data.mixture), fitted.transform(data.mixture))
        with pytest.raises(ValueError, match="'mask_exponent' parameter"):
            SupervisedSeparator.from_fitted(models, mask_exponent=-1)

    def test_keep_their_feature_names(self, make_sources, seed):
        data = make_sources(2)
        bins = [f"{i} Hz" for i in range(12)]
        a, b = (
            NMFSourceModel(2, max_iter=2, random_state=seed).fit(pd.DataFrame(data.X[data.y == label], columns=bins))
            for label in "ab"
        )
        joined = SupervisedSeparator.from_fitted([("a", a), ("b", b)])
        joined.transform(pd.DataFrame(data.mixture, columns=bins))
        assert joined.get_feature_names_out()[0] == "a_0 Hz"
        with pytest.raises(ValueError, match="feature names should match"):
            joined.transform(pd.DataFrame(data.mixture, columns=bins[::-1]))

    def test_errors(self, fitted, make_sources, seed):
        data = make_sources(2)
        a, b = fitted.source_models_
        narrow = clone(b).fit(data.X[:, :5])
        for models, error, message in [
            ([("a", a)], ValueError, "two or more sources, got 1 class"),
            ([("a", a), ("a", b)], ValueError, "Names provided are not unique"),
            ([("a", a), ("b", narrow)], ValueError, r"differ in their number of bins.*\[5, 12\]"),
            ([("a", a), ("b", NMFSourceModel())], NotFittedError, "not fitted yet"),
            ([a, b], ValueError, "list of .label, fitted source model or separator.* got list with NMFSourceModel"),
        ]:
            with pytest.raises(error, match=message):
                SupervisedSeparator.from_fitted(models)

    def test_frozen_ones_are_used_as_they_are(self, separator, fitted, make_sources):
        data = make_sources(2)
        frozen = fitted.source_models_[0]
        before = frozen.components_.copy()
        mixed = clone(separator).set_params(source_model=[("a", FrozenEstimator(frozen)), ("b", NMFSourceModel(2))])
        mixed.fit(2 * data.X, data.y)
        np.testing.assert_array_equal(mixed.source_models_[0].components_, before)
        assert mixed.source_models_[0].scale_ == frozen.scale_
        assert mixed.source_models_[1].n_components == 2
        joined = SupervisedSeparator.from_fitted([("a", frozen), ("b", mixed.source_models_[1])])
        np.testing.assert_array_equal(mixed.transform(data.mixture), joined.transform(data.mixture))

    def test_frozen_ones_of_other_frames(self, separator, fitted, make_sources):
        data = make_sources(2)
        frozen = FrozenEstimator(fitted.source_models_[0])
        mixed = clone(separator).set_params(source_model=[("a", frozen), ("b", NMFSourceModel(2, max_iter=2))])
        with pytest.raises(ValueError, match=r"number of bins.*\[5, 12\]"):
            mixed.fit(data.X[:, :5], data.y)


class TestMemory:
    def test_separation_parameters_need_no_other_fit(self, counted, make_sources, tmp_path, seed):
        data = make_sources(2)
        separator = SupervisedSeparator(counted, memory=str(tmp_path), random_state=seed).fit(data.X, data.y)
        assert CountedModel.n_fits == 2
        for params in ({"critic_weight": 0.5}, {"mask_exponent": 1}, {"max_iter": 50}):
            again = clone(separator).set_params(**params).fit(data.X, data.y)
        assert CountedModel.n_fits == 2
        np.testing.assert_array_equal(again.source_models_[1].components_, separator.source_models_[1].components_)
        clone(separator).set_params(source_model__n_components=3).fit(data.X, data.y)
        assert CountedModel.n_fits == 4
        clone(separator).fit(2 * data.X, data.y)
        assert CountedModel.n_fits == 6

    def test_without_it_every_fit_counts(self, counted, make_sources, seed):
        data = make_sources(2)
        separator = SupervisedSeparator(counted, random_state=seed).fit(data.X, data.y)
        separator.set_params(mask_exponent=1).fit(data.X, data.y)
        assert CountedModel.n_fits == 4

    def test_parameters_set_after_fit_need_none_at_all(self, counted, make_sources, seed):
        data = make_sources(2)
        separator = SupervisedSeparator(counted, random_state=seed).fit(data.X, data.y)
        before = separator.transform(data.mixture)
        after = separator.set_params(mask_exponent=1).transform(data.mixture)
        assert CountedModel.n_fits == 2
        assert not np.allclose(before, after)


class TestSearch:
    def test_over_both_kinds_of_parameters(self, separator, make_sources):
        data = make_sources(2)
        grid = {"mask_exponent": [1, 2], "source_model__n_components": [1, 3]}
        search = GridSearchCV(separator, grid, cv=StratifiedGroupKFold(3), error_score="raise")
        search.fit(data.X, data.y, groups=data.groups)
        scores = search.cv_results_["mean_test_score"]
        assert np.isfinite(scores).all()
        assert len(np.unique(scores)) == 4
        assert search.transform(data.mixture).shape == (20, 24)

    def test_fold_without_a_source_names_the_splitter(self, separator, make_sources):
        data = make_sources(2)
        order = np.argsort(data.y)
        search = GridSearchCV(separator, {"mask_exponent": [2]}, cv=KFold(2), error_score="raise")
        with pytest.raises(ValueError, match=r"1 class.*StratifiedGroupKFold"):
            search.fit(data.X[order], data.y[order])


class TestPersistence:
    def test_pickle(self, fitted, make_sources):
        mixture = make_sources(2).mixture
        copy = pickle.loads(pickle.dumps(fitted))
        np.testing.assert_array_equal(copy.transform(mixture), fitted.transform(mixture))
        assert copy.get_params()["source_model__n_components"] == 4

    def test_joblib(self, fitted, make_sources, tmp_path):
        mixture = make_sources(2).mixture
        joblib.dump(fitted, tmp_path / "separator.joblib")
        for mmap_mode in (None, "r"):
            copy = joblib.load(tmp_path / "separator.joblib", mmap_mode=mmap_mode)
            np.testing.assert_array_equal(copy.transform(mixture), fitted.transform(mixture))


class TestNotebook:
    @pytest.fixture(params=["_repr_html_", "_repr_mimebundle_"])
    def html(self, request):
        """How a notebook asks for the picture of an estimator."""

        def show(estimator):
            shown = getattr(estimator, request.param)()
            return shown if isinstance(shown, str) else shown["text/html"]

        return show

    def test_shows_what_was_trained_below_the_diagram(self, html, make_sources):
        data = make_sources(2)
        names = np.array(["low", "<b>high"])[np.unique(data.y, return_inverse=True)[1]]
        models = [("low", NMFSourceModel(3, max_iter=7)), ("<b>high", VAESourceModel(2, max_iter=4))]
        parts = {"start": MixtureStart(max_iter=5), "critic": MixtureCritic(max_iter=6)}
        shown = html(SupervisedSeparator(models, random_state=0, **parts).fit(data.X, names))
        table = shown[shown.rindex("<table>") :]
        cells = re.findall("<td>(.*?)</td>", table)
        assert cells == [
            *("source &lt;b&gt;high", "VAESourceModel", "2", "epochs: 4"),
            *("source low", "NMFSourceModel", "3", "updates: 7"),
            *("start", "MixtureStart", "", "steps: 5"),
            *("critic", "MixtureCritic", "", "steps: 6"),
        ]

    def test_shows_the_diagram_alone_before_fit(self, html, separator):
        assert "epochs" not in html(clone(separator)) and "updates" not in html(clone(separator))


class TestErrors:
    @pytest.mark.parametrize("method", ["fit", "transform", "score"])
    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            (lambda X: np.where(X == X[0, 0], np.nan, X), "contains NaN"),
            (lambda X: -X, "Negative values in data"),
            (lambda X: X + 1j, "Complex data not supported"),
            (lambda X: X[:0], r"0 sample\(s\)"),
        ],
        ids=["NaN", "negative", "complex", "empty"],
    )
    def test_bad_frames(self, method, bad, message, separator, make_sources):
        data = make_sources(2)
        separator = clone(separator).set_params(source_model__max_iter=2)
        if method != "fit":
            separator.fit(data.X, data.y)
        X = bad(data.X)
        with pytest.raises(ValueError, match=message):
            separator.transform(X) if method == "transform" else getattr(separator, method)(X, data.y[: len(X)])

    @pytest.mark.parametrize(
        "params",
        [{"critic_weight": -1}, {"critic_weight": np.nan}, {"solver": "adam"}, {"batch_size": 0}, {"beta_loss": "cat"}],
        ids=repr,
    )
    def test_parameters_set_after_fit(self, params, fitted, make_sources):
        (name,) = params
        changed = pickle.loads(pickle.dumps(fitted)).set_params(**params)
        with pytest.raises(ValueError, match=f"'{name}' parameter of SupervisedSeparator must be"):
            changed.transform(make_sources(2).mixture)

    def test_wrong_width(self, fitted, make_sources):
        with pytest.raises(ValueError, match="X has 11 features, but SupervisedSeparator is expecting 12 features"):
            fitted.transform(make_sources(2).mixture[:, 1:])
        with pytest.raises(ValueError, match="S has 12 columns, but transform returns 24"):
            fitted.inverse_transform(make_sources(2).mixture)
        with pytest.raises(ValueError, match="S contains NaN"):
            fitted.inverse_transform(np.full((1, 24), np.nan))

    def test_labels(self, separator, make_sources, rng):
        data = make_sources(2)
        for y, message in [
            (np.full(60, "a"), "two or more sources, but y names 1 class"),
            (None, "requires y to be passed, but the target y is None"),
            (data.y[1:], "inconsistent numbers of samples"),
            (rng.normal(size=60), "Unknown label type: y must name the source of each row, got continuous numbers"),
            (np.stack([data.y, data.y], axis=1), "y should be a 1d array"),
        ]:
            with pytest.raises(ValueError, match=message):
                clone(separator).fit(data.X, y)

    def test_score_needs_all_sources_and_no_other(self, fitted, make_sources):
        data = make_sources(2)
        own = data.y == "a"
        with pytest.raises(ValueError, match=r"No frames of source\(s\) \['b'\].*StratifiedGroupKFold"):
            fitted.score(data.X[own], data.y[own])
        with pytest.raises(ValueError, match=r"Unknown source label\(s\) \['c'\]; the sources are \['a', 'b'\]"):
            fitted.score(data.X, np.where(own, "c", data.y))

    def test_list_and_labels_disagree(self, separator, make_sources):
        data = make_sources(2)
        model = NMFSourceModel(2, max_iter=2)
        for labels, message in [
            ("a", r"Unknown source label\(s\) \['b'\]"),
            ("abc", r"No frames of source\(s\) \['c'\]"),
            ("aab", "Names provided are not unique"),
            (["a", "b__"], "must not contain __"),
            (["a", "memory"], "conflict with constructor arguments"),
            (["a", 3], "list of .label, source model. with str labels"),
        ]:
            listed = clone(separator).set_params(source_model=[(label, model) for label in labels])
            with pytest.raises(ValueError, match=message):
                listed.fit(data.X, data.y)

    @pytest.mark.parametrize("model", [NMFSourceModel, [("a", NMFSourceModel), ("b", NMFSourceModel())]], ids=str)
    def test_a_class_is_no_source_model(self, model, make_sources):
        data = make_sources(2)
        for refused in (
            lambda: SupervisedSeparator(model).fit(data.X, data.y),
            lambda: SupervisedSeparator(model).set_params(source_model__n_components=2),
            lambda: AudioSeparator(SupervisedSeparator(model), random_state=0).fit(data.X, data.y),
            lambda: SupervisedSeparatorCV(SupervisedSeparator(model)).fit(data.X, data.y),
        ):
            with pytest.raises(ValueError, match=r"not a class|got the class NMFSourceModel: write NMFSourceModel\(\)"):
                refused()

    @pytest.mark.parametrize("kind", [AudioSeparator, SupervisedSeparatorCV])
    def test_a_class_is_no_separator(self, kind, make_sources):
        data = make_sources(2)
        with pytest.raises(ValueError, match=r"an object \(not a class\) implementing 'fit' and 'separate'"):
            kind(SupervisedSeparator).fit(data.X, data.y)
        with pytest.raises(ValueError, match=r"got the class SupervisedSeparator: write SupervisedSeparator\(\)"):
            kind(SupervisedSeparator).set_params(separator__max_iter=2)

    def test_losses_that_differ_need_a_choice(self, make_sources, seed):
        """Asked for before training, which may take long."""
        data = make_sources(2)
        models = [("a", NMFSourceModel(2, max_iter=2)), ("b", NMFSourceModel(2, max_iter=2, beta_loss="frobenius"))]
        separator = SupervisedSeparator(models, random_state=seed)
        with pytest.raises(ValueError, match=r"different losses \['frobenius', 'kullback-leibler'\].*set beta_loss"):
            separator.fit(data.X, data.y)
        assert not hasattr(separator, "source_models_")
        first, second = (
            clone(separator).set_params(beta_loss=loss).fit(data.X, data.y).transform(data.mixture)
            for loss in ("kullback-leibler", "frobenius")
        )
        assert not np.allclose(first, second)

    @pytest.mark.parametrize("method", ["transform", "separate", "inverse_transform"])
    def test_unfitted(self, method, separator, make_sources):
        with pytest.raises(NotFittedError, match="This SupervisedSeparator instance is not fitted yet"):
            getattr(clone(separator), method)(make_sources(2).mixture)

    def test_unfitted_score_and_names(self, separator, make_sources):
        data = make_sources(2)
        with pytest.raises(NotFittedError, match="not fitted yet"):
            separator.score(data.X, data.y)
        with pytest.raises(NotFittedError, match="not fitted yet"):
            separator.get_feature_names_out()

"""Plots of searches: what is drawn, from which rows, and for whom."""

import builtins

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.utils import Bunch

from sklearn_gass import AudioSeparator, NMFSourceModel, SupervisedSeparator, SupervisedSeparatorCV
from sklearn_gass.scoring import SeparationScorer
from sklearn_gass.search_display import SearchDisplay, TradeOffDisplay

BSS = ("sdr", "sir", "sar")


@pytest.fixture(autouse=True)
def no_open_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def audio(seed):
    return AudioSeparator(SupervisedSeparator(NMFSourceModel(3, max_iter=5), max_iter=5), random_state=seed)


@pytest.fixture(scope="module")
def search(audio, short_voices):
    search = SupervisedSeparatorCV(audio, critic_weights=(10, 0, 1), mask_exponents=(1, 2), scoring=BSS)
    return search.fit(short_voices.utterances, short_voices.speakers)


def made_up(params, scores):
    """A search with one metric, whose best candidate is the first."""
    results = {"params": params, "mean_test_score": np.mean(scores, axis=1)}
    results |= {f"split{k}_test_score": np.array(scores)[:, k] for k in range(2)}
    return Bunch(cv_results_=results, best_params_=params[0], n_splits_=2)


class TestSearchDisplay:
    def test_holds_the_scores_of_every_fold_at_the_best_other_values(self, search):
        display = SearchDisplay.from_search(search)
        assert display.param_name == "separator__critic_weight"
        np.testing.assert_array_equal(display.param_range, [0, 1, 10])
        results = search.cv_results_
        for metric in BSS:
            assert display.scores[metric].shape == (3, 3)
            for row, weight in enumerate([0, 1, 10]):
                params = {"separator__critic_weight": weight, "separator__mask_exponent": search.mask_exponent_}
                at = results["params"].index(params)
                expected = [results[f"split{k}_test_{metric}"][at] for k in range(3)]
                np.testing.assert_array_equal(display.scores[metric][row], expected)

    def test_lines_and_bands(self, search):
        display = SearchDisplay.from_search(search)
        assert set(display.lines_) == set(display.fill_between_) == set(BSS)
        for metric, line in display.lines_.items():
            np.testing.assert_allclose(line.get_ydata(), display.scores[metric].mean(1))
            edges = display.fill_between_[metric].get_paths()[0].vertices[:, 1]
            mean, spread = display.scores[metric].mean(1), display.scores[metric].std(1)
            assert edges.min() == pytest.approx((mean - spread).min())
            assert edges.max() == pytest.approx((mean + spread).max())
        assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["SDR", "SIR", "SAR", "chosen"]
        assert display.ax_.get_xlabel() == "λ"
        assert display.figure_ is display.ax_.figure

    def test_another_parameter_on_given_axes(self, search):
        axes = Figure().subplots()
        display = SearchDisplay.from_search(search, param_name="separator__mask_exponent", ax=axes)
        assert display.ax_ is axes
        np.testing.assert_array_equal(display.param_range, [1, 2])
        assert axes.get_xlabel() == "mask exponent"

    def test_plots_twice(self, search):
        display = SearchDisplay.from_search(search)
        first = display.ax_
        assert display.plot().ax_ is not first

    @pytest.mark.parametrize(
        ("values", "scale"), [([0, 1, 100], "symlog"), ([1, 100], "log"), ([1, 2], "linear"), ([-100, 1], "linear")]
    )
    def test_scale_of_the_axis(self, values, scale):
        params = [{"critic_weight": value} for value in values]
        display = SearchDisplay.from_search(made_up(params, [[1, 2]] * len(values)))
        assert display.ax_.get_xscale() == scale

    def test_ticks_stand_at_the_values_and_the_legend_above_the_data(self, search):
        display = SearchDisplay.from_search(search)
        assert display.ax_.get_xticks().tolist() == [0, 1, 10]
        assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["0", "1", "10"]
        display.figure_.draw_without_rendering()
        assert display.ax_.get_legend().get_window_extent().y0 >= display.ax_.get_window_extent().y1

    def test_lines_differ_in_more_than_colour(self, search):
        lines = SearchDisplay.from_search(search).lines_.values()
        assert len({line.get_marker() for line in lines}) == len({line.get_linestyle() for line in lines}) == 3

    def test_ticks_too_close_to_read_have_no_text(self):
        params = [{"critic_weight": value} for value in (1.0, 1.01, 2.0)]
        display = SearchDisplay.from_search(made_up(params, [[1, 2]] * 3))
        assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["1", "", "2"]

    def test_improvements_have_names(self):
        scores = {"si_sdr_improvement": np.ones((2, 2))}
        display = SearchDisplay(param_name="critic_weight", param_range=np.array([0, 1]), scores=scores).plot()
        assert display.lines_["si_sdr_improvement"].get_label() == "SI-SDR improvement"

    def test_repeated_values_of_successive_halving_count_once_with_most_resources(self):
        search = made_up([{"critic_weight": value} for value in (0, 1, 0)], [[1, 1], [2, 2], [3, 3]])
        display = SearchDisplay.from_search(search)
        np.testing.assert_array_equal(display.param_range, [0, 1])
        np.testing.assert_array_equal(display.scores["score"], [[3, 3], [2, 2]])

    def test_search_of_scikit_learn(self, audio, short_voices):
        grid = {"separator__critic_weight": [0, 1], "separator__source_model": [NMFSourceModel(2, max_iter=2)]}
        scorer = SeparationScorer(["sir", "sar"])
        search = GridSearchCV(audio, grid, scoring=scorer, refit="sir", cv=StratifiedKFold(3))
        search.fit(short_voices.utterances, short_voices.speakers)
        assert SearchDisplay.from_search(search).scores["sir"].shape == (2, 3)
        assert TradeOffDisplay.from_search(search).sar.shape == (2, 3)

    def test_from_estimator_searches(self, audio, short_voices):
        display = SearchDisplay.from_estimator(
            audio, short_voices.utterances, short_voices.speakers, critic_weights=[0, 5], scoring="si_sdr", cv=3
        )
        np.testing.assert_array_equal(display.param_range, [0, 5])
        assert display.scores["score"].shape == (2, 3)

    def test_short_name_of_several_parameters(self):
        params = [{"a__n_components": n, "b__n_components": 3} for n in (1, 2)]
        search = made_up(params, [[1, 2], [3, 4]])
        with pytest.raises(ValueError, match=r"several parameters called n_components: name one of \['a__n"):
            SearchDisplay.from_search(search, param_name="n_components")
        display = SearchDisplay.from_search(search, param_name="a__n_components")
        np.testing.assert_array_equal(display.param_range, [1, 2])

    def test_parameter_that_was_not_varied(self):
        search = made_up([{"mask_exponent": 1}], [[1, 2]])
        with pytest.raises(ValueError, match=r"did not vary critic_weight, but \['mask_exponent'\]"):
            SearchDisplay.from_search(search)

    def test_name_without_those_around_it(self, search):
        assert SearchDisplay.from_search(search, param_name="critic_weight").param_name == "separator__critic_weight"

    def test_values_that_are_no_numbers(self):
        search = made_up([{"loss": "frobenius"}, {"loss": "itakura-saito"}], [[1, 2], [2, 3]])
        with pytest.raises(ValueError, match="loss has values that are no numbers"):
            SearchDisplay.from_search(search, param_name="loss")

    def test_search_without_a_best_candidate(self, audio):
        with pytest.raises(ValueError, match="no best_params_: fit it"):
            SearchDisplay.from_search(SupervisedSeparatorCV(audio))

    def test_zero_is_on_the_axis_and_nothing_below(self, search):
        left, _ = SearchDisplay.from_search(search).ax_.get_xlim()
        assert -1 < left < 0

    def test_pyplot_shows_a_new_figure(self, search):
        figure = SearchDisplay.from_search(search).figure_
        assert plt.figure(plt.get_fignums()[-1]) is figure

    def test_without_matplotlib(self, search, monkeypatch):
        display, load = SearchDisplay.from_search(search), builtins.__import__

        def fail(name, *args, **kwargs):
            if name.startswith("matplotlib"):
                raise ImportError(name)
            return load(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", fail)
        with pytest.raises(ImportError, match=r"pip install 'sklearn_gass\[plots\]'"):
            display.plot()


class TestTradeOffDisplay:
    def test_path_through_the_means(self, search):
        display = TradeOffDisplay.from_search(search)
        assert display.sir.shape == display.sar.shape == (3, 3)
        np.testing.assert_allclose(display.line_.get_xdata(), display.sir.mean(1))
        np.testing.assert_allclose(display.line_.get_ydata(), display.sar.mean(1))
        assert [text.get_text() for text in display.ax_.texts] == ["0", "1", "10"]
        star = display.ax_.lines[-1]
        at = display.param_range == search.critic_weight_
        np.testing.assert_allclose(star.get_xdata(), display.sir.mean(1)[at])

    def test_needs_both_metrics(self):
        search = made_up([{"critic_weight": 0}, {"critic_weight": 1}], [[1, 2], [3, 4]])
        with pytest.raises(ValueError, match=r"no score \['sar', 'sir'\]"):
            TradeOffDisplay.from_search(search)

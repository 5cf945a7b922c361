"""Plausible separations: how far true sources may be from separated ones."""

import copy
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import spearmanr

from sklearn_gass import (
    AudioSeparator,
    BackgroundModel,
    NMFSourceModel,
    SupervisedSeparator,
    SupervisedSeparatorCV,
    VAESourceModel,
    load_model,
    save_model,
)
from sklearn_gass.datasets import make_mixture, make_voices
from sklearn_gass.display import SeparationDisplay
from sklearn_gass.separation._blockwise import found_best
from sklearn_gass.separation._spread import LOG_DEVIATIONS, SpreadSampler

PARTS = ("std", "lower", "upper")


def assert_same(one, other):
    for part in PARTS:
        assert_array_equal(getattr(one, part), getattr(other, part))


def draw_sources(rng, magnitudes):
    """Return complex spectra around given magnitudes: Gaussian, with random phases."""
    noise = rng.standard_normal((2, *magnitudes.shape))
    return magnitudes * (noise[0] + 1j * noise[1]) / np.sqrt(2)


@pytest.fixture(scope="module")
def problem():
    """A separator of two sources, and magnitudes of held-out frames of both and of their mixture."""
    rng = np.random.default_rng(0)
    templates = rng.gamma(0.3, 1, (2, 3, 20)) + 0.01
    spectra = draw_sources(rng, rng.gamma(1, 1, (2, 400, 3)) @ templates)
    X, y = np.abs(spectra[:, :300]).reshape(-1, 20), np.repeat(["a", "b"], 300)
    separator = SupervisedSeparator(NMFSourceModel(3), random_state=0).fit(X, y)
    return separator, np.abs(spectra[:, 300:]), np.abs(spectra[:, 300:].sum(0))


@pytest.fixture(scope="module", params=["VAE", "NMF", "background"])
def fitted(request, make_sources):
    """A small separator of each way to find latents, and frames of a mixture."""
    data = make_sources(2)
    neural = VAESourceModel(3, hidden_layer_sizes=(8,), max_iter=5)
    models = {
        "VAE": neural,
        "NMF": NMFSourceModel(4),
        "background": [("a", NMFSourceModel(4)), ("b", BackgroundModel(3))],
    }
    separator = SupervisedSeparator(models[request.param], max_iter=20, random_state=0)
    if request.param == "VAE":
        separator.set_params(start__max_iter=5, critic__max_iter=5)
    return separator.fit(data.X, data.y), data.mixture


class TestFrames:
    def test_nothing_is_drawn_unasked(self, fitted):
        separator, mixture = fitted
        assert separator.explain(mixture).spread is None

    def test_shapes_and_order(self, fitted):
        separator, mixture = fitted
        explanation = separator.explain(mixture, n_samples=20)
        spread = explanation.spread
        for part in PARTS:
            assert getattr(spread, part).shape == explanation.estimates.shape
            assert getattr(spread, part).dtype == explanation.estimates.dtype
        assert (spread.std > 0).all()
        assert (0 <= spread.lower).all() and (spread.lower < spread.upper).all()
        assert_array_equal(explanation.separate(), separator.separate(mixture), "drawing changes nothing else")

    def test_the_same_seed_gives_the_same(self, fitted):
        separator, mixture = fitted
        spread = separator.explain(mixture, n_samples=10).spread
        assert_same(spread, separator.explain(mixture, n_samples=10).spread)
        assert not np.array_equal(spread.std, separator.explain(mixture, n_samples=11).spread.std)

    @pytest.mark.parametrize("n_samples", [1, 0, -3, 2.5, "many", True])
    def test_a_wrong_number_is_refused(self, fitted, n_samples):
        separator, mixture = fitted
        with pytest.raises(ValueError, match=rf"n_samples must be None or an integer of at least 2, got {n_samples!r}"):
            separator.explain(mixture, n_samples=n_samples)


def test_other_seeds_give_other_draws(make_sources):
    data = make_sources(2)
    spreads = [
        SupervisedSeparator(NMFSourceModel(4, random_state=0), random_state=seed)
        .fit(data.X, data.y)
        .explain(data.mixture, n_samples=10)
        .spread
        for seed in (0, 1)
    ]
    assert not np.array_equal(spreads[0].std, spreads[1].std)


def test_rows_do_not_depend_on_each_other(problem):
    separator, _, mixture = problem
    spread = separator.explain(mixture, n_samples=30).spread
    rows = np.r_[13:4:-1, 7, 90]
    some = separator.explain(mixture[rows], n_samples=30).spread
    for part in PARTS:
        assert_allclose(getattr(some, part), getattr(spread, part)[:, rows], rtol=1e-10)


def test_names_of_sources_only_permute(make_sources):
    data = make_sources(3)
    names = {"a": "z", "b": "b", "c": "a"}
    renamed = [names[label] for label in data.y]
    spreads = [
        SupervisedSeparator(NMFSourceModel(4), random_state=0).fit(data.X, y).explain(data.mixture, n_samples=9).spread
        for y in (data.y, renamed)
    ]
    for part in PARTS:
        assert_array_equal(getattr(spreads[0], part), getattr(spreads[1], part)[[2, 1, 0]])


@pytest.mark.parametrize("are_linear", [(False, False), (True, True), (False, True, False)])
def test_intervals_are_exact_for_sources_as_they_are_assumed(rng, are_linear):
    estimates = rng.gamma(2, 1, (len(are_linear), 200, 20)) + 0.1
    deviations = np.take(LOG_DEVIATIONS, are_linear)[:, None, None]
    sources = draw_sources(rng, estimates * rng.lognormal(0, deviations, estimates.shape))
    true, mixture = np.abs(sources), np.abs(sources.sum(0))
    spread = SpreadSampler(1000, seed=0)(mixture, estimates, are_linear)
    for bound, share in ((spread.lower, 0.05), (spread.upper, 0.95)):
        assert_allclose((true <= bound).mean(axis=(1, 2)), share, atol=0.02, err_msg="of 4,000 bins")


def test_intervals_hold_the_truth_about_as_often_as_they_say(problem):
    separator, true, mixture = problem
    spread = separator.explain(mixture, n_samples=100).spread
    inside = (spread.lower <= true) & (true <= spread.upper)
    assert 0.8 < inside.mean() < 0.97
    error = np.abs(separator.separate(mixture) - true)
    assert spearmanr(spread.std.ravel(), error.ravel()).statistic > 0.3


def test_wider_where_sources_overlap():
    rng = np.random.default_rng(0)
    low, high = rng.uniform(1, 2, (2, 100, 9)) * np.repeat([[[1, 1, 0]], [[0, 1, 1]]], 3, axis=2)
    separator = SupervisedSeparator(NMFSourceModel(3), random_state=0)
    separator.fit(np.vstack([low, high]), ["a"] * 100 + ["b"] * 100)
    mixture = low + high
    spread = separator.explain(mixture, n_samples=100).spread
    relative = (spread.std / mixture).mean(axis=(0, 1))
    assert relative[3:6].min() > 2 * max(relative[:3].max(), relative[6:].max())


def test_louder_frames_have_as_much_wider_intervals(problem):
    separator, _, mixture = problem
    quiet, loud = (separator.explain(gain * mixture, n_samples=20).spread for gain in (1, 1e4))
    for part in PARTS:
        assert_allclose(getattr(loud, part), 1e4 * getattr(quiet, part), rtol=0.2, atol=1)


def test_silent_bins_are_certain(problem):
    separator, _, mixture = problem
    partly = mixture.copy()
    partly[:5], partly[5:, 3] = 0, 0
    partly[6, 4] = 1e-300
    spread = separator.explain(partly, n_samples=20).spread
    for part in PARTS:
        values = getattr(spread, part)
        assert np.isfinite(values).all()
        assert not values[:, :5].any() and not values[:, 5:, 3].any()


@pytest.fixture(scope="module")
def audio():
    """A separator of two voices, and a mixture of them of a second."""
    voices = make_voices(2, n_utterances=3, duration=1.0, random_state=0)
    separator = SupervisedSeparator(NMFSourceModel(10))
    audio = AudioSeparator(separator, random_state=0)
    held_out = [voices.utterances[i] for i in (0, 3)]
    rows = [1, 2, 4, 5]
    audio.fit([voices.utterances[i] for i in rows], [voices.speakers[i] for i in rows])
    return audio, *make_mixture(held_out)


class TestWaveforms:
    def test_frames_are_those_of_the_stft(self, audio):
        separator, mixture, references = audio
        assert separator.separate(mixture).spread is None
        separation = separator.separate(mixture, n_samples=50)
        assert_array_equal(separation.sources, separator.separate(mixture).sources)
        magnitudes = np.stack([separator.stft_.analyze(reference)[0] for reference in references])
        assert separation.spread.std.shape == magnitudes.shape
        heard = np.broadcast_to(separator.stft_.analyze(mixture)[0] > 1e-2, magnitudes.shape)
        inside = (separation.spread.lower <= magnitudes) & (magnitudes <= separation.spread.upper)
        assert 0.7 < inside[heard].mean() < 0.99

    def test_levels_do_not_matter(self, audio):
        separator, mixture, _ = audio
        quiet, loud = (separator.separate(gain * mixture, n_samples=10).spread for gain in (1, 64))
        for part in PARTS:
            assert_allclose(getattr(loud, part), 64 * getattr(quiet, part), rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("smoothness", [0, 40])
    def test_blocks_change_nothing(self, audio, smoothness, monkeypatch):
        separator, mixture, _ = audio
        batched = copy.deepcopy(separator)
        batched.separator_.set_params(batch_size=64, smoothness=smoothness)
        whole = batched.separate(np.tile(mixture, 3), n_samples=5)
        monkeypatch.setattr("sklearn_gass.separation._blockwise._BLOCK_VALUES", 1)
        blocks = batched.separate(np.tile(mixture, 3), n_samples=5)
        assert_same(whole.spread, blocks.spread)

    def test_silence_is_certain(self, audio):
        separator, mixture, _ = audio
        spread = separator.separate(np.zeros_like(mixture), n_samples=5).spread
        assert spread.std.shape == separator.separate(mixture, n_samples=5).spread.std.shape
        assert not np.any([getattr(spread, part) for part in PARTS])

    def test_a_wrong_number_is_refused_before_anything_is_done(self, audio, monkeypatch):
        separator, mixture, _ = audio
        monkeypatch.setattr(AudioSeparator, "_separate", None)
        with pytest.raises(ValueError, match="n_samples must be None or an integer of at least 2, got 1"):
            separator.separate(mixture, n_samples=1)

    def test_files_keep_it(self, audio, tmp_path):
        separator, mixture, _ = audio
        save_model(separator, tmp_path / "model.safetensors")
        loaded = load_model(tmp_path / "model.safetensors")
        draw = partial(AudioSeparator.separate, mixture=mixture, n_samples=5)
        assert_same(draw(loaded).spread, draw(separator).spread)

    def test_a_separator_that_cannot_draw_is_refused(self, audio):
        class Halves:
            def separate(self, X):
                return np.stack([X / 2] * 2)

        separator, mixture, _ = audio
        other = AudioSeparator()
        vars(other).update(vars(separator))
        other.separator_ = Halves()
        with pytest.raises(ValueError, match="n_samples needs a SupervisedSeparator inside, but this one has a Halves"):
            other.separate(mixture, n_samples=5)

    @pytest.mark.parametrize("search_is_outside", [False, True])
    def test_searches_draw_as_what_they_found(self, search_is_outside):
        voices = make_voices(2, n_utterances=3, duration=1.0, random_state=0)
        separator = SupervisedSeparator(NMFSourceModel(10), random_state=0)
        params = {"critic_weights": [0], "cv": 3, "random_state": 0}
        if search_is_outside:
            audio = SupervisedSeparatorCV(AudioSeparator(separator), **params)
        else:
            audio = AudioSeparator(SupervisedSeparatorCV(separator, **params))
        audio.fit(voices.utterances, voices.speakers)
        mixture = voices.utterances[0][:9000] + voices.utterances[3][:9000]
        found = AudioSeparator.from_fitted(found_best(audio), random_state=0)
        expected = found.separate(mixture, n_samples=5)
        separation = audio.separate(mixture, voices.sample_rate, n_samples=5)
        assert_array_equal(separation.sources, expected.sources)
        assert_same(separation.spread, expected.spread)
        with pytest.raises(ValueError, match="The mixture has 8000 Hz"):
            audio.separate(mixture, 8000)

    def test_a_search_over_frames_says_where_to_draw(self, problem):
        mixture = problem[2]
        search = SupervisedSeparatorCV(SupervisedSeparator(NMFSourceModel(2)), critic_weights=[0], cv=2)
        X, y = np.vstack([mixture, mixture]), ["a"] * len(mixture) + ["b"] * len(mixture)
        search.fit(X, y)
        assert search.separate(mixture).shape == (2, *mixture.shape)
        with pytest.raises(ValueError, match="sample_rate and n_samples are for waveforms"):
            search.separate(mixture, n_samples=5)

    def test_a_background_beside_a_voice(self, audio):
        separator, mixture, _ = audio
        models = [("voice0", separator), ("rest", BackgroundModel(4))]
        spread = AudioSeparator.from_fitted(models, random_state=0).separate(mixture, n_samples=5).spread
        assert (spread.lower <= spread.upper).all() and spread.std.any()


class TestDisplay:
    def test_it_has_a_column_of_standard_deviations(self, audio):
        separator, mixture, references = audio
        display = SeparationDisplay.from_estimator(separator, mixture, references=references, n_samples=5)
        titles = [panel.get_title(loc="left") for panel in display.ax_[:, 3]]
        assert titles == ["", "deviation of voice0", "deviation of voice1"]
        picture = display.ax_[1, 3].images[0].get_array()
        assert picture.shape == display.std.shape[:0:-1]
        loudest = np.unravel_index(display.std[0].argmax(), display.std[0].shape)
        assert picture.max() == picture[loudest[::-1]]
        assert display.ax_[1, 3].get_xlim() == display.ax_[1, 0].get_xlim()

    @pytest.mark.parametrize("std", [np.zeros((3, 4, 5)), np.zeros((2, 4)), np.full((2, 4, 5), np.nan)])
    def test_what_does_not_fit_is_refused(self, std):
        wave = np.ones(100)
        with pytest.raises(ValueError, match=r"as many standard deviations, got 3|std must be finite and"):
            SeparationDisplay.from_predictions(2 * wave, [wave, wave], std=std)

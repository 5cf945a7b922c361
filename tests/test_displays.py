"""Displays of separations and samples: what is drawn, and where."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from sklearn_gass import AudioSeparator, NMFSourceModel, Separation, SupervisedSeparator
from sklearn_gass.display import SampleDisplay, SeparationDisplay

RATE = 8000
TIME = np.arange(RATE) / RATE
FADE = np.hanning(RATE)
LOW, HIGH = FADE * np.sin(2 * np.pi * 300 * TIME), 0.5 * FADE * np.sin(2 * np.pi * 1000 * TIME)


@pytest.fixture(autouse=True)
def no_open_figures():
    yield
    plt.close("all")


@pytest.fixture
def display():
    return SeparationDisplay.from_predictions(
        LOW + HIGH, [LOW, HIGH], labels=["low", "high"], sample_rate=RATE, references=[LOW, HIGH]
    )


def titles(axes):
    return [[panel.get_title(loc="left") for panel in row] for row in axes]


class TestSeparationDisplay:
    def test_mixture_sources_masks_and_references_have_panels(self, display):
        assert titles(display.ax_) == [
            ["mixture", "", ""],
            ["low", "mask of low", "true low"],
            ["high", "mask of high", "true high"],
        ]
        assert display.figure_ is plt.gcf()

    def test_masks_are_shares_of_the_sources(self, display):
        low, high = (display.ax_[row, 1].images[0].get_array() for row in (1, 2))
        frame, bins = low.shape[1] // 2, low.shape[0]
        at = {frequency: round(frequency / (RATE / 2) * (bins - 1)) for frequency in (300, 1000)}
        assert low[at[300], frame] > 0.99 and high[at[300], frame] < 0.01
        assert high[at[1000], frame] > 0.99 and low[at[1000], frame] < 0.01

    def test_the_band_ends_above_the_highest_energy(self, display):
        bottom, top = display.ax_[0, 0].get_ylim()
        assert bottom == 0
        assert 1.0 < top < 2.5, "in kHz; 4 would be half the sample rate"

    def test_plots_again_on_given_axes(self, display):
        axes = Figure().subplots(3, 3)
        assert display.plot(ax=axes).ax_ is not None
        assert all(len(row[0].images) == 1 for row in axes)
        one = Figure().subplots()
        assert display.plot(ax=one).figure_ is one.figure
        with pytest.raises(ValueError, match="needs 9 axes, or one of a grid of subplots"):
            display.plot(ax=Figure().subplots(2))

    def test_from_estimator_separates(self, seed):
        audio = AudioSeparator(SupervisedSeparator(NMFSourceModel(2, max_iter=5), max_iter=5), sample_rate=RATE)
        audio.set_params(random_state=seed).fit([LOW, HIGH], ["low", "high"])
        display = SeparationDisplay.from_estimator(audio, LOW + HIGH)
        assert display.labels == ["high", "low"]
        np.testing.assert_allclose(display.sources.sum(0), LOW + HIGH, atol=1e-4)
        assert display.ax_.shape == (3, 2)

    def test_notebooks_show_players(self, display):
        html = display._repr_html_()
        names = ["mixture", "low", "low, true", "high", "high, true"]
        assert [f'aria-label="Listen to {name}"' in html for name in names] == [True] * 5

    def test_ten_seconds_of_two_sources_are_below_a_megabyte(self):
        noise = np.random.default_rng(0).normal(size=(2, 160_000)) * 0.1  # which compresses worst
        display = SeparationDisplay.from_predictions(noise.sum(0), noise, sample_rate=16000, references=noise)
        found = Separation(noise, np.array(["a", "b"]), noise.sum(0), 16000)
        for page in (display._repr_html_(), found._repr_html_()):
            assert len(page) < 1_000_000
            assert page.count("this.currentTime=other.currentTime") == page.count("<audio")

    def test_fitted_estimators_have_small_pages(self, seed):
        audio = AudioSeparator(SupervisedSeparator(NMFSourceModel(2, max_iter=5), max_iter=5), random_state=seed)
        waves = np.random.default_rng(seed).normal(size=(2, 160_000))
        page = audio.fit(waves, ["low", "high"])._repr_html_()
        assert "NMFSourceModel" in page and len(page) < 1_000_000

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"labels": ["a"]}, "2 sources need as many labels, got 1"),
            ({"references": [LOW]}, "2 sources need as many references, got 1"),
            ({"sources": [LOW, HIGH[:-1]]}, "inhomogeneous|must have the 8000 samples"),
            ({"sources": [LOW[:-1], HIGH[:-1]]}, "sources must have the 8000 samples of the mixture, got .7999."),
            ({"sources": [LOW, HIGH * np.nan]}, "contains NaN"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, changes, message):
        arguments = {"mixture": LOW + HIGH, "sources": [LOW, HIGH], "sample_rate": RATE} | changes
        with pytest.raises(ValueError, match=message):
            SeparationDisplay.from_predictions(**arguments)

    def test_silence_is_drawn(self):
        silence = np.zeros(4000)
        assert SeparationDisplay.from_predictions(silence, [silence, silence]).ax_[0, 0].get_ylim() == (0, 8)


class TestSampleDisplay:
    def test_frequencies_and_one_colour_scale(self, seed):
        frames = np.random.default_rng(seed).uniform(size=(300, 5))
        model = NMFSourceModel(2, max_iter=3, random_state=seed).fit(frames)
        display = SampleDisplay.from_estimator(model, frames, sample_rate=RATE, random_state=seed)
        assert len(display.frames) == len(display.samples) == 200
        np.testing.assert_array_equal(display.samples, model.sample(200, random_state=seed))
        assert {panel.images[0].get_clim() for panel in display.ax_} == {(-60, 0)}
        assert display.ax_[0].get_ylim() == (0, RATE / 2)
        assert len(display.figure_.axes) == 3, "two panels and one colour bar"

    def test_the_loudest_bin_is_at_its_frequency(self):
        frames = np.full((4, 5), 0.1)
        frames[:, 3] = 1
        image = SampleDisplay.from_predictions(frames, frames, sample_rate=RATE).ax_[1].images[0]
        assert image.get_array()[:, 0].argmax() == 3
        assert image.get_array().max() == 0

    def test_other_numbers_of_bins_are_refused(self):
        with pytest.raises(ValueError, match="same number of bins"):
            SampleDisplay.from_predictions(np.ones((2, 3)), np.ones((2, 4)))

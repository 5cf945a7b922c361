"""Plots of training: what is drawn, and for whom."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from sklearn_gass import (
    AudioSeparator,
    GANSourceModel,
    MixtureCritic,
    MixtureStart,
    NMFSourceModel,
    SupervisedSeparator,
    VAESourceModel,
    WGANSourceModel,
)
from sklearn_gass.training_display import TrainingDisplay

SMALL = {"n_components": 2, "hidden_layer_sizes": (8,), "max_iter": 3, "batch_size": 16}


@pytest.fixture(autouse=True)
def no_open_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def audio(short_voices):
    models = [("voice0", WGANSourceModel(**SMALL)), ("voice1", VAESourceModel(**SMALL, early_stopping=True))]
    separator = SupervisedSeparator(models, start=MixtureStart(8, max_iter=101), critic=MixtureCritic(8, max_iter=1))
    return AudioSeparator(separator, random_state=0).fit(short_voices.utterances, short_voices.speakers)


def test_losses_and_gaps_of_every_part(audio):
    display = TrainingDisplay.from_estimator(audio)
    models = audio.separator_.source_models_
    assert set(display.losses) == {"source voice0", "source voice1", "source voice1, held out", "start"}
    assert set(display.gaps) == {"source voice0, critic", "critic"}
    expected = [epoch["train_loss"] for epoch in models[0].history_]
    np.testing.assert_array_equal(display.lines_["source voice0"].get_ydata(), expected)
    np.testing.assert_array_equal(display.lines_["start"].get_xdata(), [1, 2])
    gap = -audio.separator_.critic_.history_[0]["train_loss"]
    np.testing.assert_array_equal(display.gap_lines_["critic"].get_ydata(), [gap])
    assert display.figure_ is display.ax_.figure is display.gap_ax_.figure
    assert len(display.ax_.get_legend().get_texts()) == 6


def test_lines_differ_by_more_than_colour_and_the_legend_hides_none(audio):
    display = TrainingDisplay.from_estimator(audio)
    lines = [*display.lines_.values(), *display.gap_lines_.values()]
    assert len({(line.get_marker(), line.get_linestyle()) for line in lines}) == len(lines)
    display.figure_.canvas.draw()
    legend, data = display.ax_.get_legend().get_window_extent(), display.ax_.get_window_extent()
    assert not legend.overlaps(data)


def test_on_given_axes_and_again(audio):
    ax = plt.subplots()[1]
    display = TrainingDisplay.from_estimator(audio.separator_.source_models_[1], ax=ax)
    assert display.ax_ is ax
    assert display.gap_ax_ is None
    assert display.plot().ax_ is not ax


def test_a_critic_that_is_no_difference_of_scores_is_a_loss(short_voices):
    frames = np.abs(np.random.RandomState(0).randn(40, 6))
    display = TrainingDisplay.from_estimator(GANSourceModel(**SMALL, n_reconstruction=1).fit(frames))
    assert set(display.losses) == {"GANSourceModel", "GANSourceModel, critic"}


def test_refuses_what_has_no_losses():
    with pytest.raises(NotFittedError):
        TrainingDisplay.from_estimator(VAESourceModel())
    with pytest.raises(ValueError, match="This NMFSourceModel has kept no losses: no part of it is a network"):
        TrainingDisplay.from_estimator(NMFSourceModel(2, max_iter=1).fit(np.ones((4, 3))))

"""Presets: parts whose training is short or long."""

import numpy as np
import pytest

from sklearn_gass import (
    MixtureCritic,
    MixtureStart,
    NMFSourceModel,
    SupervisedSeparator,
    VAESourceModel,
    WGANSourceModel,
)
from sklearn_gass.cli import _models
from sklearn_gass.presets import PRESETS, preset


def test_default_has_the_defaults():
    named = SupervisedSeparator(VAESourceModel(), start=MixtureStart(), critic=MixtureCritic())
    assert repr(SupervisedSeparator(**preset("default")).get_params()) == repr(named.get_params())


def test_longer_ones_train_longer():
    fast, default, best = (preset(name) for name in ("fast", "default", "best"))
    for part in ("source_model", "start"):
        assert fast[part].max_iter < default[part].max_iter < best[part].max_iter


def test_every_neural_model_is_set_and_not_changed_itself():
    model = WGANSourceModel(n_components=7)
    made = preset("fast", model)["source_model"]
    assert made.n_components == 7
    assert made.max_iter == VAESourceModel(**PRESETS["fast"]["source_model"]).max_iter != model.max_iter


def test_models_without_networks_stay():
    assert preset("best", NMFSourceModel(5))["source_model"].max_iter == NMFSourceModel().max_iter


def test_parts_separate(frames):
    X, y = np.vstack([frames, 2 * frames[:, ::-1]]), np.repeat(["a", "b"], len(frames))
    parts = preset("fast", VAESourceModel(2, hidden_layer_sizes=(8,)))
    parts["source_model"].set_params(max_iter=1)
    separator = SupervisedSeparator(**parts, random_state=0).set_params(start__max_iter=1).fit(X, y)
    assert separator.critic_ is None
    assert separator.transform(X[:3]).shape == (3, 2 * X.shape[1])


def test_other_names_are_refused():
    with pytest.raises(ValueError, match="choose from fast, default, best"):
        preset("slow")


def test_the_command_line_offers_all():
    assert list(_models.PRESETS) == list(PRESETS)

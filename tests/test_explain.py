"""What a separator makes of a mixture before masks, and masks of one's own."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from sklearn_gass import Explanation, NMFSourceModel, SupervisedSeparator, VAESourceModel
from sklearn_gass.masks import ratio_masks


@pytest.fixture(scope="module")
def fitted(make_sources, seed):
    data = make_sources(2)
    models = [("a", VAESourceModel(3, hidden_layer_sizes=(8,), max_iter=5)), ("b", NMFSourceModel(4))]
    separator = SupervisedSeparator(models, max_iter=20, random_state=seed)
    return separator.set_params(start__max_iter=5, critic__max_iter=5).fit(data.X, data.y)


@pytest.fixture(scope="module")
def explanation(fitted, make_sources):
    return fitted.explain(make_sources(2).mixture)


def test_shapes_and_labels(explanation, make_sources):
    assert isinstance(explanation, Explanation)
    assert explanation.labels.tolist() == ["a", "b"]
    assert explanation.estimates.shape == (2, 20, 12)
    assert [latents.shape for latents in explanation.latents] == [(20, 3), (20, 4)]
    assert explanation.objective.shape == (20,)
    assert 1 <= explanation.n_iter <= 20
    assert_array_equal(explanation.mixture, make_sources(2).mixture)


def test_masks_of_any_exponent_need_no_other_optimisation(fitted, explanation, make_sources, monkeypatch):
    mixture = make_sources(2).mixture
    expected = {p: clone_of(fitted, mask_exponent=p).separate(mixture) for p in (1.0, 2.0, np.inf)}
    monkeypatch.setattr("sklearn_gass.separation._separator.infer", None)
    for exponent, sources in expected.items():
        assert_array_equal(explanation.separate(exponent), sources)
    assert_array_equal(explanation.separate(), expected[2.0])
    np.testing.assert_allclose(explanation.masks().sum(0), 1)


def clone_of(fitted, **params):
    """Return a fitted separator with other parameters, and leave the given one alone."""
    other = clone(fitted)
    vars(other).update({name: value for name, value in vars(fitted).items() if name[-1] == "_" or name[0] == "_"})
    return other.set_params(**params)


def test_a_mask_of_one_s_own(fitted, make_sources):
    def soft(estimates, exponent):
        return 0.5 * ratio_masks(estimates, exponent) + 0.25

    mixture = make_sources(2).mixture
    plain, own = (clone_of(fitted, mask=mask).separate(mixture) for mask in (None, soft))
    np.testing.assert_allclose(own, 0.5 * plain + 0.25 * mixture)


@pytest.mark.parametrize(
    "mask", [lambda e, p: np.ones(3), lambda e, p: np.full_like(e, np.nan)], ids=["shape", "not finite"]
)
def test_a_mask_that_is_none_is_refused(mask, fitted, make_sources):
    with pytest.raises(ValueError, match=r"mask must return finite values of shape \(2, 20, 12\)"):
        clone_of(fitted, mask=mask).transform(make_sources(2).mixture)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklearn_gass.masks import apply_masks, ideal_ratio_masks, ratio_masks

DTYPES = [np.float32, np.float64]


def estimate_arrays(dtype):
    shapes = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
    width = 8 * np.dtype(dtype).itemsize
    largest = float(np.finfo(dtype).max)
    return hnp.arrays(dtype, shapes, elements=st.floats(0, largest, width=width))


exponents = st.one_of(st.floats(0, 1e3, exclude_min=True), st.sampled_from([1, 2, np.inf, np.float32(1.5)]))


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data(), exponent=exponents)
def test_masks_are_shares_that_sum_to_one(dtype, data, exponent):
    estimates = data.draw(estimate_arrays(dtype))
    masks = ratio_masks(estimates, exponent)
    assert masks.shape == estimates.shape
    assert masks.dtype == dtype
    assert (masks >= 0).all()
    assert (masks <= 1).all()
    np.testing.assert_allclose(masks.sum(axis=0), 1, rtol=4 * np.finfo(dtype).eps)


@given(data=st.data(), exponent=exponents)
def test_permuting_sources_permutes_masks_exactly(data, exponent):
    estimates = data.draw(estimate_arrays(np.float64))
    order = data.draw(st.permutations(range(len(estimates))))
    np.testing.assert_array_equal(ratio_masks(estimates[order], exponent), ratio_masks(estimates, exponent)[order])


@given(
    estimates=hnp.arrays(np.float64, (3, 2, 2), elements=st.floats(1e-3, 1e3)),
    gain=st.floats(1e-100, 1e100),
)
def test_masks_do_not_depend_on_loudness(estimates, gain):
    np.testing.assert_allclose(ratio_masks(gain * estimates), ratio_masks(estimates), rtol=1e-12)


def test_masks_are_their_definition():
    estimates = np.random.default_rng(0).uniform(0.1, 5, (3, 4, 5))
    for exponent in (0.5, 1, 2, 3.7):
        expected = estimates**exponent / (estimates**exponent).sum(axis=0)
        np.testing.assert_allclose(ratio_masks(estimates, exponent), expected, rtol=1e-12)


def test_silent_bins_are_shared_equally():
    estimates = np.zeros((4, 2, 3))
    np.testing.assert_array_equal(ratio_masks(estimates), np.full((4, 2, 3), 0.25))
    np.testing.assert_array_equal(ratio_masks(estimates, np.inf), np.full((4, 2, 3), 0.25))


def test_a_silent_source_gets_nothing_where_another_sounds():
    np.testing.assert_array_equal(ratio_masks(np.array([[1e-30], [0.0]])), [[1], [0]])


def test_infinite_exponent_gives_bins_to_the_loudest_and_shares_ties():
    estimates = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 1.0], [0.0, 1.0, 1.0]])
    np.testing.assert_array_equal(ratio_masks(estimates, np.inf), [[1, 0.5, 1 / 3], [0, 0.5, 1 / 3], [0, 0, 1 / 3]])


def test_powers_beyond_the_range_of_floats_are_safe():
    for dtype in DTYPES:
        limits = np.finfo(dtype)
        loud = np.array([[limits.max], [limits.max / 2]], dtype=dtype)
        quiet = np.array([[2 * limits.tiny], [limits.tiny]], dtype=dtype)
        for estimates in (loud, quiet):
            np.testing.assert_allclose(ratio_masks(estimates, 2), [[0.8], [0.2]], rtol=1e-6)


def test_integers_become_doubles():
    assert ratio_masks(np.array([[1, 2], [3, 4]])).dtype == np.float64


def test_input_is_left_as_it_is():
    estimates = np.random.default_rng(0).uniform(size=(3, 4, 5))
    before = estimates.copy()
    ratio_masks(estimates, 3)
    np.testing.assert_array_equal(estimates, before)


@pytest.mark.parametrize("exponent", [0, -1, np.nan, "2", None, True])
def test_exponents_out_of_range_are_refused(exponent):
    with pytest.raises(ValueError, match=r"exponent must be a number in \(0, inf\]"):
        ratio_masks(np.ones((2, 3)), exponent)


@pytest.mark.parametrize(
    ("estimates", "message"),
    [
        ([[1.0], [-1.0]], "Negative values in data"),
        ([[1.0], [np.nan]], "NaN or infinity"),
        ([[1.0], [np.inf]], "NaN or infinity"),
        ([[1j], [1.0]], "Complex"),
        (np.ones((0, 3)), "one source or more"),
        (1.0, "one source or more"),
    ],
)
def test_bad_estimates_are_refused(estimates, message):
    with pytest.raises(ValueError, match=message):
        ratio_masks(estimates)


@given(data=st.data())
def test_masked_mixtures_sum_to_the_mixture(data):
    masks = ratio_masks(data.draw(hnp.arrays(np.float64, (3, 4, 2), elements=st.floats(0, 1e6))))
    mixture = data.draw(hnp.arrays(np.float64, (4, 2), elements=st.floats(0, 1e6)))
    sources = apply_masks(mixture, masks)
    np.testing.assert_allclose(sources.sum(axis=0), mixture, rtol=1e-14, atol=1e-300)


def test_masks_apply_to_spectra_and_keep_single_precision():
    masks = ratio_masks(np.ones((2, 3, 4), dtype=np.float32))
    assert apply_masks(np.ones((3, 4), dtype=np.float32), masks).dtype == np.float32
    spectra = apply_masks(np.full((3, 4), 2j, dtype=np.complex64), masks)
    assert spectra.dtype == np.complex64
    np.testing.assert_array_equal(spectra, np.full((2, 3, 4), 1j))


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 3), (2, 1, 4), ()])
def test_masks_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match=r"masks must have shape \(n_sources, \*\(3, 4\)\)"):
        apply_masks(np.ones((3, 4)), np.ones(shape))


def test_ideal_masks_take_spectra_or_magnitudes():
    rng = np.random.default_rng(0)
    spectra = rng.standard_normal((2, 3, 4)) + 1j * rng.standard_normal((2, 3, 4))
    np.testing.assert_array_equal(ideal_ratio_masks(spectra, 1), ratio_masks(np.abs(spectra), 1))
    np.testing.assert_array_equal(ideal_ratio_masks(np.abs(spectra)), ratio_masks(np.abs(spectra), 2))
    with pytest.raises(ValueError, match="Negative values in data"):
        ideal_ratio_masks(spectra.real)


def test_ideal_masks_restore_sources_that_do_not_overlap():
    sources = np.array([[[1.0, 0.0, 2.0]], [[0.0, 3.0, 0.0]]])
    np.testing.assert_array_equal(apply_masks(sources.sum(axis=0), ideal_ratio_masks(sources)), sources)

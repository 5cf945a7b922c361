import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklearn_gass.metrics import (
    BSSEval,
    bss_eval,
    bss_eval_improvement,
    ideal_ratio_mask_bound,
    si_sdr,
    si_sdr_improvement,
)
from sklearn_gass.stft import STFT

N_TAPS = 512


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def decibel(numerator, denominator):
    return 10 * np.log10(np.sum(numerator**2) / np.sum(denominator**2))


def delayed_copies(sources):
    """Columns: every source delayed by 0 to 511 samples."""
    n_samples = sources.shape[-1]
    columns = np.zeros((n_samples + N_TAPS - 1, len(sources) * N_TAPS))
    for i, source in enumerate(sources):
        for delay in range(N_TAPS):
            columns[delay : delay + n_samples, i * N_TAPS + delay] = source
    return columns


def bss_eval_by_least_squares(references, estimates):
    everything = delayed_copies(references)
    scores = []
    for k, estimate in enumerate(estimates):
        padded = np.concatenate([estimate, np.zeros(N_TAPS - 1)])
        own = everything[:, k * N_TAPS : (k + 1) * N_TAPS]
        target = own @ np.linalg.lstsq(own, padded, rcond=None)[0]
        explained = everything @ np.linalg.lstsq(everything, padded, rcond=None)[0]
        scores.append(
            [
                decibel(target, padded - target),
                decibel(target, explained - target),
                decibel(explained, padded - explained),
            ]
        )
    return np.transpose(scores)


@pytest.fixture(scope="module")
def separation():
    references = noise(2, 1300)
    leaked = references + np.array([[0.3], [0.1]]) * references[::-1]
    return references, leaked + 0.2 * noise(2, 1300, seed=1)


def test_bss_eval_is_the_least_squares_decomposition(separation):
    scores = bss_eval(*separation)
    assert isinstance(scores, BSSEval)
    np.testing.assert_allclose(scores, bss_eval_by_least_squares(*separation), atol=1e-6)


def test_bss_eval_does_not_search_for_the_permutation(separation):
    references, estimates = separation
    assert (bss_eval(references, estimates[::-1]).sdr < 0).all()


def test_bss_eval_ignores_scale_and_short_filters(separation):
    references, estimates = separation
    np.testing.assert_allclose(bss_eval(references, 7 * estimates), bss_eval(references, estimates), atol=1e-6)
    # trailing zeros, so that the filtered source is not cut off
    quiet_end = np.pad(references, ((0, 0), (0, 10)))
    filtered = np.stack([np.convolve(source, [1, -0.5, 0.2])[: quiet_end.shape[1]] for source in quiet_end])
    assert (bss_eval(quiet_end, filtered).sdr > 80).all()


def test_bss_eval_follows_the_order_of_sources(separation):
    references, estimates = separation
    swapped = bss_eval(references[::-1], estimates[::-1])
    for one, other in zip(bss_eval(references, estimates), swapped, strict=True):
        np.testing.assert_allclose(one, other[::-1], atol=1e-6)


def test_bss_eval_takes_single_precision(separation):
    references, estimates = (signals.astype(np.float32) for signals in separation)
    scores = bss_eval(references, estimates)
    assert scores.sdr.dtype == np.float64
    np.testing.assert_allclose(scores, bss_eval(*separation), atol=1e-3)


def test_bss_eval_lets_no_warning_out_and_changes_no_filters(separation):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        bss_eval(*separation)
        assert warnings.filters == before
    assert caught == []


def test_mir_eval_is_not_needed_for_the_other_metrics(monkeypatch):
    monkeypatch.setitem(sys.modules, "mir_eval", None)
    monkeypatch.setitem(sys.modules, "mir_eval.separation", None)
    assert si_sdr([1.0, 2.0], [1.0, 2.1]) > 20
    with pytest.raises(ImportError):
        bss_eval(noise(1, 600), noise(1, 600))


def test_si_sdr_is_the_least_squares_projection():
    references, estimates = noise(3, 4, 50), noise(3, 4, 50, seed=1) + noise(3, 4, 50)
    expected = np.empty((3, 4))
    for index in np.ndindex(3, 4):
        reference, estimate = references[index], estimates[index]
        scale = np.linalg.lstsq(reference[:, None], estimate, rcond=None)[0]
        expected[index] = decibel(scale * reference, estimate - scale * reference)
    np.testing.assert_allclose(si_sdr(references, estimates), expected, atol=1e-9)


# Zero, or so large that gains of the test below change no bit of it
SAMPLES = st.floats(-10, 10).map(lambda value: value if abs(value) > 1e-200 else 0.0)


@given(
    reference=hnp.arrays(np.float64, 8, elements=SAMPLES).filter(np.any),
    estimate=hnp.arrays(np.float64, 8, elements=SAMPLES),
    gain=st.integers(-300, 300).map(lambda exponent: 2.0**exponent),
    sign=st.sampled_from([-1, 1]),
)
def test_si_sdr_does_not_depend_on_scale(reference, estimate, gain, sign):
    assert (
        si_sdr(reference, sign * gain * estimate) == si_sdr(gain * reference, estimate) == si_sdr(reference, estimate)
    )


def test_si_sdr_of_levels_far_apart():
    assert si_sdr([1.0, 0.0], [1e-180, 1.0]) == pytest.approx(-3600)
    assert si_sdr([1.0, 1e-180], [1.0, 3e-180]) == pytest.approx(3600 - 20 * np.log10(2))


@pytest.mark.parametrize("metric", [si_sdr, bss_eval])
@pytest.mark.parametrize("gains", [(2.0**-1020, 1), (1, 2.0**-1020), (2.0**1020, 2.0**-1020), (1, 2.0**1020)])
def test_scores_at_the_ends_of_the_range_of_floats(metric, gains, separation):
    references, estimates = separation
    scores = metric(gains[0] * references, gains[1] * estimates)
    np.testing.assert_allclose(scores, metric(references, estimates), rtol=1e-9)


def test_si_sdr_of_known_noise():
    # noise of equal energy in the reference's own direction would not count; this one is orthogonal to it
    reference, orthogonal = np.array([1.0, 1.0, 1.0, 1.0]), np.array([1.0, -1.0, 1.0, -1.0])
    for level in (0.0, 10.0, 37.0):
        np.testing.assert_allclose(si_sdr(reference, reference + 10 ** (-level / 20) * orthogonal), level, atol=1e-9)


def test_si_sdr_at_its_limits():
    reference = np.array([1.0, -2.0, 3.0])
    assert si_sdr(reference, 2 * reference) == np.inf
    assert si_sdr(reference, np.zeros(3)) == -np.inf
    assert si_sdr([1.0, 0.0], [0.0, 1.0]) == -np.inf


def test_means_count_as_signal():
    assert si_sdr([1.0, 2.0, 3.0], [2.0, 3.0, 4.0]) < 30


def test_improvement_is_zero_for_the_mixture_itself(separation):
    references, _ = separation
    mixture = references.sum(axis=0)
    estimates = np.stack([mixture, mixture])
    np.testing.assert_array_equal(si_sdr_improvement(references, estimates, mixture), [0, 0])
    gain = bss_eval_improvement(references, estimates, mixture)
    np.testing.assert_array_equal(gain.sdr, [0, 0])
    np.testing.assert_array_equal(gain.sir, [0, 0])


def test_improvement_is_the_difference_of_scores(separation):
    references, estimates = separation
    mixture = references.sum(axis=0)
    unseparated = np.stack([mixture, mixture])
    np.testing.assert_allclose(
        si_sdr_improvement(references, estimates, mixture),
        si_sdr(references, estimates) - si_sdr(references, unseparated),
    )
    gain, before, after = (
        bss_eval_improvement(references, estimates, mixture),
        bss_eval(references, unseparated),
        bss_eval(references, estimates),
    )
    np.testing.assert_allclose(gain.sdr, after.sdr - before.sdr)
    np.testing.assert_allclose(gain.sir, after.sir - before.sir)
    assert (gain.sdr > 5).all()


def tones(n_samples=6000):
    time = np.arange(n_samples) / 8000
    return np.array([np.sin(2 * np.pi * 700 * time), np.sin(2 * np.pi * 2100 * time)])


def test_ideal_masks_separate_tones_almost_perfectly():
    assert (ideal_ratio_mask_bound(tones()).sdr > 40).all()


def test_bound_uses_transform_and_exponent():
    # four bins cannot tell the two tones apart
    coarse = ideal_ratio_mask_bound(tones(), STFT(n_fft=6, hop_length=2)).sdr
    assert (ideal_ratio_mask_bound(tones()).sdr > coarse + 10).all()
    # a vanishing exponent shares every bin equally, which leaves the mixture
    sources = noise(2, 3000)
    flat = ideal_ratio_mask_bound(sources, exponent=1e-9).sdr
    np.testing.assert_allclose(flat, bss_eval(sources, np.stack([sources.sum(axis=0)] * 2)).sdr, atol=1e-3)


@settings(max_examples=5)
@given(gain=st.one_of(st.floats(1e-3, 1e3), st.sampled_from([1e-290, 1e305])))
def test_bound_does_not_depend_on_loudness(gain):
    sources = noise(2, 1100)
    stft = STFT(n_fft=128, hop_length=64)
    np.testing.assert_allclose(
        ideal_ratio_mask_bound(gain * sources, stft).sdr, ideal_ratio_mask_bound(sources, stft).sdr, atol=1e-6
    )


BAD_PAIRS = [
    (np.ones((2, 2000)), np.ones((2, 1999)), "must have one shape"),
    (np.ones((2, 2000)), np.ones((3, 2000)), "must have one shape"),
    ([[1.0, np.nan]], [[1.0, 1.0]], "references contain NaN or infinity"),
    ([[1.0, 1.0]], [[1.0, np.inf]], "estimates contain NaN or infinity"),
    ([[1.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]], r"silent reference \(index 1\)"),
    ([[1j, 1.0]], [[1.0, 1.0]], "references must be waveforms"),
    (np.ones((2, 0)), np.ones((2, 0)), "one sample or more"),
    (1.0, 1.0, "one sample or more"),
]


@pytest.mark.parametrize("metric", [si_sdr, bss_eval])
@pytest.mark.parametrize(("references", "estimates", "message"), BAD_PAIRS)
def test_bad_signals_are_refused(metric, references, estimates, message):
    with pytest.raises(ValueError, match=message):
        metric(references, estimates)


def test_bss_eval_refuses_what_it_cannot_judge():
    with pytest.raises(
        ValueError, match=r"BSS eval of 2 source\(s\) needs 1024 samples or more, 512 a source, but got"
    ):
        bss_eval(noise(2, 1023), noise(2, 1023))
    with pytest.raises(ValueError, match=r"silent estimate \(index 0\)"):
        bss_eval(noise(2, 1100), noise(2, 1100) * [[0], [1]])
    with pytest.raises(ValueError, match=r"references must have shape \(n_sources, n_samples\), got \(600,\)"):
        bss_eval(noise(600), noise(600))
    with pytest.raises(ValueError, match=r"sources must have shape \(n_sources, n_samples\), got \(600,\)"):
        ideal_ratio_mask_bound(noise(600))


@pytest.mark.parametrize("improvement", [si_sdr_improvement, bss_eval_improvement])
def test_mixture_of_another_length_is_refused(improvement):
    with pytest.raises(ValueError, match="mixture must have 1100 samples like the references, got 1099"):
        improvement(noise(2, 1100), noise(2, 1100), noise(1099))

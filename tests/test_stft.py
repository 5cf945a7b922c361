import warnings

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from sklearn_gass._validation import InvalidParameterError
from sklearn_gass.stft import STFT

WINDOWS = ["hann", "hamming", "blackman", "boxcar", "bartlett", ("kaiser", 8.0), ("gaussian", 12.0)]


def noise(n_samples, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(n_samples).astype(dtype)


@st.composite
def transforms(draw):
    n_fft = draw(st.integers(2, 80))
    hop_length = draw(st.one_of(st.none(), st.integers(1, n_fft // 2)))
    return STFT(n_fft=n_fft, hop_length=hop_length, window=draw(st.sampled_from(WINDOWS[:4])))


@settings(deadline=None, max_examples=40)
@given(stft=transforms(), n_samples=st.integers(1, 300), dtype=st.sampled_from([np.float32, np.float64]))
def test_reconstruction_is_exact_for_any_length_and_hop(stft, n_samples, dtype):
    wave = noise(n_samples, dtype=dtype)
    magnitudes, phase = stft.analyze(wave)
    restored = stft.synthesize(magnitudes, phase, n_samples)
    assert restored.shape == wave.shape
    assert restored.dtype == dtype
    np.testing.assert_allclose(restored, wave, atol=40 * np.finfo(dtype).eps * np.abs(wave).max())


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("n_samples", [1, 31, 32, 33, 500])
def test_reconstruction_is_exact_for_every_window_at_half_overlap(window, n_samples):
    stft = STFT(n_fft=64, hop_length=32, window=window)
    wave = noise(n_samples)
    np.testing.assert_allclose(stft.synthesize(*stft.analyze(wave), n_samples), wave, atol=1e-13)


def test_last_sample_survives_at_the_default_window_in_single_precision():
    # the usual number of frames leaves the last sample of this length to the edge of one window
    stft = STFT(n_fft=1024, hop_length=512)
    wave = noise(512 * 4 - 1, dtype=np.float32)
    np.testing.assert_allclose(stft.synthesize(*stft.analyze(wave), wave.size)[-1], wave[-1], rtol=1e-5)


@pytest.mark.parametrize("n_samples", [1024, 5000, 5120])
def test_frames_are_those_of_librosa(n_samples):
    wave = noise(n_samples)
    magnitudes, phase = STFT().analyze(wave)
    expected = librosa.stft(wave, n_fft=1024, hop_length=256).T
    assert len(magnitudes) - len(expected) == (n_samples % 256 != 0)
    np.testing.assert_allclose((magnitudes * phase)[: len(expected)], expected, atol=1e-10)


@settings(deadline=None, max_examples=60)
@given(
    stft=transforms(),
    n_samples=st.integers(1, 300),
    block_frames=st.integers(1, 40),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_blocks_are_the_whole_to_the_last_bit(stft, n_samples, block_frames, dtype):
    wave = noise(n_samples, dtype=dtype)
    magnitudes, phase = stft.analyze(wave)
    shares = np.stack([magnitudes, magnitudes * np.linspace(0, 1, stft.n_bins, dtype=dtype)])
    blocks = list(stft.analyze_blocks(wave, block_frames))
    assert all(len(block) == block_frames for block, _ in blocks[:-1])
    np.testing.assert_array_equal(np.concatenate([block for block, _ in blocks]), magnitudes)
    np.testing.assert_array_equal(np.concatenate([block for _, block in blocks]), phase)
    begins = range(0, len(magnitudes), block_frames)
    cut = ((shares[:, i : i + block_frames], phase[i : i + block_frames]) for i in begins)
    pieces = list(stft.synthesize_blocks(cut, n_samples))
    assert all(piece.shape[1] > 0 and piece.dtype == dtype for piece in pieces)
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), stft.synthesize(shares, phase, n_samples))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_level_divides_the_samples(dtype):
    stft, wave = STFT(n_fft=64, hop_length=16), noise(500, dtype=dtype)
    blocks = list(stft.analyze_blocks(wave, 7, level=0.3))
    np.testing.assert_array_equal(np.concatenate([block for block, _ in blocks]), stft.analyze(wave / dtype(0.3))[0])


def test_blocks_come_one_by_one():
    """The second block is not asked for before the first piece is out, nor the first before it is wanted."""
    stft, wave, asked = STFT(n_fft=64, hop_length=16), noise(500), []

    def blocks():
        for number, block in enumerate(stft.analyze_blocks(wave, 8)):
            asked.append(number)
            yield block

    pieces = stft.synthesize_blocks(blocks(), wave.size)
    assert not asked
    next(pieces)
    assert asked == [0]


def test_shapes_and_dtypes():
    stft = STFT(n_fft=512, hop_length=None)
    for dtype, phase_dtype in [(np.float32, np.complex64), (np.float64, np.complex128)]:
        magnitudes, phase = stft.analyze(noise(1000, dtype=dtype))
        assert magnitudes.shape == phase.shape == (stft.n_frames(1000), stft.n_bins) == (9, 257)
        assert magnitudes.dtype == dtype
        assert phase.dtype == phase_dtype
        assert magnitudes.flags.c_contiguous
    assert stft.analyze(np.array([1, 0, -1], dtype=np.int16))[0].dtype == np.float32


def test_phase_has_modulus_one_even_next_to_underflow():
    wave = noise(3000, dtype=np.float32) * np.logspace(0, -44, 3000, dtype=np.float32)
    magnitudes, phase = STFT(n_fft=128, hop_length=32).analyze(wave)
    np.testing.assert_allclose(np.abs(phase), 1, rtol=1e-6)
    assert (magnitudes == 0).any()


def test_silence_has_zero_magnitudes_and_phase_one():
    stft = STFT(n_fft=64, hop_length=16)
    magnitudes, phase = stft.analyze(np.zeros(100))
    assert not magnitudes.any()
    assert (phase == 1).all()
    assert not stft.synthesize(magnitudes, phase, 100).any()


def test_one_sample_gives_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(STFT().synthesize(*STFT().analyze([0.5]), 1), [0.5])


def test_several_sources_share_a_phase():
    stft = STFT(n_fft=64, hop_length=16)
    magnitudes, phase = stft.analyze(noise(200))
    shares = np.random.default_rng(1).uniform(size=(3, *magnitudes.shape))
    waves = stft.synthesize(shares * magnitudes, phase, 200)
    assert waves.shape == (3, 200)
    np.testing.assert_allclose(waves[1], stft.synthesize(shares[1] * magnitudes, phase, 200), atol=1e-12)


def test_synthesis_is_linear_so_masked_sources_sum_to_the_mixture():
    stft = STFT(n_fft=128, hop_length=32)
    wave = noise(777)
    magnitudes, phase = stft.analyze(wave)
    mask = np.random.default_rng(2).uniform(size=magnitudes.shape)
    parts = stft.synthesize(np.stack([mask, 1 - mask]) * magnitudes, phase, 777)
    np.testing.assert_allclose(parts.sum(axis=0), wave, atol=1e-12)


def test_it_behaves_like_an_estimator_without_fit():
    stft = STFT(n_fft=256)
    assert clone(stft.set_params(window="hamming")).get_params() == {
        "n_fft": 256,
        "hop_length": 256,
        "window": "hamming",
    }
    assert not hasattr(stft, "fit")
    assert "STFT" in stft._repr_html_()


@pytest.mark.parametrize(
    "params",
    [{"n_fft": 1}, {"n_fft": 64.0}, {"hop_length": 0}, {"hop_length": "half"}, {"window": 3}],
)
def test_parameters_out_of_range_are_refused(params):
    with pytest.raises(InvalidParameterError, match=f"The '{next(iter(params))}' parameter of STFT must be"):
        STFT(**params).analyze(noise(100))


def test_unknown_window_is_named():
    with pytest.raises(ValueError, match="window='hanning-ish' is not a window of scipy"):
        STFT(window="hanning-ish").analyze(noise(100))


@pytest.mark.parametrize(
    ("n_fft", "hop_length", "window"),
    [(64, 64, "hann"), (64, 65, "boxcar"), (64, 200, "hann"), (64, 32, ("gaussian", 3.0)), (63, 63, "hann")],
)
def test_transform_that_cannot_be_inverted_is_refused_both_ways(n_fft, hop_length, window):
    stft = STFT(n_fft=n_fft, hop_length=hop_length, window=window)
    with pytest.raises(ValueError, match=r"cannot be inverted, since neighbouring frames overlap too little"):
        stft.analyze(noise(1000))
    with pytest.raises(ValueError, match=r"cannot be inverted"):
        stft.synthesize(np.ones((3, 33)), np.ones((3, 33)), 100)


def test_boxcar_without_overlap_can_be_inverted():
    stft = STFT(n_fft=64, hop_length=64, window="boxcar")
    np.testing.assert_allclose(stft.synthesize(*stft.analyze(noise(333)), 333), noise(333), atol=1e-13)


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        ([0.0, np.nan], "NaN or infinity"),
        ([0.0, np.inf], "NaN or infinity"),
        ([], "empty"),
        ([[0.0, 1.0]], "1-D"),
        ([1j, 0.0], "Complex"),
    ],
)
def test_bad_waves_are_refused(wave, message):
    with pytest.raises(ValueError, match=message):
        STFT(n_fft=64, hop_length=16).analyze(wave)


def test_bad_frames_are_refused():
    stft = STFT(n_fft=64, hop_length=16)
    magnitudes, phase = stft.analyze(noise(100))
    with pytest.raises(
        ValueError, match=r"magnitudes must have shape \(\.\.\., 9, 33\) for 120 samples, got \(8, 33\)"
    ):
        stft.synthesize(magnitudes, phase, 120)
    with pytest.raises(ValueError, match=r"phase must have shape \(8, 33\)"):
        stft.synthesize(magnitudes, phase[:-1], 100)
    with pytest.raises(ValueError, match="n_samples must be a positive integer, got 0"):
        stft.synthesize(magnitudes, phase, 0)
    with pytest.raises(ValueError, match="magnitudes must be real"):
        stft.synthesize(magnitudes * phase, phase, 100)
    with pytest.raises(ValueError, match="magnitudes or phase contain NaN or infinity"):
        stft.synthesize(magnitudes * np.nan, phase, 100)


@pytest.mark.parametrize("block_frames", [0, -1, 2.0, True])
def test_bad_sizes_of_blocks_are_refused_at_once(block_frames):
    with pytest.raises(ValueError, match=r"block_frames must be a positive integer, got"):
        STFT(n_fft=64, hop_length=16).analyze_blocks(noise(100), block_frames)


def test_bad_blocks_are_refused():
    stft = STFT(n_fft=64, hop_length=16)
    blocks = list(stft.analyze_blocks(noise(100), 3))
    with pytest.raises(ValueError, match="n_samples must be a positive integer, got 0"):
        stft.synthesize_blocks(blocks, 0)
    with pytest.raises(ValueError, match="The blocks hold 6 frames, but 100 samples have 8"):
        list(stft.synthesize_blocks(blocks[:2], 100))
    with pytest.raises(ValueError, match="The blocks hold more than the 8 frames of 100 samples"):
        list(stft.synthesize_blocks([*blocks, blocks[0]], 100))
    with pytest.raises(ValueError, match=r"magnitudes must have shape \(\.\.\., n_frames, 33\), got \(3, 32\)"):
        list(stft.synthesize_blocks([(magnitudes[:, 1:], phase) for magnitudes, phase in blocks], 100))


class TestProjection:
    @pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
    def test_spectra_of_waveforms_stay(self, dtype):
        stft = STFT(n_fft=64, hop_length=16)
        spectrum = np.multiply(*stft.analyze(noise(1003))).astype(dtype)
        nearest = stft.project(spectrum, 1003)
        assert nearest.dtype == dtype
        np.testing.assert_allclose(nearest, spectrum, rtol=0, atol=100 * np.finfo(dtype).eps)

    def test_it_is_the_spectrum_of_what_is_synthesized(self):
        stft, random = STFT(n_fft=64, hop_length=16), np.random.default_rng(0)
        magnitudes = random.gamma(1, 1, (2, stft.n_frames(1003), 33))
        phase = np.exp(2j * np.pi * random.random(magnitudes.shape))
        nearest = stft.project(magnitudes * phase, 1003)
        waves = stft.synthesize(magnitudes, phase, 1003)
        expected = [np.multiply(*stft.analyze(wave)) for wave in waves]
        np.testing.assert_allclose(nearest, expected, rtol=0, atol=1e-12)

    def test_other_shapes_are_refused(self):
        with pytest.raises(
            ValueError, match=r"spectrum must have shape \(\.\.\., 3, 33\) for 32 samples, got \(4, 33\)"
        ):
            STFT(n_fft=64, hop_length=16).project(np.ones((4, 33)), 32)

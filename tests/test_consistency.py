"""Consistent Wiener filtering: spectra of sources that waveforms have."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator

from sklearn_gass import STFT, AudioSeparator, NMFSourceModel, SupervisedSeparator
from sklearn_gass.masks import ratio_masks
from sklearn_gass.metrics import si_sdr
from sklearn_gass.separation import _consistency
from sklearn_gass.separation._blockwise import separate_pieces
from sklearn_gass.separation._consistency import chebyshev, consistent_spectra, with_neighbours

SMALL = STFT(n_fft=16, hop_length=4)


class TrueMagnitudes:
    """A separator of frames that knows the magnitudes of the sources, as an explanation would give them."""

    def __init__(self, sources, stft, level=1.0):
        self.estimates = np.stack([stft.analyze(source / float(level))[0] for source in sources])
        self.background = None

    def explain(self, magnitudes):
        assert self.estimates.shape[1:] == magnitudes.shape
        return self

    def masks(self):
        return ratio_masks(self.estimates)


def separated(sources, stft, consistency, dtype=np.float64):
    """Separate the sum of sources by their own magnitudes."""
    mixture = np.sum(sources, axis=0).astype(dtype)
    level = mixture.std() / np.sqrt(len(sources))
    frames = TrueMagnitudes(np.asarray(sources, dtype), stft, level)
    pieces = separate_pieces(frames, stft, mixture, 16000, len(sources), consistency=consistency)
    return np.concatenate(list(pieces), axis=-1), mixture


@pytest.fixture
def parts():
    """Masks, powers and a spectrum of a short mixture of three sources, and its length."""
    random, n_samples = np.random.default_rng(5), 41
    mixture = SMALL.analyze(random.standard_normal(n_samples))
    powers = random.gamma(0.5, 1, (3, *mixture[0].shape))
    return ratio_masks(np.sqrt(powers)), powers, np.multiply(*mixture), n_samples


def solved(parts, scale, n_steps, monkeypatch):
    monkeypatch.setattr(_consistency, "_N_STEPS", n_steps)
    monkeypatch.setattr(_consistency, "_LOWEST", 1e-5)
    *block, n_samples = parts
    (spectra,) = consistent_spectra([tuple(block)], SMALL, n_samples, scale)
    return spectra


class TestFilter:
    def test_it_minimises_what_it_says(self, parts, monkeypatch):
        """The gradient of the objective vanishes, where all bins of a real signal count, for two sources."""
        masks, powers, mixture, n_samples = parts
        masks, powers, scale = ratio_masks(np.sqrt(powers[:2])), powers[:2], 0.3
        spectra = solved((masks, powers, mixture, n_samples), scale, 2000, monkeypatch)
        variances = powers[0] * powers[1] / powers.sum(0)
        for spectrum, mask in zip(spectra, masks, strict=True):
            gradient = spectrum - mask * mixture
            gradient += variances / scale * (spectrum - SMALL.project(spectrum, n_samples))
            assert_allclose(gradient, 0, atol=1e-5)

    def test_it_minimises_for_three_sources_under_their_sum(self, parts, monkeypatch):
        """There the gradients of all sources are one, the multiplier of the condition."""
        masks, powers, mixture, n_samples = parts
        spectra = solved(parts, 0.3, 2000, monkeypatch)
        variances = powers * (powers.sum(0) - powers) / powers.sum(0)
        gradients = [
            (spectrum - mask * mixture) / variance + (spectrum - SMALL.project(spectrum, n_samples)) / 0.3
            for spectrum, mask, variance in zip(spectra, masks, variances, strict=True)
        ]
        sure = (variances > 1e-2).all(0)
        assert_allclose(np.array(gradients)[1:, sure], np.array(gradients)[:-1, sure], atol=1e-3)
        assert np.abs(gradients[0][sure]).max() > 1e-2

    def test_few_steps_do_most_of_it(self, parts, monkeypatch):
        exact = solved(parts, 2.0, 2000, monkeypatch)
        monkeypatch.undo()
        *block, n_samples = parts
        (spectra,) = consistent_spectra([tuple(block)], SMALL, n_samples, 2.0)
        masked = parts[0] * parts[2]
        assert np.linalg.norm(spectra - exact) < 0.4 * np.linalg.norm(masked - exact)

    def test_sources_sum_to_the_mixture(self, parts):
        *block, n_samples = parts
        (spectra,) = consistent_spectra([tuple(block)], SMALL, n_samples, 0.3)
        assert_allclose(spectra.sum(0), parts[2], rtol=0, atol=1e-12)

    def test_sure_bins_stay(self, parts):
        masks, powers, mixture, n_samples = parts
        powers[1:, 3:5] = 0
        masks = ratio_masks(np.sqrt(powers))
        (spectra,) = consistent_spectra([(masks, powers, mixture)], SMALL, n_samples, 0.3)
        assert_allclose(spectra[0, 3:5], mixture[3:5])
        assert not spectra[1:, 3:5].any()

    @pytest.mark.parametrize("order", [[1, 0], [2, 0, 1]])
    def test_sources_change_places(self, order, parts):
        _, powers, mixture, n_samples = parts
        powers = powers[: len(order)]
        masks = ratio_masks(np.sqrt(powers))
        (ahead,) = consistent_spectra([(masks, powers, mixture)], SMALL, n_samples, 0.3)
        (back,) = consistent_spectra([(masks[order], powers[order], mixture)], SMALL, n_samples, 0.3)
        assert_array_equal(back, ahead[order])

    def test_channels_are_filtered_each(self, parts):
        masks, powers, mixture, n_samples = parts
        channels = np.stack([mixture, -2 * mixture])
        (spectra,) = consistent_spectra([(masks, powers, channels)], SMALL, n_samples, 0.3)
        (alone,) = consistent_spectra([(masks, powers, mixture)], SMALL, n_samples, 0.3)
        assert spectra.shape == (3, 2, *mixture.shape)
        assert_allclose(spectra, np.stack([alone, -2 * alone], axis=1), atol=1e-12)

    @pytest.mark.parametrize("hop_length", [4, 5, 16])
    @pytest.mark.parametrize("sizes", [[1] * 40, [7, 33], [39, 1]])
    def test_blocks_do_not_matter(self, sizes, hop_length, monkeypatch):
        monkeypatch.setattr(_consistency, "_N_STEPS", 3)
        monkeypatch.setattr(_consistency, "_FEWEST", 1)
        stft = STFT(n_fft=16, hop_length=hop_length, window="boxcar" if hop_length == 16 else "hann")
        random, n_samples = np.random.default_rng(2), 39 * hop_length - 1
        mixture = np.multiply(*stft.analyze(random.standard_normal(n_samples)))
        powers = random.gamma(0.5, 1, (2, *mixture.shape))
        block, ends = (ratio_masks(np.sqrt(powers)), powers, mixture), np.cumsum(sizes)[:-1]
        blocks = list(zip(*(np.split(part, ends, axis=-2) for part in block), strict=True))
        inside = np.concatenate(list(consistent_spectra(blocks, stft, n_samples, 0.3)), axis=-2)
        monkeypatch.setattr(_consistency, "_FEWEST", 100)
        (whole,) = consistent_spectra([block], stft, n_samples, 0.3)
        assert_allclose(inside, whole, rtol=0, atol=1e-12)


def test_chebyshev_solves_a_linear_system(rng):
    values = rng.uniform(0.1, 1, 30)
    right = rng.standard_normal(30)
    solution = chebyshev(lambda x: right - values * x, np.zeros(30), (0.1, 1.0), 60)
    assert_allclose(solution, right / values, rtol=1e-9)


def test_neighbours_of_blocks():
    blocks = [(np.full((2, 1), i),) for i in range(3)]
    seen = [(part[:, 0].tolist(), own) for (part,), own in with_neighbours(iter(blocks), 1)]
    assert seen == [([0, 0, 1], slice(0, 2)), ([0, 1, 1, 2], slice(1, 3)), ([1, 2, 2], slice(1, 3))]


class TestWaveforms:
    @pytest.fixture
    def sources(self):
        """Two harmonic sounds with vibrato, whose partials cross."""
        time = np.arange(16000) / 16000
        pitches = 150 * 1.2 ** np.sin(2 * np.pi * 3 * time), 180 * 1.2 ** np.cos(2 * np.pi * 2 * time)
        phases = [2 * np.pi * np.cumsum(pitch) / 16000 for pitch in pitches]
        return np.stack([sum(np.sin(k * phase) / k for k in range(1, 12)) for phase in phases])

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_it_gains_where_sources_overlap(self, sources, dtype):
        masked, _ = separated(sources, STFT(), 0.0, dtype)
        consistent, mixture = separated(sources, STFT(), 20.0, dtype)
        assert consistent.dtype == dtype
        assert_allclose(consistent.sum(0), mixture, rtol=0, atol=1e-5)
        assert (si_sdr(sources, consistent) > si_sdr(sources, masked) + 2).all()

    def test_silence_stays_silent(self, sources):
        sources[:, 6000:10000] = 0
        consistent, _ = separated(sources, STFT(), 20.0)
        assert np.abs(consistent[:, 7100:8900]).max() < 1e-9

    def test_pauses_have_no_part_in_it(self, sources):
        alone, _ = separated(sources, STFT(), 20.0)
        padded, _ = separated(np.pad(sources, [(0, 0), (16384, 48000)]), STFT(), 20.0)
        masked, _ = separated(sources, STFT(), 0.0)
        change = np.square(padded[:, 18384:30384] - alone[:, 2000:14000]).sum()
        assert change < 3e-3 * np.square(masked - alone)[:, 2000:14000].sum()

    def test_it_acts_at_separation(self, sources):
        audio = AudioSeparator(SupervisedSeparator(NMFSourceModel(5), random_state=0)).fit(sources, ["a", "b"])
        mixture = sources.sum(0)
        consistent = np.asarray(audio.separate(mixture))
        masked = np.asarray(audio.set_params(consistency=0).separate(mixture))
        assert np.abs(consistent - masked).max() > 1e-3
        assert_array_equal(masked, AudioSeparator.from_fitted(audio.separator_, consistency=0).separate(mixture))

    @pytest.mark.parametrize("consistency", [-1, "all", None, 1e7, np.inf, np.nan])
    def test_other_values_are_refused(self, sources, consistency):
        with pytest.raises(ValueError, match="'consistency' parameter of AudioSeparator must be"):
            AudioSeparator(consistency=consistency).fit(sources, ["a", "b"])


class Rest:
    """A separator of frames of one's own: a voice a little louder than the mixture, and what is left."""

    def separate(self, magnitudes):
        return np.stack([1.01 * magnitudes, -0.01 * magnitudes])


class Backwards(BaseEstimator):
    """An estimator around a separator, which gives its sources in the other order."""

    def __init__(self, separator=None):
        self.separator = separator

    def fit(self, X, y):
        self.separator_ = self.separator.fit(X, y)
        self.classes_ = self.separator_.classes_
        return self

    def separate(self, X):
        return self.separator_.separate(X)[::-1]


class TestSeparatorsOfOnesOwn:
    def test_negative_estimates_do_no_harm(self, rng):
        mixture = rng.standard_normal(4000)
        pieces = separate_pieces(Rest(), STFT(), mixture, 16000, 2, consistency=20.0)
        assert np.abs(np.concatenate(list(pieces), axis=1)).max() < 2 * np.abs(mixture).max()

    def test_what_they_hold_is_not_asked_instead(self, rng):
        waves = rng.standard_normal((2, 8000))
        waves[0] = np.cumsum(waves[0] - waves[0].mean())
        separator = SupervisedSeparator(NMFSourceModel(3), random_state=0)
        plain = AudioSeparator(separator, consistency=0).fit(waves, ["a", "b"]).separate(waves.sum(0))
        own = AudioSeparator(Backwards(separator), consistency=0).fit(waves, ["a", "b"]).separate(waves.sum(0))
        assert_allclose(np.asarray(own), np.asarray(plain)[::-1], atol=1e-6)

"""Data sets, mixtures and the protocol of speaker pairs."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import NMF
from sklearn.utils import Bunch

from sklearn_gass.datasets import (
    fetch_timit_sample,
    make_background,
    make_mixture,
    make_pair,
    make_voices,
    speaker_pairs,
)


@pytest.fixture(scope="module")
def timit():
    folder = os.environ.get("SKLEARN_GASS_DATA")
    if not folder:
        pytest.skip("needs real speech: SKLEARN_GASS_DATA names no folder with the TIMIT sample")
    return fetch_timit_sample(data_home=Path(folder), download_if_missing=False)


@pytest.fixture(scope="module")
def voices():
    return make_voices(4, n_utterances=4, duration=1.5, random_state=0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


class TestMakeMixture:
    def test_is_the_sum_of_the_references(self, rng):
        mixture, references = make_mixture([rng.normal(size=50), rng.normal(size=80), rng.normal(size=20)], snr=3)
        assert references.shape == (3, 80)
        np.testing.assert_allclose(references.sum(axis=0), mixture, rtol=1e-12)

    @pytest.mark.parametrize("snr", [-20.0, -3.0, 0, 0.5, 12])
    @pytest.mark.parametrize("n_sources", [2, 3])
    def test_first_source_is_snr_above_each_other_one(self, rng, snr, n_sources):
        sources = [gain * rng.laplace(size=300) + 0.1 for gain in (1, 5, 0.01)[:n_sources]]
        references = make_mixture(sources, snr=snr)[1]
        levels = 20 * np.log10(references.std(axis=1))
        np.testing.assert_allclose(levels[0], 0, atol=1e-9)
        np.testing.assert_allclose(levels[0] - levels[1:], snr, atol=1e-9)

    def test_level_is_taken_before_zeros_are_appended(self, rng):
        short, long = rng.normal(size=40), rng.normal(size=100)
        references = make_mixture([short, long])[1]
        np.testing.assert_allclose(references[0, :40], short / short.std())
        assert not references[0, 40:].any()

    def test_input_level_does_not_matter(self, rng):
        first, second = rng.normal(size=(2, 60))
        np.testing.assert_allclose(make_mixture([first, second])[0], make_mixture([1e-6 * first, 1e3 * second])[0])

    @pytest.mark.parametrize(
        ("dtypes", "expected"),
        [
            (("float32", "float32"), "float32"),
            (("float32", "float64"), "float64"),
            (("int16", "int16"), "float32"),
        ],
    )
    def test_dtype(self, rng, dtypes, expected):
        sources = [(1000 * rng.normal(size=30)).astype(dtype) for dtype in dtypes]
        copies = [source.copy() for source in sources]
        mixture, references = make_mixture(sources)
        assert mixture.dtype == references.dtype == np.dtype(expected)
        for source, copy in zip(sources, copies, strict=True):
            np.testing.assert_array_equal(source, copy)

    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            (np.zeros(10), r"sources\[1\] is silent"),
            (np.full(10, 0.3, dtype=np.float32), r"sources\[1\] is silent"),
            (np.array([]), r"sources\[1\] is empty"),
            (np.ones((2, 5)), r"sources\[1\] must be 1-D"),
            (np.array([1.0, np.nan]), "NaN"),
            (np.array([1.0, 2j]), "Complex"),
        ],
    )
    def test_refuses_bad_sources(self, rng, bad, message):
        with pytest.raises(ValueError, match=message):
            make_mixture([rng.normal(size=10), bad])

    def test_refuses_a_single_source(self, rng):
        with pytest.raises(ValueError, match="two or more sources, got 1"):
            make_mixture([rng.normal(size=10)])

    @pytest.mark.parametrize("snr", [np.inf, np.nan, "loud", None])
    def test_refuses_bad_levels(self, rng, snr):
        with pytest.raises(ValueError, match="snr"):
            make_mixture(rng.normal(size=(2, 10)), snr=snr)


class TestMakeVoices:
    def test_fields(self, voices):
        assert len(voices.utterances) == len(voices.speakers) == len(voices.sexes) == 16
        assert np.unique(voices.groups).size == 16
        assert voices.speakers.tolist() == [f"voice{k}" for k in range(4) for _ in range(4)]
        assert all(group.startswith(f"{who}/") for group, who in zip(voices.groups, voices.speakers, strict=True))
        assert voices.sample_rate == 16000

    @pytest.mark.parametrize(("sample_rate", "duration", "n_samples"), [(8000, 0.5, 4000), (44100, 0.7, 30870)])
    def test_waveforms(self, sample_rate, duration, n_samples):
        parameters = {"n_utterances": 3, "duration": duration, "sample_rate": sample_rate, "random_state": 1}
        utterances, speakers = make_voices(3, **parameters, return_X_y=True)
        assert len(utterances) == len(speakers) == 9
        for wave in utterances:
            assert wave.shape == (n_samples,)
            assert wave.dtype == np.float32
            assert np.abs(wave).max() == pytest.approx(0.5)  # also false for NaN

    def test_every_short_utterance_has_voiced_sound(self):
        for wave in make_voices(2, n_utterances=30, duration=0.5, random_state=3).utterances:
            assert pitch(wave, 16000).size > 0

    def test_seed_decides(self, voices):
        again = make_voices(4, n_utterances=4, duration=1.5, random_state=np.random.RandomState(0))
        for wave, same in zip(voices.utterances, again.utterances, strict=True):
            np.testing.assert_array_equal(wave, same)
        other = make_voices(1, n_utterances=1, duration=1.5, random_state=1)
        assert not np.array_equal(voices.utterances[0], other.utterances[0])

    def test_more_voices_and_utterances_keep_the_earlier_ones(self, voices):
        fewer = make_voices(3, n_utterances=2, duration=1.5, random_state=0)
        where = {group: index for index, group in enumerate(voices.groups)}
        for group, wave in zip(fewer.groups, fewer.utterances, strict=True):
            np.testing.assert_array_equal(wave, voices.utterances[where[group]])

    def test_no_two_utterances_are_alike(self, voices):
        levels = [np.log10(np.abs(stft(wave)).sum(axis=1)) for wave in voices.utterances]
        for features in (voices.utterances, levels):
            alike = np.corrcoef(features) - np.eye(16)
            assert alike.max() < 0.8

    @pytest.mark.parametrize("seed", range(3))
    def test_even_voices_are_low_and_odd_ones_high(self, seed):
        data = make_voices(4, n_utterances=2, duration=1.5, random_state=seed)
        for voice in range(4):
            chosen = [wave for wave, who in zip(data.utterances, data.speakers, strict=True) if who == f"voice{voice}"]
            median = np.median(np.concatenate([pitch(wave, 16000) for wave in chosen]))
            assert (150 < median < 280) if voice % 2 else (75 < median < 150)

    def test_has_pauses(self):
        wave = make_voices(1, n_utterances=1, duration=5.0, random_state=0).utterances[0]
        levels = np.log10(np.square(wave[: wave.size // 320 * 320]).reshape(-1, 320).mean(axis=1)) * 10
        assert np.mean(levels < levels.max() - 35) > 0.03

    def test_pitch_moves_and_falls(self):
        utterances = make_voices(1, n_utterances=8, random_state=0).utterances
        contours = [pitch(wave, 16000) for wave in utterances]
        assert min(np.ptp(np.quantile(contour, [0.1, 0.9])) for contour in contours) > 5
        assert np.mean([np.median(contour[:10]) / np.median(contour[-10:]) for contour in contours]) > 1.05

    def test_can_be_separated_by_source_models(self, voices):
        """Templates of one voice must not explain the other, else the data shows nothing."""
        frames = [np.abs(stft(wave)) for wave in voices.utterances]
        templates = []
        for voice in (0, 1):
            nmf = NMF(20, solver="mu", beta_loss="kullback-leibler", init="random", random_state=0, max_iter=40, tol=0)
            templates.append(nmf.fit(np.concatenate(frames[4 * voice : 4 * voice + 3])).components_)
        mixture, references = make_mixture([voices.utterances[3], voices.utterances[7]])
        basis, magnitudes = np.concatenate(templates), np.abs(stft(mixture))
        activations = np.ones((len(magnitudes), len(basis)))
        for _ in range(40):
            activations *= magnitudes / (activations @ basis) @ basis.T / basis.sum(axis=1)
        modelled = [(activations[:, half] @ basis[half]) ** 2 for half in (slice(20), slice(20, 40))]
        for reference, source in zip(references, modelled, strict=True):
            truth = stft(reference)
            error = truth - stft(mixture) * source / sum(modelled)
            assert 10 * np.log10(np.sum(np.abs(truth) ** 2) / np.sum(np.abs(error) ** 2)) > 3

    @pytest.mark.parametrize("parameters", [{"n_voices": 0}, {"duration": 0.1}, {"sample_rate": 4000}])
    def test_refuses_bad_parameters(self, parameters):
        with pytest.raises(ValueError, match=next(iter(parameters))):
            make_voices(**parameters)


class TestPairs:
    def test_first_of_the_closest_lengths_is_the_test_pair(self):
        lengths = [30, 20, 10, 12, 22, 40]  # 20 with 22 is as close as 10 with 12, and comes first
        data = Bunch(
            utterances=[np.zeros(length) for length in lengths],
            speakers=np.repeat(["a", "b"], 3),
            sexes=np.repeat(["f", "m"], 3),
        )
        (pair,) = speaker_pairs(data)
        assert (pair.first, pair.second) == ("a", "b")
        assert pair.test == (1, 4)
        assert pair.train == (0, 2, 3, 5)

    def test_every_female_with_every_male(self, voices):
        pairs = [(pair.first, pair.second) for pair in speaker_pairs(voices)]
        assert pairs == [("voice1", "voice0"), ("voice1", "voice2"), ("voice3", "voice0"), ("voice3", "voice2")]

    def test_make_pair_scales_as_the_protocol_says(self, voices):
        pair = speaker_pairs(voices)[1]
        example = make_pair(voices, pair)
        for speaker in (pair.first, pair.second):
            chosen = np.flatnonzero(example.train_speakers == speaker)
            assert len(chosen) == 3
            assert np.concatenate([example.train_utterances[i] for i in chosen]).std() == pytest.approx(1, abs=1e-5)
        for index, wave in zip(pair.train, example.train_utterances, strict=True):
            assert wave.dtype == np.float32
            assert np.corrcoef(wave, voices.utterances[index])[0, 1] == pytest.approx(1)
        assert example.train_groups.tolist() == voices.groups[list(pair.train)].tolist()
        assert example.reference_speakers.tolist() == [pair.first, pair.second]
        np.testing.assert_allclose(example.references.std(axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(example.references.sum(axis=0), example.mixture, atol=1e-6)

    def test_one_sex_only_is_refused(self):
        with pytest.raises(ValueError, match="0 female and 1 male"):
            speaker_pairs(make_voices(1, n_utterances=2, duration=0.5, random_state=0))

    def test_one_utterance_only_is_refused(self):
        with pytest.raises(ValueError, match="has 1 utterance"):
            speaker_pairs(make_voices(2, n_utterances=1, duration=0.5, random_state=0))


class TestTimit:
    def test_fields(self, timit):
        assert len(timit.utterances) == 100
        assert timit.sample_rate == 16000
        assert np.unique(timit.groups).size == 100
        assert dict(zip(*np.unique(timit.speakers, return_counts=True), strict=True)) == dict.fromkeys(
            ["faem0", "falk0", "falr0", "ftlg0", "fvmh0", "madc0", "maeb0", "marc0", "mbgt0", "mcpm0"], 10
        )
        assert all(wave.ndim == 1 and wave.dtype == np.float32 for wave in timit.utterances)
        assert all(0.01 < np.abs(wave).max() <= 1 for wave in timit.utterances)
        assert {sex: np.sum(timit.sexes == sex) for sex in "fm"} == {"f": 50, "m": 50}
        assert list(timit.groups) == sorted(timit.groups)
        assert all(Path(name).is_file() for name in timit.filenames)
        assert "Linguistic Data Consortium" in timit.DESCR

    def test_all_speakers_read_the_same_two_sentences(self, timit):
        for sentence in ("sa1", "sa2"):
            assert (
                len({text for text, group in zip(timit.sentences, timit.groups, strict=True) if sentence in group}) == 1
            )

    def test_protocol_of_25_pairs(self, timit):
        pairs = speaker_pairs(timit)
        females, males = (sorted(set(timit.speakers[timit.sexes == sex])) for sex in "fm")
        assert [(pair.first, pair.second) for pair in pairs] == list(product(females, males))
        lengths = [len(wave) for wave in timit.utterances]
        for pair in pairs:
            first, second = (np.flatnonzero(timit.speakers == who).tolist() for who in (pair.first, pair.second))
            closest = min(abs(lengths[i] - lengths[j]) for i in first for j in second)
            assert abs(lengths[pair.test[0]] - lengths[pair.test[1]]) == closest
            assert sorted(pair.train + pair.test) == sorted(first + second)
            assert len(pair.train) == 18

    def test_pair_mixture(self, timit):
        pair = speaker_pairs(timit)[7]
        example = make_pair(timit, pair)
        assert len(example.mixture) == max(len(timit.utterances[index]) for index in pair.test)
        for index, reference in zip(pair.test, example.references, strict=True):
            wave = timit.utterances[index]
            np.testing.assert_allclose(reference[: len(wave)], wave / wave.std(), rtol=1e-3)


def stft(wave):
    frames = np.lib.stride_tricks.sliding_window_view(wave, 1024)[::256]
    return np.fft.rfft(frames * np.hanning(1024))


def pitch(wave, sample_rate):
    """Pitch in Hz of the voiced 40 ms frames, by the highest peak of the autocorrelation."""
    size = int(0.04 * sample_rate)
    frames = wave[: wave.size // size * size].reshape(-1, size).astype(float)
    power = np.abs(np.fft.rfft(frames, 2 * size)) ** 2
    correlation = np.fft.irfft(power)[:, :size] / (1 - np.arange(size) / size)
    lags = np.arange(int(sample_rate / 400), int(sample_rate / 65))
    best = lags[0] + np.argmax(correlation[:, lags], axis=1)
    strength = correlation[np.arange(len(frames)), best] / np.maximum(correlation[:, 0], 1e-12)
    loud = correlation[:, 0] > 0.02 * correlation[:, 0].max()
    return sample_rate / best[loud & (strength > 0.5)]


class TestBackgrounds:
    @pytest.mark.parametrize("kind", ["machine", "melody", "noise", "rain", "transients"])
    def test_each_kind_is_heard_and_repeatable(self, kind):
        wave = make_background(kind, duration=1.0, sample_rate=8000, random_state=0)
        assert wave.shape == (8000,)
        assert wave.dtype == np.float32
        assert np.isfinite(wave).all()
        assert wave.std() > 0
        np.testing.assert_array_equal(wave, make_background(kind, duration=1.0, sample_rate=8000, random_state=0))
        assert not np.array_equal(wave, make_background(kind, duration=1.0, sample_rate=8000, random_state=1))

    def test_an_unknown_kind_is_refused(self):
        with pytest.raises(ValueError, match="kind"):
            make_background("crowd")

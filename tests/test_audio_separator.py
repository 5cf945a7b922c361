"""Behaviour of the separator of waveforms and of the result it gives."""

import copy

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold

from sklearn_gass import (
    STFT,
    AudioSeparator,
    MixtureCritic,
    MixtureStart,
    NMFSourceModel,
    Separation,
    SupervisedSeparator,
    VAESourceModel,
    load_audio,
    save_audio,
)
from sklearn_gass.datasets import make_mixture, make_pair, speaker_pairs
from sklearn_gass.metrics import si_sdr
from sklearn_gass.separation import _blockwise, _consistency


@pytest.fixture(scope="module")
def audio(seed):
    """Unfitted separator with cheap models; tests clone it before they fit or change it."""
    separator = SupervisedSeparator(NMFSourceModel(5, max_iter=15), max_iter=20)
    return AudioSeparator(separator, stft=STFT(n_fft=512, hop_length=128), random_state=seed)


@pytest.fixture(scope="module")
def fitted(audio, short_voices):
    """Fitted separator, not to be changed."""
    return clone(audio).fit(short_voices.utterances, short_voices.speakers)


@pytest.fixture(scope="module")
def mixture(short_voices):
    return make_mixture([short_voices.utterances[2], short_voices.utterances[3]])[0]


@pytest.fixture(scope="module")
def separation(fitted, mixture):
    return fitted.separate(mixture)


@pytest.fixture(scope="module", params=["NMF", "VAE"])
def batched(request, audio, short_voices):
    """Fitted separator with small batches, since blocks of frames are whole batches; not to be changed."""
    model = audio.separator.source_model if request.param == "NMF" else VAESourceModel(4, max_iter=2)
    parts = {"start": MixtureStart(max_iter=5), "critic": MixtureCritic(max_iter=2)}
    separator = SupervisedSeparator(model, **parts, batch_size=16, max_iter=10, smoothness=0.0)
    return clone(audio).set_params(separator=separator).fit(short_voices.utterances, short_voices.speakers)


def matrix(voices, dtype=np.float64):
    """Utterances cut to one length, as the rows of an array."""
    length = min(map(len, voices.utterances))
    return np.stack([wave[:length] for wave in voices.utterances]).astype(dtype)


class TestSum:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_sources_sum_to_the_mixture(self, dtype, fitted, mixture):
        wave = mixture.astype(dtype)
        sources = fitted.separate(wave).sources
        assert sources.shape == (2, len(wave))
        assert sources.dtype == dtype
        tolerance = 100 * np.finfo(dtype).eps * np.abs(wave).max()
        np.testing.assert_allclose(sources.sum(0), wave, rtol=0, atol=tolerance)

    @pytest.mark.parametrize("n_samples", [1, 2, 127, 511, 512, 513, 3001])
    def test_every_length_comes_back(self, n_samples, fitted, mixture):
        """Shorter than a frame, or no multiple of the hop."""
        wave = mixture[2000 : 2000 + n_samples].astype(np.float64)
        sources = fitted.separate(wave).sources
        assert sources.shape == (2, n_samples)
        np.testing.assert_allclose(sources.sum(0), wave, rtol=0, atol=1e-12 * np.abs(mixture).max())

    @pytest.mark.parametrize("silence", [np.zeros(3000), np.zeros(3000, np.float32), np.zeros(1), np.zeros(900, int)])
    def test_silence_gives_silence(self, silence, fitted):
        sources = fitted.separate(silence).sources
        assert sources.shape == (2, len(silence))
        assert not sources.any()

    def test_pause_in_a_mixture(self, fitted, mixture):
        wave = mixture.astype(np.float64)
        wave[2000:6000] = 0
        sources = fitted.separate(wave).sources
        assert np.isfinite(sources).all()
        assert np.abs(sources[:, 2600:5400]).max() < 1e-12

    def test_constant_is_shared(self, fitted):
        """It has no level to scale by, but is no silence either."""
        np.testing.assert_allclose(fitted.separate(np.full(700, 0.1)).sources.sum(0), 0.1)

    def test_three_sources(self, audio, short_voices, mixture):
        labels = ["a", "b", "c"] * 2
        separation = clone(audio).fit(short_voices.utterances, labels).separate(mixture)
        assert separation.sources.shape == (3, len(mixture))
        np.testing.assert_allclose(separation.sources.sum(0), mixture, rtol=0, atol=1e-4)


class TestBlocks:
    """Long mixtures are separated block by block; here mixtures are short, and so are blocks."""

    @pytest.fixture
    def short_blocks(self, monkeypatch):
        """Blocks of one batch each, and short groups of the filter; the list of the blocks' sizes."""
        monkeypatch.setattr(_blockwise, "_BLOCK_VALUES", 1000)
        monkeypatch.setattr(_consistency, "_FEWEST", 1)
        explain, seen = SupervisedSeparator.explain, []

        def counted(self, X):
            seen.append(len(X))
            return explain(self, X)

        monkeypatch.setattr(SupervisedSeparator, "explain", counted)
        return seen

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("n_samples", [2, 255, 1919, 1920, 1921, 7001])
    def test_same_as_all_at_once(self, n_samples, dtype, batched, mixture, request):
        wave = mixture[500:][:n_samples].astype(dtype)
        expected = batched.separate(wave).sources
        sizes = request.getfixturevalue("short_blocks")
        sources = batched.separate(wave).sources
        n_frames = batched.stft_.n_frames(n_samples)
        assert sizes == [16] * (n_frames // 16) + [n_frames % 16] * (n_frames % 16 > 0)
        assert sources.dtype == dtype
        # sums for the level are rounded otherwise in blocks
        np.testing.assert_allclose(sources, expected, rtol=0, atol=100 * np.finfo(dtype).eps * np.abs(wave).max())

    def test_pieces_are_the_whole(self, batched, mixture, short_blocks):
        pieces = list(batched.separate_blocks(mixture))
        assert len(short_blocks) > len(pieces) > 1
        np.testing.assert_array_equal(np.concatenate(pieces, axis=1), batched.separate(mixture).sources)

    def test_silence(self, batched, short_blocks):
        sources = batched.separate(np.zeros(2500)).sources
        assert sources.shape == (2, 2500)
        assert not sources.any()
        assert sum(piece.shape[1] for piece in batched.separate_blocks(np.full(2500, 0.1))) == 2500

    def test_silence_longer_than_a_block(self, batched, mixture, short_blocks):
        wave = np.concatenate([mixture, np.zeros(9000, np.float32), mixture])
        sources = batched.separate(wave).sources
        np.testing.assert_allclose(sources.sum(0), wave, rtol=0, atol=1e-4 * np.abs(wave).max())
        assert not sources[:, len(mixture) + 1000 : len(mixture) + 8000].any()

    def test_three_sources(self, audio, short_voices, mixture, request):
        separator = SupervisedSeparator(audio.separator.source_model, batch_size=16)
        audio = clone(audio).set_params(separator=separator).fit(short_voices.utterances, ["a", "b", "c"] * 2)
        expected = audio.separate(mixture).sources
        request.getfixturevalue("short_blocks")
        np.testing.assert_allclose(audio.separate(mixture).sources, expected, rtol=0, atol=1e-4)

    @pytest.mark.parametrize("smoothness", [0.0, 1.0, 1000.0, None])
    def test_smooth_frames_hear_of_the_blocks_around(self, smoothness, batched, mixture, request):
        smooth = copy.deepcopy(batched)
        smooth.separator_.set_params(smoothness=smoothness)
        whole = smooth.separate(mixture).sources
        request.getfixturevalue("short_blocks")
        sources = smooth.separate(mixture).sources
        # sums for the level are rounded otherwise in blocks
        np.testing.assert_allclose(sources, whole, rtol=0, atol=1e-5 * np.abs(mixture).max())

    def test_recordings_are_smooth_unless_told_otherwise(self, batched, mixture):
        by_smoothness = {}
        for smoothness in (None, 0.0, 40.0):
            audio = copy.deepcopy(batched)
            audio.separator_.set_params(smoothness=smoothness)
            by_smoothness[smoothness] = audio.separate(mixture).sources
        np.testing.assert_array_equal(by_smoothness[None], by_smoothness[40.0])
        is_linear = batched.separator_.start_ is None
        assert (np.abs(by_smoothness[None] - by_smoothness[0.0]).max() > 1e-4) != is_linear

    def test_bad_mixture_is_refused_at_once(self, batched):
        with pytest.raises(ValueError, match="mixture contains NaN or infinity"):
            batched.separate_blocks([0.0, np.nan])


class TestLevel:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("gain", [1e-25, 1e-3, 50.0, 1e25])
    def test_sources_follow_the_mixture(self, gain, dtype, fitted, mixture):
        wave = mixture.astype(dtype)
        expected = fitted.separate(wave).sources
        scaled = fitted.separate(wave * dtype(gain)).sources
        np.testing.assert_allclose(scaled / dtype(gain), expected, rtol=0, atol=2e-3 * np.abs(wave).max())

    def test_training_level_does_not_matter(self, audio, fitted, short_voices, mixture):
        """One source louder in all its recordings: powers of two, so that rounding is the same."""
        gains = np.where(short_voices.speakers == "voice0", 2.0**-9, 2.0**7).astype(np.float32)
        waves = [gain * wave for gain, wave in zip(gains, short_voices.utterances, strict=True)]
        other = clone(audio).fit(waves, short_voices.speakers)
        np.testing.assert_allclose(other.separate(mixture), fitted.separate(mixture), rtol=0, atol=1e-6)

    def test_levels_within_a_source_do(self, audio, fitted, short_voices, mixture):
        """A whisper among shouts stays one: utterances are not brought to one level each."""
        waves = [wave * (0.01 if i % 3 == 0 else 1) for i, wave in enumerate(short_voices.utterances)]
        other = clone(audio).fit(waves, short_voices.speakers)
        assert not np.allclose(other.separate(mixture), fitted.separate(mixture), rtol=0, atol=1e-3)

    def test_int16(self, audio, fitted, short_voices, mixture):
        """Integers are divided by their full scale."""
        integers = (mixture / np.abs(mixture).max() * 32767).astype(np.int16)
        from_integers, from_floats = fitted.separate(integers), fitted.separate(integers.astype(np.float32) / 2**15)
        assert np.abs(from_integers.mixture).max() == np.float32(32767 / 2**15)
        np.testing.assert_array_equal(from_integers.sources, from_floats.sources)
        waves = [(wave * 32767).astype(np.int16) for wave in short_voices.utterances]
        other = clone(audio).fit(waves, short_voices.speakers)
        error = np.asarray(other.separate(mixture)) - np.asarray(fitted.separate(mixture))
        assert np.std(error) < 0.1 * np.std(mixture)


class TestSeparation:
    def test_brings_the_voices_out(self, fitted, short_voices):
        mixture, references = make_mixture([short_voices.utterances[2], short_voices.utterances[3]])
        before, after = si_sdr(references, np.stack([mixture] * 2)), si_sdr(references, fitted.separate(mixture))
        assert (after > before + 3).all()

    def test_real_speech(self, real_speech, seed):
        """One woman and one man, and only ten templates each."""
        pair = make_pair(real_speech, speaker_pairs(real_speech)[0])
        audio = AudioSeparator(SupervisedSeparator(NMFSourceModel(10, max_iter=40)), random_state=seed)
        audio.fit(pair.train_utterances, pair.train_speakers)
        separation = audio.separate(pair.mixture)
        estimates = np.stack([separation[speaker] for speaker in pair.reference_speakers])
        before = si_sdr(pair.references, np.stack([pair.mixture] * 2))
        assert np.mean(si_sdr(pair.references, estimates) - before) > 3

    def test_renaming_permutes_the_output_exactly(self, audio, fitted, short_voices, mixture):
        names = np.where(short_voices.speakers == "voice0", "z", "a")
        renamed = clone(audio).fit(short_voices.utterances, names).separate(mixture)
        np.testing.assert_array_equal(renamed["z"], fitted.separate(mixture)["voice0"])
        np.testing.assert_array_equal(renamed["a"], fitted.separate(mixture)["voice1"])

    def test_seed_decides(self, audio, fitted, short_voices, mixture, seed):
        again = clone(audio).fit(short_voices.utterances, short_voices.speakers)
        np.testing.assert_array_equal(again.separate(mixture), fitted.separate(mixture))
        other = clone(audio).set_params(random_state=seed + 1).fit(short_voices.utterances, short_voices.speakers)
        assert not np.allclose(other.separate(mixture), fitted.separate(mixture))

    def test_parameters_of_the_parts(self, audio, short_voices, mixture):
        changed = clone(audio).set_params(stft__n_fft=256, separator__source_model__n_components=2)
        changed.fit(short_voices.utterances, short_voices.speakers)
        assert changed.stft_.n_bins == 129
        assert changed.separator_.n_features_in_ == 129
        assert changed.separator_.source_models_[0].n_components == 2
        assert (audio.stft.n_fft, audio.separator.source_model.n_components) == (512, 5)
        assert changed.separate(mixture).sources.shape == (2, len(mixture))

    def test_score_is_that_of_mixtures_at_equal_level(self, fitted, short_voices):
        waves, speakers = short_voices.utterances, short_voices.speakers
        ratios = []
        for low, high in zip(waves[:2], waves[3:5], strict=True):
            mixture, references = make_mixture([low, high])
            ratios.append(si_sdr(references, fitted.separate(mixture)))
        assert fitted.score(waves[:2] + waves[3:], [*speakers[:2], *speakers[3:]]) == pytest.approx(np.mean(ratios))
        quiet = [wave * (0.01 if speaker == "voice0" else 1) for wave, speaker in zip(waves, speakers, strict=True)]
        assert fitted.score(quiet, speakers) == pytest.approx(fitted.score(waves, speakers), abs=0.1)

    def test_grid_search(self, audio, short_voices):
        search = GridSearchCV(
            audio, {"separator__mask_exponent": [1, 2]}, cv=StratifiedKFold(3), error_score="raise"
        ).fit(short_voices.utterances, short_voices.speakers)
        scores = search.cv_results_["mean_test_score"]
        assert np.isfinite(scores).all()
        assert scores[0] != scores[1]
        assert search.best_score_ > 0

    def test_fold_without_a_source(self, audio, short_voices):
        search = GridSearchCV(audio, {"separator__mask_exponent": [1]}, cv=KFold(2), error_score="raise")
        with pytest.raises(ValueError, match="utterances of two or more sources, but y names 1 class"):
            search.fit(short_voices.utterances, short_voices.speakers)


class TestLists:
    def test_utterances_of_any_length(self, fitted, short_voices):
        lengths = [len(wave) for wave in short_voices.utterances]
        assert len(set(lengths)) > 1
        separated = fitted.transform(short_voices.utterances)
        assert [sources.shape for sources in separated] == [(2, length) for length in lengths]
        np.testing.assert_array_equal(separated[1], fitted.separate(short_voices.utterances[1]))
        for wave, back in zip(short_voices.utterances, fitted.inverse_transform(separated), strict=True):
            np.testing.assert_allclose(back, wave, rtol=0, atol=1e-5)

    @pytest.mark.parametrize("container", [tuple, list, "object"])
    def test_containers(self, container, audio, fitted, short_voices, mixture):
        waves = np.empty(len(short_voices.utterances), dtype=object)
        waves[:] = short_voices.utterances
        X = waves if container == "object" else container(waves)
        other = clone(audio).fit(X, list(short_voices.speakers))
        np.testing.assert_array_equal(other.separate(mixture), fitted.separate(mixture))
        assert [sources.shape for sources in other.transform(X)] == [(2, len(wave)) for wave in waves]

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_rows_of_an_array(self, dtype, audio, short_voices):
        X = matrix(short_voices, dtype)
        by_rows = clone(audio).fit(X, short_voices.speakers)
        separated = by_rows.transform(X)
        assert separated.shape == (len(X), 2 * X.shape[1])
        assert separated.dtype == dtype
        np.testing.assert_allclose(by_rows.inverse_transform(separated), X, rtol=0, atol=1e-5)
        by_list = clone(audio).fit(list(X), short_voices.speakers)
        np.testing.assert_array_equal(by_list.transform(list(X)), separated.reshape(len(X), 2, -1))
        assert by_rows.score(X, short_voices.speakers) == by_list.score(list(X), short_voices.speakers)

    def test_names_of_the_columns(self, audio, short_voices):
        X = matrix(short_voices)[:, :1000]
        audio = clone(audio).fit(X, short_voices.speakers)
        names = audio.get_feature_names_out()
        assert (names[0], names[1000], len(names)) == ("voice0_x0", "voice1_x0", 2000)
        table = audio.set_output(transform="pandas").transform(X)
        assert isinstance(table, pd.DataFrame)
        assert table.columns.tolist() == names.tolist()

    def test_fit_on_a_list_forgets_the_length_of_an_array(self, audio, short_voices):
        audio = clone(audio).fit(matrix(short_voices), short_voices.speakers)
        with pytest.raises(ValueError, match="is expecting"):
            audio.transform(np.ones((1, 100)))
        audio.fit(short_voices.utterances, short_voices.speakers)
        assert not hasattr(audio, "n_features_in_")
        assert audio.transform(np.ones((1, 100))).shape == (1, 200)


class TestErrors:
    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            (np.array([0.0, np.nan]), "contains NaN or infinity"),
            (np.array([0.0, np.inf]), "contains NaN or infinity"),
            (np.array([1j, 0]), "Complex data not supported"),
            (np.zeros(0), "is empty"),
            (np.zeros((2, 50)), "must be 1-D"),
            (np.array(["a", "b"]), "must hold numbers"),
        ],
        ids=["NaN", "infinite", "complex", "empty", "stereo", "text"],
    )
    def test_bad_waveforms(self, bad, message, audio, fitted, short_voices):
        with pytest.raises(ValueError, match=f"mixture.*{message}|{message}.*mixture"):
            fitted.separate(bad)
        waves = [*short_voices.utterances[:5], bad]
        with pytest.raises(ValueError, match=f"utterance 5.*{message}|{message}.*utterance 5"):
            clone(audio).fit(waves, short_voices.speakers)
        with pytest.raises(ValueError, match="utterance 5"):
            fitted.transform(waves)
        with pytest.raises(ValueError, match="utterance 5"):
            fitted.score(waves, short_voices.speakers)

    @pytest.mark.parametrize(
        ("X", "message"),
        [
            ([], "X is empty"),
            (np.zeros((0, 100)), r"0 sample\(s\)"),
            (np.full((6, 100), np.nan), "contains NaN"),
            (np.ones((6, 100)) * 1j, "Complex data not supported"),
        ],
        ids=["empty list", "empty array", "NaN", "complex"],
    )
    def test_bad_arrays(self, X, message, audio, fitted, short_voices):
        with pytest.raises(ValueError, match=message):
            clone(audio).fit(X, short_voices.speakers[: len(X)])
        with pytest.raises(ValueError, match=message):
            fitted.transform(X)

    @pytest.mark.parametrize("as_array", [False, True])
    def test_labels(self, as_array, audio, fitted, short_voices, rng):
        X = matrix(short_voices) if as_array else short_voices.utterances
        for y, message in [
            (["a"] * 6, "utterances of two or more sources, but y names 1 class"),
            (None, "requires y"),
            (["a"] * 3 + ["b"] * 2, "6 utterances, but y has 5 labels|inconsistent numbers of samples"),
            (rng.normal(size=6), "Unknown label type"),
        ]:
            with pytest.raises(ValueError, match=message):
                clone(audio).fit(X, y)
        for y, message in [
            (["voice0"] * 6, r"No utterances of source\(s\) \['voice1'\]"),
            (["voice0"] * 3 + ["voice1"] * 2 + ["cat"], r"Unknown source label\(s\) \['cat'\]"),
            (None, "requires y"),
        ]:
            with pytest.raises(ValueError, match=message):
                fitted.score(X, y)

    @pytest.mark.parametrize("value", [0.0, 0.1])
    def test_silent_source(self, value, audio, short_voices):
        waves = [np.full(800, value) if i < 3 else wave for i, wave in enumerate(short_voices.utterances)]
        with pytest.raises(ValueError, match="All utterances of source 'voice0' are silent"):
            clone(audio).fit(waves, short_voices.speakers)

    def test_silent_utterance_has_no_score(self, fitted, short_voices):
        waves = [np.zeros(800) if i == 0 else wave for i, wave in enumerate(short_voices.utterances)]
        with pytest.raises(ValueError, match="silent"):
            fitted.score(waves, short_voices.speakers)

    def test_inverse_transform_of_something_else(self, fitted):
        with pytest.raises(ValueError, match="Every array of S must hold 2 sources"):
            fitted.inverse_transform([np.zeros((3, 10))])
        with pytest.raises(ValueError, match="S has 7 columns, which is no multiple of the 2 sources"):
            fitted.inverse_transform(np.zeros((3, 7)))
        with pytest.raises(ValueError, match="S contains NaN"):
            fitted.inverse_transform(np.full((3, 8), np.nan))

    @pytest.mark.parametrize("parameter", [{"separator": 3}, {"stft": "hann"}, {"sample_rate": 0}], ids=str)
    def test_bad_parameters(self, parameter, audio, short_voices):
        (name,) = parameter
        with pytest.raises(ValueError, match=f"The '{name}' parameter of AudioSeparator must be"):
            clone(audio).set_params(**parameter).fit(short_voices.utterances, short_voices.speakers)

    def test_unfitted(self, audio, short_voices, mixture):
        for call in (
            lambda: audio.separate(mixture),
            lambda: audio.separate_blocks(mixture),
            lambda: audio.transform([mixture]),
            lambda: audio.inverse_transform([np.stack([mixture] * 2)]),
            lambda: audio.score(short_voices.utterances, short_voices.speakers),
            lambda: audio.get_feature_names_out(),
        ):
            with pytest.raises(NotFittedError, match="This AudioSeparator instance is not fitted yet"):
                call()


class TestResult:
    def test_holds_all(self, separation, mixture):
        assert isinstance(separation, Separation)
        assert separation.labels.tolist() == ["voice0", "voice1"]
        assert separation.sample_rate == 16000
        np.testing.assert_array_equal(separation.mixture, mixture)
        assert list(separation.waves()) == ["mixture", "voice0", "voice1"]

    def test_source_called_mixture(self):
        labels = np.array(["mixture", "noise"])
        waves = Separation(np.array([[1.0], [2.0]]), labels, np.array([3.0]), 16000).waves()
        assert {name: wave.item() for name, wave in waves.items()} == {"mixture of all": 3, "mixture": 1, "noise": 2}

    def test_is_a_sequence_of_sources(self, separation):
        assert len(separation) == 2
        first, second = separation
        np.testing.assert_array_equal(np.stack([first, second]), separation.sources)

    def test_is_an_array(self, separation, mixture):
        array = np.asarray(separation)
        assert array.shape == (2, len(mixture))
        np.testing.assert_array_equal(array, separation.sources)
        assert np.asarray(separation, dtype=np.float16).dtype == np.float16
        assert np.shares_memory(array, separation.sources)
        np.array(separation)[:] = 0
        assert separation.sources.any()

    def test_finds_sources_by_label(self, separation):
        np.testing.assert_array_equal(separation["voice1"], separation.sources[1])
        with pytest.raises(KeyError, match=r"No source 'cat'; the sources are \['voice0', 'voice1'\]"):
            separation["cat"]
        with pytest.raises(KeyError, match="No source 0; the sources are"):
            separation[0]

    def test_finds_integer_labels(self, audio, short_voices, mixture):
        separation = clone(audio).fit(short_voices.utterances, [5, 5, 5, 3, 3, 3]).separate(mixture)
        np.testing.assert_array_equal(separation[3], separation.sources[0])
        np.testing.assert_array_equal(separation[5], separation.sources[1])

    def test_writes_files(self, separation, tmp_path):
        paths = separation.save(tmp_path / "new" / "folder")
        assert [path.name for path in paths] == ["voice0.wav", "voice1.wav"]
        for path, source in zip(paths, separation, strict=True):
            wave, sample_rate = load_audio(path)
            assert sample_rate == 16000
            np.testing.assert_allclose(wave, source, rtol=0, atol=2.0**-15)

    def test_shows_itself(self, separation, mixture):
        assert repr(separation) == f"Separation of {len(mixture) / 16000:.2f} s at 16000 Hz into voice0, voice1"
        page = separation._repr_html_()
        assert page.count("<audio") == 3
        assert all(name in page for name in ("mixture", "voice0", "voice1"))


def test_a_wave_of_another_rate_is_refused_by_name(fitted, mixture):
    named = "The mixture has 44100 Hz, but this separator was made for 16000 Hz: convert it by .*resample"
    for method in (fitted.separate, fitted.separate_blocks):
        with pytest.raises(ValueError, match=named):
            method(mixture, 44100)
        with pytest.raises(ValueError, match=named):
            method(mixture, sample_rate=44100)
    np.testing.assert_array_equal(fitted.separate(mixture, 16000).sources, fitted.separate(mixture).sources)


def test_what_is_loaded_is_separated_with_its_rate(fitted, mixture, tmp_path):
    save_audio(tmp_path / "mix.wav", mixture, 8000, subtype="FLOAT")
    with pytest.raises(ValueError, match="The mixture has 8000 Hz"):
        fitted.separate(*load_audio(tmp_path / "mix.wav"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_channels_get_the_masks_of_the_mixture(batched, mixture, dtype):
    left = mixture.astype(dtype)
    right = (0.5 * left[::-1] + 0.1 * np.random.default_rng(0).normal(size=left.size)).astype(dtype)
    channels = np.stack([left, right, 0 * left])
    mono = channels.mean(axis=0)
    sources = np.concatenate(list(batched.separate_blocks(mono, channels=channels)), axis=-1)
    assert sources.shape == (2, 3, mixture.size) and sources.dtype == dtype
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(sources.sum(axis=0), channels, atol=tolerance * np.abs(channels).max())
    # masks are linear: the average of the channels' sources is the source of their average
    separated = batched.separate(mono).sources
    np.testing.assert_allclose(sources.mean(axis=1), separated, atol=tolerance * np.abs(mono).max())
    alone = np.concatenate(list(batched.separate_blocks(mono, channels=mono[np.newaxis])), axis=-1)
    np.testing.assert_allclose(alone[:, 0], separated, atol=tolerance * np.abs(mono).max())


def test_channels_of_a_silent_mixture_are_shared(fitted, mixture):
    channels = np.stack([mixture, -mixture])
    sources = np.concatenate(list(fitted.separate_blocks(0 * mixture, channels=channels)), axis=-1)
    np.testing.assert_array_equal(sources, np.stack([channels / 2, channels / 2]))


def test_channels_must_fit_the_mixture(fitted, mixture):
    with pytest.raises(ValueError, match="channels must have shape"):
        fitted.separate_blocks(mixture, channels=[mixture[1:]])
    with pytest.raises(ValueError, match="NaN"):
        fitted.separate_blocks(mixture, channels=[mixture, np.nan * mixture])

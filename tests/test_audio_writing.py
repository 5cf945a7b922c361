"""What is written: in which format and encoding, and nothing but complete files."""

import stat

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklearn_gass.audio_io import _encodings, load_audio, save_audio

RATE = 16000


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape)


class TestWrite:
    @settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        samples=hnp.arrays(np.int16, st.integers(1, 50)),
        dtype=st.sampled_from(["float32", "float64"]),
        suffix=st.sampled_from(["wav", "flac", "aiff"]),
    )
    def test_what_was_read_is_written_back_unchanged(self, tmp_path, samples, dtype, suffix):
        first, second = tmp_path / "first.wav", tmp_path / f"second.{suffix}"
        soundfile.write(first, samples, RATE)
        save_audio(second, load_audio(first, dtype=dtype)[0], RATE)
        np.testing.assert_array_equal(soundfile.read(second, dtype="int16")[0], samples)

    @pytest.mark.parametrize(("subtype", "bits"), [("PCM_16", 15), ("PCM_24", 23), ("PCM_32", 31)])
    def test_rounding_is_to_the_nearest_step(self, tmp_path, subtype, bits):
        wave = noise(1000)
        save_audio(tmp_path / "a.wav", wave, RATE, subtype=subtype)
        assert soundfile.info(tmp_path / "a.wav").subtype == subtype
        loaded, _ = load_audio(tmp_path / "a.wav", dtype="float64")
        assert np.abs(loaded - wave).max() <= 0.5000001 * 2.0**-bits
        save_audio(tmp_path / "b.wav", [1.0, -1.0], RATE, subtype=subtype)
        np.testing.assert_allclose(load_audio(tmp_path / "b.wav", dtype="float64")[0], [1, -1], atol=2.0**-bits)

    def test_integers_mean_the_same_as_floats(self, tmp_path):
        for samples in (np.array([1, -32768, 32767], np.int16), np.array([1 << 20, -(1 << 31)], np.int32)):
            save_audio(tmp_path / "a.wav", samples, RATE, subtype="DOUBLE")
            expected = samples / -float(np.iinfo(samples.dtype).min)
            np.testing.assert_array_equal(load_audio(tmp_path / "a.wav", dtype="float64")[0], expected)

    def test_default_encoding_clips_nothing(self, tmp_path):
        save_audio(tmp_path / "a.wav", [0.5, -1.0, 1.0], RATE)
        assert soundfile.info(tmp_path / "a.wav").subtype == "PCM_16"
        loud = np.array([0.5, -1.5, 1.0], np.float32)
        save_audio(tmp_path / "a.wav", loud, RATE)
        assert soundfile.info(tmp_path / "a.wav").subtype == "FLOAT"
        np.testing.assert_array_equal(load_audio(tmp_path / "a.wav")[0], loud)

    @pytest.mark.parametrize(("name", "subtype"), [("a.wav", "PCM_16"), ("a.flac", None), ("a.ogg", None)])
    def test_clipping_is_refused(self, tmp_path, name, subtype):
        with pytest.raises(ValueError, match=r"peak of 1\.5, which \w+ files of subtype \w+ would clip at 1; divide"):
            save_audio(tmp_path / name, [0.0, -1.5], RATE, subtype=subtype)
        assert list(tmp_path.iterdir()) == []

    def test_channels_come_back_in_order(self, tmp_path):
        channels = noise(3, 40).astype(np.float32)
        save_audio(tmp_path / "a.wav", channels, RATE, subtype="FLOAT")
        np.testing.assert_array_equal(load_audio(tmp_path / "a.wav", mono=False)[0], channels)

    @pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "DOUBLE"])
    def test_long_waveforms_are_written_in_pieces(self, subtype, tmp_path, monkeypatch):
        channels = noise(3, 40) / 10
        save_audio(tmp_path / "whole.wav", channels, RATE, subtype=subtype)
        monkeypatch.setattr(_encodings, "_WRITTEN_AT_ONCE", 7)
        save_audio(tmp_path / "pieces.wav", channels, RATE, subtype=subtype)
        whole, pieces = (load_audio(tmp_path / f"{name}.wav", mono=False)[0] for name in ("whole", "pieces"))
        np.testing.assert_array_equal(pieces, whole)
        np.testing.assert_allclose(pieces, channels, rtol=0, atol=2.0**-15)

    def test_lossy_format(self, tmp_path):
        tone = 0.5 * np.sin(np.arange(8000) / 5)
        save_audio(tmp_path / "a.ogg", tone, RATE)
        np.testing.assert_allclose(load_audio(tmp_path / "a.ogg")[0][500:-500], tone[500:-500], atol=0.05)

    def test_failure_leaves_the_old_file_and_nothing_else(self, tmp_path, monkeypatch):
        path = tmp_path / "a.wav"
        save_audio(path, [0.25], RATE)

        def fail(file, data):
            assert [other.suffix for other in tmp_path.iterdir() if other != path] == [".part"]
            raise OSError("disk full")

        monkeypatch.setattr(soundfile.SoundFile, "write", fail)
        with pytest.raises(OSError, match="disk full"):
            save_audio(path, [0.5, 0.5], RATE)
        assert load_audio(path)[0].tolist() == [0.25]
        assert list(tmp_path.iterdir()) == [path]

    def test_permissions_are_those_of_new_files(self, tmp_path):
        (tmp_path / "plain").touch()
        save_audio(tmp_path / "a.wav", [0.0], RATE)
        modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        assert len(modes) == 1

    @pytest.mark.parametrize(
        ("wave", "message"),
        [
            ([0.0, np.nan], "NaN or infinity"),
            ([], "not be empty"),
            (np.zeros((1, 2, 3)), r"\(n_samples,\) or \(n_channels, n_samples\)"),
            (np.zeros((100, 2)), r"more channels than samples, shape \(100, 2\)"),
            ([1j], "Complex"),
            (np.array([1, 2]), "must hold floats, int16, int32 or uint8, got int64"),
            (np.array([True, False]), "must hold floats, int16, int32 or uint8, got bool"),
        ],
    )
    def test_bad_waves_are_refused(self, tmp_path, wave, message):
        with pytest.raises(ValueError, match=message):
            save_audio(tmp_path / "a.wav", wave, RATE)

    def test_bad_places_are_refused(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"Cannot write audio file .*a\.wav: the folder .*none does not"):
            save_audio(tmp_path / "none" / "a.wav", [0.0], RATE)
        (tmp_path / "b.wav").mkdir()
        with pytest.raises(IsADirectoryError, match="it is a folder"):
            save_audio(tmp_path / "b.wav", [0.0], RATE)
        for name in ("a", "a.xyz", "a.raw"):
            with pytest.raises(ValueError, match="names no sound format"):
                save_audio(tmp_path / name, [0.0], RATE)

    def test_bad_encodings_are_refused(self, tmp_path):
        with pytest.raises(ValueError, match=r"subtype 'FLOAT' does not exist in FLAC files; these do: \['PCM_16'"):
            save_audio(tmp_path / "a.flac", [0.0], RATE, subtype="FLOAT")
        with pytest.raises(ValueError, match="sample_rate must be a positive integer"):
            save_audio(tmp_path / "a.wav", [0.0], 0)
        with pytest.raises(OSError, match=r"Cannot write audio file .*a\.opus \(libsndfile: "):
            save_audio(tmp_path / "a.opus", [0.0], 12345, subtype="OPUS")
        assert list(tmp_path.iterdir()) == []

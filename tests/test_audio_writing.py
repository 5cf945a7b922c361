"""What is written: in which format and encoding, and nothing but complete files."""

import errno
import io
import stat
import tempfile
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklearn_gass.audio_io import AUDIO_SUFFIXES, _encodings, load_audio, save_audio
from sklearn_gass.audio_io._foreign import FOREIGN_SUFFIXES

RATE = 16000


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape)


@contextmanager
def file_size_limit(n_bytes):
    """Let no file grow beyond a size, as on a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


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

    def test_bytes_are_samples_around_128(self, tmp_path):
        save_audio(tmp_path / "a.wav", np.array([0, 64, 128, 255], np.uint8), RATE)
        np.testing.assert_array_equal(load_audio(tmp_path / "a.wav")[0], [-1, -0.5, 0, 127 / 128])

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

    @pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "au", "caf", "w64"])
    @pytest.mark.parametrize("peak", [1.0, 1e-2, 1e-3, 1e-4])
    def test_quiet_waves_keep_60_db(self, tmp_path, suffix, peak):
        wave = noise(5000) * 2 * peak
        save_audio(tmp_path / f"a.{suffix}", wave, RATE)
        loaded, _ = load_audio(tmp_path / f"a.{suffix}", dtype="float64")
        assert np.linalg.norm(loaded - wave) <= 1e-3 * np.linalg.norm(wave)

    def test_encoding_is_the_first_that_keeps_60_db(self, tmp_path):
        for peak, subtype in ((0.1, "PCM_16"), (1e-3, "PCM_24"), (1e-5, "FLOAT"), (1e-43, "DOUBLE"), (0, "PCM_16")):
            save_audio(tmp_path / "a.wav", noise(5000) * 2 * peak, RATE)
            assert soundfile.info(tmp_path / "a.wav").subtype == subtype
        quiet_integers = np.arange(-3, 4, dtype=np.int16)
        save_audio(tmp_path / "a.wav", quiet_integers, RATE)
        assert soundfile.info(tmp_path / "a.wav").subtype == "PCM_16"
        save_audio(tmp_path / "a.wav", np.array([0.0, 1e300]), RATE)
        assert soundfile.info(tmp_path / "a.wav").subtype == "DOUBLE"

    @pytest.mark.parametrize(("name", "subtype", "peak"), [("a.flac", None, 1e-5), ("a.wav", "PCM_16", 1e-3)])
    def test_what_is_rounded_off_of_quiet_waves_is_said(self, tmp_path, name, subtype, peak):
        with pytest.warns(
            UserWarning, match=rf"{name} is written in PCM_\d\d, whose rounding error is only \d\d dB below"
        ):
            save_audio(tmp_path / name, noise(5000) * 2 * peak, RATE, subtype=subtype)

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

    @pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "caf"])
    def test_full_disk_is_told_and_leaves_the_old_file(self, tmp_path, suffix):
        path = tmp_path / f"a.{suffix}"
        save_audio(path, np.full(100, 0.25), RATE)
        old = path.read_bytes()
        with file_size_limit(10_000), pytest.raises(OSError, match=r"File too large: '.*a\.\w+'") as caught:
            save_audio(path, noise(200_000), RATE)
        assert caught.value.errno == errno.EFBIG
        assert caught.value.filename == str(path)
        assert path.read_bytes() == old
        assert list(tmp_path.iterdir()) == [path]

    def test_long_names(self, tmp_path):
        path = tmp_path / ("a" * 251 + ".wav")
        save_audio(path, [0.25], RATE)
        assert load_audio(path)[0].tolist() == [0.25]

    def test_every_suffix_that_is_read_without_pyav(self, tmp_path):
        for suffix in sorted(AUDIO_SUFFIXES - FOREIGN_SUFFIXES):
            save_audio(tmp_path / f"a{suffix}", noise(4000), RATE)
            assert load_audio(tmp_path / f"a{suffix}")[0].size == 4000, suffix
        assert soundfile.info(tmp_path / "a.opus").subtype == "OPUS"

    def test_open_files(self, tmp_path):
        wave, content = noise(100), io.BytesIO()
        save_audio(content, wave, RATE)
        assert content.getvalue()[:4] == b"RIFF"
        with (tmp_path / "a.flac").open("wb") as file:
            save_audio(file, wave, RATE)
        with tempfile.TemporaryFile() as file:
            save_audio(file, wave, RATE)
            file.seek(0)
            np.testing.assert_array_equal(load_audio(file)[0], load_audio(tmp_path / "a.flac")[0])
        for wrong in (io.StringIO(), 3, None):
            with pytest.raises(TypeError, match="must be a path or a file open in binary mode"):
                save_audio(wrong, wave, RATE)

    def test_more_than_4_gib(self, tmp_path, monkeypatch):
        monkeypatch.setattr(_encodings, "_MAX_BYTES", 1000)
        save_audio(tmp_path / "a.wav", noise(600), RATE)
        assert (tmp_path / "a.wav").read_bytes()[:4] == b"RF64"
        assert load_audio(tmp_path / "a.wav")[0].size == 600
        with pytest.raises(ValueError, match="too long for an AIFF file"):
            save_audio(tmp_path / "a.aiff", noise(600), RATE)

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

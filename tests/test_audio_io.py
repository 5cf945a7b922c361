import os
import stat
import struct
import warnings
from pathlib import Path

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


def sphere_bytes(samples, *, n_promised=None, n_channels=1, order="<"):
    """Build a NIST SPHERE file by hand."""
    n_promised = len(samples) // n_channels if n_promised is None else n_promised
    fields = [
        "database_id -s5 TIMIT",
        f"channel_count -i {n_channels}",
        f"sample_count -i {n_promised}",
        f"sample_rate -i {RATE}",
        "sample_n_bytes -i 2",
        f"sample_byte_format -s2 {'01' if order == '<' else '10'}",
        "sample_sig_bits -i 16",
        "end_head",
    ]
    header = "\n".join(["NIST_1A", "   1024", *fields, ""]).encode()
    return header.ljust(1024) + np.asarray(samples).astype(f"{order}i2").tobytes()


@pytest.fixture
def timit():
    folder = os.environ.get("SKLEARN_GASS_DATA")
    if not folder:
        pytest.skip("needs real speech: SKLEARN_GASS_DATA names no folder")
    files = sorted(Path(folder).rglob("sa1.wav"))
    if not files:
        pytest.skip(f"needs real speech: no sa1.wav below {folder}")
    return files


class TestRead:
    def test_integers_are_divided_by_full_scale(self, tmp_path):
        samples = np.array([0, 1, -1, 16384, 32767, -32768], dtype=np.int16)
        soundfile.write(tmp_path / "a.wav", samples, RATE)
        for dtype in ("float32", "float64"):
            wave, rate = load_audio(tmp_path / "a.wav", dtype=dtype)
            assert rate == RATE
            assert wave.dtype == dtype
            np.testing.assert_array_equal(wave, samples / 32768)

    def test_stereo_is_averaged_or_kept(self, tmp_path):
        channels = noise(2, 100).astype(np.float32)
        soundfile.write(tmp_path / "a.wav", channels.T, RATE, subtype="FLOAT")
        np.testing.assert_array_equal(load_audio(str(tmp_path / "a.wav"), mono=False)[0], channels)
        wave, _ = load_audio(tmp_path / "a.wav")
        assert wave.dtype == np.float32
        np.testing.assert_allclose(wave, channels.mean(axis=0), rtol=1e-6)

    def test_mono_file_keeps_its_axis_of_channels_when_asked(self, tmp_path):
        soundfile.write(tmp_path / "a.wav", noise(100), RATE)
        assert load_audio(tmp_path / "a.wav", mono=False)[0].shape == (1, 100)

    @pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "aiff", "au", "caf", "w64", "rf64", "nist"])
    def test_formats(self, tmp_path, suffix):
        wave = noise(3000)
        soundfile.write(tmp_path / f"a.{suffix}", wave, RATE)
        loaded, rate = load_audio(tmp_path / f"a.{suffix}")
        assert rate == RATE
        assert loaded.shape == wave.shape
        if suffix != "ogg":
            np.testing.assert_allclose(loaded, wave, atol=2 / 32768)

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_sphere(self, tmp_path, order):
        samples = np.array([0, 1, -2, 300, -32768, 32767])
        (tmp_path / "a.wav").write_bytes(sphere_bytes(samples, order=order))
        wave, rate = load_audio(tmp_path / "a.wav")
        assert rate == RATE
        np.testing.assert_array_equal(wave, samples / 32768)

    def test_sphere_with_two_channels(self, tmp_path):
        (tmp_path / "a.sph").write_bytes(sphere_bytes(np.arange(10), n_channels=2))
        wave, _ = load_audio(tmp_path / "a.sph", mono=False)
        np.testing.assert_array_equal(wave * 32768, [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]])

    def test_sphere_with_other_bytes_behind_the_samples(self, tmp_path):
        (tmp_path / "a.wav").write_bytes(sphere_bytes([1, 2, 3]) + b"\x7f" * 50)
        np.testing.assert_array_equal(load_audio(tmp_path / "a.wav")[0] * 32768, [1, 2, 3])

    def test_real_speech_is_complete(self, timit):
        for path in timit:
            header = path.read_bytes()[:1024].decode().splitlines()
            promised = next(int(line.split()[-1]) for line in header if line.startswith("sample_count"))
            wave, rate = load_audio(path)
            assert (wave.size, rate) == (promised, 16000)
            raw = np.frombuffer(path.read_bytes()[1024:], dtype="<i2")
            np.testing.assert_array_equal(wave, raw / 32768)

    def test_wav_of_unknown_length_is_read_to_its_end(self, tmp_path):
        # what ffmpeg writes into a pipe
        soundfile.write(tmp_path / "a.wav", noise(100), RATE)
        content = bytearray((tmp_path / "a.wav").read_bytes())
        content[4:8] = content[40:44] = b"\xff" * 4
        (tmp_path / "a.wav").write_bytes(content)
        assert load_audio(tmp_path / "a.wav")[0].size == 100

    def test_chunks_around_the_samples_are_skipped(self, tmp_path):
        soundfile.write(tmp_path / "a.wav", noise(100), RATE)
        content = (tmp_path / "a.wav").read_bytes()
        odd_chunk = b"LIST" + struct.pack("<I", 3) + b"abc\0"
        (tmp_path / "a.wav").write_bytes(content[:36] + odd_chunk + content[36:] + odd_chunk)
        expected = np.frombuffer(content[44:], "<i2") / 32768
        np.testing.assert_array_equal(load_audio(tmp_path / "a.wav")[0], expected)


class TestResample:
    @pytest.mark.parametrize(("rate", "new_rate"), [(16000, 8000), (8000, 11025), (44100, 16000), (16000, 16000)])
    @pytest.mark.parametrize("n_samples", [1, 7, 1000, 4410])
    def test_length_is_exact(self, tmp_path, rate, new_rate, n_samples):
        soundfile.write(tmp_path / "a.wav", noise(n_samples, 2), rate)
        wave, returned = load_audio(tmp_path / "a.wav", sample_rate=new_rate, mono=False)
        assert returned == new_rate
        assert wave.shape == (2, -(-n_samples * new_rate // rate))
        assert wave.dtype == np.float32

    def test_a_tone_keeps_its_frequency(self, tmp_path):
        tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
        soundfile.write(tmp_path / "a.wav", tone, RATE, subtype="DOUBLE")
        wave, _ = load_audio(tmp_path / "a.wav", sample_rate=8000, dtype="float64")
        expected = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
        np.testing.assert_allclose(wave[500:-500], expected[500:-500], atol=1e-3)


def truncate(path, n_bytes):
    content = path.read_bytes()
    path.write_bytes(content[:n_bytes])


class TestDamage:
    @pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "aiff", "au", "caf", "w64", "rf64", "nist"])
    @pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
    def test_truncated_files_are_refused(self, tmp_path, suffix, share):
        path = tmp_path / f"a.{suffix}"
        # random bits, so that the lossless formats do not shrink it
        soundfile.write(path, noise(40000), RATE)
        truncate(path, int(share * path.stat().st_size))
        with pytest.raises(ValueError, match=r"a\.\w+ is (truncated|damaged)"):
            load_audio(path)

    @pytest.mark.parametrize("suffix", ["wav", "aiff", "au", "nist"])
    def test_one_missing_byte_is_noticed(self, tmp_path, suffix):
        path = tmp_path / f"a.{suffix}"
        soundfile.write(path, noise(100), RATE)
        truncate(path, path.stat().st_size - 1)
        with pytest.raises(
            ValueError, match=r"truncated: its header promises (200 bytes of samples, but 199|208 .* 207)"
        ):
            load_audio(path)

    def test_truncated_sphere_names_the_file(self, tmp_path):
        path = tmp_path / "speech.wav"
        path.write_bytes(sphere_bytes(np.arange(50), n_promised=60))
        with pytest.raises(
            ValueError, match=r"speech\.wav is truncated: .* promises 120 bytes of samples, but 100 are"
        ):
            load_audio(path)

    def test_truncated_real_speech(self, timit, tmp_path):
        path = tmp_path / "a.wav"
        path.write_bytes(timit[0].read_bytes()[:-1000])
        with pytest.raises(ValueError, match="truncated"):
            load_audio(path)

    @pytest.mark.parametrize("suffix", ["wav", "flac", "raw", "au", "snd", "vox", "gsm", "txt", ""])
    @pytest.mark.parametrize("content", [b"no sound " * 100, bytes(1000), b"R", b"RIFF", b"NIST_1A\n   x\n", b".snd"])
    def test_garbage_is_refused_whatever_its_name(self, tmp_path, suffix, content):
        path = tmp_path / f"a.{suffix}"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"Audio file .*a\.\w* (is damaged|is no sound file|is trunc)"):
            load_audio(path)

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        magic=st.sampled_from([b"RIFF", b"FORM", b"RF64", b"riff", b".snd", b"NIST_1A\n   1024\n", b"fLaC"]),
        data=st.data(),
    )
    def test_any_bytes_give_sound_or_a_clear_error(self, tmp_path, magic, data):
        path = tmp_path / "a.wav"
        path.write_bytes(magic + data.draw(st.binary(max_size=200)))
        try:
            wave, rate = load_audio(path)
        except ValueError as error:
            assert str(path) in str(error)
        else:
            assert wave.size > 0
            assert rate > 0

    def test_wav_without_samples_is_refused(self, tmp_path):
        soundfile.write(tmp_path / "a.wav", np.zeros(0), RATE)
        with pytest.raises(ValueError, match=r"a\.wav holds no samples"):
            load_audio(tmp_path / "a.wav")

    def test_empty_file_is_refused(self, tmp_path):
        (tmp_path / "a.wav").touch()
        with pytest.raises(ValueError, match=r"a\.wav is empty"):
            load_audio(tmp_path / "a.wav")

    def test_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"a\.wav does not exist"):
            load_audio(tmp_path / "a.wav")

    def test_folder(self, tmp_path):
        with pytest.raises(IsADirectoryError, match="is a folder"):
            load_audio(tmp_path)

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_samples_that_are_not_finite(self, tmp_path, bad):
        soundfile.write(tmp_path / "a.wav", np.array([0.0, bad]), RATE, subtype="FLOAT")
        with pytest.raises(ValueError, match=r"a\.wav contains NaN or infinite samples"):
            load_audio(tmp_path / "a.wav")

    def test_parameters_out_of_range(self, tmp_path):
        soundfile.write(tmp_path / "a.wav", noise(10), RATE)
        for rate in (0, -1, 8000.0, True, "8k"):
            with pytest.raises(ValueError, match="sample_rate must be a positive integer in Hz"):
                load_audio(tmp_path / "a.wav", sample_rate=rate)
        with pytest.raises(ValueError, match='dtype must be "float32" or "float64", got \'int16\''):
            load_audio(tmp_path / "a.wav", dtype="int16")


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


def test_reading_gives_no_warning(tmp_path):
    save_audio(tmp_path / "a.wav", noise(10), 44100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_audio(tmp_path / "a.wav", sample_rate=8000)

import importlib
import io
import os
import struct
import threading
import time
import tracemalloc
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sklearn_gass.audio_io import _flac, _sources, audio_info, load_audio, save_audio

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

    @pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "aiff", "au", "caf", "w64", "rf64", "nist", "svx"])
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


needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")


@contextmanager
def pipe_with(content):
    """Yield the reading end of a pipe into which a thread writes."""
    end, begin = os.pipe()

    def write():
        with os.fdopen(begin, "wb") as pipe:
            pipe.write(content)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield end
    finally:
        writer.join()
        os.close(end)


def truncate(path, n_bytes):
    content = path.read_bytes()
    path.write_bytes(content[:n_bytes])


class TestDamage:
    @pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "aiff", "au", "caf", "w64", "rf64", "nist", "svx"])
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
        with pytest.raises(ValueError, match=r"Audio file .*a\.\w* (is damaged or no sound file|is trunc)"):
            load_audio(path)

    @pytest.mark.parametrize("suffix", ["voc", "ircam", "paf", "pvf", "mat4", "avr", "xi"])
    def test_formats_whose_length_cannot_be_checked_are_refused(self, tmp_path, suffix):
        subtype = "DPCM_16" if suffix == "xi" else "PCM_16"
        soundfile.write(tmp_path / "a", noise(4000), RATE, format=suffix.upper(), subtype=subtype)
        with pytest.raises(ValueError, match="is damaged or no sound file: it has no header of WAV, RF64"):
            load_audio(tmp_path / "a")

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

    def test_place_of_damage_is_told(self, tmp_path):
        soundfile.write(tmp_path / "a.flac", noise(400_000), RATE)
        content = bytearray((tmp_path / "a.flac").read_bytes())
        content[len(content) * 3 // 4] ^= 255
        (tmp_path / "a.flac").write_bytes(content)
        with pytest.raises(ValueError, match=r"decoding fails after (2[89]|3[01])\d{4} of its 400000 samples"):
            load_audio(tmp_path / "a.flac")

    @pytest.mark.parametrize("magic", [b"RIFF....WAVE", b"FORM....AIFF", b"caff....", b"NIST_1A\n   1024\n"])
    def test_zeros_behind_a_header_are_not_gone_through(self, magic):
        class Counting(io.BytesIO):
            n_reads = 0

            def read(self, n_bytes=-1):
                self.n_reads += 1
                return super().read(n_bytes)

        file = Counting(magic + bytes(100_000))
        with pytest.raises(ValueError, match=r"is (truncated|damaged)"):
            load_audio(file)
        assert file.n_reads < 50

    def test_truncated_silence_is_not_gone_through(self, tmp_path, monkeypatch):
        soundfile.write(tmp_path / "a.flac", np.zeros(4096 * 100, np.int16), RATE)
        truncate(tmp_path / "a.flac", (tmp_path / "a.flac").stat().st_size - 1)
        checked, checksum = [], _flac._checksum
        monkeypatch.setattr(_flac, "_checksum", lambda *arguments: checked.append(1) or checksum(*arguments))
        with pytest.raises(ValueError, match="no complete frame"):
            load_audio(tmp_path / "a.flac")
        assert len(checked) < 50

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


class TestSources:
    """What can be read from besides a path."""

    @pytest.fixture
    def wave(self, tmp_path):
        soundfile.write(tmp_path / "a.wav", noise(5000), RATE)
        return load_audio(tmp_path / "a.wav")[0]

    @pytest.fixture
    def content(self, wave, tmp_path):
        return (tmp_path / "a.wav").read_bytes()

    def test_binary_files(self, wave, content, tmp_path):
        with (tmp_path / "a.wav").open("rb") as file, (tmp_path / "a.wav").open("rb", buffering=0) as raw:
            for source in (io.BytesIO(content), file, raw):
                np.testing.assert_array_equal(load_audio(source)[0], wave)
                assert not source.closed

    def test_reading_begins_at_the_position_of_an_open_file(self, wave, content):
        file = io.BytesIO(b"other bytes" + content)
        file.seek(11)
        np.testing.assert_array_equal(load_audio(file)[0], wave)

    def test_file_that_cannot_seek(self, wave, content):
        with pipe_with(content) as end, os.fdopen(end, "rb", closefd=False) as file:
            np.testing.assert_array_equal(load_audio(file)[0], wave)

    def test_object_that_can_only_read(self, wave, content):
        class Response:
            def read(self):
                return content

        np.testing.assert_array_equal(load_audio(Response())[0], wave)

    def test_errors_name_an_open_file(self, content, tmp_path):
        with pytest.raises(ValueError, match="Audio file <BytesIO> is truncated"):
            load_audio(io.BytesIO(content[:-10]))
        truncate(tmp_path / "a.wav", 100)
        with (tmp_path / "a.wav").open("rb") as file, pytest.raises(ValueError, match=r"a\.wav is truncated"):
            load_audio(file)

    @pytest.mark.parametrize("source", [io.StringIO("no sound"), 3, None, b"a.wav", np.zeros(3)])
    def test_anything_else_is_refused(self, source):
        with pytest.raises(TypeError, match="must be given as a path or as a file open in binary mode, got"):
            load_audio(source)

    @pytest.mark.parametrize("n_good_reads", [0, 3, 8])
    def test_failure_of_the_disk_is_no_damage(self, content, n_good_reads):
        class Failing(io.BytesIO):
            n_reads = 0

            def read(self, n_bytes=-1):
                self.n_reads += 1
                if self.n_reads > n_good_reads:
                    raise OSError("the disk has failed")
                return super().read(n_bytes)

        with pytest.raises(OSError, match="the disk has failed"):
            load_audio(Failing(content))

    @needs_pipes
    def test_process_substitution(self, wave, content):
        with pipe_with(content) as end:
            np.testing.assert_array_equal(load_audio(f"/dev/fd/{end}")[0], wave)

    @needs_pipes
    def test_named_pipe(self, wave, content, tmp_path):
        os.mkfifo(tmp_path / "pipe.wav")

        def write():
            time.sleep(0.2)
            with (tmp_path / "pipe.wav").open("wb") as pipe:
                time.sleep(0.2)
                pipe.write(content[:3000])
                pipe.flush()
                time.sleep(0.2)
                pipe.write(content[3000:])

        writer = threading.Thread(target=write)
        writer.start()
        np.testing.assert_array_equal(load_audio(tmp_path / "pipe.wav")[0], wave)
        writer.join()

    @needs_pipes
    def test_pipe_into_which_nobody_writes(self, tmp_path, monkeypatch):
        monkeypatch.setattr(_sources, "_PATIENCE", 0.1)
        os.mkfifo(tmp_path / "pipe.wav")
        with pytest.raises(OSError, match=r"pipe\.wav is a pipe into which no program writes"):
            load_audio(tmp_path / "pipe.wav")

    @needs_pipes
    def test_truncated_in_a_pipe(self, content):
        with pipe_with(content[:-1]) as end, pytest.raises(ValueError, match="is truncated"):
            load_audio(f"/dev/fd/{end}")

    @pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs a device")
    def test_device(self):
        with pytest.raises(OSError, match="is a device"):
            load_audio("/dev/zero")


class TestHeaders:
    """What a header says is not believed where it is absurd."""

    def changed(self, tmp_path, position, layout, value):
        soundfile.write(tmp_path / "a.wav", noise(16000), RATE)
        content = bytearray((tmp_path / "a.wav").read_bytes())
        struct.pack_into(layout, content, position, value)
        (tmp_path / "b.wav").write_bytes(content)
        return tmp_path / "b.wav"

    @pytest.mark.parametrize("rate", [0, 1_000_001, 2_000_000_000, 0xFFFFFFFF])
    def test_sample_rates(self, tmp_path, rate):
        path = self.changed(tmp_path, 24, "<I", rate)
        for new_rate in (None, RATE):
            with pytest.raises(ValueError, match=r"b\.wav (has a sample rate|is damaged)"):
                load_audio(path, sample_rate=new_rate)

    def test_rates_too_far_apart(self, tmp_path):
        path = self.changed(tmp_path, 24, "<I", 7)
        assert load_audio(path)[1] == 7
        with pytest.raises(ValueError, match="by a factor of at most 1000, not from 7 to 16000 Hz"):
            load_audio(path, sample_rate=RATE)

    @pytest.mark.parametrize("n_channels", [0, 2000, 65535])
    def test_channels(self, tmp_path, n_channels):
        with pytest.raises(ValueError, match=r"b\.wav is damaged"):
            load_audio(self.changed(tmp_path, 22, "<H", n_channels))

    def test_many_channels(self, tmp_path):
        channels = noise(1024, 300).astype(np.float32)
        soundfile.write(tmp_path / "a.wav", channels.T, RATE, subtype="FLOAT")
        np.testing.assert_array_equal(load_audio(tmp_path / "a.wav", mono=False)[0], channels)
        np.testing.assert_allclose(load_audio(tmp_path / "a.wav")[0], channels.mean(axis=0), atol=1e-6)

    def test_no_memory_is_taken_for_what_a_header_promises(self, tmp_path):
        soundfile.write(tmp_path / "a.flac", noise(30000), RATE)
        content = bytearray((tmp_path / "a.flac").read_bytes())
        content[21] |= 15
        content[22:26] = b"\xff" * 4
        tracemalloc.start()
        with pytest.raises(ValueError, match="promises 68719476735 samples, but 30000 are there"):
            load_audio(io.BytesIO(content))
        assert tracemalloc.get_traced_memory()[1] < 20e6
        tracemalloc.stop()


class TestInfo:
    @pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
    def test_tells_rate_channels_and_encoding(self, tmp_path, subtype):
        soundfile.write(tmp_path / "a.wav", noise(100, 2), 8000, subtype=subtype)
        assert audio_info(tmp_path / "a.wav") == (8000, 2, subtype)
        assert audio_info(io.BytesIO((tmp_path / "a.wav").read_bytes())).subtype == subtype

    def test_truncated_files_are_refused(self, tmp_path):
        soundfile.write(tmp_path / "a.wav", noise(100), RATE)
        truncate(tmp_path / "a.wav", 100)
        with pytest.raises(ValueError, match=r"a\.wav is truncated"):
            audio_info(tmp_path / "a.wav")


@pytest.mark.parametrize("damage", ["cut", "hole", "zeros", "flip"])
def test_damaged_files_are_whole_or_refused(damage, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
    sound_files = importlib.import_module("sound_files")
    counts = {name: sound_files.count(content, damage, 8) for name, content in sound_files.make_files().items()}
    assert {name for name, counted in counts.items() if counted["short"]} == set()
    assert sum(counted["refused"] for counted in counts.values()) > 0


def test_reading_gives_no_warning(tmp_path):
    save_audio(tmp_path / "a.wav", noise(10), 44100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_audio(tmp_path / "a.wav", sample_rate=8000)

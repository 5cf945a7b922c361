"""Formats that need PyAV: read whole, or refused in one sentence."""

import io
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from sklearn_gass.audio_io import audio_info, load_audio

av = pytest.importorskip("av")

RATE = 16000
N = 16000
# container, its options, codec, sample format
KINDS = {
    "m4a": ("ipod", {}, "aac", "fltp"),
    "fast m4a": ("ipod", {"movflags": "faststart"}, "aac", "fltp"),
    "fragmented mp4": ("mp4", {"movflags": "frag_keyframe+empty_moov"}, "aac", "fltp"),
    "webm": ("webm", {}, "libopus", "flt"),
    "live webm": ("webm", {"live": "1"}, "libopus", "flt"),
    "mka": ("matroska", {}, "pcm_s16le", "s16"),
    "wma": ("asf", {}, "wmav2", "fltp"),
    "wv": ("wv", {}, "wavpack", "s16p"),
    "aac": ("adts", {}, "aac", "fltp"),
}
CUT_IS_SEEN = sorted(set(KINDS) - {"aac"})


def make_wave(n_channels=1):
    time = np.arange(N) / RATE
    return np.stack([0.3 * np.sin(2 * np.pi * (300 + 200 * i) * time) for i in range(n_channels)]).astype(np.float32)


def encode(kind, wave, rate=RATE):
    """Return the bytes of a file."""
    container_format, options, codec, sample_format = KINDS[kind]
    path = Path(tempfile.mkdtemp()) / "sound"  # FFmpeg opens some files twice
    with av.open(str(path), "w", format=container_format, options=options) as container:
        layout = "mono" if len(wave) == 1 else "stereo"
        stream = container.add_stream(codec, rate=rate, layout=layout)
        stream.codec_context.format = sample_format
        if codec == "wmav2":
            stream.bit_rate = 64000  # it has no default
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave), format="fltp", layout=layout)
        frame.sample_rate = rate
        resampler = av.AudioResampler(format=sample_format, layout=layout, rate=stream.rate)
        for part in resampler.resample(frame):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    content = path.read_bytes()
    shutil.rmtree(path.parent)
    return content


@pytest.fixture(scope="module")
def encoded():
    return {kind: encode(kind, make_wave()) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_sound_is_read_whole(kind, encoded):
    wave, rate = load_audio(io.BytesIO(encoded[kind]), sample_rate=RATE)
    assert rate == RATE and wave.dtype == np.float32
    # codecs pad by some of their blocks and shift; the encoder of wma leaves out the last one
    assert N - 256 <= len(wave) <= N + 4 * 2048
    peaks = np.argsort(np.abs(np.fft.rfft(wave[4000:12000])))[-1:] * RATE / 8000
    np.testing.assert_allclose(peaks, 300, atol=4)
    assert np.std(wave[4000:12000]) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("kind", ["wv", "mka"])
def test_lossless_formats_lose_nothing(kind, encoded):
    wave, _ = load_audio(io.BytesIO(encoded[kind]), dtype="float64")
    assert wave.dtype == np.float64
    np.testing.assert_allclose(wave, make_wave()[0], atol=1 / 32768)


def test_channels_stay_apart(tmp_path):
    path = tmp_path / "a b ü.m4a"
    path.write_bytes(encode("m4a", make_wave(2)))
    channels, _ = load_audio(path, mono=False)
    assert len(channels) == 2
    tops = [int(np.abs(np.fft.rfft(channel[4000:12000])).argmax()) * 2 for channel in channels]
    assert tops == [300, 500]
    np.testing.assert_allclose(load_audio(path)[0], channels.mean(axis=0), atol=1e-6)
    assert audio_info(path) == (RATE, 2, "AAC")


@pytest.mark.parametrize("kind", CUT_IS_SEEN)
def test_truncated_files_are_refused(kind, encoded):
    content = encoded[kind]
    for end in np.linspace(20, len(content) - 1, 25).astype(int):
        with pytest.raises(ValueError, match=r"^Audio file <BytesIO> (is|holds no)"):
            load_audio(io.BytesIO(content[:end]))


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_read_or_refused(kind, encoded):
    rng = np.random.default_rng(0)
    for _ in range(15):
        content = np.frombuffer(encoded[kind], np.uint8).copy()
        content[rng.integers(0, len(content), 4)] ^= rng.integers(1, 255, 4, dtype=np.uint8)
        try:
            wave, _ = load_audio(io.BytesIO(content.tobytes()))
        except ValueError as error:
            assert str(error).startswith("Audio file <BytesIO> ")
        else:
            assert np.isfinite(wave).all()


def test_an_open_file_is_read_from_its_position(encoded):
    file = io.BytesIO(b"before" + encoded["m4a"])
    file.seek(6)
    expected = load_audio(io.BytesIO(encoded["m4a"]))[0]
    np.testing.assert_array_equal(load_audio(file)[0], expected)


def test_pictures_without_sound_are_refused():
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 16
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(ValueError, match="holds no sound"):
        load_audio(io.BytesIO(file.getvalue()))


def test_without_pyav_one_sentence_says_what_to_install(encoded, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    for read in (load_audio, audio_info):
        with pytest.raises(
            ValueError, match=r"of a format \(MPEG-4\) that needs PyAV: pip install 'sklearn_gass\[av\]'"
        ):
            read(io.BytesIO(encoded["m4a"]))


def test_playlists_of_other_files_are_not_followed(tmp_path, encoded):
    (tmp_path / "secret.m4a").write_bytes(encoded["m4a"])
    for content in ("ffconcat version 1.0\nfile secret.m4a\n", "#EXTM3U\n#EXTINF:1,\nsecret.m4a\n"):
        (tmp_path / "list.m4a").write_text(content)
        with pytest.raises(ValueError, match="no sound file"):
            load_audio(tmp_path / "list.m4a")

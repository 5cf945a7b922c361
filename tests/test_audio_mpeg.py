"""MP3 and its relatives: all frames are decoded, whatever counts them, and missing ones noticed."""

import io
import struct

import numpy as np
import pytest
import soundfile

from sklearn_gass.audio_io import load_audio

RATE = 16000
N = 8000
N_FRAME = 576  # samples of a frame of MPEG 2
AT_NAME = 13  # of the counter: behind 4 bytes of header and 9 of side information
AT_COUNT = AT_NAME + 8


def read(content):
    return load_audio(io.BytesIO(content))[0]


@pytest.fixture(scope="module")
def mp3():
    """An MP3 of variable bit rate, whose first frame counts the others."""
    time = np.arange(N) / RATE
    wave = 0.3 * np.sin(2 * np.pi * 300 * time) + 0.3 * np.random.default_rng(0).normal(size=N) * time
    content = io.BytesIO()
    soundfile.write(content, wave, RATE, format="MP3")
    assert content.getvalue()[AT_NAME : AT_NAME + 4] == b"Xing"
    return content.getvalue()


@pytest.fixture(scope="module")
def frames(mp3):
    """The frames of it; the first one is the counter."""
    kbit = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
    pieces = []
    while mp3:
        n_bytes = 72 * kbit[mp3[2] >> 4] * 1000 // RATE + (mp3[2] >> 1 & 1)
        pieces.append(mp3[:n_bytes])
        mp3 = mp3[n_bytes:]
    return pieces


def counter(frames, n_frames, n_bytes=None, side=bytes(9)):
    """Return the counter of a file with other numbers in it."""
    changed = bytearray(frames[0])
    changed[4:13] = side
    struct.pack_into(">I", changed, AT_COUNT, n_frames)
    if n_bytes is not None:
        struct.pack_into(">I", changed, AT_COUNT + 4, n_bytes)
    return bytes(changed)


def test_a_counter_gives_the_encoded_samples(mp3):
    assert read(mp3).size == N


def test_without_counter_all_frames_are_decoded(mp3, frames):
    alone = read(b"".join(frames[1:]))
    assert alone.size == N_FRAME * (len(frames) - 1)
    # what the counter lets be left out are the delays of encoder and decoder
    counted, positions = read(mp3), range(alone.size - N + 1)
    delays = [begin for begin in positions if np.allclose(alone[begin : begin + N], counted, atol=1e-6)]
    assert len(delays) == 1


def test_tags_around_frames(frames):
    stream = b"".join(frames[1:])
    expected = read(stream)
    ape = struct.pack("<8sIIII8x", b"APETAGEX", 1000, 32, 0, 0)
    for before, after in (
        (b"ID3\x03\0\0\0\0\1\0" + bytes(128), b""),
        (b"", b"TAG" + b"x" * 125),
        (b"", ape),
        (b"", ape + b"TAG" + b"x" * 125),
        (b"", b"LYRICSBEGINxx000013LYRICS200" + b"TAG" + b"x" * 125),
        (b"ID3\x04\0\x10\0\0\0\5" + b"xxxxx" + b"3DI\x04\0\x10\0\0\0\5", b""),
        (b"", bytes(1000)),
    ):
        np.testing.assert_array_equal(read(before + stream + after), expected)


def test_large_tags_between_frames_that_are_not_counted(frames):
    stream, tag = b"".join(frames[1:]), b"ID3\x03\0\0\0\1\0\0" + bytes(1 << 14)
    np.testing.assert_array_equal(read(stream + tag + stream), np.tile(read(stream), 2))


def test_counter_that_counts_itself(frames, mp3):
    np.testing.assert_array_equal(read(counter(frames, len(frames)) + b"".join(frames[1:])), read(mp3))


def test_counter_with_side_information(frames, mp3):
    changed = counter(frames, len(frames) - 1, side=b"\1" * 9)
    np.testing.assert_array_equal(read(changed + b"".join(frames[1:])), read(mp3))


def test_counter_in_a_frame_with_a_checksum(frames, mp3):
    changed = bytearray(counter(frames, len(frames) - 1, side=b"\x12\x34" + bytes(7)))
    changed[1] &= 0xFE
    np.testing.assert_array_equal(read(changed + b"".join(frames[1:])), read(mp3))


def test_counter_that_was_never_filled_in(frames):
    expected = read(b"".join(frames[1:]))
    np.testing.assert_array_equal(read(counter(frames, 0) + b"".join(frames[1:])), expected)
    without_count = bytearray(frames[0])
    without_count[AT_NAME + 7] &= 0xFE
    np.testing.assert_array_equal(read(without_count + b"".join(frames[1:])), expected)


def test_frames_behind_the_counted_ones_are_decoded(frames):
    stream = b"".join(frames[1:])
    for n_counted in (1, len(frames) - 4, len(frames) - 2):
        np.testing.assert_array_equal(read(counter(frames, n_counted) + stream), read(stream))


def test_counter_of_fraunhofer(frames):
    changed = bytearray(frames[0])
    changed[AT_NAME:] = bytes(len(changed) - AT_NAME)
    struct.pack_into(">4sHHHII", changed, 36, b"VBRI", 1, 0, 0, 5000, len(frames) - 1)
    stream = b"".join(frames[1:])
    np.testing.assert_array_equal(read(bytes(changed) + stream), read(stream))
    with pytest.raises(ValueError, match=f"promises {len(frames) - 1} frames, but {len(frames) - 3} are there"):
        read(bytes(changed) + b"".join(frames[1:-2]))


def test_counter_alone_holds_no_samples(frames):
    with pytest.raises(ValueError, match="holds no samples"):
        read(counter(frames, 0))


@pytest.mark.parametrize("n_missing", [1, 2, 5])
def test_fewer_frames_than_counted_are_refused(frames, n_missing):
    with pytest.raises(ValueError, match="is truncated: its header promises"):
        read(b"".join(frames[:-n_missing]))


@pytest.mark.parametrize("with_counter", [True, False])
def test_an_incomplete_frame_is_refused(frames, with_counter):
    stream = b"".join(frames[not with_counter :])
    for n_missing in (1, len(frames[-1]) - 5):
        n_present = len(frames[-1]) - n_missing
        with pytest.raises(ValueError, match=f"its last frame has {n_present} of {len(frames[-1])} bytes"):
            read(stream[:-n_missing])


def test_bytes_between_frames_are_refused(frames):
    for junk in (b"\1" * 100, bytes(100), frames[5][10:]):
        with pytest.raises(ValueError, match=r"is damaged: byte \d+ of \d+ begins no MPEG frame"):
            read(b"".join(frames[:8]) + junk + b"".join(frames[8:]))


def silence(header, n_bytes, n_frames):
    return (header.to_bytes(4, "big") + bytes(n_bytes - 4)) * n_frames


@pytest.mark.parametrize(
    ("header", "n_bytes", "n_samples"),
    [
        (0xFFFB90C0, 417, 1152),  # MPEG 1, layer III, 128 kbit/s, 44.1 kHz, mono
        (0xFFFB9000, 417, 1152),  # stereo
        (0xFFFA90C0, 417, 1152),  # with a checksum
        (0xFFF350C0, 130, 576),  # MPEG 2, 40 kbit/s, 22.05 kHz
        (0xFFE318C4, 72, 576),  # MPEG 2.5, 8 kbit/s, 8 kHz
        (0xFFFDC0C0, 835, 1152),  # layer II, 256 kbit/s
        (0xFFFF90C0, 312, 384),  # layer I, 288 kbit/s
        (0xFFFB00C0, 300, 1152),  # free format
        (0xFFFB02C0, 300, 1152),  # free format, with padding
    ],
)
def test_kinds_of_frames(header, n_bytes, n_samples):
    for n_frames in (8, 200):
        assert read(silence(header, n_bytes, n_frames)).size == n_frames * n_samples
    with pytest.raises(ValueError, match="is truncated"):
        read(silence(header, n_bytes, 100)[:-1])


def test_padding_that_comes_and_goes():
    stream = b"".join(silence(0xFFFB90C0 | padded << 9, 417 + padded, 1) for padded in [0, 1, 1, 0, 1] * 20)
    assert read(stream).size == 100 * 1152


def test_free_format_without_a_second_frame():
    with pytest.raises(ValueError, match="free format"):
        read(silence(0xFFFB00C0, 300, 1))

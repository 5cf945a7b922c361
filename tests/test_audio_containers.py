"""What a sound file holds is returned whole, whatever its header says about it, or refused."""

import io
import struct

import numpy as np
import pytest
import soundfile

from sklearn_gass.audio_io import load_audio

RATE = 16000
N = 3000
# Sizes that programs write which cannot seek back, and their neighbours
STAND_INS = [0, 0x7F000000, 0x7FFFF000, 0x7FFFFFDB, 0x7FFFFFFE, 0x7FFFFFFF, 0x80000000, 0x80000024]
STAND_INS += [0xFFFFFFFF - 44, 0xFFFFFFFE, 0xFFFFFFFF]
LONG_STAND_INS = [0, 2**62, 2**63 - 1, 2**63, 2**64 - 24, 2**64 - 1]
LOSSLESS = ["WAV", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC", "NIST"]


@pytest.fixture(scope="module")
def samples():
    return np.random.default_rng(0).integers(-(2**15), 2**15, N).astype(np.int16)


@pytest.fixture(scope="module")
def encode(samples):
    """Function of a format that returns a file of the samples."""

    def encode(file_format, subtype=None, endian=None, rate=RATE, channels=1):
        content = io.BytesIO()
        columns = samples.reshape(-1, channels)
        soundfile.write(content, columns, rate, format=file_format, subtype=subtype, endian=endian)
        return bytearray(content.getvalue())

    return encode


def read(content):
    return load_audio(io.BytesIO(content))[0]


def put(content, position, layout, *values):
    struct.pack_into(layout, content, position, *values)
    return content


def tag_id3v2(n_bytes):
    return b"ID3\x04\0\0" + bytes([0, 0, n_bytes >> 7, n_bytes & 127]) + b"x" * n_bytes


def tag_ape(n_bytes):
    fields = b"APETAGEX" + struct.pack("<III", 2000, n_bytes + 32, 1)
    header, footer = (fields + struct.pack("<I8x", flags) for flags in (0xA0000000, 0x80000000))
    return header + b"x" * n_bytes + footer


class TestSizes:
    """Lengths in headers that are none."""

    @pytest.mark.parametrize("size", STAND_INS)
    @pytest.mark.parametrize("whole", [0, 4, 36, 0x7FFFFFFF, 0x80000024, 0xFFFFFFFF])
    @pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
    def test_wav(self, encode, samples, size, whole, endian):
        content, order = encode("WAV", endian=endian), "<" if endian == "LITTLE" else ">"
        put(content, content.index(b"data") + 4, f"{order}I", size)
        np.testing.assert_array_equal(read(put(content, 4, f"{order}I", whole)) * 32768, samples)

    @pytest.mark.parametrize("whole", STAND_INS)
    def test_wav_whose_samples_alone_have_a_size(self, encode, samples, whole):
        np.testing.assert_array_equal(read(put(encode("WAV"), 4, "<I", whole)) * 32768, samples)

    @pytest.mark.parametrize("size", LONG_STAND_INS)
    @pytest.mark.parametrize("short_size", [0, 0xFFFFFFFF])
    def test_rf64(self, encode, samples, size, short_size):
        content = encode("RF64")
        put(content, content.index(b"data") + 4, "<I", short_size)
        put(content, content.index(b"ds64") + 8, "<QQQ", size, size, 0)
        np.testing.assert_array_equal(read(content) * 32768, samples)

    @pytest.mark.parametrize("size", [*LONG_STAND_INS, 23, 24])
    @pytest.mark.parametrize("whole", LONG_STAND_INS)
    def test_w64(self, encode, samples, size, whole):
        content = encode("W64")
        put(content, content.index(b"data") + 16, "<Q", size)
        np.testing.assert_array_equal(read(put(content, 16, "<Q", whole)) * 32768, samples)

    @pytest.mark.parametrize("size", [*STAND_INS, 8])
    @pytest.mark.parametrize("whole", [0, 0x7F000050, 0xFFFFFFFF])
    def test_aiff(self, encode, samples, size, whole):
        content = encode("AIFF")
        put(content, content.index(b"SSND") + 4, ">I", size)
        np.testing.assert_array_equal(read(put(content, 4, ">I", whole)) * 32768, samples)

    @pytest.mark.parametrize("size", STAND_INS)
    def test_au(self, encode, samples, size):
        np.testing.assert_array_equal(read(put(encode("AU"), 8, ">I", size)) * 32768, samples)

    @pytest.mark.parametrize("size", [*LONG_STAND_INS, 4])
    def test_caf(self, encode, samples, size):
        content = encode("CAF")
        np.testing.assert_array_equal(read(put(content, content.index(b"data") + 4, ">Q", size)) * 32768, samples)

    @pytest.mark.parametrize("n_promised", [0, 1, N - 1])
    def test_flac(self, encode, samples, n_promised):
        np.testing.assert_array_equal(read(promise(encode("FLAC"), n_promised)) * 32768, samples)

    @pytest.mark.parametrize("size", [0x40000000, 0xF0000000])
    @pytest.mark.parametrize(("file_format", "name", "layout"), [("WAV", b"data", "<I"), ("AIFF", b"SSND", ">I")])
    def test_gigabytes_are_refused(self, encode, file_format, name, layout, size):
        content = encode(file_format)
        with pytest.raises(ValueError, match=rf"promises {size} bytes of samples, but \d+ are there"):
            read(put(content, content.index(name) + 4, layout, size))

    @pytest.mark.parametrize("size", [2**40, 2**50])
    def test_terabytes_are_refused(self, encode, size):
        for file_format, name, at, layout in (
            ("RF64", b"ds64", 16, "<Q"),
            ("W64", b"data", 16, "<Q"),
            ("CAF", b"data", 4, ">Q"),
        ):
            content = encode(file_format)
            with pytest.raises(ValueError, match=r"promises \d{13,} bytes of samples, but \d+ are there"):
                read(put(content, content.index(name) + at, layout, size))

    def test_header_that_tells_the_size_of_the_file_alone(self, encode):
        content = put(encode("WAV"), 40, "<I", 0xFFFFFFFF)
        with pytest.raises(ValueError, match="is truncated"):
            read(content[:-100])

    def test_wav_without_samples(self, encode):
        content = put(encode("WAV")[:44], 40, "<I", 0)
        for tail in (b"", b"LIST" + struct.pack("<I", 4) + b"INFO"):
            with pytest.raises(ValueError, match="holds no samples"):
                read(content + tail)

    def test_samples_behind_what_the_header_announces_are_not_left_out(self, encode):
        content = put(encode("WAV"), 40, "<I", 1000)
        with pytest.raises(ValueError, match=r"is damaged: 5000 of its 6044 bytes, from byte 1044 on"):
            read(content)

    def test_samples_moved_back_by_an_aiff_header_are_not_left_out(self, encode):
        content = encode("AIFF")
        with pytest.raises(ValueError, match="puts 600 bytes in front of its samples"):
            read(put(content, content.index(b"SSND") + 8, ">I", 600))


class TestAround:
    """What stands beside the samples."""

    def test_odd_samples_without_padding_before_the_next_chunk(self, samples):
        content = io.BytesIO()
        soundfile.write(content, samples[:2999], RATE, format="WAV", subtype="PCM_U8")
        chunk = b"LIST" + struct.pack("<I", 4) + b"INFO"
        for tail in (b"\0" + chunk, chunk, b"\0"):
            assert read(content.getvalue()[: 44 + 2999] + tail).size == 2999

    @pytest.mark.parametrize("n_bytes", [1, 7, 5000])
    def test_zeros_at_the_end(self, encode, samples, n_bytes):
        for file_format in ("WAV", "AIFF", "AU"):
            np.testing.assert_array_equal(read(encode(file_format) + bytes(n_bytes)) * 32768, samples)

    @pytest.mark.parametrize("file_format", ["WAV", "AIFF", "AU", "CAF", "FLAC"])
    def test_tags(self, encode, samples, file_format):
        before, after = tag_id3v2(300), b"TAG" + b"x" * 125
        np.testing.assert_array_equal(read(before + encode(file_format) + after) * 32768, samples)

    def test_a_truncated_chunk_behind_the_samples(self, encode, samples):
        content = encode("WAV") + b"LIST" + struct.pack("<I", 500) + b"INFO"
        np.testing.assert_array_equal(read(content) * 32768, samples)


class TestJoined:
    """Recordings behind each other in one file, as cat makes them."""

    @pytest.mark.parametrize("file_format", ["WAV", "W64", "RF64", "AIFF", "AU", "CAF", "FLAC"])
    def test_lossless(self, encode, samples, file_format):
        both = read(encode(file_format) * 2)
        np.testing.assert_array_equal(both * 32768, np.tile(samples, 2))

    @pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
    def test_ogg(self, encode, subtype):
        one = encode("OGG", subtype)
        np.testing.assert_array_equal(read(one * 3), np.tile(read(one), 3))

    def test_mp3(self, encode):
        one = encode("MP3")
        for between in (b"", tag_id3v2(100), b"TAG" + bytes(125), tag_ape(40)):
            np.testing.assert_array_equal(read(one + between + one), np.tile(read(one), 2))

    @pytest.mark.parametrize("between", [b"", tag_id3v2(100), b"TAG" + b"x" * 125])
    @pytest.mark.parametrize("first", ["WAV", "W64", "RF64", "AIFF", "AU", "CAF"])
    @pytest.mark.parametrize("second", LOSSLESS)
    def test_formats_may_differ(self, encode, samples, first, between, second):
        both = read(encode(first) + between + encode(second))
        np.testing.assert_array_equal(both * 32768, np.tile(samples, 2))

    @pytest.mark.parametrize("second", [*LOSSLESS[:-2], "OGG", "MP3"])
    def test_nothing_behind_flac_is_left_out(self, encode, second):
        with pytest.raises(ValueError, match="are no complete frame"):
            read(encode("FLAC") + encode(second))

    @pytest.mark.parametrize("file_format", ["WAV", "FLAC", "OGG", "MP3"])
    @pytest.mark.parametrize("other", [{"rate": 8000}, {"channels": 2}])
    def test_different_rates_or_channels_are_refused(self, encode, file_format, other):
        with pytest.raises(ValueError, match=r"holds recordings of different kinds behind each other: .* Hz with"):
            read(encode(file_format) + encode(file_format, **other))

    @pytest.mark.parametrize("file_format", [*LOSSLESS, "OGG", "MP3"])
    def test_the_second_one_truncated(self, encode, file_format):
        if file_format == "NIST":
            pytest.skip("other bytes may follow the samples of SPHERE")
        one = encode(file_format)
        for missing in (10, len(one) // 2):
            with pytest.raises(ValueError, match=r"is (truncated|damaged)"):
                read(one + one[:-missing])


def promise(content, n_samples):
    """Put a number of samples into the header of FLAC."""
    (fields,) = struct.unpack_from(">Q", content, 18)
    return put(content, 18, ">Q", fields >> 36 << 36 | n_samples)


class TestFlac:
    def test_a_promise_of_more_than_any_memory_holds(self, encode):
        with pytest.raises(ValueError, match=f"promises {2**36 - 1} samples, but {N} are there"):
            read(promise(encode("FLAC"), 2**36 - 1))

    @pytest.mark.parametrize("n_promised", [0, N])
    def test_truncation_within_the_last_frame(self, encode, n_promised):
        content = promise(encode("FLAC"), n_promised)
        for missing in (1, 2, 3, 500):
            with pytest.raises(ValueError, match=r"is (truncated|damaged)"):
                read(content[:-missing])

    def test_in_ogg(self, encode, samples):
        content = bytes(encode("FLAC"))
        pages = [b"\x7fFLAC\x01\0\0\x01" + content[:42], content[42:1000], content[1000:4000], content[4000:]]
        ogg = ogg_pages(pages)
        np.testing.assert_array_equal(read(ogg) * 32768, samples)
        np.testing.assert_array_equal(read(ogg + ogg) * 32768, np.tile(samples, 2))
        begin, end = (len(ogg_pages(pages[:n])) for n in (2, 3))
        with pytest.raises(ValueError, match="pages are missing"):
            read(ogg[:begin] + ogg[end:])


def ogg_pages(bodies):
    """Return an OGG stream with one page for each body; checksums are computed bit by bit."""
    stream = b""
    for number, body in enumerate(bodies):
        flags = 2 * (number == 0) | 4 * (number == len(bodies) - 1)
        segments = bytes([255] * (len(body) // 255) + [len(body) % 255])
        fields = struct.pack("<BBqII", 0, flags, 0, 7, number)
        page = b"OggS" + fields + bytes(4) + bytes([len(segments)]) + segments + body
        crc = 0
        for byte in page:
            crc ^= byte << 24
            for _ in range(8):
                crc = crc << 1 ^ (0x104C11DB7 if crc >> 31 else 0)
        stream += page[:22] + struct.pack("<I", crc) + page[26:]
    return stream

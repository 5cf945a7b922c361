"""MPEG audio (MP3): the chain of frames, each of which tells its length, and the frame that counts them."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import BinaryIO, NamedTuple

from sklearn_gass.audio_io._parts import Part, UnreadableError, read_at
from sklearn_gass.audio_io._tags import skip_tags, strip_tags

# by version bits: 3 is MPEG 1, 2 is MPEG 2, 0 is MPEG 2.5
_SAMPLE_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
# kbit/s, by whether the version is MPEG 1, and layer
_BIT_RATES = {
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_N_HEADER = 4
_N_START = 64  # bytes of a frame in which a count of frames would stand
_N_COUNTER = 48  # bytes that a frame needs to have at least to hold a count
_LONGEST_FREE_FRAME = 2**14
_DECODER_DELAY = 529  # samples that mpg123 leaves out at the beginning of a stream whose frames are counted


class _Frame(NamedTuple):
    """What the header of a frame says, the four bytes at its beginning."""

    header: bytes
    n_bytes: int
    is_free: bool
    n_samples: int
    layer: int
    n_side: int
    kind: tuple[int, int, int, bool]


class _Counter(NamedTuple):
    """A frame without sound that says how many frames follow, and how many bytes all have; 0 if it does not.

    `name` includes the flags that tell what else it holds.
    """

    name: bytes
    n_frames: int
    n_bytes: int


class _Stream(NamedTuple):
    """Frames of one kind behind each other; the counter is the first one of them."""

    begin: int
    frame: _Frame
    ends: list[int]
    counter: _Counter | None


def read_mpeg(file: BinaryIO, begin: int, end: int) -> tuple[list[Part], int]:
    """Find the streams of an MPEG file and follow their frames to the end.

    Parameters
    ----------
    file : binary file
        Open and seekable.
    begin, end : int
        First byte of the first frame, and the end of the file.

    Returns
    -------
    parts : list of Part
        One for each stream.
    end : int
        End of the file.

    Raises
    ------
    UnreadableError
        If a frame is missing or incomplete.
    """
    streams: list[_Stream] = []
    n_free, is_joined = 0, True
    position, end_frames = begin, strip_tags(file, begin, end)
    while position < end_frames:
        start = read_at(file, position, _N_START).ljust(_N_START, b"\0")
        frame = _parse(start[:_N_HEADER])
        if frame is None:
            sound = skip_tags(file, position, end_frames)
            if sound == position:
                raise UnreadableError(f"is damaged: byte {position} of {end} begins no MPEG frame.")
            position, is_joined = sound, True
            continue
        if frame.is_free:
            n_free = n_free or _distance(file, position, frame)
            frame = frame._replace(n_bytes=frame.n_bytes + n_free)
        if position + frame.n_bytes > end_frames:
            n_present = end_frames - position
            raise UnreadableError(f"is truncated: its last frame has {n_present} of {frame.n_bytes} bytes.")
        counter = _find_counter(start, frame)
        if counter or is_joined or streams[-1].frame.kind != frame.kind:
            streams.append(_Stream(position, frame, [], counter))
            is_joined = False
        position += frame.n_bytes
        streams[-1].ends.append(position)
    return [_make_part(stream) for stream in streams], end


@lru_cache(maxsize=1024)
def _parse(header: bytes) -> _Frame | None:
    """Return what the header of a frame says, None if it is no header."""
    bits = int.from_bytes(header, "big")
    version, layer = bits >> 19 & 3, 4 - (bits >> 17 & 3)
    bit_rate, sample_rate = bits >> 12 & 15, bits >> 10 & 3
    if bits >> 21 != 0x7FF or version == 1 or layer == 4 or bit_rate == 15 or sample_rate == 3:
        return None
    is_first, is_mono, padding = version == 3, bits >> 6 & 3 == 3, bits >> 9 & 1
    rate = _SAMPLE_RATES[version][sample_rate]
    n_samples = {1: 384, 2: 1152, 3: 1152 if is_first else 576}[layer]
    n_slot = 4 if layer == 1 else 1
    n_slots = n_samples // 8 * _BIT_RATES[is_first, layer][bit_rate] * 1000 // rate // n_slot
    n_side = {(True, False): 32, (False, True): 9}.get((is_first, is_mono), 17)
    n_bytes = (n_slots + padding) * n_slot  # of the padding alone in the free format, whose bit rate is 0
    return _Frame(header, n_bytes, bit_rate == 0, n_samples, layer, n_side, (version, layer, rate, is_mono))


def _distance(file: BinaryIO, position: int, frame: _Frame) -> int:
    """Return how far behind a frame of free format the next one begins, less its padding."""
    window = read_at(file, position, _LONGEST_FREE_FRAME)
    found = _N_HEADER
    while (found := window.find(frame.header[:2], found)) >= 0:
        if window[found + 2 : found + 3] and window[found + 2] & 0xFC == frame.header[2] & 0xFC:
            return found - frame.n_bytes
        found += 1
    raise UnreadableError("is damaged: it is of free format, and no frame follows the first one.")


def _find_counter(start: bytes, frame: _Frame) -> _Counter | None:
    """Return the count that a frame holds, if it holds one."""
    name = start[_N_HEADER + frame.n_side :]
    if name[:4] in (b"Xing", b"Info"):
        n_frames, n_bytes = struct.unpack_from(">8xII", name)
        return _Counter(name[:8], n_frames if name[7] & 1 else 0, n_bytes if name[7] & 3 == 3 else 0)
    if start[36:40] == b"VBRI":
        return _Counter(b"VBRI", *reversed(struct.unpack_from(">46xII", start)))
    return None


def _make_part(stream: _Stream) -> Part:
    """Return all frames of a stream as a part; the delays that a counter tells hold if its count is right."""
    counter = stream.counter
    if counter is None:
        return _count_frames(stream, 0)
    n_frames, n_counted = len(stream.ends) - 1, counter.n_frames
    # some encoders count the counter; their number of bytes then shows that no frame is missing
    if n_counted == n_frames + 1 and counter.n_bytes <= stream.ends[-1] - stream.begin:
        n_counted = n_frames
    if n_counted > n_frames:
        raise UnreadableError(f"is truncated: its header promises {n_counted} frames, but {n_frames} are there.")
    if n_counted < n_frames or n_frames == 0 or counter.name == b"VBRI":
        return _count_frames(stream, 1)
    # mpg123 finds a counter only behind zeros, and where it stands in frames without a checksum
    header = _without_checksum(stream.frame.header).to_bytes(_N_HEADER, "big")
    head = header + bytes(stream.frame.n_side) + counter.name + n_counted.to_bytes(4, "big")
    return Part(stream.begin + len(head), stream.ends[-1], head)


def _count_frames(stream: _Stream, n_left_out: int) -> Part:
    """Return frames from one on as a part with a counter of its own, since mpg123 guesses where there is none."""
    frame = stream.frame
    begin = stream.ends[n_left_out - 1] if n_left_out else stream.begin
    n_frames = len(stream.ends) - n_left_out
    n_samples = n_frames * frame.n_samples
    if frame.layer != 3:
        return Part(begin, stream.ends[-1], n_samples=n_samples)
    silence = _silent_frame(frame.header)
    # a frame of silence more, from which the delay of the decoder is taken
    count = bytes(silence.n_side) + b"Info" + struct.pack(">II", 1, n_frames + 1)
    head = (silence.header + count).ljust(silence.n_bytes, b"\0") + silence.header.ljust(silence.n_bytes, b"\0")
    return Part(begin, stream.ends[-1], head, n_skipped=frame.n_samples - _DECODER_DELAY, n_samples=n_samples)


def _silent_frame(header: bytes) -> _Frame:
    """Return the shortest frame of layer 3 that can hold a count, of the kind that a header tells."""
    bits = _without_checksum(header)
    for bit_rate in range(1, 15):
        frame = _parse((bits & ~(15 << 12 | 1 << 9) | bit_rate << 12).to_bytes(_N_HEADER, "big"))
        if frame is not None and frame.n_bytes >= _N_COUNTER:
            return frame
    raise AssertionError("every kind of frame has a bit rate at which it can hold a count")


def _without_checksum(header: bytes) -> int:
    return int.from_bytes(header, "big") | 1 << 16

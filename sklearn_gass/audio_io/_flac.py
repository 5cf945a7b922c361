"""FLAC: the number of samples in the header, against the last frame of the file."""

from __future__ import annotations

from functools import cache
from typing import BinaryIO

from sklearn_gass.audio_io._parts import Part, UnreadableError, read_at
from sklearn_gass.audio_io._tags import strip_tags

_N_SEARCHED_AT_ONCE = 2**20
_N_STREAMINFO = 42  # the marker fLaC, a block's header and 34 bytes of stream information
_STARTS = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")
_LONGEST_FRAME = 2**21
_N_CANDIDATES = 8  # the header of the last frame comes before those of others, which bytes of it seldom look like
_BLOCK_SIZES = {1: 192, **{i: 576 << i - 2 for i in range(2, 6)}, **{i: 256 << i - 8 for i in range(8, 16)}}


def read_flac(file: BinaryIO, begin: int, end: int) -> tuple[list[Part], int]:
    """Find a FLAC stream and the number of samples that its frames have.

    Parameters
    ----------
    file : binary file
        Open and seekable.
    begin, end : int
        First byte of the stream, and the end of the file.

    Returns
    -------
    parts : list of Part
        The stream.
    end : int
        End of the stream, where another may begin.

    Raises
    ------
    UnreadableError
        If the stream ends before its last frame does.
    """
    head = read_at(file, begin, _N_STREAMINFO)
    end = _find_next(file, begin + len(_STARTS[0]), end)
    n_promised = int.from_bytes(head[21:26].rjust(5, b"\0"), "big") & 2**36 - 1
    n_samples = _count_samples(file, begin + _N_STREAMINFO, strip_tags(file, begin, end), head)
    if n_samples is None:
        raise UnreadableError(f"is truncated or damaged: the bytes before byte {end} are no complete frame of sound.")
    if n_samples < n_promised:
        raise UnreadableError(f"is truncated: its header promises {n_promised} samples, but {n_samples} are there.")
    rate_to_length = int.from_bytes(head[18:26], "big") >> 36 << 36 | n_samples
    return [Part(begin + 26, end, head=head[:18] + rate_to_length.to_bytes(8, "big"))], end


def _find_next(file: BinaryIO, position: int, end: int) -> int:
    """Return where another stream begins, `end` if none does."""
    overlap = len(_STARTS[0]) - 1
    while position < end:
        block = read_at(file, position, min(_N_SEARCHED_AT_ONCE, end - position))
        found = [index for start in _STARTS if (index := block.find(start)) >= 0]
        if found:
            return position + min(found)
        position += max(len(block) - overlap, 1)
    return end


def _count_samples(file: BinaryIO, begin: int, end: int, head: bytes) -> int | None:
    """Return the samples per channel up to the end of the last frame; None if the last bytes are no complete frame."""
    tail = read_at(file, max(end - _LONGEST_FRAME, begin), min(_LONGEST_FRAME, end - begin))
    position, n_left = len(tail), _N_CANDIDATES
    while n_left and (position := tail.rfind(b"\xff", 0, position)) >= 0:
        last_sample = _end_of_frame(tail[position : position + 16], n_block=int.from_bytes(head[8:10], "big"))
        if last_sample is None:
            continue
        # the checksum of a frame is over all of it, which comes to zero together with the checksum itself
        if not _checksum(tail[position:], 16, 0x8005):
            return last_sample
        n_left -= 1
    return None


def _end_of_frame(header: bytes, n_block: int) -> int | None:
    """Return the number of the sample behind a frame that begins with these bytes; None if no frame does."""
    if len(header) < 6 or header[1] & 0xFE != 0xF8:
        return None
    size_code, rate_code = header[2] >> 4, header[2] & 15
    n_number = 1 if header[4] < 0x80 else 8 - (header[4] ^ 0xFF).bit_length()
    begin_size = 4 + n_number
    n_size = {6: 1, 7: 2}.get(size_code, 0)
    end_header = begin_size + n_size + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if size_code == 0 or rate_code == 15 or end_header >= len(header) or _checksum(header[: end_header + 1], 8, 0x07):
        return None
    number = header[4] if n_number == 1 else header[4] & (0x7F >> n_number)
    for digit in header[5:begin_size]:
        number = number << 6 | digit & 0x3F
    size = int.from_bytes(header[begin_size : begin_size + n_size], "big") + 1 if n_size else _BLOCK_SIZES[size_code]
    has_variable_blocks = header[1] & 1
    return (number if has_variable_blocks else number * n_block) + size


def _checksum(content: bytes, n_bits: int, polynomial: int) -> int:
    """Return a CRC with the highest bit first and the start value 0."""
    table = _crc_table(n_bits, polynomial)
    value, mask = 0, (1 << n_bits) - 1
    for byte in content:
        value = (value << 8 & mask) ^ table[value >> n_bits - 8 ^ byte]
    return value


@cache
def _crc_table(n_bits: int, polynomial: int) -> list[int]:
    table = []
    for byte in range(256):
        value = byte << n_bits - 8
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> n_bits - 1 else 0)
            value &= (1 << n_bits) - 1
        table.append(value)
    return table

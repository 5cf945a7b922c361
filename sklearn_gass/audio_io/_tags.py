"""Tags and padding that stand around the sound in a file: ID3, APE and Lyrics3 tags, and zeros."""

from __future__ import annotations

from typing import BinaryIO

from sklearn_gass.audio_io._parts import read_at

_N_SEARCHED_AT_ONCE = 2**20


def skip_tags(file: BinaryIO, position: int, end: int) -> int:
    """Return where tags end that begin at `position`, and zeros that fill the file to its end.

    Parameters
    ----------
    file : binary file
        Open and seekable.
    position : int
        Where a tag or zeros may begin.
    end : int
        End of the file.

    Returns
    -------
    position : int
        Of the first byte that belongs to neither, at most `end`.
    """
    while position < end:
        start = read_at(file, position, 32)
        n_bytes = _tag_length(start)
        if not n_bytes:
            return position if any(start) or not _is_zero(file, position, end) else end
        position += n_bytes
    return min(position, end)


def strip_tags(file: BinaryIO, begin: int, end: int) -> int:
    """Return where the sound ends that tags follow.

    Parameters
    ----------
    file : binary file
        Open and seekable.
    begin, end : int
        First byte of the sound, and the one behind the last of the tags.

    Returns
    -------
    end : int
        First byte of the tags; `end` itself if there are none.
    """
    while True:
        n_bytes = _closing_tag_length(read_at(file, max(end - 128, begin), min(128, end - begin)))
        if not n_bytes or end - n_bytes < begin:
            return end
        end -= n_bytes


def _tag_length(start: bytes) -> int:
    """Return the length of the tag that begins with these bytes, 0 if none does."""
    if start[:3] == b"ID3" and len(start) >= 10 and max(start[6:10]) < 0x80:
        has_footer = bool(start[5] & 0x10)
        return 10 + _syncsafe(start[6:10]) + 10 * has_footer
    if start[:4] == b"TAG+":
        return 227
    if start[:3] == b"TAG":
        return 128
    is_header = len(start) == 32 and bool(start[23] & 0x20)
    if start[:8] == b"APETAGEX" and is_header:
        return 32 + int.from_bytes(start[12:16], "little")
    return 0


def _closing_tag_length(last: bytes) -> int:
    """Return the length of the tag that ends with these 128 bytes, 0 if none does."""
    if last[:3] == b"TAG" and len(last) == 128:
        return 128
    if last[-32:-24] == b"APETAGEX":
        has_header = bool(last[-9] & 0x80)
        return int.from_bytes(last[-20:-16], "little") + 32 * has_header
    if last[-9:] == b"LYRICS200" and last[-15:-9].isdigit():
        return int(last[-15:-9]) + 15
    return 0


def _syncsafe(digits: bytes) -> int:
    """Return a number of seven bits a byte."""
    number = 0
    for digit in digits:
        number = number << 7 | digit
    return number


def _is_zero(file: BinaryIO, position: int, end: int) -> bool:
    file.seek(position)
    while position < end:
        block = file.read(min(_N_SEARCHED_AT_ONCE, end - position))
        if not block or any(block):
            return False
        position += len(block)
    return True

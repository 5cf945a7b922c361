"""Stretches of a sound file, each of which libsndfile reads to its last sample.

libsndfile believes headers: it stops where they say, and returns what there is where the file ends early. So each
format has a module here that follows the file's own structure from the first byte to the last and finds what is missing
or damaged, what is joined to one file, and which lengths in a header are none.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import BinaryIO

# Sizes that ffmpeg, sox, arecord and others write where they do not know the true one. Lengths near 2 and 4 GiB are
# taken for these too if the file has fewer bytes.
_STAND_INS = (2**31, 2**32, 0x7F000000)
_STAND_IN_OF_64_BITS = 2**60
_BEYOND_ANY_FILE = 2**62  # sizes in damaged headers lead farther than seek can go


class UnreadableError(ValueError):
    """A file cannot be read to its end. The text continues a sentence that begins with the file."""


@dataclass(frozen=True)
class Part:
    """A recording within a file: `head`, then the bytes of the file from `begin` to `end`.

    Attributes
    ----------
    begin, end : int
        First byte in the file, and the one behind the last.
    head : bytes
        Header that stands in for the one of the file.
    n_skipped : int
        Samples per channel at the beginning that decoding gives and the recording does not have.
    n_samples : int or None
        Samples per channel of the recording; None if libsndfile tells them.
    """

    begin: int
    end: int
    head: bytes = b""
    n_skipped: int = 0
    n_samples: int | None = None


class PartFile(io.RawIOBase):
    """A part as a file of its own, to be read by soundfile.

    Parameters
    ----------
    file : binary file
        Open and seekable.
    part : Part
        What to read of it.

    Attributes
    ----------
    error : OSError or None
        Why reading failed. libsndfile calls from C, through which no exception comes.
    """

    def __init__(self, file: BinaryIO, part: Part) -> None:
        self.error: OSError | None = None
        self._file = file
        self._part = part
        self._size = len(part.head) + part.end - part.begin
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move to a position, unless it lies before the first byte."""
        position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if position >= 0:
            self._position = position
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Fill `buffer` from the position on as far as the part reaches, and return the number of bytes."""
        wanted = max(min(len(buffer), self._size - self._position), 0)
        try:
            content = self._read(wanted)
        except OSError as error:
            self.error = error
            return 0
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def _read(self, n_bytes: int) -> bytes:
        from_head = self._part.head[self._position : self._position + n_bytes]
        offset = self._position + len(from_head) - len(self._part.head)
        if len(from_head) == n_bytes:
            return from_head
        self._file.seek(self._part.begin + offset)
        return from_head + self._file.read(n_bytes - len(from_head))


def read_at(file: BinaryIO, position: int, n_bytes: int) -> bytes:
    """Return bytes of a file from a position on, fewer at its end.

    Parameters
    ----------
    file : binary file
        Open and seekable.
    position : int
        First byte.
    n_bytes : int
        How many bytes to read; none if it is negative.

    Returns
    -------
    content : bytes
        At most `n_bytes` bytes.
    """
    file.seek(min(position, _BEYOND_ANY_FILE))
    return file.read(max(n_bytes, 0))


def known_size(size: int, n_present: int) -> int | None:
    """Return the bytes of samples that a header promises, after checking that the file has them.

    Parameters
    ----------
    size : int
        Bytes according to the header.
    n_present : int
        Bytes in the file from the first sample on.

    Returns
    -------
    size : int or None
        None for a stand-in: programs that cannot seek back to fill in the true size write the largest number, or one
        a header shorter.

    Raises
    ------
    UnreadableError
        If the file has fewer bytes.
    """
    if size <= n_present:
        return size
    if size >= _STAND_IN_OF_64_BITS or any(abs(size - stand_in) <= 2**16 for stand_in in _STAND_INS):
        return None
    raise UnreadableError(
        f"is truncated: its header promises {size} bytes of samples, but {max(n_present, 0)} are there."
    )

"""What the header of a sound file promises, for formats in which libsndfile reads truncated files without a word."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO, NamedTuple

# Lengths that programs write when they cannot seek back to fill in the true one (ffmpeg, sox, arecord)
_UNKNOWN_LENGTHS = {0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x7FFFFFFE, 0x7FFFF000}

_LONGEST_OGG_PAGE = 27 + 255 + 255 * 255


class Promise(NamedTuple):
    """Size of the samples according to the header, and what the file has.

    Attributes
    ----------
    n_bytes : int
        Bytes of samples that the header promises.
    n_present : int
        Bytes in the file from the first sample on.
    n_frames : int or None
        Samples per channel that the header promises, where it says so.
    """

    n_bytes: int
    n_present: int
    n_frames: int | None = None


class _ChunkLayout(NamedTuple):
    """How a chunked format stores its chunks."""

    id_size: int
    size_format: str
    size_counts_header: bool
    alignment: int
    first_chunk: int


_LAYOUTS = {
    b"RIFF": _ChunkLayout(4, "<I", False, 2, 12),
    b"RIFX": _ChunkLayout(4, ">I", False, 2, 12),
    b"RF64": _ChunkLayout(4, "<I", False, 2, 12),
    b"FORM": _ChunkLayout(4, ">I", False, 2, 12),
    b"riff": _ChunkLayout(16, "<Q", True, 8, 40),
}


def read_promise(file: BinaryIO) -> Promise | None:
    """Read what the header says about the size of the samples.

    Parameters
    ----------
    file : binary file
        Open and seekable.

    Returns
    -------
    promise : Promise or None
        None where the format is another or the header does not tell.
    """
    n_file = file.seek(0, os.SEEK_END)
    file.seek(0)
    magic = file.read(4)
    if magic in _LAYOUTS:
        return _read_chunks(file, _LAYOUTS[magic], n_file)
    if magic == b".snd":
        return _read_au(file, n_file)
    if magic == b"NIST":
        return _read_sphere(file, n_file)
    return None


def lacks_last_page(file: BinaryIO) -> bool:
    """Tell whether an OGG file ends before the page that is marked as its last one.

    Parameters
    ----------
    file : binary file
        Open and seekable.

    Returns
    -------
    lacking : bool
        False for files of other formats.
    """
    n_file = file.seek(0, os.SEEK_END)
    file.seek(0)
    if file.read(4) != b"OggS":
        return False
    file.seek(max(0, n_file - 2 * _LONGEST_OGG_PAGE))
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return True
    is_last = bool(page[5] & 4)
    return not is_last or len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]])


def _read_chunks(file: BinaryIO, layout: _ChunkLayout, n_file: int) -> Promise | None:
    """Walk through the chunks of WAV, RF64, W64 or AIFF up to the one with the samples."""
    n_header = layout.id_size + struct.calcsize(layout.size_format)
    long_size = None
    position = layout.first_chunk
    while position + n_header <= n_file:
        file.seek(position)
        name = file.read(layout.id_size)[:4]
        (size,) = struct.unpack(layout.size_format, file.read(n_header - layout.id_size))
        size -= n_header if layout.size_counts_header else 0
        if size < 0:
            return None
        start = position + n_header
        if name == b"ds64":
            long_size = struct.unpack("<8xQ", file.read(16).ljust(16, b"\0"))[0]
        elif name in (b"data", b"SSND"):
            if long_size is not None and size == 0xFFFFFFFF:
                size = long_size
            return None if size in _UNKNOWN_LENGTHS else Promise(size, n_file - start)
        position = start + -(-size // layout.alignment) * layout.alignment
    return None


def _read_au(file: BinaryIO, n_file: int) -> Promise | None:
    fields = file.read(8)
    if len(fields) < 8:
        return None
    start, size = struct.unpack(">II", fields)
    return None if size in _UNKNOWN_LENGTHS else Promise(size, n_file - start)


def _read_sphere(file: BinaryIO, n_file: int) -> Promise | None:
    """Read the text header of NIST SPHERE: its length on the second line, then ``name -type value`` lines."""
    file.seek(0)
    try:
        start = int(file.read(16).split(b"\n")[1])
    except (IndexError, ValueError):
        return None
    file.seek(0)
    fields = {}
    for line in file.read(min(start, n_file)).split(b"end_head")[0].splitlines():
        parts = line.split()
        if len(parts) == 3 and parts[1] == b"-i" and parts[2].isdigit():
            fields[parts[0]] = int(parts[2])
    n_frames, n_bytes = fields.get(b"sample_count"), fields.get(b"sample_n_bytes")
    if n_frames is None or n_bytes is None:
        return None
    return Promise(n_frames * n_bytes * fields.get(b"channel_count", 1), n_file - start, n_frames)

"""What a sound file consists of, by the first bytes of each part."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import BinaryIO

from sklearn_gass.audio_io._chunks import CHUNKED, read_chunks
from sklearn_gass.audio_io._flac import read_flac
from sklearn_gass.audio_io._mpeg import read_mpeg
from sklearn_gass.audio_io._ogg import read_ogg
from sklearn_gass.audio_io._parts import Part, UnreadableError, known_size, read_at
from sklearn_gass.audio_io._tags import skip_tags

_FEW_BYTES = 8  # fewer cannot be another chunk, page or frame


def find_parts(file: BinaryIO) -> list[Part]:
    """Find the recordings in a sound file, most often one, and check that nothing of them is missing.

    Parameters
    ----------
    file : binary file
        Open and seekable. It is read from its present position to its end.

    Returns
    -------
    parts : list of Part
        The recordings in their order.

    Raises
    ------
    UnreadableError
        If the file is no sound file of a format known here, truncated or damaged.
    """
    position, end = file.tell(), file.seek(0, os.SEEK_END)
    if position == end:
        raise UnreadableError("is empty.")
    parts: list[Part] = []
    while True:
        position = skip_tags(file, position, end)
        read = _reader(read_at(file, position, 16))
        if read is None:
            break
        found, position = read(file, position, end)
        parts += found
    if not parts:
        raise UnreadableError(
            "is damaged or no sound file: it has no header of WAV, RF64, W64, AIFF, AU, CAF, FLAC, OGG, MP3 or SPHERE."
        )
    if end - position >= _FEW_BYTES:
        raise UnreadableError(
            f"is damaged: {end - position} of its {end} bytes, from byte {position} on, are neither sound nor tags."
        )
    return parts


def _reader(start: bytes) -> Callable[[BinaryIO, int, int], tuple[list[Part], int]] | None:
    if start[:4] in CHUNKED:
        return read_chunks
    if start[:2] >= b"\xff\xe0":
        return read_mpeg
    return {b"fLaC": read_flac, b"OggS": read_ogg, b".snd": _read_au, b"NIST": _read_sphere}.get(start[:4])


def _read_au(file: BinaryIO, begin: int, end: int) -> tuple[list[Part], int]:
    """Find the samples of an AU file."""
    fields = read_at(file, begin, 12)
    n_header, size = struct.unpack(">4xII", fields.ljust(12, b"\0"))
    n_present = end - begin - n_header
    if len(fields) < 12 or n_present < 0:
        raise UnreadableError("is truncated: it ends within its header.")
    known = known_size(size, n_present) if size else None
    if known is None:
        known = n_present
    stop = begin + n_header + known
    head = fields[:8] + struct.pack(">I", min(known, 2**32 - 1))
    return [Part(begin + len(head), stop, head)], stop


def _read_sphere(file: BinaryIO, begin: int, end: int) -> tuple[list[Part], int]:
    """Read the text header of NIST SPHERE: its length on the second line, then ``name -type value`` lines."""
    try:
        n_header = int(read_at(file, begin, 16).split(b"\n")[1])
    except (IndexError, ValueError):
        raise UnreadableError("is damaged or no sound file: its header does not tell its own length.") from None
    fields = {}
    for line in read_at(file, begin, min(n_header, end - begin)).split(b"end_head")[0].splitlines():
        parts = line.split()
        if len(parts) == 3 and parts[1] == b"-i" and parts[2].isdigit() and len(parts[2]) < 20:
            fields[parts[0]] = int(parts[2])
    n_samples, n_bytes = fields.get(b"sample_count"), fields.get(b"sample_n_bytes", 1)
    if n_samples is not None:
        known_size(n_samples * n_bytes * fields.get(b"channel_count", 1), end - begin - n_header)
    # other bytes may follow the samples, which libsndfile takes for sound
    return [Part(begin, end, n_samples=n_samples)], end

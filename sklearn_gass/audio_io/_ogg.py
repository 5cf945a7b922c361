"""OGG: pages with checksums and numbers, in one chain or several behind each other."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass, field
from typing import BinaryIO

from sklearn_gass.audio_io._flac import read_flac
from sklearn_gass.audio_io._parts import Part, UnreadableError, read_at

_FIRST, _LAST = 2, 4  # flags of a page
_N_HEADER = 27
_N_BEFORE_FLAC = 9
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass
class _Chain:
    """What was seen of the streams that begin together; by serial number, the number of the next page.

    `flac` holds the pages' content if it is FLAC, which libsndfile does not read from OGG files.
    """

    begin: int
    next_page: dict[bytes, int] = field(default_factory=dict)
    unfinished: set[bytes] = field(default_factory=set)
    has_content: bool = False
    flac: list[bytes] = field(default_factory=list)


def read_ogg(file: BinaryIO, begin: int, end: int) -> tuple[list[Part], int]:
    """Find the chains of an OGG file and check every page.

    Parameters
    ----------
    file : binary file
        Open and seekable.
    begin, end : int
        First byte of the first page, and the end of the file.

    Returns
    -------
    parts : list of Part
        One for each chain.
    end : int
        End of the last page.

    Raises
    ------
    UnreadableError
        If a page is missing or damaged.
    """
    parts: list[Part] = []
    chain = _Chain(begin)
    position = begin
    while read_at(file, position, 4) == b"OggS":
        page = _read_page(file, position, end)
        serial, is_first = page[14:18], bool(page[5] & _FIRST)
        if is_first and chain.has_content:
            parts.append(_finish(chain, position))
            chain = _Chain(position)
        _add(chain, page, serial, is_first, where=f"at byte {position} of {end}")
        position += len(page)
    return [*parts, _finish(chain, position)], position


def _read_page(file: BinaryIO, position: int, end: int) -> bytes:
    header = read_at(file, position, _N_HEADER + 255)
    n_segments = header[_N_HEADER - 1] if len(header) >= _N_HEADER else 255
    n_bytes = _N_HEADER + n_segments + sum(header[_N_HEADER : _N_HEADER + n_segments])
    page = read_at(file, position, n_bytes)
    if len(page) < n_bytes or len(header) < _N_HEADER:
        raise UnreadableError(f"is truncated: its last page has {len(page)} of {n_bytes} bytes or more.")
    if _checksum(page[:22] + bytes(4) + page[26:]) != int.from_bytes(page[22:26], "little"):
        raise UnreadableError(f"is damaged: the page at byte {position} of {end} does not match its checksum.")
    return page


def _checksum(content: bytes) -> int:
    """Return the CRC of OGG: that of zlib on reversed bits, with neither start value nor inversion."""
    reflected = zlib.crc32(content.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(reflected.to_bytes(4, "little").translate(_REVERSED), "big")


def _add(chain: _Chain, page: bytes, serial: bytes, is_first: bool, where: str) -> None:
    number = int.from_bytes(page[18:22], "little")
    if is_first:
        chain.next_page[serial] = number
        chain.unfinished.add(serial)
    else:
        chain.has_content = True
    missing = number - chain.next_page.get(serial, -1)
    if missing or serial not in chain.unfinished:
        raise UnreadableError(f"is damaged: pages are missing before the one {where}.")
    chain.next_page[serial] = number + 1
    body = page[_N_HEADER + page[_N_HEADER - 1] :]
    if chain.flac or body.startswith(b"\x7fFLAC"):
        chain.flac.append(body)
    if page[5] & _LAST:
        chain.unfinished.remove(serial)


def _finish(chain: _Chain, end: int) -> Part:
    if chain.unfinished:
        raise UnreadableError(f"is truncated: the last page of its stream is missing behind byte {end}.")
    if chain.flac and len(chain.next_page) == 1:
        content = b"".join(chain.flac)[_N_BEFORE_FLAC:]
        parts, _ = read_flac(io.BytesIO(content), 0, len(content))
        return Part(end, end, head=parts[0].head + content[parts[0].begin :])
    return Part(chain.begin, end)

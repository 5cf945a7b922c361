"""Formats that consist of chunks: WAV, RF64, W64, AIFF and CAF."""

from __future__ import annotations

import struct
from typing import BinaryIO, NamedTuple

from sklearn_gass.audio_io._parts import Part, UnreadableError, known_size, read_at

_COMMENTS = {b"LIST", b"ID3 ", b"id3 ", b"bext", b"iXML", b"JUNK"}
_NO_SIZE = 0xFFFFFFFF  # RF64 has the true one in its chunk ds64


class _Layout(NamedTuple):
    """How a format stores its chunks.

    `samples` names the chunks of samples, with the bytes in them before the first sample. The size of the whole file,
    less `n_uncounted` bytes, stands at byte `size_at`.
    """

    n_header: int
    n_name: int
    size_format: str
    alignment: int
    samples: dict[bytes, int]
    size_counts_header: bool = False
    size_at: int | None = 4
    n_uncounted: int = 8


_LAYOUTS = {
    b"RIFF": _Layout(12, 4, "<I", 2, {b"data": 0}),
    b"RIFX": _Layout(12, 4, ">I", 2, {b"data": 0}),
    b"RF64": _Layout(12, 4, "<I", 2, {b"data": 0}, size_at=None),
    b"FORM": _Layout(12, 4, ">I", 2, {b"SSND": 8, b"BODY": 0}),
    b"riff": _Layout(40, 16, "<Q", 8, {b"data": 0}, size_counts_header=True, size_at=16, n_uncounted=0),
    b"caff": _Layout(8, 4, ">Q", 1, {b"data": 4}, size_at=None),
}
CHUNKED = frozenset(_LAYOUTS)
_FILES = {*CHUNKED, b"fLaC", b"OggS", b".snd", b"NIST"}  # what other files begin with


class _Chunk(NamedTuple):
    """A chunk: where its size stands, where its content begins, and how long it says that is."""

    name: bytes
    size_at: int
    begin: int
    size: int


def read_chunks(file: BinaryIO, begin: int, end: int) -> tuple[list[Part], int]:
    """Find the samples of a WAV, RF64, W64, AIFF or CAF file, and what it says about their size.

    Parameters
    ----------
    file : binary file
        Open and seekable.
    begin, end : int
        First byte of the header, and the end of the file.

    Returns
    -------
    parts : list of Part
        The file, with the true sizes in its header.
    end : int
        End of the last chunk.

    Raises
    ------
    UnreadableError
        If there are fewer samples than the header promises, or none.
    """
    chunks = _Chunks(file, _LAYOUTS[read_at(file, begin, 4)], end)
    chunk, long_sizes_at = chunks.find_samples(begin)
    size = chunk.size
    if long_sizes_at is not None and size in (0, _NO_SIZE):
        size = int.from_bytes(read_at(file, long_sizes_at + 8, 8), "little")
    if chunk.name == b"SSND" and (offset := int.from_bytes(read_at(file, chunk.begin, 4), "big")):
        raise UnreadableError(f"is damaged: its header puts {offset} bytes in front of its samples.")
    known = known_size(size, end - chunk.begin)
    stop = end if known is None else chunks.follow(chunk.begin, known)
    if known is not None and known <= chunks.layout.samples[chunk.name] and stop < end:
        known, stop = None, end  # a size that was never filled in
    head = bytearray(read_at(file, begin, chunk.begin - begin))
    if known is None:
        known = end - chunk.begin
        _check_size_of_all(head, chunks.layout, known)
    _put_sizes(head, chunks.layout, chunk.size_at - begin, known, stop - begin)
    if long_sizes_at is not None:
        struct.pack_into("<I", head, chunk.size_at - begin, _NO_SIZE)
        struct.pack_into("<QQ", head, long_sizes_at - begin, stop - begin - 8, known)
    return [Part(chunk.begin, stop, head=bytes(head))], stop


class _Chunks(NamedTuple):
    """A file as a sequence of chunks up to its end."""

    file: BinaryIO
    layout: _Layout
    end: int

    def read(self, position: int) -> _Chunk | None:
        """Return the chunk at a position, None if no complete header with a name is there."""
        n_name, size_format = self.layout.n_name, self.layout.size_format
        n_header = n_name + struct.calcsize(size_format)
        header = read_at(self.file, position, min(n_header, self.end - position))
        name = header[:4]
        if len(header) < n_header or not (name.isascii() and name.decode().isprintable()):
            return None
        (size,) = struct.unpack(size_format, header[n_name:])
        size -= n_header * self.layout.size_counts_header
        return _Chunk(name, position + n_name, position + n_header, max(size, 0))

    def find_samples(self, begin: int) -> tuple[_Chunk, int | None]:
        """Return the chunk of samples, and where the long sizes of RF64 stand."""
        position, long_sizes_at = begin + self.layout.n_header, None
        while (chunk := self.read(position)) and chunk.name not in self.layout.samples:
            if chunk.name == b"ds64":
                long_sizes_at = chunk.begin
            position = chunk.begin + self._padded(chunk.size)
        if chunk is None:
            raise UnreadableError("is truncated or damaged: it has no chunk of samples.")
        return chunk, long_sizes_at

    def follow(self, begin: int, size: int) -> int:
        """Return where the chunks end that follow the samples; some programs leave out the padding in between."""
        for start in (begin + self._padded(size), begin + size):
            stop = start
            while chunk := self.read(stop):
                if chunk.name in _FILES:
                    return stop  # another file, joined to this one
                if chunk.name in self.layout.samples:
                    raise UnreadableError(f"has a second chunk of samples, at byte {stop} of {self.end}.")
                end_chunk = chunk.begin + self._padded(chunk.size)
                # one that leads beyond the end is a truncated comment, or no chunk at all
                if end_chunk > self.end + 1 and chunk.name not in _COMMENTS:
                    break
                stop = min(end_chunk, self.end)
            if stop > start or start >= self.end:
                return min(stop, self.end)
        return begin + size

    def _padded(self, size: int) -> int:
        return -(-size // self.layout.alignment) * self.layout.alignment


def _check_size_of_all(head: bytearray, layout: _Layout, n_present: int) -> None:
    """Refuse a file that lacks bytes by the size of all of it in its header."""
    if layout.size_at is not None:
        (size,) = struct.unpack_from(layout.size_format, head, layout.size_at)
        known_size(size + layout.n_uncounted - len(head), n_present)


def _put_sizes(head: bytearray, layout: _Layout, size_at: int, size: int, n_file: int) -> None:
    """Write the size of the samples and that of the file into a header."""
    n_bits = 8 * struct.calcsize(layout.size_format)
    if layout.size_counts_header:
        size += len(head) - size_at + layout.n_name
    if size >= 2**n_bits:
        raise UnreadableError(f"has {size} bytes of samples, and its header has no room for so large a size.")
    struct.pack_into(layout.size_format, head, size_at, size)
    if layout.size_at is not None:
        struct.pack_into(layout.size_format, head, layout.size_at, min(n_file - layout.n_uncounted, 2**n_bits - 1))

"""Formats that libsndfile does not know, such as AAC in MPEG-4, read by PyAV if that is installed.

PyAV brings FFmpeg with it, which can open very much, playlists of other files among it. So each format is told by its
first bytes, and FFmpeg is held to that one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gass.audio_io._parts import Part, PartFile, UnreadableError, read_at
from sklearn_gass.audio_io._resampling import MAX_SAMPLE_RATE

FOREIGN_SUFFIXES = frozenset(".3gp .aac .amr .m4a .m4b .mka .mp4 .webm .wma .wv".split())
"""Suffixes, in lower case, of files that PyAV reads."""

_TOLERANCE = 0.25  # seconds; encoders pad, and headers round
_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_ASF = bytes.fromhex("3026b2758e66cf11")


class Foreign(NamedTuple):
    """A format for PyAV.

    Attributes
    ----------
    name : str
        What people call it.
    demuxer : str
        What FFmpeg calls it.
    tells_duration : bool
        Whether its header tells how long it is, which FFmpeg otherwise estimates.
    """

    name: str
    demuxer: str
    tells_duration: bool = False


def find_foreign(file: BinaryIO) -> Foreign | None:
    """Tell by the first bytes of a file whether PyAV reads it.

    Parameters
    ----------
    file : binary file
        Open and seekable, which stays at its position.

    Returns
    -------
    found : Foreign or None
        Its format; None for one that libsndfile reads, or an unknown one.
    """
    begin = file.tell()
    start = read_at(file, begin, 16)
    file.seek(begin)
    if start[4:8] == b"ftyp":
        return Foreign("MPEG-4", "mov", tells_duration=True)
    if start[:4] == _EBML.to_bytes(4, "big"):
        return Foreign("WebM or Matroska", "matroska", tells_duration=True)
    if start[:8] == _ASF:
        return Foreign("Windows Media", "asf", tells_duration=True)
    if start[:4] == b"wvpk":
        return Foreign("WavPack", "wv", tells_duration=True)
    if start[:5] == b"#!AMR":
        return Foreign("AMR", "amr")
    if len(start) > 1 and start[0] == 0xFF and start[1] & 0xF6 == 0xF0:  # MPEG audio of layer 0, which there is not
        return Foreign("AAC", "aac")
    return None


def read_foreign_info(file: BinaryIO, found: Foreign) -> tuple[int, int, str]:
    """Return sample rate, number of channels and encoding.

    Parameters
    ----------
    file : binary file
        Open and seekable, at the first byte.
    found : Foreign
        Its format.

    Returns
    -------
    sample_rate, n_channels : int
        Of the first audio stream.
    subtype : str
        What FFmpeg calls its encoding, in capitals.
    """
    with _opened(file, found) as container:
        stream = _first_stream(container)
        return int(stream.rate), int(stream.channels), str(stream.codec_context.name).upper()


def decode_foreign(file: BinaryIO, found: Foreign, dtype: str, mono: bool) -> tuple[NDArray[np.floating], int]:
    """Decode the first audio stream.

    Parameters
    ----------
    file : binary file
        Open and seekable, at the first byte.
    found : Foreign
        Its format.
    dtype : {"float32", "float64"}
        Type of the samples.
    mono : bool
        Whether to average all channels into one.

    Returns
    -------
    channels : ndarray of shape (n_channels, n_samples), or (1, n_samples) if averaged
        Samples.
    sample_rate : int
        In Hz.

    Raises
    ------
    UnreadableError
        If PyAV is missing, or the file is damaged, or truncated so far as its format can show.
    """
    with _opened(file, found) as container:
        stream = _first_stream(container)
        blocks, rates = [], set()
        for frame in _frames(container, stream, "fltp" if dtype == "float32" else "dblp"):
            samples = frame.to_ndarray().astype(dtype, copy=False)
            blocks.append(samples.mean(axis=0, keepdims=True) if mono else samples)
            rates.add(int(frame.sample_rate))
        if not blocks:
            raise UnreadableError("holds no samples.")
        rate = rates.pop()
        if rates or not 1 <= rate <= MAX_SAMPLE_RATE or len({len(block) for block in blocks}) > 1:
            raise UnreadableError("changes its sample rate or its channels, or has a rate that is not read.")
        channels = np.concatenate(blocks, axis=1)
        promised = _duration(container, stream) if found.tells_duration else None
    if promised is not None and channels.shape[1] < (promised - _TOLERANCE) * rate:
        raise UnreadableError(
            f"is damaged or truncated: {channels.shape[1] / rate:.2f} of its {promised:.2f} s can be read."
        )
    if not np.isfinite(channels).all():
        raise UnreadableError("contains NaN or infinite samples.")
    return channels, rate


@contextmanager
def _opened(file: BinaryIO, found: Foreign) -> Iterator[Any]:
    """Open a file with PyAV, and state its errors."""
    try:
        import av
    except ImportError:
        raise UnreadableError(
            f"is of a format ({found.name}) that needs PyAV: pip install 'sklearn_gass[av]'"
        ) from None
    begin, end = file.tell(), file.seek(0, os.SEEK_END)
    if found.demuxer in _CHECKS:
        _CHECKS[found.demuxer](file, begin, end)
    content = PartFile(file, Part(begin, end))
    try:
        with av.open(content, format=found.demuxer, metadata_errors="replace") as container:
            yield container
    except (av.FFmpegError, UnreadableError) as error:
        if content.error is not None:
            raise content.error from None
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError(f"is damaged ({found.name}, FFmpeg: {error.strerror}).") from error


def _first_stream(container: Any) -> Any:
    if not container.streams.audio:
        raise UnreadableError("holds no sound.")
    return container.streams.audio[0]


def _frames(container: Any, stream: Any, sample_format: str) -> Iterator[Any]:
    """Yield decoded frames with samples in floats, one row a channel."""
    import av

    resampler = av.AudioResampler(format=sample_format)
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                raise UnreadableError("is damaged or truncated: a part of it is incomplete.")
            for frame in packet.decode():
                frame.pts = None  # else gaps in time stamps would be filled
                yield from resampler.resample(frame)
    except av.FFmpegError:
        raise
    except ValueError as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError("changes its sample rate or its channels.") from error


def _duration(container: Any, stream: Any) -> float | None:
    """Return the seconds that the header promises."""
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / 1e6


def _check_boxes(file: BinaryIO, begin: int, end: int) -> None:
    """Follow the boxes of an MPEG-4 file to its end."""

    def size(head: bytes) -> int:
        short = int.from_bytes(head[:4], "big")
        return int.from_bytes(head[8:16], "big") if short == 1 else short

    if b"moov" not in [head[4:8] for head in _follow(file, begin, end, 8, size)]:
        raise UnreadableError("is truncated: it has no table of what is in it.")


def _check_objects(file: BinaryIO, begin: int, end: int) -> None:
    """Follow the objects of a Windows Media file to its end."""
    list(_follow(file, begin, end, 24, lambda head: int.from_bytes(head[16:24], "little")))


def _check_blocks(file: BinaryIO, begin: int, end: int) -> None:
    """Follow the blocks of a WavPack file to its end, or to the tags behind them."""
    blocks = _follow(file, begin, end, 8, lambda head: 8 + int.from_bytes(head[4:8], "little"))
    next((head for head in blocks if head[:4] != b"wvpk"), None)


def _follow(file: BinaryIO, begin: int, end: int, n_least: int, size_of: Callable[[bytes], int]) -> Iterator[bytes]:
    """Yield the first bytes of the parts of a file that begin with their size; 0 means that one reaches to the end."""
    position = begin
    while position < end:
        head = read_at(file, position, 24)
        yield head
        size = (size_of(head) or end - position) if len(head) >= n_least else n_least
        if position + size > end:
            raise UnreadableError(f"is truncated: {position + size - end} bytes are missing at its end.")
        if size < n_least:
            raise UnreadableError(f"is damaged at byte {position}.")
        position += size


def _check_elements(file: BinaryIO, begin: int, end: int) -> None:
    """Follow the elements of a Matroska file to its end; those that hold others may have no size."""
    position = begin
    while position < end:
        head = read_at(file, position, 12)
        n_id = _n_bytes(head, 0)
        n_size = _n_bytes(head, n_id)
        if n_id > 4 or n_size > 8:
            raise UnreadableError(f"is damaged at byte {position}.")
        if len(head) < n_id + n_size:
            raise UnreadableError("is truncated: it ends within an element.")
        kind = int.from_bytes(head[:n_id], "big")
        mask = (1 << 7 * n_size) - 1
        size = int.from_bytes(head[n_id : n_id + n_size], "big") & mask
        position += n_id + n_size
        if size == mask and kind in (_SEGMENT, _CLUSTER):
            continue
        if position + size > end:
            raise UnreadableError(f"is truncated: {position + size - end} bytes are missing at its end.")
        if kind not in (_SEGMENT, _CLUSTER):
            position += size


def _n_bytes(head: bytes, begin: int) -> int:
    """Return the length of a number that tells it by the zeros it begins with."""
    return 9 - head[begin].bit_length() if begin < len(head) else 1


_CHECKS: dict[str, Callable[[BinaryIO, int, int], None]] = {
    "asf": _check_objects,
    "matroska": _check_elements,
    "mov": _check_boxes,
    "wv": _check_blocks,
}

"""How samples are stored in a file: its format, and the encoding that keeps what is in them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Significant bits below the sign, and the integer type that soundfile takes them from
_PCM_BITS: dict[str, tuple[int, type[np.signedinteger[Any]]]] = {
    "PCM_16": (15, np.int16),
    "PCM_24": (23, np.int32),
    "PCM_32": (31, np.int32),
}
_CHOICES = ("PCM_16", "PCM_24", "FLOAT", "DOUBLE")
_LARGEST = {"FLOAT": float(np.finfo(np.float32).max), "DOUBLE": np.inf}  # what others hold ends at 1
_TOLERANCE = 1e-3  # -60 dB: root mean square of the rounding error, relative to that of the samples
_WRITTEN_AT_ONCE = 2**20  # samples; integers are made of them in double precision
_BYTES = {"PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
_MAX_BYTES = 2**32 - 2**16  # of samples, where sizes have 32 bits
_FORMAT_OF_SUFFIX = {
    "AIF": "AIFF",
    "AIFC": "AIFF",
    "OGA": "OGG",
    "OPUS": "OGG",
    "SND": "AU",
    "SPH": "NIST",
    "WAVE": "WAV",
}


def choose_encoding(path: Path, subtype: str | None, channels: NDArray[np.floating]) -> tuple[str, str]:
    """Choose how samples are written, so that none is clipped or lost without a word.

    Parameters
    ----------
    path : Path
        Name of the file, whose suffix tells the format.
    subtype : str or None
        Encoding that was asked for.
    channels : ndarray of shape (n_channels, n_samples)
        Samples.

    Returns
    -------
    file_format, encoding : str
        As soundfile names them.
    """
    import soundfile

    file_format = _file_format(path)
    known = soundfile.available_subtypes(file_format)
    if subtype is not None and subtype not in known:
        raise ValueError(f"subtype {subtype!r} does not exist in {file_format} files; these do: {sorted(known)}.")
    peak = float(max(channels.max(), -channels.min()))
    if subtype is None:
        own = "OPUS" if path.suffix.lower() == ".opus" else soundfile.default_subtype(file_format)
        choices = [choice for choice in _CHOICES if choice in known and peak <= _LARGEST.get(choice, 1)] or [own]
    else:
        choices = [subtype]
    for encoding in choices:
        error = _rounding_error(channels, encoding, peak)
        if error <= _TOLERANCE:
            break
    if peak > _LARGEST.get(encoding, 1):
        raise ValueError(
            f"wave has a peak of {peak:.4g}, which {file_format} files of subtype {encoding} would clip at 1; "
            'divide it by its peak, or write a .wav file of subtype "FLOAT".'
        )
    if error > _TOLERANCE:
        warnings.warn(
            f"{path} is written in {encoding}, whose rounding error is only {-20 * np.log10(error):.0f} dB below these "
            f'quiet samples (peak {peak:.1e}). A .wav file of subtype "FLOAT" keeps them.',
            stacklevel=3,
        )
    return _large_format(file_format, encoding, channels.size), encoding


def _file_format(path: Path) -> str:
    import soundfile

    suffix = path.suffix[1:].upper()
    file_format = _FORMAT_OF_SUFFIX.get(suffix, suffix)
    if file_format == "RAW" or file_format not in soundfile.available_formats():
        raise ValueError(
            f"Cannot write audio file {path}: its suffix {path.suffix!r} names no sound format, such as .wav."
        )
    return file_format


def _large_format(file_format: str, encoding: str, size: int) -> str:
    """Return the format that has room for so many samples; libsndfile writes wrong sizes where one has not."""
    if file_format in ("WAV", "WAVEX", "AIFF") and size * _BYTES.get(encoding, 1) > _MAX_BYTES:
        if file_format == "AIFF":
            raise ValueError("wave is too long for an AIFF file, which has at most 4 GiB; write a .wav file.")
        return "RF64"
    return file_format


def _rounding_error(channels: NDArray[np.floating], subtype: str, peak: float) -> float:
    """Return the root mean square of what writing rounds off, relative to that of the samples."""
    error = power = 0.0
    if peak == 0 or peak > _LARGEST.get(subtype, 1) or subtype not in (*_PCM_BITS, "FLOAT"):
        return 0.0
    for block in blocks(channels):
        samples = block.astype(np.float64)
        if subtype == "FLOAT":
            written = samples.astype(np.float32).astype(np.float64)
        else:
            written = _round(samples, subtype) / 2.0 ** _PCM_BITS[subtype][0]
        error += float((((written - samples) / peak) ** 2).sum())
        power += float(((samples / peak) ** 2).sum())
    return float(np.sqrt(error / power))


def blocks(channels: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    """Yield waveforms in pieces.

    Parameters
    ----------
    channels : ndarray of shape (n_channels, n_samples)
        Samples.

    Yields
    ------
    block : ndarray of shape (n_channels, n)
        The next of them.
    """
    for begin in range(0, channels.shape[1], _WRITTEN_AT_ONCE):
        yield channels[:, begin : begin + _WRITTEN_AT_ONCE]


def _round(channels: NDArray[np.floating], subtype: str) -> NDArray[np.float64]:
    """Return samples in steps of a PCM encoding."""
    full_scale = 2.0 ** _PCM_BITS[subtype][0]
    return np.rint(channels.astype(np.float64) * full_scale).clip(-full_scale, full_scale - 1)


def quantise(channels: NDArray[np.floating], subtype: str) -> NDArray[Any]:
    """Round to the integers of a PCM encoding, since libsndfile scales by one step less than it reads with.

    Parameters
    ----------
    channels : ndarray of shape (n_channels, n_samples)
        Samples.
    subtype : str
        Encoding.

    Returns
    -------
    values : ndarray of shape (n_channels, n_samples)
        Integers, or the samples themselves where the encoding is another.
    """
    if subtype not in _PCM_BITS:
        return channels
    bits, dtype = _PCM_BITS[subtype]
    unused_bits = 8 * np.dtype(dtype).itemsize - 1 - bits
    return _round(channels, subtype).astype(dtype) << unused_bits

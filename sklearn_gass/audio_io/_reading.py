"""Read sound files, to their last sample or with an error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gass.audio_io._containers import find_parts
from sklearn_gass.audio_io._foreign import FOREIGN_SUFFIXES, decode_foreign, find_foreign, read_foreign_info
from sklearn_gass.audio_io._parts import Part, PartFile, UnreadableError
from sklearn_gass.audio_io._resampling import MAX_SAMPLE_RATE, check_sample_rate, resample
from sklearn_gass.audio_io._sources import open_source

if TYPE_CHECKING:
    import soundfile

AUDIO_SUFFIXES = FOREIGN_SUFFIXES | frozenset(
    ".aif .aifc .aiff .au .caf .flac .mp3 .nist .oga .ogg .opus .rf64 .snd .sph .w64 .wav .wave".split()
)
"""Suffixes, in lower case, of files that :func:`load_audio` reads; the content tells the format, not the name."""

_N_READ_AT_ONCE = 2**18  # values; what a header promises is not believed, so no memory is taken for it


class AudioInfo(NamedTuple):
    """What :func:`audio_info` tells about a sound file.

    Attributes
    ----------
    sample_rate : int
        In Hz.
    n_channels : int
        Number of channels.
    subtype : str
        Encoding as soundfile names it, such as "PCM_16", "PCM_24", "FLOAT" or "VORBIS", or as FFmpeg does, in capitals.
    """

    sample_rate: int
    n_channels: int
    subtype: str


def audio_info(path: str | os.PathLike[str] | BinaryIO) -> AudioInfo:
    """Tell sample rate, channels and encoding of a sound file.

    Parameters
    ----------
    path : str, path-like or binary file
        File to look into. What is read from a pipe is gone.

    Returns
    -------
    info : AudioInfo
        Those of the first recording in it.

    Raises
    ------
    OSError, TypeError, ValueError
        As :func:`load_audio`, except that samples are not decoded.

    See Also
    --------
    load_audio : Read the samples.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn_gass.audio_io import audio_info, save_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "tone.wav")
    ...     save_audio(path, [0.0, 0.5, 0.0], sample_rate=8000)
    ...     audio_info(path)
    AudioInfo(sample_rate=8000, n_channels=1, subtype='PCM_16')
    """
    with _opened(path) as file:
        foreign = find_foreign(file)
        if foreign is not None:
            return AudioInfo(*read_foreign_info(file, foreign))
        with _decoder(file, find_parts(file)[0]) as sound:
            return AudioInfo(int(sound.samplerate), sound.channels, sound.subtype)


def load_audio(
    path: str | os.PathLike[str] | BinaryIO,
    *,
    sample_rate: int | None = None,
    mono: bool = True,
    dtype: Literal["float32", "float64"] = "float32",
) -> tuple[NDArray[np.floating], int]:
    """Read a sound file to its last sample.

    WAV, RF64, W64, AIFF, AU, CAF, FLAC, OGG (Vorbis, Opus and FLAC), MP3 and NIST SPHERE are read. The format is told
    by the content, not by the name. Integer samples are divided by their full scale, 32768 for 16 bits. With PyAV
    (``pip install 'sklearn_gass[av]'``) so are AAC and others in MPEG-4 (.m4a), Opus in WebM, Windows Media, WavPack
    and AMR.

    A file that is truncated or lacks a piece in its middle is refused. Recordings that were joined to one file are
    returned as one. Where the length in a header is a stand-in, as in files that were written into a pipe, the samples
    reach to the end of the file.

    Parameters
    ----------
    path : str, path-like or binary file
        File to read, or a pipe, or an open file, which is read from its position on and stays open.
    sample_rate : int or None, default=None
        Sample rate in Hz to convert to; None keeps the rate of the file. ``n`` samples become ``ceil(n * sample_rate /
        rate)``.
    mono : bool, default=True
        Whether to average all channels into one.
    dtype : {"float32", "float64"}, default="float32"
        Type of the samples.

    Returns
    -------
    wave : ndarray of shape (n_samples,), or (n_channels, n_samples) with ``mono=False``
        Samples, in [-1, 1] unless the file holds floats beyond.
    sample_rate : int
        Sample rate of `wave` in Hz.

    Raises
    ------
    OSError
        If the file is missing (FileNotFoundError), a folder (IsADirectoryError), a pipe into which no program writes,
        or cannot be read.
    TypeError
        If `path` is neither a path nor a binary file.
    ValueError
        If the file is empty, no sound file, truncated or damaged, if it has a sample rate above 1 MHz or NaN or
        infinite samples, if its recordings differ in sample rate or channels, or if a parameter is out of range.

    See Also
    --------
    audio_info : Sample rate, channels and encoding alone.
    save_audio : Write a sound file.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from sklearn_gass.audio_io import load_audio, save_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "ramp.wav")
    ...     save_audio(path, np.linspace(0, 1, 5), sample_rate=8000)
    ...     wave, sample_rate = load_audio(path)
    >>> wave, sample_rate
    (array([0.       , 0.25     , 0.5      , 0.75     , 0.9999695],
          dtype=float32), 8000)
    """
    if dtype not in ("float32", "float64"):
        raise ValueError(f'dtype must be "float32" or "float64", got {dtype!r}.')
    if sample_rate is not None:
        check_sample_rate(sample_rate)
    with _opened(path) as file:
        foreign = find_foreign(file)
        if foreign is None:
            channels, rate = _decode(file, find_parts(file), dtype, mono)
        else:
            channels, rate = decode_foreign(file, foreign, dtype, mono)
    wave = channels[0] if mono else channels
    if sample_rate is None or sample_rate == rate:
        return wave, rate
    return resample(wave, rate, sample_rate), int(sample_rate)


@contextmanager
def _opened(path: Any) -> Iterator[BinaryIO]:
    """Open a file, and name it in what is found wrong with it."""
    with open_source(path) as (file, name):
        try:
            yield file
        except UnreadableError as error:
            raise ValueError(f"Audio file {name} {error}") from error


@contextmanager
def _decoder(file: BinaryIO, part: Part) -> Iterator[soundfile.SoundFile]:
    """Open a part with libsndfile, and state its errors."""
    import soundfile

    content = PartFile(file, part)
    try:
        with soundfile.SoundFile(content) as sound:
            if not 1 <= sound.samplerate <= MAX_SAMPLE_RATE:
                raise UnreadableError(
                    f"has a sample rate of {sound.samplerate} Hz, and only 1 to {MAX_SAMPLE_RATE} Hz are read."
                )
            yield sound
    except (soundfile.LibsndfileError, UnreadableError) as error:
        if content.error is not None:
            raise content.error from None
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError(f"is damaged or no sound file of a known encoding ({_reason(error)}).") from error


def _reason(error: soundfile.LibsndfileError) -> str:
    return f"libsndfile: {error.error_string.rstrip('.')}"


def _decode(file: BinaryIO, parts: list[Part], dtype: str, mono: bool) -> tuple[NDArray[np.floating], int]:
    """Return samples of shape (n_channels, n_samples), or (1, n_samples) if averaged, and the sample rate."""
    blocks: list[NDArray[np.floating]] = []
    formats = set()
    for part in parts:
        with _decoder(file, part) as sound:
            formats.add((int(sound.samplerate), sound.channels))
            if len(formats) > 1:
                described = " and ".join(f"{rate} Hz with {n} channels" for rate, n in sorted(formats))
                raise UnreadableError(f"holds recordings of different kinds behind each other: {described}.")
            blocks += _read_blocks(sound, part, dtype, mono)
    if not blocks:
        raise UnreadableError("holds no samples.")
    return np.concatenate(blocks, axis=1), formats.pop()[0]


def _read_blocks(sound: soundfile.SoundFile, part: Part, dtype: str, mono: bool) -> Iterator[NDArray[np.floating]]:
    """Yield samples of shape (n_channels, n) and check that they are as many as they should be."""
    import soundfile

    n_samples = sound.frames - part.n_skipped if part.n_samples is None else part.n_samples
    n_read = -part.n_skipped
    while n_read < n_samples:
        wanted = -n_read if n_read < 0 else min(n_samples - n_read, max(_N_READ_AT_ONCE // sound.channels, 1))
        try:
            block = sound.read(wanted, dtype=dtype, always_2d=True)
        except soundfile.LibsndfileError as error:
            raise UnreadableError(
                f"is damaged: decoding fails after {max(sound.tell() - part.n_skipped, 0)} of its {n_samples} samples "
                f"({_reason(error)})."
            ) from error
        if not np.isfinite(block).all():
            raise UnreadableError("contains NaN or infinite samples.")
        if len(block) < wanted:
            n_present = max(n_read + len(block), 0)
            raise UnreadableError(f"is damaged or truncated: {n_present} of its {n_samples} samples can be read.")
        if n_read >= 0:
            yield np.ascontiguousarray(block.mean(axis=1)[np.newaxis] if mono else block.T)
        n_read += len(block)

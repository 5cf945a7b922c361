"""Write sound files, completely or not at all."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_gass._files import replacing
from sklearn_gass.audio_io._encodings import blocks, choose_encoding, quantise
from sklearn_gass.audio_io._resampling import check_sample_rate


def save_audio(
    path: str | os.PathLike[str] | BinaryIO, wave: ArrayLike, sample_rate: int, *, subtype: str | None = None
) -> None:
    """Write a sound file.

    The file appears complete or not at all: it is written beside its final place and moved there. Samples are never
    clipped and never rescaled. Unless `subtype` says otherwise, the encoding is the first of 16 bits, 24 bits, floats
    and double-precision floats of the format whose rounding error stays 60 dB below the samples; samples beyond [-1, 1]
    are written as floats. So what :func:`load_audio` read from a file of 16 bits is written back unchanged, and a quiet
    recording keeps what 16 bits would lose.

    Parameters
    ----------
    path : str, path-like or binary file
        File to write, replaced if it exists. The suffix tells the format: ``.wav``, ``.flac``, ``.ogg``, ``.aiff`` and
        so on. An open file is written to at its position; it becomes a WAV file unless its name has another suffix.
    wave : array-like of shape (n_samples,) or (n_channels, n_samples)
        Floats, of which 1.0 is full scale, or integers of type int16, int32 or uint8, which are divided by 32768,
        2147483648, or 128 after 128 has been subtracted.
    sample_rate : int
        Sample rate in Hz, at most 1 MHz.
    subtype : str or None, default=None
        Encoding as soundfile names it, such as "PCM_16", "PCM_24" or "FLOAT". None chooses it as said above, or takes
        the format's own where it has none of these.

    Raises
    ------
    OSError
        If the folder is missing (FileNotFoundError), `path` is a folder (IsADirectoryError) or writing fails, as on a
        full disk.
    ValueError
        If samples are not 1-D or 2-D, empty, complex or not finite, if the format, subtype or sample rate is unknown,
        or if samples lie beyond [-1, 1] and the encoding would clip them.

    Warns
    -----
    UserWarning
        If the samples are so quiet that rounding to the integers of the encoding leaves less than 60 dB of them.

    See Also
    --------
    load_audio : Read a sound file.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn_gass.audio_io import load_audio, save_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "loud.wav")
    ...     save_audio(path, [0.0, 1.5, -2.0], sample_rate=8000)
    ...     load_audio(path)[0].tolist()
    [0.0, 1.5, -2.0]
    """
    check_sample_rate(sample_rate)
    channels = _check_channels(wave)
    if isinstance(path, str | os.PathLike):
        target = Path(path)
        file_format, encoding = choose_encoding(target, subtype, channels)
        with replacing(target, "audio file") as file:
            _encode(file, target, channels, int(sample_rate), file_format, encoding)
        return
    if isinstance(path, io.TextIOBase) or not hasattr(path, "write"):
        raise TypeError(f"path must be a path or a file open in binary mode, got {type(path).__name__}.")
    name = getattr(path, "name", None)
    target = Path(name) if isinstance(name, str) and Path(name).suffix else Path("file.wav")
    file_format, encoding = choose_encoding(target, subtype, channels)
    content = io.BytesIO()
    _encode(content, target, channels, int(sample_rate), file_format, encoding)
    path.write(content.getvalue())


def _check_channels(wave: ArrayLike) -> NDArray[np.floating]:
    """Return samples as floats of shape (n_channels, n_samples)."""
    array = np.asarray(wave)
    if np.iscomplexobj(array):
        raise ValueError("Complex data not supported: wave must hold real samples.")
    if array.ndim not in (1, 2) or array.size == 0:
        raise ValueError(
            f"wave must have shape (n_samples,) or (n_channels, n_samples) and not be empty, got {array.shape}."
        )
    if array.ndim == 2 and array.shape[0] > array.shape[1]:
        raise ValueError(
            f"wave has more channels than samples, shape {array.shape}; give it as (n_channels, n_samples)."
        )
    if array.dtype in (np.int16, np.int32):
        array = array / -float(np.iinfo(array.dtype).min)
    elif array.dtype == np.uint8:
        array = (array - 128.0) / 128
    elif array.dtype.kind != "f":
        raise ValueError(f"wave must hold floats, int16, int32 or uint8, got {array.dtype}.")
    elif array.dtype != np.float32:
        array = array.astype(np.float64, copy=False)
    if not np.isfinite(array).all():
        raise ValueError("wave contains NaN or infinity.")
    return np.atleast_2d(array)


def _encode(
    file: BinaryIO, target: Path, channels: NDArray[np.floating], sample_rate: int, file_format: str, encoding: str
) -> None:
    """Write a sound file into an open file that can seek."""
    import soundfile

    sink = _Sink(file)
    try:
        with soundfile.SoundFile(sink, "w", sample_rate, len(channels), encoding, format=file_format) as sound:
            for block in blocks(channels):
                sound.write(quantise(block, encoding).T)
    except (soundfile.LibsndfileError, AssertionError) as error:  # soundfile asserts that all was written
        if sink.error is None:
            reason = getattr(error, "error_string", "not all was written").rstrip(".")
            raise OSError(f"Cannot write audio file {target} (libsndfile: {reason}).") from error
    if sink.error is not None:
        raise sink.error


class _Sink:
    """A file that remembers why writing failed: libsndfile calls from C, through which no exception comes."""

    def __init__(self, file: BinaryIO) -> None:
        self.error: OSError | None = None
        self._file = file

    def write(self, content: bytes) -> int:
        return self._attempt(self._file.write, content)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._attempt(self._file.seek, offset, whence)

    def tell(self) -> int:
        return self._attempt(self._file.tell)

    def _attempt(self, operation: Callable[..., int], *arguments: Any) -> int:
        try:
            return operation(*arguments)
        except OSError as error:
            self.error = self.error or error
            return 0

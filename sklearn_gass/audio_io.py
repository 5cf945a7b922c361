"""Read and write sound files, completely or with an error."""

from __future__ import annotations

import os
import secrets
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_gass._audio_headers import Promise, lacks_last_page, read_promise

if TYPE_CHECKING:
    import soundfile

# Significant bits below the sign, and the integer type that soundfile takes them from
_PCM_BITS: dict[str, tuple[int, type[np.signedinteger[Any]]]] = {
    "PCM_16": (15, np.int16),
    "PCM_24": (23, np.int32),
    "PCM_32": (31, np.int32),
}
AUDIO_SUFFIXES = frozenset(
    ".aif .aifc .aiff .au .caf .flac .mp3 .nist .oga .ogg .opus .rf64 .snd .sph .w64 .wav .wave".split()
)
"""Suffixes, in lower case, of files that :func:`load_audio` reads; the content tells the format, not the name."""

_WRITTEN_AT_ONCE = 2**20  # samples; integers are made of them in double precision
_FORMAT_OF_SUFFIX = {"AIF": "AIFF", "OGA": "OGG", "OPUS": "OGG", "SPH": "NIST"}


def load_audio(
    path: str | os.PathLike[str],
    *,
    sample_rate: int | None = None,
    mono: bool = True,
    dtype: Literal["float32", "float64"] = "float32",
) -> tuple[NDArray[np.floating], int]:
    """Read a sound file.

    All formats of libsndfile are read: WAV, FLAC, OGG, MP3, AIFF, NIST SPHERE and more. The format is told by the
    content, not by the name. Integer samples are divided by their full scale, 32768 for 16 bits.

    Parameters
    ----------
    path : str or path-like
        File to read.
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
        If the file is missing (FileNotFoundError), a folder (IsADirectoryError) or cannot be opened.
    ValueError
        If the file is empty, no sound file, truncated, or holds NaN or infinite samples, or if a parameter is out of
        range.

    See Also
    --------
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
        _check_sample_rate(sample_rate)
    source = Path(path)
    channels, rate = _decode(source, _check_file(source), dtype)
    if not np.isfinite(channels).all():
        raise ValueError(f"Audio file {source} contains NaN or infinite samples.")
    wave = (channels.mean(axis=0) if len(channels) > 1 else channels[0]) if mono else channels
    if sample_rate is None or sample_rate == rate:
        return wave, rate
    return resample(wave, rate, sample_rate), int(sample_rate)


def resample(wave: NDArray[np.floating], sample_rate: int, new_sample_rate: int) -> NDArray[np.floating]:
    """Convert a waveform to another sample rate.

    Parameters
    ----------
    wave : ndarray of shape (..., n_samples)
        Samples, of type float32 or float64.
    sample_rate : int
        Sample rate of `wave` in Hz.
    new_sample_rate : int
        Sample rate to convert to, in Hz.

    Returns
    -------
    resampled : ndarray of shape (..., ceil(n_samples * new_sample_rate / sample_rate))
        Samples of the type of `wave`, band-limited to half the lower of the two rates. `wave` itself if the rates are
        equal.

    Raises
    ------
    ValueError
        If a sample rate is no positive integer.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.audio_io import resample
    >>> resample(np.zeros(100), 16000, 11025).shape
    (69,)
    """
    _check_sample_rate(sample_rate)
    _check_sample_rate(new_sample_rate)
    if sample_rate == new_sample_rate:
        return wave
    import librosa

    # in integers, since the ratio as a float can round up to one sample too many
    n_samples = -(-wave.shape[-1] * int(new_sample_rate) // int(sample_rate))
    resampled = librosa.resample(wave, orig_sr=sample_rate, target_sr=new_sample_rate, res_type="soxr_hq", fix=False)
    return np.ascontiguousarray(librosa.util.fix_length(resampled, size=n_samples, axis=-1))


def save_audio(path: str | os.PathLike[str], wave: ArrayLike, sample_rate: int, *, subtype: str | None = None) -> None:
    """Write a sound file.

    The file appears complete or not at all: it is written beside its final place and moved there. Samples are never
    clipped and never rescaled. What :func:`load_audio` read from a file of 16, 24 or 32 bits is written back
    unchanged.

    Parameters
    ----------
    path : str or path-like
        File to write, replaced if it exists. The suffix tells the format: ``.wav``, ``.flac``, ``.ogg``, ``.aiff`` and
        so on.
    wave : array-like of shape (n_samples,) or (n_channels, n_samples)
        Floats, of which 1.0 is full scale, or integers of type int16 or int32.
    sample_rate : int
        Sample rate in Hz.
    subtype : str or None, default=None
        Encoding as soundfile names it, such as "PCM_16", "PCM_24" or "FLOAT". None takes "PCM_16" (the format's own
        default where that does not exist), but "FLOAT" if samples lie beyond [-1, 1].

    Raises
    ------
    OSError
        If the folder is missing (FileNotFoundError), `path` is a folder (IsADirectoryError) or writing fails.
    ValueError
        If samples are not 1-D or 2-D, empty, complex or not finite, if the format, subtype or sample rate is unknown,
        or if samples lie beyond [-1, 1] and the encoding would clip them.

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
    import soundfile

    target = Path(path)
    _check_sample_rate(sample_rate)
    channels = _check_channels(wave)
    file_format = _file_format(target)
    encoding = _choose_subtype(file_format, subtype, peak=float(max(channels.max(), -channels.min())))
    if target.is_dir():
        raise IsADirectoryError(f"Cannot write audio file {target}: it is a folder.")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"Cannot write audio file {target}: the folder {target.parent} does not exist.")
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with soundfile.SoundFile(partial, "w", int(sample_rate), len(channels), encoding, format=file_format) as file:
            for begin in range(0, channels.shape[1], _WRITTEN_AT_ONCE):
                file.write(_quantise(channels[:, begin : begin + _WRITTEN_AT_ONCE], encoding).T)
        os.replace(partial, target)
    except soundfile.LibsndfileError as error:
        raise OSError(f"Cannot write audio file {target} ({_reason(error)}).") from error
    finally:
        partial.unlink(missing_ok=True)


def _check_sample_rate(sample_rate: object) -> None:
    if isinstance(sample_rate, bool) or not isinstance(sample_rate, Integral) or sample_rate < 1:
        raise ValueError(f"sample_rate must be a positive integer in Hz, got {sample_rate!r}.")


def _reason(error: soundfile.LibsndfileError) -> str:
    return f"libsndfile: {error.error_string.rstrip('.')}"


def _check_file(path: Path) -> Promise | None:
    """Return what the header promises, after checking that the file has it."""
    if path.is_dir():
        raise IsADirectoryError(f"Audio file {path} is a folder.")
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise ValueError(f"Audio file {path} is empty.")
            promise = read_promise(file)
            lacks_end = lacks_last_page(file)
    except FileNotFoundError:
        raise FileNotFoundError(f"Audio file {path} does not exist.") from None
    if lacks_end:
        raise ValueError(f"Audio file {path} is truncated: its last page is missing.")
    if promise is not None and promise.n_present < promise.n_bytes:
        raise ValueError(
            f"Audio file {path} is truncated: its header promises {promise.n_bytes} bytes of samples, "
            f"but {max(promise.n_present, 0)} are there."
        )
    return promise


def _decode(path: Path, promise: Promise | None, dtype: str) -> tuple[NDArray[np.floating], int]:
    """Return samples of shape (n_channels, n_samples) and the sample rate."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            # libsndfile takes any bytes for sound if the name ends in .au, .snd, .vox or .gsm
            if file.format == "RAW":
                raise ValueError(f"Audio file {path} has no header that tells its format.")
            # SPHERE files may carry other bytes behind their samples, which libsndfile takes for sound
            n_frames = file.frames if promise is None or promise.n_frames is None else promise.n_frames
            frames = file.read(n_frames, dtype=dtype, always_2d=True)
            rate = int(file.samplerate)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"Audio file {path} is damaged or no sound file ({_reason(error)}).") from error
    except TypeError as error:
        # soundfile asks for sample rate and encoding if the name ends in .raw
        raise ValueError(f"Audio file {path} has no header that tells its format.") from error
    if len(frames) < n_frames:
        raise ValueError(
            f"Audio file {path} is truncated: its header promises {n_frames} samples, but {len(frames)} can be read."
        )
    if n_frames == 0:
        raise ValueError(f"Audio file {path} holds no samples.")
    return np.ascontiguousarray(frames.T), rate


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
    elif array.dtype.kind != "f":
        raise ValueError(f"wave must hold floats, int16 or int32, got {array.dtype}.")
    elif array.dtype != np.float32:
        array = array.astype(np.float64, copy=False)
    if not np.isfinite(array).all():
        raise ValueError("wave contains NaN or infinity.")
    return np.atleast_2d(array)


def _file_format(path: Path) -> str:
    import soundfile

    suffix = path.suffix[1:].upper()
    file_format = _FORMAT_OF_SUFFIX.get(suffix, suffix)
    if file_format == "RAW" or file_format not in soundfile.available_formats():
        raise ValueError(
            f"Cannot write audio file {path}: its suffix {path.suffix!r} names no sound format, such as .wav."
        )
    return file_format


def _choose_subtype(file_format: str, subtype: str | None, peak: float) -> str:
    import soundfile

    known = soundfile.available_subtypes(file_format)
    if subtype is None:
        wanted = "FLOAT" if peak > 1 and "FLOAT" in known else "PCM_16"
        chosen = wanted if wanted in known else soundfile.default_subtype(file_format)
    elif subtype in known:
        chosen = subtype
    else:
        raise ValueError(f"subtype {subtype!r} does not exist in {file_format} files; these do: {sorted(known)}.")
    if peak > 1 and chosen not in ("FLOAT", "DOUBLE"):
        raise ValueError(
            f"wave has a peak of {peak:.4g}, which {file_format} files of subtype {chosen} would clip at 1; "
            'divide it by its peak, or write a .wav file of subtype "FLOAT".'
        )
    return chosen


def _quantise(channels: NDArray[np.floating], subtype: str) -> NDArray[Any]:
    """Round to the integers of a PCM encoding, since libsndfile scales by one step less than it reads with."""
    if subtype not in _PCM_BITS:
        return channels
    bits, dtype = _PCM_BITS[subtype]
    full_scale = 2.0**bits
    steps = np.rint(channels.astype(np.float64) * full_scale).clip(-full_scale, full_scale - 1)
    unused_bits = 8 * np.dtype(dtype).itemsize - 1 - bits
    return steps.astype(dtype) << unused_bits

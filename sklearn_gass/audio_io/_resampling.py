"""Conversion between sample rates."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_SAMPLE_RATE = 1_000_000
_MAX_FACTOR = 1000


def resample(wave: NDArray[np.floating], sample_rate: int, new_sample_rate: int) -> NDArray[np.floating]:
    """Convert a waveform to another sample rate.

    Parameters
    ----------
    wave : ndarray of shape (..., n_samples)
        Samples, of type float32 or float64.
    sample_rate : int
        Sample rate of `wave` in Hz, at most 1 MHz.
    new_sample_rate : int
        Sample rate to convert to, in Hz, at most 1000 times lower or higher.

    Returns
    -------
    resampled : ndarray of shape (..., ceil(n_samples * new_sample_rate / sample_rate))
        Samples of the type of `wave`, band-limited to half the lower of the two rates. `wave` itself if the rates are
        equal.

    Raises
    ------
    ValueError
        If a sample rate is no positive integer or out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.audio_io import resample
    >>> resample(np.zeros(100), 16000, 11025).shape
    (69,)
    """
    check_sample_rate(sample_rate)
    check_sample_rate(new_sample_rate)
    if sample_rate == new_sample_rate:
        return wave
    if not 1 / _MAX_FACTOR <= new_sample_rate / sample_rate <= _MAX_FACTOR:
        raise ValueError(
            f"Sample rates can be converted by a factor of at most {_MAX_FACTOR}, not from {sample_rate} to "
            f"{new_sample_rate} Hz."
        )
    import librosa

    # in integers, since the ratio as a float can round up to one sample too many
    n_samples = -(-wave.shape[-1] * int(new_sample_rate) // int(sample_rate))
    resampled = librosa.resample(wave, orig_sr=sample_rate, target_sr=new_sample_rate, res_type="soxr_hq", fix=False)
    return np.ascontiguousarray(librosa.util.fix_length(resampled, size=n_samples, axis=-1))


def check_sample_rate(sample_rate: Any) -> None:
    """Refuse what is no sample rate.

    Parameters
    ----------
    sample_rate : int
        In Hz.

    Raises
    ------
    ValueError
        If it is no integer from 1 to a million.
    """
    if isinstance(sample_rate, bool) or not isinstance(sample_rate, Integral) or int(sample_rate) < 1:
        raise ValueError(f"sample_rate must be a positive integer in Hz, got {sample_rate!r}.")
    if int(sample_rate) > MAX_SAMPLE_RATE:
        raise ValueError(f"sample_rate must be at most {MAX_SAMPLE_RATE} Hz, got {sample_rate!r}.")

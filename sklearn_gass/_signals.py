"""Checks of reference and estimated signals, shared by the metrics."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def check_pair(references: ArrayLike, estimates: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return references and estimates of one shape in double precision, no reference silent."""
    true, guess = check_signals(references, "references"), check_signals(estimates, "estimates")
    if true.shape != guess.shape:
        raise ValueError(f"references and estimates must have one shape, got {true.shape} and {guess.shape}.")
    if not true.any(axis=-1).all():
        raise ValueError(f"No ratio is defined for a silent reference (index {first_silent(true)}).")
    return true, guess


def check_signals(signals: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return real, finite signals in double precision."""
    array = np.asarray(signals)
    if np.iscomplexobj(array):
        raise ValueError(f"Complex data not supported: {name} must be waveforms.")
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"{name} must have shape (..., n_samples) with one sample or more, got {array.shape}.")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} contain NaN or infinity.")
    return array


def unit_peak(signals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return signals divided by their peaks, silence as it is.

    Ratios do not depend on scale, but squares of very loud or quiet samples would leave the range of floats.
    """
    peaks: NDArray[np.float64] = np.abs(signals).max(axis=-1, keepdims=True)
    return np.divide(signals, peaks, out=np.zeros_like(signals), where=peaks > 0)


def as_estimates(mixture: ArrayLike, references: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mixture as the estimate of every reference."""
    mixed = check_signals(mixture, "mixture")
    if mixed.shape[-1] != references.shape[-1]:
        raise ValueError(
            f"mixture must have {references.shape[-1]} samples like the references, got {mixed.shape[-1]}."
        )
    return np.broadcast_to(mixed, references.shape)


def first_silent(signals: NDArray[np.float64]) -> int:
    """Return the index of the first signal that is zero throughout, counting leading axes in C order."""
    return int(np.flatnonzero(~signals.any(axis=-1))[0])

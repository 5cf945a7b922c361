"""Validation shared by all estimators; the only module that imports scikit-learn's private names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.base import _fit_context as fit_context
from sklearn.utils._param_validation import HasMethods as _HasMethods
from sklearn.utils._param_validation import Interval as _Interval
from sklearn.utils._param_validation import InvalidParameterError, StrOptions, validate_params
from sklearn.utils.metaestimators import _BaseComposition as BaseComposition
from sklearn.utils.validation import _check_feature_names_in as check_feature_names_in
from sklearn.utils.validation import check_non_negative, column_or_1d, validate_data

__all__ = [
    "BaseComposition",
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "StrOptions",
    "all_or_nothing",
    "check_feature_names_in",
    "check_frames",
    "check_labels",
    "check_same_labels",
    "check_utterances",
    "check_wave",
    "fit_context",
    "is_ragged",
    "learned",
    "refuse_class",
    "validate_params",
]


class Interval(_Interval):
    """Constraint to numbers of an interval. Refuses True and False, which Python counts among the integers."""

    def is_satisfied_by(self, val: Any) -> bool:
        return not isinstance(val, bool) and bool(super().is_satisfied_by(val))


class HasMethods(_HasMethods):
    """Constraint to objects that have some methods. Refuses a class, though it has the same methods."""

    def is_satisfied_by(self, val: Any) -> bool:
        return not isinstance(val, type) and bool(super().is_satisfied_by(val))

    def __str__(self) -> str:
        return str(super().__str__()).replace("an object", "an object (not a class)", 1)


def refuse_class(name: str, value: Any) -> None:
    """Raise ValueError for a class in place of an estimator."""
    if isinstance(value, type):
        raise ValueError(f"{name} must be an estimator, got the class {value.__name__}: write {value.__name__}().")


def check_frames(estimator: BaseEstimator, X: ArrayLike, y: Any = "no_validation", *, reset: bool) -> Any:
    """Return non-negative frames of shape (n_frames, n_bins), float32 if given so, else float64; and `y` if given.

    Raises
    ------
    ValueError
        For NaN, infinite, negative, complex or empty input, or a wrong number of bins.
    """
    check_no_missing(y)
    checked = validate_data(estimator, X, y, dtype=[np.float64, np.float32], order="C", reset=reset)
    check_non_negative(checked[0] if isinstance(checked, tuple) else checked, type(estimator).__name__)
    return checked


def check_utterances(estimator: BaseEstimator, X: Any, y: Any = "no_validation", *, reset: bool) -> Any:
    """Return waveforms as a list or the rows of an array; with labels if `y` is given.

    Raises
    ------
    ValueError
        If there is no waveform, or one is empty, not 1-D, complex or holds NaN, or `y` has another length.
    """
    if isinstance(X, list | tuple) and not X:
        raise ValueError("X is empty: at least one waveform is needed.")
    if isinstance(X, dict) and not hasattr(X, "shape"):  # a sparse matrix may be a dict
        raise ValueError("X must be a list of waveforms, with the source of each utterance in y, got a dict.")
    if isinstance(X, Iterator):
        X = list(X)
    if isinstance(X, list | tuple) and isinstance(X[0], str | PathLike):
        raise ValueError("X must be a list of waveforms, got names of files: read each utterance with load_audio.")
    if isinstance(X, list | tuple) and isinstance(X[0], tuple) and len(X[0]) == 2 and np.ndim(X[0][1]) == 0:
        raise ValueError("X must be a list of waveforms, got pairs such as load_audio returns: take the first of each.")
    check_no_missing(y)
    if not is_ragged(X):
        if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype != object:
            raise ValueError(
                "X must be a list of waveforms, one for each utterance, or an array with one in each row, got one "
                "waveform. Reshape your data: [X] is a list of one."
            )
        if hasattr(X, "__array__") and not hasattr(X, "columns") and np.asarray(X).dtype.kind in "iu":
            X = full_scale(np.asarray(X))
        return validate_data(estimator, X, y, dtype=[np.float64, np.float32], order="C", reset=reset)
    waves = [check_wave(wave, name=f"utterance {i}") for i, wave in enumerate(X)]
    if reset:
        # left by an earlier fit on an array
        estimator.__dict__.pop("n_features_in_", None)
        estimator.__dict__.pop("feature_names_in_", None)
    if isinstance(y, str) and y == "no_validation":
        return waves
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y, the source of each utterance, but y is None.")
    if isinstance(y, str):
        raise ValueError(f"y must be a list with the source of each utterance, got the str {y!r}.")
    y = column_or_1d(y, warn=True)
    if len(y) != len(waves):
        raise ValueError(f"X has {len(waves)} utterances, but y has {len(y)} labels.")
    return waves, y


def is_ragged(X: Any) -> bool:
    """Tell a list of waveforms, which may differ in length, from a matrix of equally long ones.

    Besides lists and tuples, a list of waveforms may be a 1-D array of objects or a column of a data frame, and a
    waveform an array, a tensor or, if they differ in length, a list.
    """
    if not (isinstance(X, list | tuple) or getattr(X, "ndim", None) == 1 or type(X).__name__ == "Series"):
        return False
    waves = list(X)
    if any(hasattr(wave, "__array__") and getattr(wave, "ndim", 1) > 0 for wave in waves):
        return True
    return len({len(wave) for wave in waves if isinstance(wave, list | tuple)}) > 1


SPLITTERS = {"frames": "StratifiedGroupKFold with groups = utterance", "utterances": "StratifiedKFold"}


def check_labels(y: NDArray[Any], *, unit: str = "frames", fewest: int = 2) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the sorted source labels and, for each row, the index of its label.

    Raises
    ------
    ValueError
        If the labels are continuous numbers or name fewer sources than needed.
    """
    if y.dtype.kind == "f" and not np.all(y == np.floor(y)):
        raise ValueError("Unknown label type: y must name the source of each row, got continuous numbers.")
    try:
        classes, codes = np.unique(y, return_inverse=True)
    except TypeError as error:
        kinds = sorted({type(label).__name__ for label in y.tolist()})
        raise ValueError(f"The labels in y must be of one type, got {' and '.join(kinds)}.") from error
    if len(classes) < fewest:
        raise ValueError(
            f"Separation needs {unit} of two or more sources, but y names 1 class: {classes.tolist()}. "
            f"In a split, use a splitter that keeps every source in every fold: {SPLITTERS[unit]}. "
            "If the other source is unknown, give the separator a BackgroundModel for it; only a search needs "
            "recordings of it, too."
        )
    return classes, codes


def check_no_missing(y: Any) -> None:
    """Raise ValueError for labels that hold None or NaN, which numpy would turn into the names of sources."""
    if isinstance(y, str | None) or not hasattr(y, "__len__"):
        return
    for row, label in enumerate(y):
        if _is_missing(label):
            raise ValueError(f"y must name the source of each row, but row {row} has no label ({label!r}).")


def _is_missing(label: Any) -> bool:
    if label is None or label is np.ma.masked or type(label).__name__ == "NAType":
        return True
    try:
        return bool(label != label)
    except (TypeError, ValueError):
        return False


def full_scale(wave: NDArray[Any]) -> NDArray[Any]:
    """Return samples of integer types that sound has as floats in [-1, 1), and others as they are."""
    kind, size = wave.dtype.kind, wave.dtype.itemsize
    if kind not in "iu" or size > 4:
        return wave
    half = 2 ** (8 * size - 1)
    floats = wave.astype(np.float32 if size <= 2 else np.float64)
    scaled: NDArray[Any] = (floats - half * (kind == "u")) / half
    return scaled


def check_wave(wave: ArrayLike, *, name: str = "wave") -> NDArray[np.floating]:
    """Return one waveform as a 1-D float array, float32 if given so, else float64.

    Samples of 8, 16 or 32 bits are divided by their full scale.

    Raises
    ------
    ValueError
        If the waveform is not 1-D, empty, complex, not numeric, or holds NaN or infinity.
    """
    try:
        array = np.asarray(wave)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"{name} must be a waveform, got {type(wave).__name__}.") from error
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} must hold real samples.")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} must hold numbers, got dtype {array.dtype}.")
    if array.ndim != 1:
        raise ValueError(f"{name} must be 1-D (one channel), got shape {array.shape}.")
    if array.size == 0:
        raise ValueError(f"{name} is empty.")
    array = full_scale(array)
    if array.dtype != np.float32:
        array = array.astype(np.float64, copy=False)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} contains NaN or infinity.")
    return array


def check_same_labels(given: Sequence[Any], known: Sequence[Any], *, unit: str | None = None) -> None:
    """Raise ValueError unless the labels given are exactly the known sources; with a unit, say how to split them.

    Raises
    ------
    ValueError
        Naming the labels that are unknown or missing.
    """
    unknown, missing = sorted(set(given) - set(known)), sorted(set(known) - set(given))
    hint = f" In a split, use a splitter that keeps every source in every fold: {SPLITTERS[unit]}." if unit else ""
    if unknown:
        raise ValueError(f"Unknown source label(s) {unknown}; the sources are {sorted(known)}.{hint}")
    if missing:
        hint += " A source with a BackgroundModel needs recordings, too, to be scored." if unit else ""
        raise ValueError(
            f"No {unit or 'frames'} of source(s) {missing}, but every one of {sorted(known)} is needed.{hint}"
        )


@contextmanager
def all_or_nothing(estimator: BaseEstimator) -> Iterator[None]:
    """Keep an estimator from half a state when the block, its fit, does not end well.

    An interruption, as by Ctrl-C, leaves it as it was before. After an error it is not fitted, so that what it learned
    from other data does not answer for this one.
    """
    before = dict(vars(estimator))
    try:
        yield
    except BaseException as error:
        undo_fit(estimator, before, restore=not isinstance(error, Exception))
        raise


def undo_fit(estimator: BaseEstimator, before: dict[str, Any], *, restore: bool) -> None:
    """Take back what a fit has learned before it ended too early, and restore what was learned before it if wanted."""
    state = vars(estimator)
    for name in [name for name in state if _is_learned(name)]:
        del state[name]
    if restore:
        state.update({name: value for name, value in before.items() if _is_learned(name)})


def learned(estimator: BaseEstimator) -> dict[str, Any]:
    """Return what a fit has set, by name."""
    return {name: value for name, value in vars(estimator).items() if _is_learned(name)}


def _is_learned(name: str) -> bool:
    return name.endswith("_") or name in ("_n_features_out", "_trained_params")

"""Save fitted estimators, load them, and say what a file holds."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch
from sklearn.utils.validation import check_is_fitted

from sklearn_gass._container import FORMAT, read_arrays, read_content, write
from sklearn_gass.networks import check_device
from sklearn_gass.persistence._classes import ESTIMATORS, LATER, TOP, has_fit
from sklearn_gass.persistence._decoding import Decoder
from sklearn_gass.persistence._encoding import Encoder
from sklearn_gass.separation._fitting import of_waveforms, unfrozen, with_inner
from sklearn_gass.separation._parameters import TrainedParameters
from sklearn_gass.source_models._base import N_KEPT


def save_model(estimator: Any, path: str | os.PathLike[str], *, card: Any = None) -> None:
    """Save a fitted source model or separator in one file, which holds arrays and a description and nothing else.

    The file appears complete or not at all. A loaded estimator gives the same results to the last bit.

    Parameters that act at separation are saved as they are now, also if they were set after `fit`. Parameters that say
    how training runs on a machine (`memory`, `n_jobs`, `callbacks`, `checkpoint`, `checkpoint_every`, `verbose`), and
    the `base` that it began at, are left out and have their defaults after loading.

    Parameters
    ----------
    estimator : source model, SupervisedSeparator, SupervisedSeparatorCV or AudioSeparator
        Or a FrozenEstimator around one. Fitted, with classes of this library inside.
    path : str or path-like
        File to write, replaced if it exists. By custom its name ends in ``.safetensors``.
    card : object, default=None
        What to keep beside the model for those who get the file: a text, or anything that JSON can hold, such as a dict
        of what it was trained on, licence and scores.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    OSError
        If the file cannot be written, as on a full disk; a file that was there before stays.
    TypeError
        If `estimator` is none of those above, or `card` is nothing that JSON can hold.
    ValueError
        If a parameter cannot be stored, such as a function or a RandomState instance, or one that only training reads
        was set after `fit`.

    See Also
    --------
    load_model : Get the estimator back.
    describe_model : Say what a file holds.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from sklearn_gass import NMFSourceModel, describe_model, load_model, save_model
    >>> X = np.abs(np.random.RandomState(0).randn(50, 8))
    >>> model = NMFSourceModel(n_components=3, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "noise.safetensors")
    ...     save_model(model, path, card="white noise")
    ...     loaded = load_model(path)
    ...     describe_model(path)["card"]
    'white noise'
    >>> bool((loaded.sample(5) == model.sample(5)).all())
    True
    """
    cls = type(estimator)
    if not isinstance(estimator, TOP) or ESTIMATORS.get(cls.__name__) is not cls:
        raise TypeError(f"estimator must be a source model or separator of this library, got {cls.__name__}.")
    check_is_fitted(estimator)
    try:
        kept = json.loads(json.dumps(card, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"card must be a text or what JSON can hold: {error}.") from error
    encoder = Encoder()
    try:
        content = {
            "summary": _summary(estimator),
            "versions": _versions(),
            "card": kept,
            "model": encoder.encode_estimator(estimator, ""),
        }
        write(Path(path), content, encoder.arrays)
    except ValueError as error:
        raise ValueError(f"Cannot save this {cls.__name__}: {str(error).removesuffix('.')}.") from error


def load_model(path: str | os.PathLike[str], *, device: str | None = None) -> Any:
    """Load what :func:`save_model` saved.

    Nothing of the file is executed, so that files of strangers may be loaded. What is loaded is checked: classes,
    parameters, types and shapes of arrays, and that all numbers are finite.

    Parameters
    ----------
    path : str or path-like
        File to read.
    device : str or None, default=None
        Where to separate and train from now on, as torch names it; ``None`` keeps what the estimator had.

    Returns
    -------
    estimator : source model or separator
        Fitted, with the same results as the one that was saved.

    Raises
    ------
    OSError
        If the file cannot be read; FileNotFoundError if there is none.
    ValueError
        If it is no model file, truncated or damaged, of a newer format, or holds what does not fit together; or if
        there is no such device.

    See Also
    --------
    save_model : Save an estimator.
    """
    if device is not None:
        check_device(device)
    path = Path(path)
    with _reading(path):
        content = _read(path)
        decoder = Decoder(read_arrays(path, content["arrays"]), device)
        estimator = decoder.decode(content["model"], "")
        if not isinstance(estimator, TOP) or not has_fit(unfrozen(estimator)):
            raise ValueError("it holds no fitted source model or separator")
        if decoder.arrays:
            raise ValueError(f"nothing needs its array {min(decoder.arrays)}")
        described, held = content["summary"], _summary(estimator)
        if _labels(described) != _labels(held):
            raise ValueError("its labels differ from those of its description")
        if _of_what(described) != _of_what(held):
            raise ValueError("its description differs from what it holds")
    return estimator


def describe_model(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Say what a model file holds, without loading its arrays.

    Parameters
    ----------
    path : str or path-like
        File to read.

    Returns
    -------
    description : dict
        ``class``; ``sources``, a dict for each with ``label`` (``None`` for a source model alone), ``model`` (its
        class), ``n_frames`` and ``seconds`` of training sound, each ``None`` if not known; ``n_bins``;
        ``sample_rate``, ``n_fft`` and ``consistency``, ``None`` unless it separates waveforms; ``size`` of the file in
        bytes; ``format``; ``versions`` of the libraries that wrote it; ``card``.

    Raises
    ------
    OSError
        If the file cannot be read; FileNotFoundError if there is none.
    ValueError
        If it is no model file, truncated or damaged, or of a newer format.

    See Also
    --------
    save_model : Save an estimator, with a card.
    """
    path = Path(path)
    with _reading(path):
        content = _read(path)
        about = {"size": path.stat().st_size, "format": FORMAT}
        return {**content["summary"], **about, "versions": content["versions"], "card": content["card"]}


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(error.errno, "There is no model file", str(path)) from error
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    except (ValueError, RecursionError) as error:
        reason = "its description is damaged" if isinstance(error, RecursionError) else str(error).removesuffix(".")
        raise ValueError(f"Cannot load model {path}: {reason}.") from error
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError) as error:
        # whatever values that fit no parameter make libraries raise
        raise ValueError(f"Cannot load model {path}: it is damaged ({type(error).__name__}).") from error


def _read(path: Path) -> dict[str, Any]:
    content = read_content(path)
    if "training" in content:
        raise ValueError("it is a checkpoint, from which fit goes on with a training, and no model")
    summary = content.get("summary")
    if isinstance(summary, dict):  # files of older versions do not tell the consistency
        summary.setdefault("consistency", None if summary.get("sample_rate") is None else LATER["consistency"])
    sound = set(content) == {"summary", "versions", "card", "model", "arrays"} and _has_types(summary, _SUMMARY)
    if not sound or not all(_has_types(source, _SOURCE) for source in content["summary"]["sources"]):
        raise ValueError("its description is damaged")
    return content


_SUMMARY: dict[str, tuple[type, ...]] = {
    "class": (str,),
    "sources": (list,),
    "n_bins": (int,),
    "sample_rate": (int, type(None)),
    "n_fft": (int, type(None)),
    "consistency": (float, type(None)),
}
_SOURCE: dict[str, tuple[type, ...]] = {
    "label": (str, int, float, bool, type(None)),
    "model": (str,),
    "n_frames": (int, type(None)),
    "seconds": (float, type(None)),
}


def _has_types(found: Any, types: dict[str, tuple[type, ...]]) -> bool:
    """Tell whether an object of a description has these items and no others, all of such types."""
    return isinstance(found, dict) and {*found} == {*types} and all(type(found[name]) in types[name] for name in types)


def _summary(estimator: Any) -> dict[str, Any]:
    """Return what can be said of a fitted estimator without its arrays, with the parameters that act now."""
    now = unfrozen(estimator)
    now = now._now() if isinstance(now, TrainedParameters) else now
    inner, audio = with_inner(now)[-1], of_waveforms(now)
    models = getattr(inner, "source_models_", [inner])
    labels = [_plain(label) for label in inner.classes_] if hasattr(inner, "classes_") else [None]
    hop = None if audio is None else audio.stft_.hop_samples / audio.sample_rate
    return {
        "class": type(estimator).__name__,
        "sources": [_source(label, unfrozen(model), hop) for label, model in zip(labels, models, strict=True)],
        "n_bins": unfrozen(inner).n_features_in_,
        "sample_rate": None if audio is None else int(audio.sample_rate),
        "n_fft": None if audio is None else int(audio.stft_.n_fft),
        "consistency": None if audio is None else float(audio.consistency),
    }


def _plain(label: Any) -> Any:
    """Return a label as JSON holds it; arrays of objects may have numbers and texts of NumPy."""
    return label.item() if isinstance(label, np.generic) else label


def _source(label: Any, model: Any, hop: float | None) -> dict[str, Any]:
    # a background may have been fitted without any
    n_frames = len(model.activations_) if hasattr(model, "activations_") else len(getattr(model, "residuals_", ()))
    known = n_frames < N_KEPT or hasattr(model, "activations_")  # otherwise these are a part of the frames
    return {
        "label": label,
        "model": type(model).__name__,
        "n_frames": n_frames if known else None,
        "seconds": round(n_frames * hop, 3) if known and hop else None,
    }


def _labels(summary: Any) -> list[Any]:
    return [(type(source["label"]), source["label"]) for source in summary["sources"]]


def _of_what(summary: Any) -> tuple[Any, ...]:
    """Return what no parameter that is set after `fit` changes; older files may tell other parameters of searches."""
    models = [source["model"] for source in summary["sources"]]
    return summary["class"], models, summary["n_bins"], summary["sample_rate"] is None


def _versions() -> dict[str, str]:
    libraries = {"numpy": np.__version__, "scikit-learn": sklearn.__version__, "torch": torch.__version__}
    return {"sklearn_gass": str(sys.modules["sklearn_gass"].__version__), **libraries}

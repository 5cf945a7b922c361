"""Functions that fit the parts of a separator, each of its own so that joblib can cache it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import joblib
import torch
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator

from sklearn_gass._checkpoints import IRRELEVANT, Part
from sklearn_gass._validation import learned
from sklearn_gass.engine import CleanSource, Problem
from sklearn_gass.progress import Task


def unfrozen(model: Any) -> Any:
    """Return the estimator inside a FrozenEstimator, or the estimator itself."""
    return model.estimator if isinstance(model, FrozenEstimator) else model


def with_inner(estimator: Any) -> list[Any]:
    """Return an estimator and any fitted separators inside it, from the outermost to the innermost."""
    found = [estimator]
    while hasattr(found[-1], "separator_"):
        found.append(found[-1].separator_)
    return found


def of_waveforms(estimator: Any) -> Any:
    """Return the AudioSeparator that a fitted estimator is or has inside, or None."""
    return next((separator for separator in with_inner(estimator) if hasattr(separator, "stft_")), None)


def fit_within(task: Task, part: Part, fit: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function that fits a part, which tells its progress and keeps its state where it belongs."""
    with task, part:
        return fit(*arguments)


def continued(new: Any, earlier: Any, warm_start: bool) -> Any:
    """Return an unfitted estimator with what an earlier one has learned, if it is to go on from there.

    Parameters
    ----------
    new : source model, start or critic
        With the parameters of now.
    earlier : source model, start, critic or None
        The fitted one.
    warm_start : bool
        Whether to go on even if its own parameter says otherwise.

    Returns
    -------
    new : source model, start or critic
        The same.

    Warns
    -----
    UserWarning
        If it ought to go on, and its class cannot.
    """
    params = new.get_params(deep=False)
    if not (warm_start or params.get("warm_start")) or type(new) is not type(earlier):
        return new
    if "warm_start" not in params:
        if "max_iter" in params:
            warnings.warn(f"{type(new).__name__} has no warm_start: it is trained from the beginning.", stacklevel=2)
        return new
    vars(new).update(learned(earlier))
    return new.set_params(warm_start=True)


def fit_model(model: Any, frames: NDArray[Any] | None, n_bins: int) -> Any:
    """Fit one source model; without frames, get it ready to learn from mixtures alone. A frozen one stays as it is."""
    if frames is None and not isinstance(model, FrozenEstimator):
        return model.expect(n_bins)
    return model.fit(frames, None)  # FrozenEstimator insists on y, and that it is fitted


def is_background(model: Any) -> bool:
    """Tell whether a source model is learned from each mixture, rather than from recordings."""
    return bool(getattr(model, "learns_from_mixture", False))


def detector_of(models: Sequence[Any]) -> Any:
    """Return the fitted detector of the background among source models, or None; a frozen one is of other sources."""
    return next((vars(model)["detector_"] for model in models if "detector_" in vars(model)), None)


def fit_part(
    part: Any,
    models: Sequence[Any],
    frames: Sequence[NDArray[Any]],
    beta_loss: str,
    device: str,
    start: Any = None,
) -> Any:
    """Fit a start or a critic.

    Parameters
    ----------
    part : BaseStart or BaseCritic
        Unfitted, with a seed.
    models : sequence of source models
        Fitted models.
    frames : sequence of ndarray of shape (n_frames, n_bins)
        Clean frames of each.
    beta_loss : str
        Divergence that separation will use.
    device : str
        Where to train.
    start : BaseStart or None, default=None
        The fitted start, for a critic.

    Returns
    -------
    part : BaseStart or BaseCritic
        The fitted part.
    """
    problem = make_problem(models, beta_loss, torch.float32, device)
    if start is not None:
        problem = replace(problem, start=start.freeze(problem))
    sources = [
        CleanSource(torch.tensor(own, dtype=torch.float32, device=device) / problem.unit, model.augment)
        for model, own in zip(models, frames, strict=True)
    ]
    return part.fit(problem, sources)


def make_problem(models: Sequence[Any], beta_loss: str, dtype: torch.dtype, device: str) -> Problem:
    """Return the problem of separating with fitted models, without start and critic."""
    decoders = [model.decoder(dtype, device) for model in models]
    return Problem(decoders, beta_loss, models[0].n_features_in_, dtype, device)


def order_without_labels(models: Sequence[Any]) -> list[int]:
    """Return an order of the models that their labels have no part in, since rounding depends on the order."""
    scales = [model.scale_ for model in models]

    def key(i: int) -> tuple[float, str]:
        return scales[i], fingerprint(models[i]) if scales.count(scales[i]) > 1 else ""

    return sorted(range(len(scales)), key=key)


def fingerprint(model: Any) -> str:
    """Return a hash of what a fitted model is, without what its training took."""
    state = vars(unfrozen(model)).items()
    return str(joblib.hash({name: value for name, value in state if name not in _HOW_IT_WAS_TRAINED}))


# no part of what a model is: a model file leaves some of them out, and loading it may change the device
_HOW_IT_WAS_TRAINED = {"base", "history_", "inversion_history_", "verbose", "device", *IRRELEVANT}

"""Whether the fitted attributes of an estimator fit together, before it is saved and after it was loaded."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from torch import nn

from sklearn_gass._mixture_learning import MixtureLearner
from sklearn_gass._validation import check_same_labels
from sklearn_gass.critics import BaseCritic
from sklearn_gass.detectors import PresenceDetector
from sklearn_gass.engine import Decoder, Problem
from sklearn_gass.engine._context import N_SPANNED
from sklearn_gass.networks import check_widths, shapes_fit
from sklearn_gass.persistence._classes import ALSO_FITTED, FITTED, TOP, has_fit
from sklearn_gass.separation import AudioSeparator, SupervisedSeparator, SupervisedSeparatorCV
from sklearn_gass.separation._composition import check_contexts
from sklearn_gass.separation._fitting import detector_of, is_background, unfrozen
from sklearn_gass.source_models import BackgroundModel, BaseSourceModel, DAESourceModel, NMFSourceModel
from sklearn_gass.source_models._dynamics import noise_covariance
from sklearn_gass.source_models._neural import BaseNeuralSourceModel
from sklearn_gass.starts import BaseStart, RandomStart
from sklearn_gass.stft import STFT


def check_fitted(estimator: Any) -> None:
    """Check a fitted estimator; those inside it have to be checked before.

    Parameters
    ----------
    estimator : estimator
        Of a class that files may hold.

    Raises
    ------
    ValueError
        If an attribute is missing, or has a wrong type, shape or value.
    """
    missing = sorted(FITTED[type(estimator)] - set(vars(estimator)))
    if missing:
        raise ValueError(f"its {type(estimator).__name__} lacks the attribute {missing[0]!r}")
    for cls, check in _CHECKS.items():
        if isinstance(estimator, cls):
            check(estimator)
    _check_optional(estimator)


def _check_optional(estimator: Any) -> None:
    config = vars(estimator).get("_sklearn_output_config", {})
    if not isinstance(config, dict) or not set(config.items()) <= {
        ("transform", kind) for kind in ("default", "pandas", "polars")
    }:
        raise ValueError(f"its {type(estimator).__name__} has an unknown output container")
    distance = vars(estimator).get("distance_from_base_", 0.0)
    if not (isinstance(distance, float) and 0 <= distance < np.inf):
        raise _wrong(estimator, "distance_from_base_")
    if "n_features_in_" in vars(estimator):
        _whole(estimator, "n_features_in_")
    if "feature_names_in_" in vars(estimator):
        names = estimator.feature_names_in_
        good = isinstance(names, np.ndarray) and all(type(name) is str for name in names.ravel().tolist())
        if not good or names.shape != (getattr(estimator, "n_features_in_", -1),):
            raise ValueError(f"feature_names_in_ of its {type(estimator).__name__} do not fit its number of features")


def _check_model(model: BaseSourceModel) -> None:
    n_bins = _whole(model, "n_features_in_")
    _whole(model, "n_iter_")
    _whole(model, "_n_features_out")
    if not (isinstance(model.scale_, float) and 0 < model.scale_ < np.inf):
        raise _wrong(model, "scale_")
    if isinstance(model, BackgroundModel) and not hasattr(model, "components_"):
        return
    n_kept = _array(model, "residuals_", (None, n_bins), np.float16).shape[0]
    _array(model, "residual_levels_", (n_kept,))
    _check_transition(model)


def _check_transition(model: BaseSourceModel) -> None:
    names, k = ("transition_", "transition_covariance_"), model._n_features_out
    known = [name for name in names if getattr(model, name, None) is not None]
    if not known:
        return
    if len(known) == 1:
        raise _wrong(model, *set(names) - set(known))
    matrices = [_array(model, name, (k, k), np.float32) for name in names]
    try:
        for covariance in (matrices[1], noise_covariance(*matrices)):
            np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        raise _wrong(model, "transition_") from None


def _check_neural(model: BaseNeuralSourceModel) -> None:
    _check_widths(model, "hidden_layer_sizes")
    if hasattr(model, "critic_hidden_layer_sizes"):
        _check_widths(model, "critic_hidden_layer_sizes")
    _check_weights(model)
    model._check_weights(model._make_networks(model.n_features_in_))
    if model._n_features_out != model.n_components:
        raise _wrong(model, "_n_features_out")
    _array(model, "codes_", (None, model._n_codes * model.n_components), np.float32)
    latents = getattr(model, "latents_", None)
    if latents is not None:
        _array(model, "latents_", (None, model.n_components), np.float32)
    _check_history(model, "history_")
    if hasattr(model, "inversion_history_"):
        _check_history(model, "inversion_history_")


def _check_dae(model: DAESourceModel) -> None:
    k = model.n_components
    _array(model, "latent_mean_", (k,), np.float64)
    _array(model, "latent_covariance_", (k, k), np.float64)


def _check_nmf(model: NMFSourceModel) -> None:
    k = model._n_features_out
    if type(model.context_) is not int or model.context_ < 0:
        raise _wrong(model, "context_")
    width = model.n_features_in_ * (N_SPANNED if model.context_ else 1)
    dtype = _array(model, "components_", (k, width), low=0).dtype
    _array(model, "activations_", (None, k), dtype, low=0)
    if not isinstance(model.reconstruction_err_, float):
        raise _wrong(model, "reconstruction_err_")
    if model.prior is not None or hasattr(model, "prior_shape_"):
        for name in ("prior_shape_", "prior_rate_"):
            _array(model, name, (k,), dtype, low=np.finfo(dtype).smallest_subnormal)


def _check_background(model: BackgroundModel) -> None:
    if model._n_features_out != model.n_components:
        raise _wrong(model, "_n_features_out")
    learned = ALSO_FITTED[BackgroundModel] - {"detector_"}  # which the sources of a separator are checked with
    missing = sorted(learned - set(vars(model)))
    if len(missing) == len(learned):
        return
    if missing:
        raise ValueError(f"its BackgroundModel lacks the attribute {missing[0]!r}")
    k, n_bins = model.n_components, model.n_features_in_
    dtype = _array(model, "components_", (k, n_bins), low=0).dtype
    _array(model, "activations_", (None, k), dtype, low=0)
    _array(model, "examples_", (None, n_bins), dtype, low=0)


def _check_learner(learner: MixtureLearner) -> None:
    """Check what needs no knowledge of the sources."""
    _check_widths(learner, "hidden_layer_sizes")
    _check_weights(learner)
    _check_history(learner, "history_")


def _check_presence(detector: PresenceDetector) -> None:
    _check_widths(detector, "hidden_layer_sizes")
    _check_weights(detector)
    _check_history(detector, "history_")


def _check_random_start(start: RandomStart) -> None:
    if type(start.seed_) is not int or not 0 <= start.seed_ < 2**63:
        raise _wrong(start, "seed_")


def _check_frozen(frozen: FrozenEstimator) -> None:
    inner = frozen.estimator
    if not isinstance(inner, TOP) or isinstance(inner, FrozenEstimator) or not has_fit(inner):
        raise ValueError("its FrozenEstimator holds no fitted source model or separator")


def _check_separator(separator: SupervisedSeparator) -> None:
    _check_classes(separator)
    _whole(separator, "n_iter_")
    n_bins, models = _whole(separator, "n_features_in_"), separator.source_models_
    if not isinstance(models, list) or len(models) != len(separator.classes_):
        raise ValueError("its labels and source models differ in number")
    for model in models:
        inner = unfrozen(model)
        if not isinstance(inner, BaseSourceModel) or not has_fit(inner) or inner.n_features_in_ != n_bins:
            raise _wrong(separator, "source_models_")
    check_contexts(models)
    if isinstance(separator.source_model, list):
        check_same_labels([str(label) for label in separator.classes_], separator._listed_labels())
    separator._background_label()
    known = [unfrozen(model) for model in models if not is_background(model)]
    if (detector := detector_of(models)) is not None:
        _check_detector(detector, n_bins, len(known))
    decoders = [Decoder(_no_function, _no_function, model._n_features_out, model.scale_) for model in known]
    problem = Problem(decoders, separator._objective_loss(models), n_bins)
    is_linear = all(isinstance(model, NMFSourceModel) for model in known)
    for name, base in (("start_", BaseStart), ("critic_", BaseCritic)):
        part = getattr(separator, name)
        if part is None and (name == "critic_" or is_linear):
            continue
        if not isinstance(part, base) or not FITTED[type(part)] <= set(vars(part)):
            raise _wrong(separator, name)
        if isinstance(part, MixtureLearner):
            _check_shapes(part, part._make_network(problem))
        if hasattr(part, "n_latents_"):  # files of older versions have none
            n_latents = [decoder.n_components for decoder in decoders]
            if not isinstance(part.n_latents_, list) or sorted(part.n_latents_) != sorted(n_latents):
                raise _wrong(separator, name)


def _check_detector(detector: Any, n_bins: int, n_known: int) -> None:
    if not isinstance(detector, PresenceDetector) or not has_fit(detector):
        raise ValueError("its BackgroundModel holds no fitted detector")
    _check_shapes(detector, detector._make_network(n_bins, n_known))


def _no_function(rows: torch.Tensor) -> torch.Tensor:
    """Stand for the functions of decoders, which shapes of networks do not depend on."""
    raise NotImplementedError


def _check_owner(owner: Any) -> None:
    _check_classes(owner)
    inner = unfrozen(owner.separator_)
    if not isinstance(inner, SupervisedSeparator | SupervisedSeparatorCV | AudioSeparator) or not has_fit(inner):
        raise _wrong(owner, "separator_")
    if inner.classes_.tolist() != owner.classes_.tolist():
        raise ValueError("its labels differ from those of the separator inside")


def _check_audio(audio: AudioSeparator) -> None:
    inner = unfrozen(audio.separator_)
    inner = inner.separator_ if isinstance(inner, SupervisedSeparatorCV) else inner
    if not isinstance(inner, SupervisedSeparator):
        raise _wrong(audio, "separator_")
    if not isinstance(audio.stft_, STFT) or audio.stft_.n_bins != inner.n_features_in_:
        raise _wrong(audio, "stft_")
    audio.stft_._checked_window()


def _check_search(search: SupervisedSeparatorCV) -> None:
    if isinstance(search.separator_, AudioSeparator) is not search._holds_waves:
        raise _wrong(search, "separator_")
    for name in ("critic_weight_", "mask_exponent_", "best_score_"):
        if not isinstance(getattr(search, name), float):
            raise _wrong(search, name)
    _whole(search, "n_splits_")
    results = search.cv_results_
    if not isinstance(results, dict) or not isinstance(results.get("params"), list):
        raise _wrong(search, "cv_results_")
    n_candidates = len(results["params"])
    if any(not isinstance(column, list | np.ndarray) or len(column) != n_candidates for column in results.values()):
        raise _wrong(search, "cv_results_")
    if not isinstance(search.best_index_, int | np.integer) or not 0 <= search.best_index_ < n_candidates:
        raise _wrong(search, "best_index_")
    if not isinstance(search.best_params_, dict) or type(search.multimetric_) is not bool:
        raise _wrong(search, "best_params_")


_CHECKS: dict[Any, Any] = {
    BackgroundModel: _check_background,
    BaseSourceModel: _check_model,
    BaseNeuralSourceModel: _check_neural,
    DAESourceModel: _check_dae,
    NMFSourceModel: _check_nmf,
    MixtureLearner: _check_learner,
    PresenceDetector: _check_presence,
    RandomStart: _check_random_start,
    FrozenEstimator: _check_frozen,
    SupervisedSeparator: _check_separator,
    (AudioSeparator, SupervisedSeparatorCV): _check_owner,
    AudioSeparator: _check_audio,
    SupervisedSeparatorCV: _check_search,
}


def _check_classes(separator: Any) -> None:
    classes = separator.classes_
    good = isinstance(classes, np.ndarray) and classes.ndim == 1 and len(classes) > 1 and classes.dtype.kind in "UOiubf"
    if not good or len(set(classes.tolist())) < len(classes) or classes.tolist() != sorted(classes.tolist()):
        raise ValueError(f"the labels of its {type(separator).__name__} are not two or more in rising order")


def _check_widths(estimator: Any, name: str) -> None:
    """Refuse more layers than there are weights, before a network of so many layers is built."""
    n_layers = len(check_widths(name, getattr(estimator, name))) + getattr(estimator, "n_residual_blocks", 0)
    if n_layers > len(estimator.weights_):
        raise _wrong(estimator, "weights_")


def _check_weights(estimator: Any) -> None:
    weights = estimator.weights_
    if not isinstance(weights, dict):
        raise _wrong(estimator, "weights_")
    for weight in weights.values():
        if not (isinstance(weight, np.ndarray) and weight.dtype == np.float32 and np.isfinite(weight).all()):
            raise _wrong(estimator, "weights_")


def _check_shapes(learner: Any, network: nn.Module) -> None:
    if not shapes_fit(network.state_dict(), learner.weights_):
        raise ValueError(f"the weights of its {type(learner).__name__} have other shapes than its sources ask for")


def _check_history(estimator: Any, name: str) -> None:
    history = getattr(estimator, name)
    if not isinstance(history, list) or not all(isinstance(epoch, dict) for epoch in history):
        raise _wrong(estimator, name)


def _whole(estimator: Any, name: str) -> int:
    value = getattr(estimator, name)
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise _wrong(estimator, name)
    return int(value)


def _array(
    estimator: Any, name: str, shape: tuple[int | None, ...], dtype: Any = None, *, low: float = -np.inf
) -> NDArray[Any]:
    """Return an array after checking shape, of which ``None`` is any length but 0, type and values."""
    array = getattr(estimator, name)
    dtypes = (np.float32, np.float64) if dtype is None else (dtype,)
    if not isinstance(array, np.ndarray) or array.dtype not in dtypes or array.ndim != len(shape) or not array.size:
        raise _wrong(estimator, name)
    if any(wanted not in (None, length) for wanted, length in zip(shape, array.shape, strict=True)):
        raise _wrong(estimator, name)
    if not np.isfinite(array).all() or array.min() < low:
        raise ValueError(f"{name} of its {type(estimator).__name__} holds numbers that are not finite or too small")
    return array


def _wrong(estimator: Any, name: str) -> ValueError:
    return ValueError(f"{name} of its {type(estimator).__name__} has a wrong type, shape or value")

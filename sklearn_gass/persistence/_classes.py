"""What a model file may hold: classes by name, and the fitted attributes of each."""

from __future__ import annotations

import inspect
from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    LeaveOneGroupOut,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)

from sklearn_gass.critics import MixtureCritic, SourceCritic
from sklearn_gass.detectors import PresenceDetector
from sklearn_gass.scoring import SeparationScorer
from sklearn_gass.separation import AudioSeparator, SupervisedSeparator, SupervisedSeparatorCV
from sklearn_gass.source_models import (
    BackgroundModel,
    BaseSourceModel,
    DAESourceModel,
    GANSourceModel,
    NMFSourceModel,
    VAESourceModel,
    WGANSourceModel,
)
from sklearn_gass.starts import MixtureStart, RandomStart, SourceStart
from sklearn_gass.stft import STFT

DROPPED = {"memory", "n_jobs", "callbacks", "checkpoint", "checkpoint_every", "verbose", "base"}
"""Parameters that a file leaves out: how training runs on one machine, and where it begins, not what it finds."""

LATER = {
    "warm_start": False,
    "n_residual_blocks": 0,
    "weight_average": 0.0,
    "pitch_warp": 0.0,
    "excitation_exchange": 0.0,
    "consistency": 0.0,
    "context": 0,
    "detector": None,
}
"""Parameters that files of older versions may lack, and what they were then."""

OPTIONAL = {"feature_names_in_", "n_features_in_", "_sklearn_output_config"}
"""Attributes that any estimator may have."""

_MODEL = {"n_features_in_", "n_iter_", "scale_", "_n_features_out", "residuals_", "residual_levels_"}
_NETWORKS = _MODEL | {"weights_", "codes_", "history_"}
_ADVERSARIAL = _NETWORKS | {"inversion_history_", "latents_"}
_SEARCH = {"best_params_", "best_score_", "best_index_", "cv_results_", "multimetric_", "n_splits_"}

FITTED: dict[type, set[str]] = {
    AudioSeparator: {"classes_", "separator_", "stft_"},
    BackgroundModel: {"n_features_in_", "n_iter_", "scale_", "_n_features_out"},
    DAESourceModel: _NETWORKS | {"latent_mean_", "latent_covariance_"},
    FrozenEstimator: set(),
    GANSourceModel: _ADVERSARIAL,
    MixtureCritic: {"weights_", "history_"},
    MixtureStart: {"weights_", "history_"},
    NMFSourceModel: _MODEL | {"components_", "activations_", "reconstruction_err_"},
    PresenceDetector: {"weights_", "history_"},
    RandomStart: {"seed_"},
    STFT: set(),
    SourceCritic: set(),
    SourceStart: set(),
    SupervisedSeparator: {"classes_", "source_models_", "start_", "critic_", "n_features_in_", "n_iter_"},
    SupervisedSeparatorCV: {"classes_", "separator_", "critic_weight_", "mask_exponent_", *_SEARCH},
    VAESourceModel: _NETWORKS,
    WGANSourceModel: _ADVERSARIAL,
}
"""Estimators, and the attributes that a fitted one has."""

_TRANSITION = {"transition_", "transition_covariance_"}

ALSO_FITTED: dict[type, set[str]] = {
    BackgroundModel: {"components_", "detector_", "examples_", "activations_", "residuals_", "residual_levels_"},
    **{
        cls: {"distance_from_base_", *_TRANSITION}
        for cls in (DAESourceModel, GANSourceModel, VAESourceModel, WGANSourceModel)
    },
    MixtureCritic: {"distance_from_base_"},
    MixtureStart: {"distance_from_base_", "n_latents_"},
    NMFSourceModel: {"context_", "prior_shape_", "prior_rate_", *_TRANSITION},
}
"""Attributes that a fitted one may have; files of older versions have no transition and no context."""

ESTIMATORS = {cls.__name__: cls for cls in FITTED}

_SPLITTERS = [GroupKFold, KFold, LeaveOneGroupOut, StratifiedGroupKFold, StratifiedKFold]
_SHUFFLERS = [GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit]
OBJECTS = {cls.__name__: cls for cls in [SeparationScorer, *_SPLITTERS, *_SHUFFLERS]}
"""Objects that parameters may be, each made of the arguments of its constructor."""

TOP = (AudioSeparator, BaseSourceModel, FrozenEstimator, SupervisedSeparator, SupervisedSeparatorCV)
"""What a file may be about."""


PARAMETERS: dict[type, list[str]] = {
    cls: [name for name in inspect.signature(cls).parameters if name not in ("args", "kwargs")]
    for cls in (*ESTIMATORS.values(), *OBJECTS.values())
}
"""Arguments of the constructors, which are attributes of the objects, too."""


def has_fit(estimator: Any) -> bool:
    """Tell whether an estimator has any attribute that `fit` sets."""
    cls = type(estimator)
    return bool((FITTED[cls] | ALSO_FITTED.get(cls, set())) & set(vars(estimator)))

"""The source models that the command line knows by name."""

from __future__ import annotations

from typing import Any

# Class names and not classes, since importing those takes seconds
MODELS = {
    "nmf": "NMFSourceModel",
    "vae": "VAESourceModel",
    "dae": "DAESourceModel",
    "gan": "GANSourceModel",
    "wgan": "WGANSourceModel",
}
NEURAL = MODELS.keys() - {"nmf"}
PRESETS = ("fast", "default", "best")
"""Those of `sklearn_gass.presets`."""

# How long steps take, in units of reading a short file: what the progress bar goes by
SEPARATING = 30.0
_TRAINING_LINEAR, _TRAINING = 40.0, 1000.0


def training_cost(name: str) -> float:
    """Return about how much longer than reading a file it takes to train with that source model."""
    return _TRAINING_LINEAR if name == "nmf" else _TRAINING


def make_source_model(name: str, **parameters: Any) -> Any:
    """Return an unfitted source model; parameters that are None keep the model's own default."""
    from sklearn_gass import source_models

    return getattr(source_models, MODELS[name])(**{k: v for k, v in parameters.items() if v is not None})

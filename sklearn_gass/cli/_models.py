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


def make_source_model(name: str, **parameters: Any) -> Any:
    """Return an unfitted source model; parameters that are None keep the model's own default."""
    from sklearn_gass import source_models

    return getattr(source_models, MODELS[name])(**{k: v for k, v in parameters.items() if v is not None})

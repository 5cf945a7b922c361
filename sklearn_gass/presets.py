"""Lengths of training: a separator whose parts train for a short time, by default, or for a long time."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

from sklearn_gass._bases import BeginsAtBase
from sklearn_gass.critics import MixtureCritic
from sklearn_gass.source_models import VAESourceModel
from sklearn_gass.starts import MixtureStart

__all__ = ["PRESETS", "preset"]

PRESETS: dict[str, dict[str, dict[str, Any] | None]] = {
    "fast": {"source_model": {"max_iter": 40}, "start": {"max_iter": 1000}, "critic": None},
    "default": {"source_model": {}, "start": {}, "critic": {}},
    "best": {"source_model": {"max_iter": 160}, "start": {"max_iter": 13500}, "critic": {}},
}
"""Parameters of the parts of a separator by the name of the preset; ``None`` leaves the part out."""


def preset(name: str, source_model: Any = None) -> dict[str, Any]:
    """Return the parts of a separator whose training is short, of the default length, or long.

    Parameters
    ----------
    name : {"fast", "default", "best"}
        How long to train. The guide's page on choosing a model says what each gives, and what it costs.
    source_model : estimator or None, default=None
        Unfitted source model for all sources; ``None`` means ``VAESourceModel()``. One without networks, such as
        `NMFSourceModel`, stays as it is.

    Returns
    -------
    parts : dict
        Unfitted `source_model`, `start` and `critic`, to be given to `SupervisedSeparator`.

    Raises
    ------
    ValueError
        If there is no preset of that name.

    Examples
    --------
    >>> from sklearn_gass import AudioSeparator, SupervisedSeparator
    >>> from sklearn_gass.presets import preset
    >>> audio = AudioSeparator(SupervisedSeparator(**preset("fast")))
    >>> audio.separator.source_model
    VAESourceModel(max_iter=40)
    """
    if name not in PRESETS:
        raise ValueError(f"There is no preset {name!r}: choose from {', '.join(PRESETS)}.")
    model = VAESourceModel() if source_model is None else clone(source_model)
    begun = {"source_model": model, "start": MixtureStart(), "critic": MixtureCritic()}
    parts = {}
    for part, params in PRESETS[name].items():
        is_network = isinstance(begun[part], BeginsAtBase)
        parts[part] = None if params is None else begun[part].set_params(**params if is_network else {})
    return parts

"""Model files that commands read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sklearn_gass import AudioSeparator, describe_model, load_model
from sklearn_gass.base_models import parts_of_base
from sklearn_gass.cli._console import CommandError, stated
from sklearn_gass.cli._models import MODELS
from sklearn_gass.cli._outputs import check_file_names
from sklearn_gass.cli._sources import Trained
from sklearn_gass.separation._fitting import of_waveforms, unfrozen, with_inner


def describe(path: Path) -> dict[str, Any]:
    """Return what a model file holds."""
    if path.is_dir():
        raise CommandError(f"{path} is a folder, not a model file.")
    with stated():
        return describe_model(path)


def load_separator(
    path: Path,
    *,
    device: str | None = None,
    critic_weight: float | None = None,
    mask_exponent: float | None = None,
    consistency: float | None = None,
) -> Trained:
    """Load what separates sound; parameters that are None stay what they are in the file."""
    description = describe(path)
    if description["sample_rate"] is None:
        raise CommandError(
            f"{path} holds a {description['class']}, which separates frames, not sound: give a model file that "
            "sklearn-gass train has written, or save an AudioSeparator."
        )
    check_file_names([str(source["label"]) for source in description["sources"]])
    with stated():
        separator = load_model(path, device=device)
        # a search ignores values that it was made with; the separator that it found does not
        _change(with_inner(separator)[-1], critic_weight=critic_weight, mask_exponent=mask_exponent)
        audio = of_waveforms(separator)
        _change(audio, consistency=consistency)
    return Trained(separator, int(audio.sample_rate), f"Model: {path.name}. {describe_sources(description)}")


def _change(separator: Any, **params: float | None) -> None:
    unfrozen(separator).set_params(**{name: value for name, value in params.items() if value is not None})


def load_base(path: Path) -> AudioSeparator:
    """Load what training is to begin at."""
    description = describe(path)
    if description["class"] != "AudioSeparator":
        raise CommandError(
            f"{path} holds a {description['class']}, but a base is an AudioSeparator: give a model file that "
            "sklearn-gass train-base has written."
        )
    with stated():
        base: AudioSeparator = load_model(path)
    return base


def name_of_model(base: AudioSeparator) -> str | None:
    """Return the command line's name of a base's source model, None if it has none."""
    with stated("--base"):
        cls = type(parts_of_base(base)["source_model"]).__name__
    return next((name for name, known in MODELS.items() if known == cls), None)


def describe_sources(description: dict[str, Any]) -> str:
    """Return a sentence on the sources and their models."""
    sources = description["sources"]
    kinds = {source["model"] for source in sources}
    if len(kinds) == 1:
        return f"Source model: {kinds.pop()}."
    return "Source models: " + ", ".join("{model} for {label}".format(**source) for source in sources) + "."

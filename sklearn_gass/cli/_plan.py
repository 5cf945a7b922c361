"""What to train: source models by name, and any other parameter by its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from sklearn.base import clone

from sklearn_gass import STFT, AudioSeparator, BackgroundModel, SupervisedSeparator
from sklearn_gass.base_models import parts_of_base
from sklearn_gass.cli._console import CommandError, stated
from sklearn_gass.cli._models import MODELS, make_source_model, training_cost
from sklearn_gass.critics import CRITICS
from sklearn_gass.detectors import DETECTORS
from sklearn_gass.networks import check_device
from sklearn_gass.presets import preset
from sklearn_gass.starts import STARTS

BACKGROUND = "background"
"""Label of what is learned from each mixture."""

_PARTS: dict[str, dict[str, Any]] = {"start": STARTS, "critic": CRITICS}
_OF_WAVEFORMS = "consistency"  # a parameter of the separator of waveforms; others are those of the one inside


class Plan(NamedTuple):
    """A separator of waveforms that has not been trained.

    Attributes
    ----------
    models : dict of str to str
        Name of the source model by label.
    settings : dict of str to object
        Parameters by name, those of the STFT among them.
    seed : int
        Seed of all randomness.
    device : str or None
        Where to train; None means the default.
    background : int or None
        Templates of a source that is learned from each mixture; None for none.
    base : AudioSeparator or None
        What training begins at; None for nothing.
    preset : str or None
        Name of the lengths of training; None for the defaults.
    """

    models: Mapping[str, str]
    settings: Mapping[str, Any]
    seed: int
    device: str | None = None
    background: int | None = None
    base: AudioSeparator | None = None
    preset: str | None = None

    @property
    def title(self) -> str:
        """What to call the source models."""
        kinds = set(self.models.values())
        if len(kinds) == 1:
            return kinds.pop()
        return ", ".join(f"{model} for {label}" for label, model in self.models.items())

    @property
    def cost(self) -> float:
        """How long training takes, in the unit of the progress bar."""
        return max(map(training_cost, self.models.values()))

    def make(self, sample_rate: int) -> AudioSeparator:
        """Return the separator for waveforms of a sample rate, after checking all parameters."""
        kinds, parts, stft = set(self.models.values()), {}, STFT.for_sample_rate(sample_rate)
        if self.base is not None:
            parts, stft = _parts_of(self.base, kinds, sample_rate), self.base.stft_
        elif self.preset is not None:
            parts = preset(self.preset)
        begun = parts.pop("source_model", None)
        listed: list[tuple[str, Any]] = [(label, self._make_model(name, begun)) for label, name in self.models.items()]
        if self.background is not None:
            listed.append((BACKGROUND, BackgroundModel(self.background)))
        with stated():
            separator = SupervisedSeparator(
                listed[0][1] if len(kinds) == 1 and self.background is None else listed, random_state=self.seed, **parts
            )
            audio = AudioSeparator(separator, stft=clone(stft), sample_rate=sample_rate)
            if self.device is not None:
                check_device(self.device)
                names = [name for name in separator.get_params() if name.rpartition("__")[2] == "device"]
                separator.set_params(**dict.fromkeys(names, self.device))
        # those of a part come after the part itself
        for name in sorted(self.settings, key=lambda name: name.count("__")):
            for own in self._spelled_out(name):
                _apply(audio, own, self.settings[name])
        with stated("--set"):
            _check(audio)
        return audio

    def _make_model(self, name: str, begun: Any) -> Any:
        """Return the source model of that name: one that begins at the base if it is of that kind."""
        if MODELS[name] == type(begun).__name__:
            return clone(begun)
        model = make_source_model(name)
        return model if self.preset is None else preset(self.preset, model)["source_model"]

    def _spelled_out(self, name: str) -> list[str]:
        """Return the names of a parameter of all source models where a background makes a list of them."""
        part, _, rest = name.partition("__")
        if part != "source_model" or self.background is None:
            return [name]
        return [f"{label}__{rest}" for label in self.models]


def choose_models(
    chosen: Sequence[tuple[str | None, str]], labels: Sequence[str], default: str = "vae"
) -> dict[str, str]:
    """Return the name of the source model of each label, from ``--model`` for all or for one of them."""
    general = [name for label, name in chosen if label is None]
    own = {label: name for label, name in chosen if label is not None}
    if len(general) > 1:
        raise CommandError(f"--model names {general[0]} and {general[1]}, both for all sources: write LABEL=MODEL.")
    for label in own:
        if label not in labels:
            raise CommandError(f"--model names the source {label!r}, but the sources are {', '.join(labels)}.")
    default = general[0] if general else default
    return {label: own.get(label, default) for label in labels}


def unique(pairs: Sequence[tuple[str, Any]], option: str) -> dict[str, Any]:
    """Return pairs as a dict after checking that no name comes twice."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise CommandError(f"{option} gives {name} twice.")
        found[name] = value
    return found


def _parts_of(base: AudioSeparator, kinds: Collection[str], sample_rate: int) -> dict[str, Any]:
    """Return what begins at a base, after checking that it suits the recordings and source models."""
    if base.sample_rate != sample_rate:
        raise CommandError(
            f"The base was trained at {base.sample_rate} Hz, but the recordings have {sample_rate} Hz: convert them "
            f"with --sample-rate {base.sample_rate}."
        )
    with stated("--base"):
        parts = parts_of_base(base)
    own = type(parts["source_model"]).__name__
    if own not in {MODELS[name] for name in kinds}:
        raise CommandError(f"The base has a {own}, but --model names {', '.join(sorted(kinds))}: leave --model out.")
    return parts


def _apply(audio: AudioSeparator, name: str, value: Any) -> None:
    """Set one parameter of the separator of frames, of the one around it, or of the STFT."""
    known = _known(audio)
    part = name.partition("__")[0]
    is_left_out = part in _PARTS and getattr(audio.separator, part) is None  # which the separator says better
    if name not in known and not is_left_out:
        raise CommandError(f"--set: there is no parameter {name!r}. {_near(name, known)}")
    with stated(f"--set {name}"):
        if name.startswith("stft__") or name == _OF_WAVEFORMS:
            audio.set_params(**{name: value})
        else:
            audio.separator.set_params(**{name: value})


def _known(audio: AudioSeparator) -> list[str]:
    params = audio.separator.get_params()
    names = list(params)
    for part, classes in {**_PARTS, f"{BACKGROUND}__detector": DETECTORS}.items():
        value = params.get(part)
        if isinstance(value, str) and value in classes:
            names += [f"{part}__{name}" for name in classes[value]().get_params()]
    return [*names, _OF_WAVEFORMS] + [f"stft__{name}" for name in audio.stft.get_params()]


def _near(name: str, known: Sequence[str]) -> str:
    last = name.rpartition("__")[2]
    near = [other for other in known if other.rpartition("__")[2] == last][:5]
    near += [other for other in get_close_matches(name, known, n=3) if other not in near]
    return f"Near names: {', '.join(near)}." if near else f"Parameters: {', '.join(sorted(known))}."


def _check(audio: AudioSeparator) -> None:
    """Refuse values out of range before files are read."""
    for estimator in (audio, *audio.get_params().values()):
        if hasattr(estimator, "_validate_params"):
            estimator._validate_params()
    for label, _ in audio.separator.source_model if isinstance(audio.separator.source_model, list) else []:
        if "__" in label:
            raise ValueError(f"the label {label!r} cannot have a model of its own, since it has two underscores")
    audio.stft._checked_window()

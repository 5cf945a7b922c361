"""What a new separator takes out of fitted ones: source models, a start and critics to begin at, STFT and rate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import joblib
from sklearn.utils.validation import check_is_fitted

from sklearn_gass._bases import BeginsAtBase, begun_at
from sklearn_gass._validation import refuse_class
from sklearn_gass.separation._fitting import fingerprint, with_inner

SHORT: dict[str, dict[str, Any]] = {
    "start": {"max_iter": 1200, "learning_rate_init": 2e-3},
    "critic": {"max_iter": 100},
}
"""Parameters of start and critic that begin at those of a separator that sources are taken out of."""


def listed(items: Any, *, also: str = "") -> list[Any]:
    """Return a list of (label, source model or separator) as such; `also` says what else the caller takes.

    Raises
    ------
    ValueError
        If it is something else.
    """
    refuse_class("What from_fitted takes", items)
    pairs = list(items) if isinstance(items, Iterable) and not isinstance(items, Mapping) else [items]
    for item in pairs:
        if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)):
            inside = "" if item is items else f" with {type(item).__name__}"
            raise ValueError(
                f"from_fitted takes {also}a list of (label, fitted source model or separator) with str labels, got "
                f"{type(items).__name__}{inside}."
            )
        refuse_class(f"The model of source {item[0]!r}", item[1])
    return pairs


def take_sources(items: list[Any]) -> tuple[list[Any], dict[str, Any]]:
    """Replace separators in a list of (label, fitted model or separator) by their source models of these labels.

    Parameters
    ----------
    items : list of (label, source model or separator of frames)
        What is to be put together.

    Returns
    -------
    models : list of (label, source model)
        With source models only.
    parts : dict
        An unfitted `start` and `critic` that begin at those of the separator that gives most sources; empty if none has
        a start to begin at.

    Raises
    ------
    ValueError
        If a separator has no such source.
    """
    models, separators = [], []
    for label, owner in items:
        model = owner
        if hasattr(owner, "separate"):
            check_is_fitted(owner)
            owner = with_inner(owner)[-1]
            labels = list(map(str, owner.classes_))
            if label not in labels:
                raise ValueError(f"The separator for {label!r} has no such source; it has {labels}.")
            separators.append(owner)
            model = owner.source_models_[labels.index(label)]
        models.append((label, model))
    return models, _parts_to_begin_at(separators)


def _parts_to_begin_at(separators: list[Any]) -> dict[str, Any]:
    """Return a start that begins at that of the separator that comes most often, and a critic of the same kind."""
    trained = [separator for separator in separators if isinstance(separator.start_, BeginsAtBase)]
    if not trained:
        return {}
    names = [fingerprint(separator.start_) for separator in trained]
    # neither labels nor the order of the list have a part in the choice
    base = trained[min(range(len(names)), key=lambda i: (-names.count(names[i]), names[i]))]
    critic = base.critic_
    return {
        "start": begun_at(base.start_, SHORT["start"]),
        "critic": begun_at(critic, SHORT["critic"]) if isinstance(critic, BeginsAtBase) else critic,
    }


def take_separators_of_frames(
    items: list[Any], params: dict[str, Any]
) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
    """Replace separators of waveforms in a list of (label, fitted model or separator) by those of frames inside them.

    Parameters
    ----------
    items : list of (label, source model, separator of frames or of waveforms)
        What is to be put together.
    params : dict
        Parameters that were given for the separator of waveforms, and ``separator__<name>`` for that of frames.

    Returns
    -------
    items : list of (label, source model or separator of frames)
        Without separators of waveforms.
    of_waves : dict
        The former parameters, with the STFT and sample rate that the separators share unless others were given.
    of_frames : dict
        The latter ones, by their own names.

    Raises
    ------
    ValueError
        If separators have different STFTs or sample rates.
    """
    found: list[Any] = []
    shared: dict[str, Any] = {}
    for label, owner in items:
        if hasattr(owner, "separate_blocks"):
            check_is_fitted(owner)
            while not hasattr(owner, "stft_"):  # a search
                owner = owner.separator_
            audio = {"stft": owner.stft_, "sample_rate": owner.sample_rate}
            if shared and joblib.hash(shared) != joblib.hash(audio):
                raise ValueError("Separators to be put together must have the same STFT and sample rate.")
            shared, owner = audio, owner.separator_
        found.append((label, owner))
    prefix = "separator__"
    of_frames = {name.removeprefix(prefix): value for name, value in params.items() if name.startswith(prefix)}
    of_waves = {name: value for name, value in params.items() if not name.startswith(prefix)}
    return found, {**shared, **of_waves}, of_frames

"""Base models: separators of other voices, at whose weights training begins.

A base is a fitted `AudioSeparator`. Its two sources are the lower and the higher half of some voices, and both have the
same source model, one of all voices. So it can be saved and loaded like any other model. Training that begins at it
takes less time. Faster and slower copies of the recordings count as further voices.

References
----------
T. Ko, V. Peddinti, D. Povey, S. Khudanpur, "Audio augmentation for speech recognition", Interspeech 2015.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_gass._bases import BeginsAtBase, begun_at
from sklearn_gass._random import derive_seed, seed_if_unseeded
from sklearn_gass._validation import Interval, check_labels, check_utterances
from sklearn_gass.audio_io import resample
from sklearn_gass.critics import MixtureCritic
from sklearn_gass.progress import divided, printing
from sklearn_gass.separation import AudioSeparator, SupervisedSeparator
from sklearn_gass.separation._blockwise import clean_frames
from sklearn_gass.separation._fitting import unfrozen, with_inner
from sklearn_gass.source_models import VAESourceModel
from sklearn_gass.starts import MixtureStart
from sklearn_gass.stft import STFT

__all__ = ["fit_base", "parts_of_base", "unfitted_base"]

POOLS = ("higher voices", "lower voices")
"""Labels of the two sources of a base."""

BASE_PARAMS = {"source_model__max_iter": 20, "source_model__batch_size": 128, "start__max_iter": 10000}
"""Parameters by which the training of a base differs from the defaults: it has many recordings."""

SPEEDS = (0.9, 1.1)
"""Speeds of copies of a base's recordings, which count as further voices."""
_SPEED = Interval(Real, 0.5, 2, closed="both")

SHORT: dict[str, dict[str, Any]] = {
    "source_model": {"max_iter": 20, "batch_size": 64, "learning_rate_init": 1e-3},
    "start": {"max_iter": 2500, "learning_rate_init": 2e-3},
    "critic": {"max_iter": 200},
}
"""Parameters of training that begins at a base."""


def unfitted_base(**params: Any) -> AudioSeparator:
    """Return an unfitted separator that suits :func:`fit_base`.

    Parameters
    ----------
    **params : dict
        Parameters of the AudioSeparator, such as `stft` and `sample_rate`.

    Returns
    -------
    separator : AudioSeparator
        With a VAE, and with lengths of training for some minutes of sound.
    """
    frames = SupervisedSeparator(VAESourceModel(), start=MixtureStart(), critic=MixtureCritic())
    return AudioSeparator(frames.set_params(**BASE_PARAMS), **params)


def fit_base(
    utterances: Sequence[ArrayLike],
    voices: Sequence[Any],
    separator: AudioSeparator | None = None,
    *,
    speeds: Sequence[float] = SPEEDS,
) -> AudioSeparator:
    """Train a base model on recordings of several voices.

    One source model learns all voices. The voices are then put in the order of their pitch, and a start and critics
    learn from mixtures of one of the lower half and one of the higher half. Take voices, or other sounds, of the kind
    that will be separated, and none of those that results will be judged by.

    Parameters
    ----------
    utterances : list of ndarray of shape (n_samples,)
        Clean recordings.
    voices : array-like of shape (n_utterances,)
        Voice of each, two or more.
    separator : AudioSeparator or None, default=None
        What is trained, unfitted, with a `SupervisedSeparator` that has one neural source model for all sources;
        ``None`` means ``unfitted_base()``.
    speeds : sequence of float, default=(0.9, 1.1)
        Copies of all recordings at these speeds count as further voices. A copy sounds like a tape that runs faster or
        slower: pitch and timbre change, too. An empty sequence leaves the copies out.

    Returns
    -------
    base : AudioSeparator
        The fitted base, with the sources "higher voices" and "lower voices".

    Raises
    ------
    ValueError
        If there are fewer than two voices, one is silent, a speed is 1 or not between 0.5 and 2, or the separator has
        no single neural source model.

    See Also
    --------
    parts_of_base : What begins at it.

    Examples
    --------
    >>> from sklearn_gass import AudioSeparator, SupervisedSeparator
    >>> from sklearn_gass.base_models import fit_base, parts_of_base, unfitted_base
    >>> from sklearn_gass.datasets import make_voices
    >>> X, y = make_voices(3, n_utterances=1, duration=0.5, random_state=0, return_X_y=True)
    >>> short = {"source_model__max_iter": 1, "start__max_iter": 1, "critic__max_iter": 1}
    >>> separator = unfitted_base(random_state=0)
    >>> separator.separator.set_params(**short)  # doctest: +ELLIPSIS
    SupervisedSeparator(...)
    >>> base = fit_base(X, y, separator, speeds=())
    >>> [str(label) for label in base.classes_]
    ['higher voices', 'lower voices']
    >>> sorted(parts_of_base(base))
    ['critic', 'source_model', 'start']
    """
    separator = clone(unfitted_base() if separator is None else separator)
    separator._validate_params()
    inner = separator._complete().separator
    model: Any = getattr(inner, "source_model", None)
    if not isinstance(model, BeginsAtBase):
        raise ValueError("A base needs a SupervisedSeparator with one neural source model for all sources.")
    waves, y = check_utterances(separator, utterances, voices, reset=True)
    labels, codes = check_labels(y, unit="utterances")
    waves, codes, names = _at_speeds(waves, codes, labels, _check_speeds(speeds), separator.sample_rate)
    stft = STFT() if separator.stft is None else clone(separator.stft)
    frames, own, _ = clean_frames(waves, codes, names, stft, separator.sample_rate)
    if separator.random_state is not None:
        seed_if_unseeded(inner, derive_seed(separator.random_state))
    seed_if_unseeded(model, derive_seed(inner.random_state))
    pitches = [pitch(frames[own == code], stft, separator.sample_rate) for code in range(len(names))]
    is_lower = np.argsort(np.argsort(pitches, kind="stable")) < len(names) // 2
    _fit_parts(inner, model, frames, np.array(POOLS)[is_lower[own].astype(int)], separator.verbose)
    return AudioSeparator.from_fitted(inner, stft=stft, sample_rate=separator.sample_rate)


def _check_speeds(speeds: Any) -> list[float]:
    """Return speeds as a list of numbers.

    Raises
    ------
    ValueError
        If they are something else, or a copy would be as the recording or far from it.
    """
    found: list[Any] = list(speeds) if isinstance(speeds, Iterable) and not isinstance(speeds, Mapping) else [None]
    if not all(_SPEED.is_satisfied_by(speed) and speed != 1 for speed in found):
        limits = f"from {_SPEED.left:g} to {_SPEED.right:g}"
        raise ValueError(f"speeds must be a sequence of numbers {limits} other than 1, got {speeds!r}.")
    return [float(speed) for speed in found]


def _at_speeds(
    waves: Any, codes: NDArray[np.intp], labels: Any, speeds: list[float], sample_rate: int
) -> tuple[list[NDArray[np.floating]], NDArray[np.intp], NDArray[np.object_]]:
    """Add all recordings at other speeds, as those of further voices."""
    every_wave, every_code, names = [*waves], [codes], [*labels]
    for speed in speeds:
        rate = max(1, round(sample_rate / speed))
        every_wave += [resample(np.asarray(wave), sample_rate, rate) for wave in waves]
        every_code.append(codes + len(names))
        names += [f"{label} at speed {speed:g}" for label in labels]
    return every_wave, np.concatenate(every_code), np.array(names, dtype=object)


def _fit_parts(
    separator: SupervisedSeparator, model: Any, frames: NDArray[np.float32], pools: NDArray[np.str_], verbose: int
) -> None:
    """Fit one source model on all frames, then start and critic on mixtures of the two pools."""
    costs = {
        "source model": model._training_cost(*frames.shape),
        "start and critic": sum(separator._part_costs([model] * len(POOLS), frames.shape[1]).values()),
    }
    with printing(verbose):
        tasks = divided(costs)
        with tasks["source model"]:
            shared = FrozenEstimator(model.fit(frames))
        separator.source_model = [(pool, shared) for pool in POOLS]
        with tasks["start and critic"]:
            separator.fit(frames, pools)


def parts_of_base(base: Any) -> dict[str, Any]:
    """Return what a separator needs to begin at a base.

    Training is shorter than without a base, by lengths that were measured on pairs of speakers; set other ones
    afterwards if you like.

    Parameters
    ----------
    base : AudioSeparator or SupervisedSeparator
        Fitted by :func:`fit_base`, or on any other sources.

    Returns
    -------
    parts : dict
        Unfitted `source_model`, `start` and `critic`, to be given to `SupervisedSeparator`.

    Raises
    ------
    ValueError
        If its first source model has no weights to begin at, as that of an NMF.
    """
    check_is_fitted(base)
    base = with_inner(base)[-1]
    fitted = {"source_model": unfrozen(base.source_models_[0]), "start": base.start_, "critic": base.critic_}
    if not isinstance(fitted["source_model"], BeginsAtBase):
        raise ValueError(f"A {type(fitted['source_model']).__name__} cannot be a base: it has no networks.")
    parts = {name: part for name, part in fitted.items() if isinstance(part, BeginsAtBase)}
    return {name: begun_at(part, SHORT[name]) for name, part in parts.items()}


def pitch(frames: NDArray[np.floating], stft: STFT, sample_rate: int) -> float:
    """Return the median pitch of the voiced frames of a voice in Hz, 0 if there are none.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, n_bins)
        Magnitude frames.
    stft : STFT
        How they were made.
    sample_rate : int
        Samples per second of the waveform.

    Returns
    -------
    pitch : float
        The maximum of the autocorrelation between 60 and 400 Hz, which is high in voiced frames.
    """
    correlation = np.fft.irfft(np.square(frames, dtype=np.float64), n=stft.n_fft, axis=1)
    shortest, longest = max(1, round(sample_rate / 400)), min(round(sample_rate / 60), stft.n_fft // 2)
    lags = correlation[:, shortest : longest + 1]
    voiced = lags.max(axis=1, initial=0) > _VOICED * correlation[:, 0]
    if not voiced.any():
        return 0.0
    return float(sample_rate / (shortest + np.median(lags[voiced].argmax(axis=1))))


_VOICED = 0.5  # share of a frame's power that repeats itself

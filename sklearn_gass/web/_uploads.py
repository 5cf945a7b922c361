"""Sound files that a visitor brings: their limits, and what they become."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gass.audio_io import audio_info, load_audio

MAX_FILE_MEGABYTES = 200
MAX_SOURCES = 6
MAX_TRAINING_MINUTES = 60
MAX_MIXTURES = 10
MAX_MIXTURE_MINUTES = 10
MAX_NAME = 60  # characters


class UploadError(ValueError):
    """What a visitor can mend, in one sentence."""


class Training(NamedTuple):
    """Recordings of all sources at one sample rate.

    Attributes
    ----------
    waves : list of ndarray of shape (n_samples,)
        Recordings.
    labels : list of str
        Source of each.
    sample_rate : int
        Samples per second.
    """

    waves: list[NDArray[np.floating]]
    labels: list[str]
    sample_rate: int


def read_training(sources: Sequence[tuple[str, Sequence[str]]]) -> Training:
    """Read the recordings of all sources, at the lowest sample rate that occurs.

    Parameters
    ----------
    sources : sequence of (name, paths)
        Name and files of each source; rows that have neither are left out.

    Raises
    ------
    UploadError
        If names or files are missing, a name comes twice, a file cannot be read, or there is too much or no sound.
    """
    named = [(name.strip(), list(paths)) for name, paths in sources if name.strip() or paths]
    for name, paths in named:
        if not name:
            raise UploadError(f"Give the source of {Path(paths[0]).name} a name.")
        if not paths:
            raise UploadError(f"Add clean recordings of {name}.")
        if len(name) > MAX_NAME:
            raise UploadError(f"A name has at most {MAX_NAME} letters, and {name[:20]}… has {len(name)}.")
    names = [name for name, _ in named]
    if len(set(names)) < len(names):
        raise UploadError("Two sources have the same name.")
    if len(named) < 2:
        raise UploadError("Separation needs two sources or more: give each a name and clean recordings.")
    files = [(name, path) for name, paths in named for path in paths]
    minutes = sum(_seconds(path) for _, path in files) / 60
    if minutes > MAX_TRAINING_MINUTES:
        raise UploadError(f"The recordings last {minutes:.0f} minutes; at most {MAX_TRAINING_MINUTES} can train here.")
    rate = min(_with_its_name(audio_info, path).sample_rate for _, path in files)
    waves = [_read_sound(path, rate) for _, path in files]
    labels = [name for name, _ in files]
    for name in names:
        if not any(np.ptp(wave) for wave, label in zip(waves, labels, strict=True) if label == name):
            raise UploadError(f"All recordings of {name} are silent.")
    return Training(waves, labels, rate)


def read_mixtures(paths: Sequence[str], sample_rate: int) -> dict[str, NDArray[np.floating]]:
    """Read mixtures by their file names, at the sample rate of the model.

    Raises
    ------
    UploadError
        If there is none or there are too many, or one is too long or cannot be read.
    """
    if not paths:
        raise UploadError("Add a mixture.")
    if len(paths) > MAX_MIXTURES:
        raise UploadError(f"Add at most {MAX_MIXTURES} mixtures at a time.")
    mixtures: dict[str, NDArray[np.floating]] = {}
    for path in paths:
        minutes = _seconds(path) / 60
        if minutes > MAX_MIXTURE_MINUTES:
            raise UploadError(
                f"{Path(path).name} lasts {minutes:.0f} minutes; a mixture has at most {MAX_MIXTURE_MINUTES} here."
            )
        name, count = Path(path).name, 1
        while name in mixtures:
            count += 1
            name = f"{Path(path).stem} ({count}){Path(path).suffix}"
        mixtures[name] = _read_sound(path, sample_rate)
    return mixtures


def _read_sound(path: str, sample_rate: int) -> NDArray[np.floating]:
    """Read one file as one channel."""
    return _with_its_name(load_audio, path, sample_rate=sample_rate)[0]


def _seconds(path: str) -> float:
    """Return how long a file says it is, without decoding it; 0 if it cannot be told or read."""
    import soundfile

    try:
        return float(soundfile.info(path).duration)
    except soundfile.SoundFileError:
        return 0.0


def _with_its_name(read: Callable[..., Any], path: str, **options: Any) -> Any:
    """Read, and tell errors as a visitor knows the file: by its name."""
    try:
        return read(path, **options)
    except (ValueError, OSError) as error:
        raise UploadError(str(error).replace(str(path), Path(path).name)) from error

"""Sound files that a visitor brings: their limits, and what they become."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

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
    infos = [_info(path) for _, path in files]
    minutes = sum(info.duration for info in infos) / 60
    if minutes > MAX_TRAINING_MINUTES:
        raise UploadError(f"The recordings last {minutes:.0f} minutes; at most {MAX_TRAINING_MINUTES} can train here.")
    rate = min(info.sample_rate for info in infos)
    waves = [read_sound(path, rate) for _, path in files]
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
        minutes = _info(path).duration / 60
        if minutes > MAX_MIXTURE_MINUTES:
            raise UploadError(
                f"{Path(path).name} lasts {minutes:.0f} minutes; a mixture has at most {MAX_MIXTURE_MINUTES} here."
            )
        name, count = Path(path).name, 1
        while name in mixtures:
            count += 1
            name = f"{Path(path).stem} ({count}){Path(path).suffix}"
        mixtures[name] = read_sound(path, sample_rate)
    return mixtures


def read_sound(path: str, sample_rate: int) -> NDArray[np.floating]:
    """Read one file as one channel."""
    try:
        return load_audio(path, sample_rate=sample_rate)[0]
    except (ValueError, OSError) as error:
        raise UploadError(_without_folder(error, path)) from error


def _info(path: str):
    try:
        info = audio_info(path)
    except (ValueError, OSError) as error:
        raise UploadError(_without_folder(error, path)) from error
    if not info.duration:
        raise UploadError(f"{Path(path).name} holds no sound.")
    return info


def _without_folder(error: Exception, path: str) -> str:
    """Return an error as a visitor knows the file, by its name."""
    return str(error).replace(str(path), Path(path).name)

"""Files that commands read and write."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gass.audio_io import load_audio
from sklearn_gass.cli._console import CommandError, Console, stated

_SUFFIXES = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".sph"}
_NOT_IN_FILE_NAMES = set('/\\:*?"<>|')


class Recording(NamedTuple):
    """One channel of sound and where it comes from."""

    path: Path
    wave: NDArray[np.floating]
    sample_rate: int
    n_channels: int


def read_recording(path: Path, sample_rate: int | None = None) -> Recording:
    """Read a sound file, averaging its channels."""
    with stated():
        channels, rate = load_audio(path, mono=False, sample_rate=sample_rate)
    channels = np.atleast_2d(channels)
    wave = channels.mean(axis=0) if len(channels) > 1 else channels[0]
    return Recording(path, wave, rate, len(channels))


def tell_averaged(recordings: Sequence[Recording], console: Console) -> None:
    """Tell that channels were averaged, if any were."""
    several = [recording for recording in recordings if recording.n_channels > 1]
    if len(several) == 1:
        console.notice(f"{several[0].path} has {several[0].n_channels} channels, which were averaged.")
    elif several:
        console.notice(f"{several[0].path} and {len(several) - 1} more have several channels, which were averaged.")


def find_recordings(folder: Path) -> list[Path]:
    """Return all sound files in a folder and the folders in it, or the file itself if it is one."""
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise CommandError(f"The folder {folder} does not exist.")
    with stated():
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())
    paths = [path for path in paths if not path.name.startswith(".")]
    if not paths:
        raise CommandError(f"The folder {folder} holds no sound files ({', '.join(sorted(_SUFFIXES))}).")
    return paths


def labelled(pairs: Sequence[tuple[str, Path]], what: str) -> dict[str, Path]:
    """Return paths by label after checking that there are two or more, all different."""
    paths: dict[str, Path] = {}
    for label, path in pairs:
        if label.casefold() in map(str.casefold, paths):
            raise CommandError(f"The label {label!r} comes twice in {what}.")
        paths[label] = path
    if len(paths) < 2:
        raise CommandError(f"Separation needs two or more sources, but {what} names only {next(iter(paths))!r}.")
    return paths


def check_file_names(labels: Sequence[str]) -> None:
    """Refuse labels that cannot become names of files."""
    for label in labels:
        if not label or len(label) > 100 or label[0] == "." or label != label.strip() or not label.isprintable():
            raise CommandError(f"The label {label!r} cannot be the name of a file.")
        if _NOT_IN_FILE_NAMES & set(label):
            raise CommandError(f"The label {label!r} cannot be the name of a file because of its special characters.")
        if label.casefold() == "mixture":
            raise CommandError(f"The label {label!r} is kept for the mixture itself.")


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yield a scratch folder whose files move to `folder` once the block has ended well.

    Otherwise nothing is left, neither a file nor a folder made for it.
    """
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))
        except OSError as error:
            raise CommandError(f"Cannot write to the folder {folder}: {error.strerror or error}.") from error
        try:
            yield scratch
            with stated(f"Cannot write to the folder {folder}"):
                for path in sorted(scratch.iterdir()):
                    os.replace(path, folder / path.name)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    finally:
        for parent in missing:
            try:
                parent.rmdir()
            except OSError:
                break


def check_writable(folder: Path) -> None:
    """Fail before any long computation if results could not be written."""
    with staged(folder):
        pass

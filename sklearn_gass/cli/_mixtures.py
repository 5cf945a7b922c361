"""Which files to separate, and where the results of each go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sklearn_gass.cli._console import CommandError, stated
from sklearn_gass.cli._outputs import folder_name, refuse_to_replace
from sklearn_gass.cli._report import PAGE, PICTURE
from sklearn_gass.cli._training_files import Skipped, TrainingFiles


class Mixtures(NamedTuple):
    """Files to separate.

    Attributes
    ----------
    folders : dict of Path to Path
        Folder of results by mixture.
    skipped : list of Skipped
        What was found in folders and is not separated.
    notice : str
        A sentence on that, empty if there is none.
    """

    folders: dict[Path, Path]
    skipped: list[Skipped]
    notice: str


def named_mixtures(paths: Sequence[Path], output: Path) -> dict[Path, Path]:
    """Return the folder of results of each file, named after it."""
    folders: dict[Path, Path] = {}
    for path in paths:
        with stated():
            if not path.is_file():
                raise CommandError(f"The mixture {path} {_why_no_file(path)}.")
        folders[path] = output / folder_name(path)
    _check_distinct(folders)
    return folders


def find_mixtures(paths: Sequence[Path], output: Path) -> Mixtures:
    """Return files and the sound files in folders; results lie as the files do in their folder."""
    with stated():
        for path in paths:
            if not (path.is_file() or path.is_dir()):
                raise CommandError(f"The mixture {path} {_why_no_file(path)}.")
    files = TrainingFiles({"": paths}, [], output)
    tops = [path for path in paths if path.is_dir()]
    places = {path: output if named else output / _place(path, tops) for path, named in files.by_label[""]}
    folders = {path: place / folder_name(path) for path, place in places.items()}
    named = {path for path, is_named in files.by_label[""] if is_named}
    for path in _alike(folders):
        if path not in named:  # x.wav and x.mp3 in one folder
            folders[path] = places[path] / (path.name.strip(". ") or "mixture")
    _check_distinct(folders)
    return Mixtures(folders, files.skipped, files.describe_skipped())


def without_existing(
    folders: Mapping[Path, Path], names: Sequence[str], *, skip: bool, report: bool
) -> dict[Path, Path]:
    """Return the mixtures that have no results yet, after refusing to replace any file.

    Parameters
    ----------
    folders : dict of Path to Path
        Folder of results by mixture.
    names : sequence of str
        Sound files that would be written to each.
    skip : bool
        Whether mixtures may be left out of which all sound files exist.
    report : bool
        Whether a page and a picture would be written, too.

    Raises
    ------
    CommandError
        If a file exists, unless its mixture is left out.
    """
    left = {
        mixture: folder
        for mixture, folder in folders.items()
        if not (skip and all((folder / name).exists() for name in names))
    }
    written = [*names, *([PICTURE, PAGE] if report else [])]
    paths = (folder / name for folder in left.values() for name in written)
    refuse_to_replace(paths, "" if skip else " leave them by --skip-existing,")
    return left


def check_inputs_stay(folders: Iterable[Path], names: Sequence[str], inputs: Iterable[Path]) -> None:
    """Refuse results that would overwrite what is read."""
    read = {path.resolve() for path in inputs}
    for folder in folders:
        for name in names:
            if (folder / name).resolve() in read:
                raise CommandError(f"The result would overwrite the input {folder / name}: choose another --output.")


def _place(path: Path, tops: Sequence[Path]) -> Path:
    """Return where a file lies in the first of the folders that it was found in."""
    return next(path.parent.relative_to(top) for top in tops if path.is_relative_to(top))


def _alike(folders: Mapping[Path, Path]) -> list[Path]:
    """Return mixtures whose folder others have, too."""
    by_folder: dict[str, list[Path]] = {}
    for path, folder in folders.items():
        by_folder.setdefault(str(folder).casefold(), []).append(path)
    return [path for paths in by_folder.values() if len(paths) > 1 for path in paths]


def _check_distinct(folders: Mapping[Path, Path]) -> None:
    alike = _alike(folders)
    if alike:
        first, second = alike[:2]
        raise CommandError(f"{first} and {second} would both be written to {folders[second]}: separate them apart.")


def _why_no_file(path: Path) -> str:
    if path.is_dir():
        return "is a folder"
    if path.exists():
        return "is a pipe or device, which cannot be read twice: write it to a file first"
    return "does not exist"

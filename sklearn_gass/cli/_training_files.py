"""Files to train on: those in folders, without what is no clean recording."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sklearn_gass.audio_io import AUDIO_SUFFIXES
from sklearn_gass.cli._console import CommandError, stated
from sklearn_gass.cli._report import is_report

# Sound as people know it, though `load_audio` may not read it
_SOUND_SUFFIXES = AUDIO_SUFFIXES | frozenset(
    ".ac3 .ape .dff .dsf .dts .gsm .mp2 .mpc .pcm .ra .raw .shn .spx .tta .voc .vox".split()
)
# Names in lower case; most others begin with a dot and are hidden
_WASTEBASKETS = {
    *("$recycle.bin", "recycler", "recycled", "recycle bin", "#recycle", "@recycle", "trash", "network trash folder"),
    *("@eadir", "__macosx", "system volume information", "lost+found", "#snapshot", "@recently-snapshot", "~snapshot"),
}
_N_NAMED = 5

_Identity = tuple[int, int] | str


class TrainingFile(NamedTuple):
    """A file to train on, and whether the user named it, instead of a folder that it lies in."""

    path: Path
    named: bool


class Skipped(NamedTuple):
    """A file or folder that was passed over, why, and how many sound files that means."""

    path: Path
    why: str
    n_files: int = 1


class TrainingFiles:
    """Training files of each source.

    Hidden files and folders, wastebaskets, results of this program and the mixtures themselves are no training data.
    Links are followed, and a file counts once however many names it has.

    Parameters
    ----------
    sources : dict of str to sequence of Path
        Folders and files by label.
    mixtures : sequence of Path
        Files that will be separated.
    output : Path or None
        Folder that results go to.

    Attributes
    ----------
    by_label : dict of str to list of TrainingFile
        What to read.
    skipped : list of Skipped
        What was found and is not to be read.

    Raises
    ------
    CommandError
        If a path is missing or has no sound file, or a file belongs to two sources.
    """

    def __init__(self, sources: Mapping[str, Sequence[Path]], mixtures: Sequence[Path], output: Path | None) -> None:
        self.by_label: dict[str, list[TrainingFile]] = {}
        self.skipped: list[Skipped] = []
        self._mixtures = {_identity(path) for path in mixtures}
        self._output = _identity(output) if output is not None and output.is_dir() else None
        self._label_of: dict[_Identity, str] = {}
        for label, paths in sources.items():
            with stated():
                self.by_label[label] = [file for path in paths for file in self._take(label, path)]

    def __iter__(self) -> Iterator[Path]:
        return (file.path for files in self.by_label.values() for file in files)

    def __len__(self) -> int:
        return sum(map(len, self.by_label.values()))

    def skip_unreadable(self, path: Path, why: str) -> None:
        """Note that a file could not be read; that comes first, since it is what the user knows least of."""
        self.skipped.insert(0, Skipped(path, why))

    def describe_skipped(self) -> str:
        """Return a sentence that names what was skipped, empty if that is nothing."""
        if not self.skipped:
            return ""
        n_files = sum(skipped.n_files for skipped in self.skipped)
        named = [f"{path} ({why}{f', {n} files' if n > 1 else ''})" for path, why, n in self.skipped[:_N_NAMED]]
        more = [f"and {len(self.skipped) - _N_NAMED} more"] if len(self.skipped) > _N_NAMED else []
        return f"Skipped{f' {count_files(n_files)}' if n_files else ''}: {', '.join([*named, *more])}."

    def summary(self) -> dict[str, Any]:
        """Return number of files by source, and what was skipped and why, for programs."""
        skipped = [{"path": str(path), "reason": why, "n_files": n} for path, why, n in self.skipped]
        unread = {skipped.path for skipped in self.skipped}
        sources = {label: sum(file.path not in unread for file in files) for label, files in self.by_label.items()}
        return {"n_files": sources, "skipped": skipped}

    def _skip(self, path: Path, why: str, n_files: int = 1) -> None:
        self.skipped.append(Skipped(path, why, n_files))

    def _take(self, label: str, path: Path) -> Iterator[TrainingFile]:
        """Yield the files of a path that have not been taken yet."""
        if path.is_dir():
            if is_report(path):
                raise CommandError(f"The folder {path} holds results of an earlier run, which are no clean recordings.")
            found = sorted(self._search(path))
            if not found:
                raise CommandError(
                    f"The folder {path} holds no sound files ({', '.join(sorted(AUDIO_SUFFIXES))}). "
                    f"{self.describe_skipped()}".strip()
                )
        elif path.is_file():
            found = [path]
        elif path.exists():
            raise CommandError(f"{path} is neither a folder nor a regular file.")
        else:
            raise CommandError(f"The folder {path} does not exist.")
        for file in found:
            identity = _identity(file)
            owner = self._label_of.get(identity)
            if owner not in (None, label):
                raise CommandError(f"{file} would train both {owner!r} and {label!r}.")
            if owner is None:
                self._label_of[identity] = label
                yield TrainingFile(file, named=file == path)

    def _search(self, top: Path) -> Iterator[Path]:
        """Yield the sound files in a folder and the folders in it."""
        seen = {_identity(top)}
        for folder, subfolders, names in os.walk(top, onerror=self._skip_unopened, followlinks=True):
            here = Path(folder)
            subfolders[:] = [name for name in sorted(subfolders) if self._enters(here / name, seen)]
            for path in (here / name for name in sorted(names) if _is_sound(name)):
                why = self._why_no_recording(path)
                if why:
                    self._skip(path, why)
                else:
                    yield path

    def _enters(self, folder: Path, seen: set[_Identity]) -> bool:
        why = self._why_no_training(folder)
        if why:
            n_files = sum(_is_sound(name) for _, _, names in os.walk(folder) for name in names)
            if n_files:
                self._skip(folder, why, n_files)
            return False
        identity = _identity(folder)
        is_new = identity not in seen
        seen.add(identity)
        return is_new

    def _why_no_training(self, folder: Path) -> str:
        if _is_wastebasket(folder):
            return "wastebasket"
        if _is_hidden(folder):
            return "hidden"
        if _identity(folder) == self._output:
            return "the folder for results"
        return "results of an earlier run" if is_report(folder) else ""

    def _why_no_recording(self, path: Path) -> str:
        if _is_hidden(path):
            return "hidden"
        if not path.is_file():
            return "no regular file" if path.exists() else "a link that leads nowhere"
        if path.suffix.lower() not in AUDIO_SUFFIXES:
            return f"{path.suffix} files are not read"
        return "to be separated" if _identity(path) in self._mixtures else ""

    def _skip_unopened(self, error: OSError) -> None:
        self._skip(Path(error.filename), f"cannot be opened: {error.strerror}", 0)


def is_passed_over(folder: Path) -> bool:
    """Tell whether a folder holds no recordings by its name or its report: hidden, a wastebasket, or results."""
    return _is_wastebasket(folder) or _is_hidden(folder) or is_report(folder)


def _is_wastebasket(folder: Path) -> bool:
    return folder.name.lower() in _WASTEBASKETS or folder.name.lower().startswith(".trash")


def count_files(n_files: int) -> str:
    """Return a number of files in words."""
    return f"{n_files} {'file' if n_files == 1 else 'files'}"


def _is_sound(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in _SOUND_SUFFIXES


def _is_hidden(path: Path) -> bool:
    info = path.lstat()
    by_windows = getattr(info, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_HIDDEN
    by_macos = getattr(info, "st_flags", 0) & stat.UF_HIDDEN
    return path.name.startswith(".") or bool(by_windows or by_macos)


def _identity(path: Path) -> _Identity:
    """Return what all names of a file or folder have in common."""
    info = path.stat()
    if info.st_ino:
        return info.st_dev, info.st_ino
    return os.path.realpath(path)  # some file systems do not number their files

"""Folders that commands write."""

from __future__ import annotations

import os
import shutil
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sklearn_gass.cli._console import CommandError, reason
from sklearn_gass.cli._signals import signals

_NOT_IN_FILE_NAMES = set('/\\:*?"<>|')
_N_NAMED = 3
_LONGEST_NAME = 200  # bytes; file systems take 255, suffixes included
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10))}  # of Windows


def check_file_names(labels: Sequence[str]) -> None:
    """Refuse labels that cannot become names of files, each of its own."""
    known: dict[str, str] = {}
    for label in labels:
        decoded = os.fsencode(label).decode(errors="replace")  # bytes that are not UTF-8 are no hindrance
        if label.startswith(".") or label.endswith(".") or label != label.strip() or not decoded.isprintable():
            raise CommandError(f"The label {label!r} cannot be the name of a file.")
        if len(os.fsencode(label)) > _LONGEST_NAME:
            raise CommandError(f"The label that begins with {label[:20]!r} is too long for the name of a file.")
        if _NOT_IN_FILE_NAMES & set(label):
            raise CommandError(f"The label {label!r} cannot be the name of a file because of its special characters.")
        if label.partition(".")[0].casefold() in _DEVICES:
            raise CommandError(f"The label {label!r} cannot be the name of a file: to Windows it is a device.")
        key = unicodedata.normalize("NFC", label.casefold())
        if key == "mixture":
            raise CommandError(f"The label {label!r} is kept for the mixture itself.")
        if key in known:
            raise CommandError(f"The labels {known[key]!r} and {label!r} would be the same name of a file.")
        known[key] = label


def refuse_to_replace(paths: Iterable[Path], alternative: str = "") -> None:
    """Refuse paths that exist, with what else the user may ask for."""
    taken = [path for path in paths if os.path.lexists(path)]
    if taken:
        more = f" and {len(taken) - _N_NAMED} more" if len(taken) > _N_NAMED else ""
        raise CommandError(
            f"Results exist, {', '.join(map(str, taken[:_N_NAMED]))}{more}: choose another --output,{alternative} or "
            "replace them by --overwrite."
        )


def folder_name(mixture: Path) -> str:
    """Return what to call the folder of a mixture: its name without suffix, and without dots or blanks at the ends.

    So no name leads out of the folder of results, and none is hidden.
    """
    return mixture.stem.strip(". ") or mixture.name.strip(". ") or "mixture"


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """Yield a scratch folder in `folder`, which goes with all that is left in it, whatever ends the block.

    So do folders that were made for it, unless something was written to them.
    """
    with signals.held():
        missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        try:
            with writing_to(folder):
                folder.mkdir(parents=True, exist_ok=True)
                scratch = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))
            try:
                with signals.let_through():
                    yield scratch
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        finally:
            for parent in missing:
                try:
                    parent.rmdir()
                except OSError:
                    break


def publish(scratch: Path, folder: Path) -> None:
    """Move what is in a scratch folder to its final one, all of it or nothing."""
    signals.check()
    with signals.held(), writing_to(folder):
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            os.rename(scratch, folder)
            return
        for path in sorted(scratch.iterdir()):
            os.replace(path, folder / path.name)


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yield a scratch folder whose files move to `folder` once the block has ended well.

    Otherwise nothing is left, neither a file nor a folder made for it, whatever ends the block.
    """
    with unfinished(folder) as scratch:
        with writing_to(folder):
            yield scratch
        publish(scratch, folder)


def check_writable(folder: Path) -> None:
    """Fail before any long computation if results could not be written."""
    with staged(folder):
        pass


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Head errors of the operating system with the folder that results go to."""
    try:
        yield
    except OSError as error:
        raise CommandError(f"Cannot write to the folder {folder}: {error.strerror or reason(error)}.") from error

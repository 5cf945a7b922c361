"""``sklearn-gass separate``: train on clean recordings, separate files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sklearn_gass.cli._console import CommandError, Console, stated
from sklearn_gass.cli._models import SEPARATING, training_cost
from sklearn_gass.cli._outputs import check_file_names, check_writable, folder_name, staged
from sklearn_gass.cli._report import write_page
from sklearn_gass.cli._sources import write_sources
from sklearn_gass.cli._training import Trained, train
from sklearn_gass.cli._training_files import TrainingFiles


def run(args: argparse.Namespace, console: Console) -> None:
    """Train, separate every mixture, and write a folder for each."""
    sources: dict[str, list[Path]] = {}
    for label, path in args.train:
        sources.setdefault(label, []).append(path)
    check_file_names(list(sources))
    if len(sources) < 2:
        raise CommandError(f"Separation needs two or more sources, but --train names only {next(iter(sources))!r}.")
    folders = _output_folders(args.output, args.mixtures)
    files = TrainingFiles(sources, list(folders), args.output)
    _check_nothing_overwritten(list(folders.values()), list(sources), [*folders, *files])
    check_writable(args.output)
    if args.critic_weight is not None and args.model == "nmf":
        console.notice("--critic-weight has no effect: NMF alone is separated without critics.")
    with console.progress(len(files) + (1 + SEPARATING) * len(folders) + training_cost(args.model)) as begin:
        trained = train(args, files, list(folders), console, begin)
        for mixture, folder in folders.items():
            begin(f"Separating {mixture.name}", SEPARATING)
            console.result(*map(str, _separate_file(trained, mixture, folder, console)))


def _output_folders(output: Path, mixtures: Sequence[Path]) -> dict[Path, Path]:
    """Return the folder of each mixture, named after it."""
    folders: dict[Path, Path] = {}
    for mixture in mixtures:
        with stated():
            if not mixture.is_file():
                raise CommandError(f"The mixture {mixture} {_why_no_file(mixture)}.")
        folder = output / folder_name(mixture)
        for other, taken in folders.items():
            if str(folder).casefold() == str(taken).casefold():
                raise CommandError(f"{other} and {mixture} would both be written to {folder}: separate them apart.")
        folders[mixture] = folder
    return folders


def _why_no_file(path: Path) -> str:
    if path.is_dir():
        return "is a folder"
    if path.exists():
        return "is a pipe or device, which cannot be read twice: write it to a file first"
    return "does not exist"


def _check_nothing_overwritten(folders: Sequence[Path], labels: Sequence[str], inputs: Sequence[Path]) -> None:
    read = {path.resolve() for path in inputs}
    for folder in folders:
        for label in labels:
            path = folder / f"{label}.wav"
            if path.resolve() in read:
                raise CommandError(f"The result would overwrite the input {path}: choose another --output.")


def _separate_file(trained: Trained, mixture: Path, folder: Path, console: Console) -> list[Path]:
    """Separate a file into a folder and return what was written, the page last."""
    with staged(folder) as scratch:
        written = write_sources(trained.audio, mixture, scratch)
        page = write_page(
            scratch,
            written.shown,
            written.sample_rate,
            console,
            title=f"{mixture.name}, separated",
            lead=trained.description,
            notes=written.notes,
        )
    return [folder / name for name in [*written.names, *page]]

"""``sklearn-gass train``: train on clean recordings, write a model file."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from sklearn_gass import save_model
from sklearn_gass.cli._console import CommandError, Console, stated
from sklearn_gass.cli._model_files import load_base, name_of_model
from sklearn_gass.cli._outputs import check_file_names, check_writable, staged
from sklearn_gass.cli._plan import BACKGROUND, Plan, choose_models, unique
from sklearn_gass.cli._training import group_by_label, read_training_set, train
from sklearn_gass.cli._training_files import TrainingFiles


def run(args: argparse.Namespace, console: Console) -> None:
    """Train and write the model."""
    sources = group_by_label(args.sources, "the command", fewest=2 if args.background is None else 1)
    known = [label for label in sources if label != BACKGROUND or args.background is None]
    if not known:
        raise CommandError("There are recordings of the background only, but those of a known source are needed, too.")
    check_file_names(list(sources))
    if args.preset is not None and args.base is not None:
        raise CommandError("--preset and --base both say how long training takes: leave one out.")
    base = None if args.base is None else load_base(args.base)
    own = None if base is None else name_of_model(base)
    models = choose_models(args.model, known, own or "vae")
    settings = unique(args.settings, "--set")
    if args.checkpoint is not None:
        if args.checkpoint.resolve() == args.output.resolve():
            raise CommandError(f"The checkpoint and the model cannot be the same file, {args.output}.")
        settings["checkpoint"] = str(args.checkpoint)
    plan = Plan(models, settings, args.seed, args.device, args.background, base, args.preset)
    plan.make(args.sample_rate or (16000 if base is None else base.sample_rate))
    card = unique(args.card, "--card")
    files = TrainingFiles(sources, [], args.output)
    check_model_path(args.output, files, overwrite=args.overwrite)
    with console.progress(len(files) + plan.cost + 1) as begin:
        data = read_training_set(files, args.sample_rate, console, begin, strict=args.strict)
        audio = train(plan, data, files, console, begin)
        begin(f"Writing {args.output.name}")
        begun = {} if args.base is None else {"begun at": args.base.name}
        kept = {"trained on": data.description, **begun, **card}
        path = write_model(audio, args.output, kept, overwrite=args.overwrite)
    console.result(str(path))
    console.report({"model": str(path), **files.summary(), "sample_rate": data.sample_rate})


def check_model_path(path: Path, files: TrainingFiles, *, overwrite: bool) -> None:
    """Fail before any training if the model file could not be written, or would replace something."""
    with stated():
        if path.is_dir() or not path.name:
            raise CommandError(f"The model file {path} is a folder.")
        if path.exists():
            if not path.is_file():
                raise CommandError(f"The model file {path} is no regular file.")
            if any(os.path.samefile(path, file) for file in files):
                raise CommandError(f"The model file {path} is one of the training files: choose another --output.")
            if not overwrite:
                raise CommandError(
                    f"The model file {path} exists: choose another --output, or replace it by --overwrite."
                )
    check_writable(path.parent)


def write_model(estimator: Any, path: Path, card: dict[str, Any], *, overwrite: bool) -> Path:
    """Write a model file, complete or not at all, and return its path.

    If another program has made a file of that name during the training, the model goes beside it under another name.
    """
    number = 1
    while not overwrite and os.path.lexists(path):
        number += 1
        path = path.with_stem(f"{path.stem.removesuffix(f'-{number - 1}')}-{number}")
    with staged(path.parent) as scratch, stated():
        save_model(estimator, scratch / path.name, card=card)
    return path

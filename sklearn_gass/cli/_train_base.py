"""``sklearn-gass train-base``: train on folders of other voices, write a base that ``train`` begins at."""

from __future__ import annotations

import argparse
from pathlib import Path

from sklearn_gass.base_models import BASE_PARAMS, SPEEDS, fit_base
from sklearn_gass.cli._console import CommandError, Console, stated
from sklearn_gass.cli._plan import Plan, unique
from sklearn_gass.cli._train import check_model_path, write_model
from sklearn_gass.cli._training import read_training_set
from sklearn_gass.cli._training_files import TrainingFiles, is_passed_over


def run(args: argparse.Namespace, console: Console) -> None:
    """Train and write the base."""
    voices = find_voices(args.voices)
    # a base has one source model for all voices, so that one label is enough to plan it
    plan = Plan({"voices": args.model}, {**BASE_PARAMS, **unique(args.settings, "--set")}, args.seed, args.device)
    plan.make(args.sample_rate or 16000)
    speeds = SPEEDS if args.speeds is None else args.speeds
    card = unique(args.card, "--card")
    files = TrainingFiles(voices, [], args.output)
    check_model_path(args.output, files, overwrite=args.overwrite)
    with console.progress(len(files) + plan.cost + 1) as begin:
        data = read_training_set(files, args.sample_rate, console, begin, strict=args.strict)
        console.notice(f"Training a base on {data.description}. {files.describe_skipped()}".strip())
        begin(f"Training {plan.title}", plan.cost)
        with stated("Training"):
            base = fit_base(data.waves, data.labels, plan.make(data.sample_rate), speeds=speeds)
        begin(f"Writing {args.output.name}")
        kept = {"base trained on": data.description, **card}
        path = write_model(base, args.output, kept, overwrite=args.overwrite)
    console.result(str(path))
    console.report({"model": str(path), **files.summary(), "sample_rate": data.sample_rate})


def find_voices(folder: Path) -> dict[str, list[Path]]:
    """Return the folders of all voices by name."""
    if not folder.is_dir():
        raise CommandError(f"{folder} is no folder." if folder.exists() else f"The folder {folder} does not exist.")
    with stated():
        found = sorted(path for path in folder.iterdir() if path.is_dir() and not is_passed_over(path))
    if len(found) < 2:
        raise CommandError(
            f"The folder {folder} has no folder for each of two voices or more, which a base needs: put the recordings "
            "of each voice into a folder of their own."
        )
    return {path.name: [path] for path in found}

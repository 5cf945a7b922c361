"""``sklearn-gass separate``: separate files with a model file, or train and separate in one go."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from sklearn_gass.cli._batch import Batch, Options, separate_all
from sklearn_gass.cli._console import CommandError, Console
from sklearn_gass.cli._mixtures import check_inputs_stay, find_mixtures, named_mixtures, without_existing
from sklearn_gass.cli._model_files import load_separator
from sklearn_gass.cli._models import SEPARATING
from sklearn_gass.cli._outputs import check_file_names, check_writable
from sklearn_gass.cli._plan import Plan
from sklearn_gass.cli._recordings import read_recording, tell_channels, tell_rates
from sklearn_gass.cli._sources import Trained
from sklearn_gass.cli._training import group_by_label, read_training_set, train
from sklearn_gass.cli._training_files import TrainingFiles, count_files


def run(args: argparse.Namespace, console: Console) -> None:
    """Separate every mixture into a folder of its own."""
    separate = _separate_with_file if args.train is None else _train_and_separate
    separate(args, console)


def _separate_with_file(args: argparse.Namespace, console: Console) -> None:
    """Separate files, and those in folders, by what the first file holds."""
    model, *paths = args.mixtures
    acting = {name: getattr(args, name) for name in ("critic_weight", "mask_exponent", "consistency")}
    trained = load_separator(model, device=args.device, **acting)
    mixtures = find_mixtures(paths, args.output)
    names = [f"{label}.{args.format}" for label in trained.labels]
    check_inputs_stay(mixtures.folders.values(), names, mixtures.folders)
    folders = mixtures.folders
    if not args.overwrite:
        folders = without_existing(folders, names, skip=args.skip_existing, report=not args.no_report)
    check_writable(args.output)
    existing = [path for path in mixtures.folders if path not in folders]
    for text in (mixtures.notice, f"{count_files(len(existing))} left out: results exist." if existing else ""):
        if text:
            console.notice(text)
    with console.progress(SEPARATING * len(folders)) as begin:
        batch = _separate(trained, args, folders, console, begin, strict=args.strict)
    tell_channels(batch.sources, console, kept=args.stereo)
    tell_rates(batch.sources, trained.sample_rate, console)
    skipped = [{"path": str(path), "reason": why, "n_files": n} for path, why, n in mixtures.skipped]
    console.report(
        {**batch.summary(trained.labels, args.format), "existing": list(map(str, existing)), "skipped": skipped}
    )
    if batch.failed:
        text = f"{len(batch.failed)} of {count_files(len(mixtures.folders))} could not be separated."
        if not (batch.done or existing):
            raise CommandError(text)
        console.error(text)


def _train_and_separate(args: argparse.Namespace, console: Console) -> None:
    """Train on clean recordings, and separate files by that; existing results are replaced unless they are skipped."""
    sources = group_by_label(args.train, "--train")
    check_file_names(list(sources))
    folders = named_mixtures(args.mixtures, args.output)
    names = [f"{label}.{args.format}" for label in sources]
    files = TrainingFiles(sources, list(folders), args.output)
    check_inputs_stay(folders.values(), names, [*folders, *files])
    if args.skip_existing:
        folders = without_existing(folders, names, skip=True, report=not args.no_report)
    check_writable(args.output)
    plan = _plan(args, list(sources), console)
    with console.progress(len(files) + (1 + SEPARATING) * len(folders) + plan.cost) as begin:
        data = read_training_set(files, args.sample_rate, console, begin)
        for mixture in folders:
            begin(f"Checking {mixture.name}")
            recording = read_recording(mixture)
            tell_channels([recording], console, kept=args.stereo)
            tell_rates([recording], data.sample_rate, console)
            del recording
        audio = train(plan, data, files, console, begin)
        description = f"Source model: {plan.title}. Trained on {data.description}."
        rate = data.sample_rate
        del data  # its waveforms
        trained = Trained(audio, rate, description)
        batch = _separate(trained, args, folders, console, begin, strict=True)
    console.report({**batch.summary(trained.labels, args.format), **files.summary()})


def _separate(
    trained: Trained,
    args: argparse.Namespace,
    folders: Mapping[Path, Path],
    console: Console,
    begin: Callable[..., None],
    *,
    strict: bool,
) -> Batch:
    options = Options(args.format, args.stereo, not args.no_report)
    return separate_all(trained, folders, options, console, begin, output=args.output, n_jobs=args.jobs, strict=strict)


def _plan(args: argparse.Namespace, labels: list[str], console: Console) -> Plan:
    model = args.model or "vae"
    if args.critic_weight is not None and model == "nmf":
        console.notice("--critic-weight has no effect: NMF alone is separated without critics.")
    settings = {
        "critic_weight": args.critic_weight,
        "mask_exponent": args.mask_exponent,
        "consistency": args.consistency,
        "source_model__n_components": args.n_components,
    }
    chosen = {name: value for name, value in settings.items() if value is not None}
    return Plan(dict.fromkeys(labels, model), chosen, args.seed or 0, args.device)

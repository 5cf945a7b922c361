"""Train on the clean recordings of each source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sklearn_gass import AudioSeparator
from sklearn_gass.cli._console import CommandError, Console, stated
from sklearn_gass.cli._plan import Plan
from sklearn_gass.cli._recordings import Recording, read_recording, tell_channels
from sklearn_gass.cli._training_files import TrainingFiles, count_files


class TrainingSet(NamedTuple):
    """What has been read to train on.

    Attributes
    ----------
    waves : list of ndarray of shape (n_samples,)
        Clean recordings.
    labels : list of str
        Source of each.
    sample_rate : int
        Samples per second of all.
    description : str
        Number of files and seconds of each source.
    """

    waves: list[np.ndarray]
    labels: list[str]
    sample_rate: int
    description: str


def group_by_label(pairs: Sequence[tuple[str, Path]], what: str, *, fewest: int = 2) -> dict[str, list[Path]]:
    """Return folders and files by label, after checking that there are enough labels."""
    sources: dict[str, list[Path]] = {}
    for label, path in pairs:
        sources.setdefault(label, []).append(path)
    if len(sources) < fewest:
        raise CommandError(
            f"Separation needs two or more sources, but {what} names only {next(iter(sources))!r}. If nobody recorded "
            "the rest, sklearn-gass train --background learns it from mixtures."
        )
    return sources


def read_training_set(
    files: TrainingFiles,
    sample_rate: int | None,
    console: Console,
    begin: Callable[..., None],
    *,
    strict: bool = False,
) -> TrainingSet:
    """Read all training files; what was found in a folder and cannot be read is skipped, unless `strict`."""
    recordings = _read(files, sample_rate, begin, strict=strict)
    everything = [recording for group in recordings.values() for recording in group]
    rate = _common_rate(everything)
    tell_channels(everything, console)
    return TrainingSet(
        waves=[recording.wave for recording in everything],
        labels=[label for label, group in recordings.items() for _ in group],
        sample_rate=rate,
        description=", ".join(f"{label} ({_describe(group)})" for label, group in recordings.items()),
    )


def train(
    plan: Plan, data: TrainingSet, files: TrainingFiles, console: Console, begin: Callable[..., None]
) -> AudioSeparator:
    """Tell what is trained on, and train."""
    console.notice(f"Training on {data.description}. {files.describe_skipped()}".strip())
    begin(f"Training {plan.title}", plan.cost)
    audio = plan.make(data.sample_rate)
    with stated("Training"):
        audio.fit(data.waves, data.labels)
    return audio


def _read(
    files: TrainingFiles, sample_rate: int | None, begin: Callable[..., None], *, strict: bool
) -> Mapping[str, list[Recording]]:
    recordings: dict[str, list[Recording]] = {label: [] for label in files.by_label}
    for label, group in files.by_label.items():
        problem = None
        for path, named in group:
            begin(f"Reading {path.name}")
            try:
                recordings[label].append(read_recording(path, sample_rate))
            except CommandError as error:
                if named or strict:
                    raise
                problem = problem or error
                files.skip_unreadable(path, str(error).removeprefix(f"Audio file {path} ").rstrip("."))
        if not recordings[label]:
            raise CommandError(f"No file of {label!r} can be read. {problem}")
        if not any(np.ptp(recording.wave) for recording in recordings[label]):
            raise CommandError(f"All recordings of {label!r} are silent.")
    return recordings


def _common_rate(recordings: Sequence[Recording]) -> int:
    first = recordings[0]
    for other in recordings[1:]:
        if other.sample_rate != first.sample_rate:
            raise CommandError(
                f"The training files differ in sample rate ({first.path}: {first.sample_rate} Hz, {other.path}: "
                f"{other.sample_rate} Hz): convert all with --sample-rate {min(first.sample_rate, other.sample_rate)}."
            )
    return first.sample_rate


def _describe(recordings: Sequence[Recording]) -> str:
    return f"{count_files(len(recordings))}, {sum(recording.seconds for recording in recordings):.0f} s"

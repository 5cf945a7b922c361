"""Train on the clean recordings of each source."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sklearn_gass import STFT, AudioSeparator, SupervisedSeparator
from sklearn_gass.cli._console import CommandError, Console, stated
from sklearn_gass.cli._models import make_source_model, training_cost
from sklearn_gass.cli._recordings import Recording, read_recording, tell_channels
from sklearn_gass.cli._training_files import TrainingFiles, count_files


class Trained(NamedTuple):
    """A fitted separator, and a sentence on what it was trained on."""

    audio: AudioSeparator
    description: str


def train(
    args: argparse.Namespace,
    files: TrainingFiles,
    mixtures: Sequence[Path],
    console: Console,
    begin: Callable[..., None],
) -> Trained:
    """Read training files and mixtures, and train; mixtures that cannot be read are refused before that.

    All waveforms are let go when it returns.
    """
    separator = SupervisedSeparator(
        make_source_model(args.model, n_components=args.n_components),
        mask_exponent=args.mask_exponent,
        random_state=args.seed,
        **({} if args.critic_weight is None else {"critic_weight": args.critic_weight}),
    )
    recordings = _read(files, args.sample_rate, begin)
    everything = [recording for group in recordings.values() for recording in group]
    sample_rate = _common_rate(everything)
    tell_channels(everything, console)
    description = ", ".join(f"{label} ({_describe(group)})" for label, group in recordings.items())
    for mixture in mixtures:
        begin(f"Checking {mixture.name}")
        _tell_about(read_recording(mixture), sample_rate, console)
    console.notice(f"Training on {description}. {files.describe_skipped()}".strip())
    begin(f"Training {args.model}", training_cost(args.model))
    audio = AudioSeparator(separator, stft=STFT.for_sample_rate(sample_rate), sample_rate=sample_rate)
    labels = [label for label, group in recordings.items() for _ in group]
    with stated("--train"):
        audio.fit([recording.wave for recording in everything], labels)
    return Trained(audio, f"Source model: {args.model}. Trained on {description}.")


def _read(files: TrainingFiles, sample_rate: int | None, begin: Callable[..., None]) -> dict[str, list[Recording]]:
    """Return the recordings of each source; what was found in a folder and cannot be read is skipped."""
    recordings: dict[str, list[Recording]] = {label: [] for label in files.by_label}
    for label, group in files.by_label.items():
        problem = None
        for path, named in group:
            begin(f"Reading {path.name}")
            try:
                recordings[label].append(read_recording(path, sample_rate))
            except CommandError as error:
                if named:
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


def _tell_about(mixture: Recording, sample_rate: int, console: Console) -> None:
    tell_channels([mixture], console)
    if mixture.sample_rate == sample_rate:
        return
    text = f"{mixture.path} has {mixture.sample_rate} Hz: it is separated at {sample_rate} Hz and brought back"
    if mixture.sample_rate > sample_rate:
        text += f", which loses all above {sample_rate / 2:g} Hz"
    console.notice(f"{text}.")

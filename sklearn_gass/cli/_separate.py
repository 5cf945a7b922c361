"""``sklearn-gass separate``: train on folders of clean recordings, separate files."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sklearn_gass import STFT, AudioSeparator, Separation, SupervisedSeparator
from sklearn_gass.cli._console import CommandError, Console, stated
from sklearn_gass.cli._files import (
    Recording,
    check_file_names,
    check_writable,
    find_recordings,
    labelled,
    read_recording,
    tell_averaged,
)
from sklearn_gass.cli._models import make_source_model
from sklearn_gass.cli._report import write_report

_FRAME_SECONDS = 0.064


def run(args: argparse.Namespace, console: Console) -> None:
    """Train, separate every mixture, and write a folder for each."""
    folders = labelled(args.train, "--train")
    check_file_names(list(folders))
    training = {label: find_recordings(folder) for label, folder in folders.items()}
    outputs = _output_folders(args.output, args.mixtures)
    _check_nothing_overwritten(outputs, list(folders), [path for paths in training.values() for path in paths])
    check_writable(args.output)
    source_model = make_source_model(args.model, n_components=args.n_components)
    critic_weight = {} if args.critic_weight is None else {"critic_weight": args.critic_weight}
    if critic_weight and args.model == "nmf":
        console.notice("--critic-weight has no effect: NMF alone is separated without critics.")

    with console.progress(sum(map(len, training.values())) + 2 * len(outputs) + 1) as begin:
        recordings = _read_training(training, args.sample_rate, console, begin)
        sample_rate = _common_rate([recording for group in recordings.values() for recording in group])
        for mixture in outputs:
            begin(f"Checking {mixture.name}")
            _tell_about(read_recording(mixture), sample_rate, console)
        begin(f"Training {args.model}")
        separator = SupervisedSeparator(
            source_model,
            mask_exponent=args.mask_exponent,
            random_state=args.seed,
            **critic_weight,
        )
        audio = AudioSeparator(separator, stft=_stft(sample_rate), sample_rate=sample_rate)
        _fit(audio, recordings)
        lead = _describe(recordings, args.model)
        for mixture, folder in outputs.items():
            begin(f"Separating {mixture.name}")
            for path in _separate_file(audio, mixture, folder, console, lead=lead):
                console.result(str(path))


def _separate_file(audio: AudioSeparator, mixture: Path, folder: Path, console: Console, *, lead: str) -> list[Path]:
    """Separate a file into a folder; all that it holds is let go before the next file is read."""
    separation = separate_recording(audio, read_recording(mixture))
    return _write(separation, folder, console, title=f"{mixture.name}, separated", lead=lead)


def separate_recording(audio: AudioSeparator, recording: Recording) -> Separation:
    """Separate a recording of any sample rate; the sources have its rate and its length."""
    rate = audio.sample_rate
    with stated(str(recording.path)):
        separation = audio.separate(_resample(recording.wave, recording.sample_rate, rate))
    if recording.sample_rate == rate:
        return separation
    sources = [_resample(source, rate, recording.sample_rate, recording.wave.size) for source in separation.sources]
    return replace(separation, sources=np.stack(sources), mixture=recording.wave, sample_rate=recording.sample_rate)


def _output_folders(output: Path, mixtures: Sequence[Path]) -> dict[Path, Path]:
    """Return the folder of each mixture, named after it."""
    folders: dict[Path, Path] = {}
    for mixture in mixtures:
        if not mixture.is_file():
            raise CommandError(f"The mixture {mixture} {'is a folder' if mixture.is_dir() else 'does not exist'}.")
        folder = output / mixture.stem
        for other, taken in folders.items():
            if str(folder).casefold() == str(taken).casefold():
                raise CommandError(f"{other} and {mixture} would both be written to {folder}: separate them apart.")
        folders[mixture] = folder
    return folders


def _check_nothing_overwritten(outputs: Mapping[Path, Path], labels: Sequence[str], training: Sequence[Path]) -> None:
    inputs = {path.resolve() for path in (*outputs, *training)}
    for folder in outputs.values():
        for label in labels:
            path = folder / f"{label}.wav"
            if path.resolve() in inputs:
                raise CommandError(f"The result would overwrite the input {path}: choose another --output.")


def _read_training(
    paths: Mapping[str, Sequence[Path]], sample_rate: int | None, console: Console, begin: Callable[[str], None]
) -> dict[str, list[Recording]]:
    recordings: dict[str, list[Recording]] = {label: [] for label in paths}
    for label, group in paths.items():
        for path in group:
            begin(f"Reading {path.name}")
            recordings[label].append(read_recording(path, sample_rate))
        if not any(np.ptp(recording.wave) for recording in recordings[label]):
            raise CommandError(f"All recordings of {label!r} are silent.")
    tell_averaged([recording for group in recordings.values() for recording in group], console)
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


def _tell_about(mixture: Recording, sample_rate: int, console: Console) -> None:
    tell_averaged([mixture], console)
    if mixture.sample_rate == sample_rate:
        return
    text = f"{mixture.path} has {mixture.sample_rate} Hz: it is separated at {sample_rate} Hz and brought back"
    if mixture.sample_rate > sample_rate:
        text += f", which loses all above {sample_rate / 2:g} Hz"
    console.notice(f"{text}.")


def _stft(sample_rate: int) -> STFT:
    """Return frames of about 64 ms, a quarter of that apart; at 16 kHz those of 1024 samples."""
    n_fft = max(2 ** round(math.log2(_FRAME_SECONDS * sample_rate)), 16)
    return STFT(n_fft=n_fft, hop_length=n_fft // 4)


def _fit(audio: AudioSeparator, recordings: Mapping[str, Sequence[Recording]]) -> None:
    labels = [label for label, group in recordings.items() for _ in group]
    with stated("--train"):
        audio.fit([recording.wave for group in recordings.values() for recording in group], labels)


def _resample(
    wave: NDArray[np.floating], rate: int, new_rate: int, n_samples: int | None = None
) -> NDArray[np.floating]:
    if rate == new_rate:
        return wave
    import librosa

    resampled = librosa.resample(wave, orig_sr=rate, target_sr=new_rate)
    return resampled if n_samples is None else librosa.util.fix_length(resampled, size=n_samples)


def _write(separation: Separation, folder: Path, console: Console, *, title: str, lead: str) -> list[Path]:
    files = {f"{label}.wav": wave for label, wave in zip(separation.labels, separation, strict=True)}
    shown = separation.waves()
    return write_report(folder, files, shown, separation.sample_rate, console, title=title, lead=lead)


def _describe(recordings: Mapping[str, Sequence[Recording]], model: str) -> str:
    parts = []
    for label, group in recordings.items():
        seconds = sum(recording.wave.size / recording.sample_rate for recording in group)
        parts.append(f"{label} ({len(group)} {'file' if len(group) == 1 else 'files'}, {seconds:.0f} s)")
    return f"Source model: {model}. Trained on {', '.join(parts)}."

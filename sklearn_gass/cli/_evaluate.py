"""``sklearn-gass evaluate``: compare separated files with the true sources."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sklearn_gass.cli._console import CommandError, Console, stated, text_table
from sklearn_gass.cli._recordings import Recording, read_recording, tell_channels
from sklearn_gass.display import format_decibel
from sklearn_gass.metrics import bss_eval, si_sdr

_GAINS = {"sdr": "sdr_gain", "sir": "sir_gain", "si_sdr": "si_sdr_gain"}
_HEADINGS = {
    "sdr": "SDR",
    "sir": "SIR",
    "sar": "SAR",
    "si_sdr": "SI-SDR",
    "sdr_gain": "SDR gain",
    "sir_gain": "SIR gain",
    "si_sdr_gain": "SI-SDR gain",
}


def run(args: argparse.Namespace, console: Console) -> None:
    """Print the scores of each source and their means."""
    reference_paths = _labelled(args.references, "--references")
    estimate_paths = _labelled(args.estimates, "--estimates")
    labels = list(reference_paths)
    if set(estimate_paths) != set(labels):
        raise CommandError(
            f"References and estimates must have the same labels, got {sorted(labels)} and {sorted(estimate_paths)}."
        )
    references = [read_recording(reference_paths[label]) for label in labels]
    estimates = [read_recording(estimate_paths[label]) for label in labels]
    mixture = [] if args.mixture is None else [read_recording(args.mixture)]
    _check_alike([*references, *estimates, *mixture])
    tell_channels([*references, *estimates, *mixture], console)
    for recording in (*references, *estimates):
        if not recording.wave.any():
            raise CommandError(f"{recording.path} is silent, and no ratio is defined for silence.")
    for first, second in combinations(references, 2):
        if np.array_equal(first.wave, second.wave):
            raise CommandError(f"The references {first.path} and {second.path} are the same sound.")

    scores = score(_stack(references), _stack(estimates), _stack(mixture)[0] if mixture else None)
    by_source = {label: {name: float(values[i]) for name, values in scores.items()} for i, label in enumerate(labels)}
    means = {name: float(np.mean(values)) for name, values in scores.items()}
    console.report({"unit": "dB", "sources": by_source, "mean": means})
    rows = {**by_source, "mean": means} if "mean" not in by_source else {**by_source, "mean of all": means}
    cells = {name: [_cell(value) for value in row.values()] for name, row in rows.items()}
    console.result(*text_table(cells, [_HEADINGS[name] for name in scores]))


def score(
    references: NDArray[np.floating], estimates: NDArray[np.floating], mixture: NDArray[np.floating] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Return all scores in dB by name, each of shape (n_sources,); gains over the mixture if it is given."""
    with stated():
        scores = {**bss_eval(references, estimates)._asdict(), "si_sdr": si_sdr(references, estimates)}
    if mixture is None:
        return scores
    with stated("The mixture"):
        before = score(references, np.stack([mixture] * len(references)))
    with np.errstate(invalid="ignore"):
        return scores | {gain: scores[name] - before[name] for name, gain in _GAINS.items()}


def _labelled(pairs: Sequence[tuple[str, Path]], what: str) -> dict[str, Path]:
    """Return paths by label after checking that there are two or more, all different."""
    paths: dict[str, Path] = {}
    for label, path in pairs:
        if label.casefold() in map(str.casefold, paths):
            raise CommandError(f"The label {label!r} comes twice in {what}.")
        paths[label] = path
    if len(paths) < 2:
        raise CommandError(f"Separation needs two or more sources, but {what} names only {next(iter(paths))!r}.")
    return paths


def _check_alike(recordings: Sequence[Recording]) -> None:
    first = recordings[0]
    for other in recordings[1:]:
        if other.sample_rate != first.sample_rate:
            raise CommandError(
                f"{first.path} has {first.sample_rate} Hz, but {other.path} has {other.sample_rate} Hz: "
                "all files must have one sample rate."
            )
        if other.wave.size != first.wave.size:
            raise CommandError(
                f"{first.path} has {first.wave.size} samples, but {other.path} has {other.wave.size}: "
                "all files must be equally long."
            )


def _cell(value: float) -> str:
    """Return a ratio as text; an infinite one is beyond 99 dB like those that only rounding errors keep finite."""
    return format_decibel(float(np.clip(value, -1000, 1000)))


def _stack(recordings: Sequence[Recording]) -> NDArray[np.floating]:
    return np.stack([recording.wave for recording in recordings])

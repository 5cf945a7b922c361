"""``sklearn-gass demo``: train on two voices, separate a mixture of them, score and show the result."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from sklearn_gass import STFT, AudioSeparator, MixtureStart, Separation, SupervisedSeparator
from sklearn_gass.audio_io import save_audio
from sklearn_gass.cli._console import CommandError, Console, text_table
from sklearn_gass.cli._models import SEPARATING, make_source_model, training_cost
from sklearn_gass.cli._outputs import check_writable, staged
from sklearn_gass.cli._report import write_page
from sklearn_gass.datasets import fetch_timit_sample, make_pair, make_voices, speaker_pairs
from sklearn_gass.display import format_decibel, scores_html
from sklearn_gass.metrics import BSSEval, bss_eval, ideal_ratio_mask_bound

_PEAK = 0.9
_IDEAL = "ideal ratio mask"
_SCORES_NOTE = (
    "SDR: signal-to-distortion ratio, over all. SIR: signal-to-interference ratio, how little of the other voice is "
    "left. SAR: signal-to-artifacts ratio, how little the separation itself has damaged. All in dB by BSS eval, higher "
    f"is better. The {_IDEAL} is made from the true voices, a bound for separation by masks."
)
_TIMIT_NOTE = (
    "Speech: sample of the TIMIT corpus as distributed with NLTK, copyright 1993 Linguistic Data Consortium, "
    "licence CC BY-NC-SA (non-commercial use)."
)


@dataclass(frozen=True)
class _Speech:
    """Two voices: what to train on and a test mixture, and where they come from."""

    example: Bunch
    sample_rate: int
    description: str
    reason: str = ""
    note: str = ""


@dataclass(frozen=True)
class _Outcome:
    separation: Separation
    seconds: float


def demo_models(seed: int) -> dict[str, SupervisedSeparator]:
    """Return the separators that the demo compares, by name."""
    # half of the defaults' epochs and of the steps for the start keep the demo short
    models = {"NMF": make_source_model("nmf")}
    models |= {name.upper(): make_source_model(name, max_iter=40) for name in ("vae", "wgan")}
    start = MixtureStart(max_iter=1500)
    return {name: SupervisedSeparator(model, start=start, random_state=seed) for name, model in models.items()}


def run(args: argparse.Namespace, console: Console) -> None:
    """Run the demo."""
    check_writable(args.output)
    speech = _load(args.data, args.seed, download=not args.no_download)
    console.result(f"Speech: {speech.description}.")
    if speech.reason:
        console.result(f"Why not real speech: {speech.reason}")
    models = demo_models(args.seed)
    STFT().analyze(speech.example.mixture)  # imports librosa, which is no model's training time
    with console.progress(sum(map(training_cost, map(str.lower, models))) + 2 * SEPARATING) as begin:
        outcomes = {}
        for name, separator in models.items():
            begin(f"Training {name}", training_cost(name.lower()))
            outcomes[name] = _separate(separator, speech)
        begin("Scoring", SEPARATING)
        scores = _score(outcomes, speech.example)
        begin("Writing", SEPARATING)
        paths = _write(args, console, outcomes, scores, speech)
    columns = ["SDR", "SIR", "SAR"]
    rows = {name: [format_decibel(row[column]) for column in columns] for name, row in scores.items()}
    console.result("", "Scores in dB, mean over both voices:", *text_table(rows, columns), "")
    for name, outcome in outcomes.items():
        console.result(f"{name} was trained in {outcome.seconds:.1f} s.")
    console.result(f"Wrote {len(paths)} files; open the last one in a browser:")
    for path in paths:
        console.result(f"  {path}")
    seconds = {name: outcome.seconds for name, outcome in outcomes.items()}
    console.report(
        {
            "speech": speech.description,
            "unit": "dB",
            "scores": scores,
            "training_seconds": seconds,
            "files": list(map(str, paths)),
        }
    )


def _load(choice: str, seed: int, *, download: bool) -> _Speech:
    reason = "asked for by --data voices."
    if choice != "voices":
        try:
            return _speech(
                fetch_timit_sample(download_if_missing=download, n_retries=1), "real, TIMIT sample", note=_TIMIT_NOTE
            )
        except OSError as error:
            reason = "the TIMIT sample is not on this machine, and --no-download was given."
            if download:
                reason = f"the TIMIT sample cannot be had. {error}"
            if choice == "timit":
                raise CommandError(reason[0].upper() + reason[1:]) from error
    return _speech(make_voices(2, random_state=seed), "synthetic voices", reason=reason)


def _speech(data: Bunch, kind: str, **remarks: str) -> _Speech:
    pair = speaker_pairs(data)[0]
    example = make_pair(data, pair)
    seconds = example.mixture.size / data.sample_rate
    description = (
        f"{kind}; {pair.first} (female) and {pair.second} (male), {len(pair.train) // 2} utterances each to train on, "
        f"one held out of each, mixed at 0 dB ({seconds:.1f} s)"
    )
    return _Speech(example, data.sample_rate, description, **remarks)


def _separate(separator: SupervisedSeparator, speech: _Speech) -> _Outcome:
    audio = AudioSeparator(separator, sample_rate=speech.sample_rate)
    start = time.perf_counter()
    audio.fit(speech.example.train_utterances, speech.example.train_speakers)
    seconds = time.perf_counter() - start
    return _Outcome(audio.separate(speech.example.mixture), seconds)


def _score(outcomes: Mapping[str, _Outcome], example: Bunch) -> dict[str, dict[str, float]]:
    """Return mean scores by row of the table."""
    references = example.references
    scores = {"mixture": bss_eval(references, np.stack([example.mixture] * len(references)))}
    for name, outcome in outcomes.items():
        estimates = np.stack([outcome.separation[speaker] for speaker in example.reference_speakers])
        scores[name] = bss_eval(references, estimates)
    scores[_IDEAL] = ideal_ratio_mask_bound(references, exponent=1)
    return {name: _means(score) for name, score in scores.items()}


def _means(score: BSSEval) -> dict[str, float]:
    return {name.upper(): float(np.mean(values)) for name, values in score._asdict().items()}


def _write(
    args: argparse.Namespace,
    console: Console,
    outcomes: Mapping[str, _Outcome],
    scores: Mapping[str, Mapping[str, float]],
    speech: _Speech,
) -> list[Path]:
    example = speech.example
    speakers = example.reference_speakers.tolist()
    shown: dict[str, NDArray[np.floating]] = {"mixture": example.mixture}
    shown |= {f"{speaker}, true": wave for speaker, wave in zip(speakers, example.references, strict=True)}
    for name, outcome in outcomes.items():
        shown |= {f"{speaker}, {name}": outcome.separation[speaker] for speaker in speakers}
    # one gain for all, so that files of 16 bits hold them and levels can be compared
    gain = _PEAK / max(np.abs(wave).max() for wave in shown.values())
    shown = {name: wave * gain for name, wave in shown.items()}
    files = {f"{name.replace(', ', '-').replace(' ', '-').lower()}.wav": wave for name, wave in shown.items()}
    with staged(args.output) as scratch:
        for name, wave in files.items():
            save_audio(scratch / name, wave, speech.sample_rate)
        names = write_page(
            scratch,
            shown,
            speech.sample_rate,
            console,
            title="Two voices separated",
            lead=f"Speech: {speech.description}.",
            sections={"Scores": scores_html(scores, "dB, mean over both voices")},
            notes=[note for note in (_SCORES_NOTE, speech.note) if note],
        )
    return [args.output / name for name in [*files, *names]]

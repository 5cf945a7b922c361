"""Measure what a base model of other voices buys, on pairs of speakers of the TIMIT sample.

Run ``python benchmarks/base/run.py`` for all 25 pairs, or with ``--pairs 0 6 12`` for some of them; ``--seconds 3 6``
trains on so many seconds of each voice instead of all of its nine sentences. For each pair the base is trained on the
other eight speakers only, without the sentences ``sa1`` and ``sa2``, which all speakers say and which may be test
sentences. Bases are kept as model files in ``--bases``, and results in ``results.json``, so that the run can be
interrupted. What is there is not computed again unless its settings change. ``--report`` prints tables of what is
there and writes ``docs/learning_curve.md`` with its figure. The same separator without a base, on all recordings, is
taken from what ``benchmarks/paper/run.py`` has published. Scores are those of that script; seconds are CPU seconds of
one thread, from recordings to the fitted separator.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import joblib
import numpy as np
import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "paper"))
from learning_curve import BASED, METHODS, NMF, RESULTS, VAE, load, published, write_page  # noqa: E402
from report import interval, wins  # noqa: E402
from run import current_commit, score  # noqa: E402
from time_curve import by_pair  # noqa: E402

from sklearn_gass import (  # noqa: E402
    AudioSeparator,
    MixtureCritic,
    MixtureStart,
    NMFSourceModel,
    SupervisedSeparator,
    VAESourceModel,
    describe_model,
    load_model,
    save_model,
)
from sklearn_gass.base_models import SHORT, SPEEDS, fit_base, parts_of_base, unfitted_base  # noqa: E402
from sklearn_gass.datasets import fetch_timit_sample, make_pair, speaker_pairs  # noqa: E402

BASES = HERE / "bases"
SAID_BY_ALL = ("sa1", "sa2")
REVISION = 1  # raise it when results change though no parameter does


def settings(separator):
    """Return a hash of all parameters of an unfitted separator."""
    return joblib.hash([REVISION, sorted((name, repr(value)) for name, value in separator.get_params().items())])


def plain_separator(method, seed):
    """Return the separator that is trained from the beginning."""
    if method == NMF:
        return AudioSeparator(SupervisedSeparator(NMFSourceModel()), random_state=seed)
    parts = {"start": MixtureStart(), "critic": MixtureCritic()}
    return AudioSeparator(SupervisedSeparator(VAESourceModel(), **parts), random_state=seed)


def base_settings(seed):
    """Return a hash of all that a base is trained with."""
    return joblib.hash([settings(unfitted_base(random_state=seed)), SPEEDS])


def based_separator(base, seed):
    """Return the separator whose training begins at a base."""
    return AudioSeparator(SupervisedSeparator(**parts_of_base(base)), stft=base.stft, random_state=seed)


def load_base(number, pair, data, seed, folder):
    """Return the base for a pair, and the CPU seconds that it took; train and keep it if it is not there."""
    path = folder / f"pair{number:02d}_seed{seed}.safetensors"
    if path.exists() and describe_model(path)["card"]["settings"] == base_settings(seed):
        return load_model(path), describe_model(path)["card"]["seconds"]
    sentences = np.array([group.split("/")[1] for group in data.groups])
    taken = ~np.isin(data.speakers, [pair.first, pair.second]) & ~np.isin(sentences, SAID_BY_ALL)
    begin = time.process_time()
    utterances = [data.utterances[i] for i in np.flatnonzero(taken)]
    base = fit_base(utterances, data.speakers[taken], unfitted_base(random_state=seed))
    seconds = time.process_time() - begin
    folder.mkdir(parents=True, exist_ok=True)
    save_model(base, path, card={"settings": base_settings(seed), "seconds": seconds})
    return load_model(path), seconds


def shortened(example, seconds, sample_rate):
    """Return training recordings and labels, of at most so many seconds of each voice."""
    utterances, speakers, left = [], [], {}
    for wave, speaker in zip(example.train_utterances, example.train_speakers, strict=True):
        budget = left.setdefault(speaker, round(seconds * sample_rate))
        if budget:
            utterances.append(wave[:budget])
            speakers.append(speaker)
            left[speaker] = max(0, budget - len(wave))
    return utterances, speakers


def run_cell(separator, example, utterances, speakers):
    """Train, separate the test mixture, and return the scores and what training took."""
    begin = time.process_time()
    separator.fit(utterances, speakers)
    seconds = time.process_time() - begin
    separation = separator.separate(example.mixture)
    estimates = np.stack([separation[speaker] for speaker in example.reference_speakers])
    return {**score(example.references, estimates), "fit_seconds": seconds}


def save(cells):
    """Write all cells."""
    partial = RESULTS.with_suffix(".part")
    partial.write_text(json.dumps([cells[key] for key in sorted(cells)], indent=1) + "\n", encoding="utf-8")
    partial.replace(RESULTS)


def report(cells, speakers):
    """Print a table for each length of recordings, over the pairs and seeds with and without a base."""
    for length in sorted({key[2] for key in cells}):
        runs = [{key[:2]: cell for key, cell in cells.items() if key[2:] == (length, m)} for m in (VAE, BASED)]
        common = sorted(runs[0].keys() & runs[1].keys())
        if not common:
            continue
        pairs = sorted({pair for pair, _ in common})
        seeds = [seed for seed in sorted({seed for _, seed in common}) if all((pair, seed) in common for pair in pairs)]
        common = [key for key in common if key[1] in seeds]  # every pair counts the same
        what = f"{length:g} seconds" if length else "All recordings"
        print(f"\n{what} of each voice, {len(pairs)} pairs: {pairs}, seeds: {seeds}\n")
        names = "method | SDR | SIR | SAR | lowest pair | CPU s | longest | CPU s of a base"
        print(f"| {names} |\n" + "|---" * 8 + "|")
        for method, run in zip((VAE, BASED), runs, strict=True):
            values = {name: [run[key].get(name, np.nan) for key in common] for name in run[common[0]]}
            columns = [f"{np.mean(values[name]):.2f}" for name in ("sdr", "sir", "sar")]
            columns.append(f"{min(by_pair(dict(zip(common, values['sdr'], strict=True))).values()):.2f}")
            columns += [f"{of(values['fit_seconds']):.0f}" for of in (np.mean, np.max)]
            columns.append(f"{np.mean(values['base_seconds']):.0f}" if method == BASED else "")
            print(f"| {method} | {' | '.join(columns)} |")
        gains = by_pair({key: runs[1][key]["sdr"] - runs[0][key]["sdr"] for key in common})
        gains = {speakers[pair]: gain for pair, gain in gains.items()}
        print(f"\nA base gives {interval(gains)} dB (95 % over speakers), and is ahead in {wins(gains)}.")


def run(number, pair, data, seed, options):
    """Compute the cells of a pair that are not there yet."""
    example = make_pair(data, pair)
    for seconds in options.seconds:
        recordings = example.train_utterances, example.train_speakers
        if seconds:
            recordings = shortened(example, seconds, data.sample_rate)
        for method in options.methods:
            key, extra = (number, seed, seconds, method), {}
            if method == BASED:
                described = joblib.hash([base_settings(seed), SHORT])
            else:
                separator = plain_separator(method, seed)
                described = settings(separator)
            if load().get(key, {}).get("settings") == described:
                continue
            if method == BASED:
                base, extra["base_seconds"] = load_base(number, pair, data, seed, options.bases)
                separator = based_separator(base, seed)
            cell = dict(zip(("pair", "seed", "seconds", "method"), key, strict=True))
            cell |= {"commit": current_commit(), "settings": described}
            cell |= {**run_cell(separator, example, *recordings), **extra}
            save(load() | {key: cell})
            print(f"pair {number}, {seconds or 'all'} s, {method}: {cell['sdr']:.2f} dB", flush=True)


def main():
    """Run the cells that are asked for and not there yet, or report."""
    parser = argparse.ArgumentParser(description="Measure what a base model of other voices buys.")
    parser.add_argument("--pairs", type=int, nargs="+", help="numbers of pairs (default: all 25)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="seeds (default: 0)")
    parser.add_argument(
        "--seconds", type=float, nargs="+", default=[0.0], help="seconds of each voice; 0 for all (default: 0)"
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, help="(default: all)")
    parser.add_argument("--bases", type=Path, default=BASES, help="folder of trained bases")
    parser.add_argument("--report", action="store_true", help="print a table and write a page of what is there")
    options = parser.parse_args()
    data = fetch_timit_sample()
    pairs = speaker_pairs(data)
    if not options.report:
        torch.set_num_threads(1)
        for seed in options.seeds:
            for number in range(len(pairs)) if options.pairs is None else options.pairs:
                run(number, pairs[number], data, seed, options)
    cells = published() | load()
    report(cells, [(pair.first, pair.second) for pair in pairs])
    if options.report:
        write_page(cells)


if __name__ == "__main__":
    main()

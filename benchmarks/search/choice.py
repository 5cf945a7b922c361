"""Compare λ chosen on training data alone with the best λ of each pair and with fixed values.

Run ``python benchmarks/search/choice.py``; ``--help`` lists the options. For each pair of the TIMIT sample, λ is chosen
by `SupervisedSeparatorCV` on mixtures of held-out training utterances; then every value is scored on the test mixture,
of which the choice knows nothing. "oracle" is the value that is best on the test mixture by its true sources. BSS eval
in dB, mean of both sources. Every pair is kept as a JSON file and never computed again, so the run can be interrupted
and resumed; fitted models are cached, too.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed

from sklearn_gass import AudioSeparator, SupervisedSeparator, SupervisedSeparatorCV, VAESourceModel
from sklearn_gass.datasets import fetch_timit_sample, make_pair, timit_pairs
from sklearn_gass.metrics import bss_eval

HERE = Path(__file__).parent
WEIGHTS = [0.0, 1.0, 2.0, 5.0, 10.0]
METRICS = ("sdr", "sir", "sar", "si_sdr")


def run_pair(number, pair, data, epochs, cells, cache):
    """Choose and score on one pair, unless that is done."""
    path = cells / f"pair{number:02d}_epochs{epochs}.json"
    if path.exists():
        return
    torch.set_num_threads(1)
    example = make_pair(data, pair)
    separator = SupervisedSeparator(VAESourceModel(max_iter=epochs), memory=str(cache), random_state=0)
    search = SupervisedSeparatorCV(AudioSeparator(separator), critic_weights=WEIGHTS, scoring=METRICS, refit="sdr")
    search.fit(example.train_utterances, example.train_speakers)
    test = {}
    for weight in WEIGHTS:
        search.separator_.separator_.set_params(critic_weight=weight)
        separation = search.separate(example.mixture)
        estimates = np.stack([separation[speaker] for speaker in example.reference_speakers])
        scores = bss_eval(example.references, estimates)
        test[str(weight)] = {name: float(np.mean(values)) for name, values in scores._asdict().items()}
    folds = {
        name: [search.cv_results_[f"split{k}_test_{name}"].tolist() for k in range(search.n_splits_)]
        for name in METRICS
    }
    cell = {"number": number, "pair": [pair.first, pair.second], "weights": WEIGHTS, "folds": folds, "test": test}
    cell |= {"chosen": search.critic_weight_}
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(cell, indent=1))
    os.replace(partial, path)
    print(f"{pair.first} x {pair.second}: chose λ = {search.critic_weight_:g}", flush=True)


def report(cells, epochs):
    """Print the tables of all pairs that are done."""
    done = [json.loads(path.read_text()) for path in sorted(cells.glob(f"pair*_epochs{epochs}.json"))]
    if not done:
        print("No pair is done yet.")
        return
    test = {
        name: np.array([[c["test"][str(w)][name] for w in WEIGHTS] for c in done]) for name in ("sdr", "sir", "sar")
    }
    rows, everyone = (
        {f"λ = {weight:g}": np.full(len(done), i) for i, weight in enumerate(WEIGHTS)},
        np.arange(len(done)),
    )
    for metric in ("sdr", "si_sdr"):
        means = np.array([np.mean(cell["folds"][metric], axis=0) for cell in done])
        rows[f"chosen by {metric.upper().replace('_', '-')} on training data"] = means.argmax(1)
    rows["oracle"] = test["sdr"].argmax(1)
    best, none = test["sdr"].max(1), test["sdr"][:, 0]
    print("| pair | chosen λ | SDR | oracle λ | SDR | SDR at λ = 0 |\n|---|---|---|---|---|---|")
    for k, cell in enumerate(done):
        chosen = WEIGHTS.index(cell["chosen"])
        print(
            f"| {' x '.join(cell['pair'])} | {cell['chosen']:g} | {test['sdr'][k, chosen]:.2f} "
            f"| {WEIGHTS[int(test['sdr'][k].argmax())]:g} | {best[k]:.2f} | {none[k]:.2f} |"
        )
    print(f"\nMeans over {len(done)} pairs in dB, {epochs} epochs:\n")
    print("| λ | SDR | SIR | SAR | SDR lost against oracle | SDR over λ = 0 |\n|---|---|---|---|---|---|")
    for name, choice in rows.items():
        sdr, sir, sar = (test[metric][everyone, choice] for metric in ("sdr", "sir", "sar"))
        lost, gained = np.mean(best - sdr), np.mean(sdr - none)
        print(f"| {name} | {sdr.mean():.2f} | {sir.mean():.2f} | {sar.mean():.2f} | {lost:.2f} | {gained:+.2f} |")


def main():
    """Run the pairs that are asked for and not done yet, then print the tables."""
    parser = argparse.ArgumentParser(description="Compare λ chosen on training data alone with the best of each pair.")
    parser.add_argument("--pairs", type=int, help="this many pairs, spread over all (default: all)")
    parser.add_argument("--epochs", type=int, default=VAESourceModel().max_iter, help="of every source model")
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--cells", type=Path, default=HERE / "cells", help="folder of finished pairs")
    parser.add_argument("--cache", type=Path, default=HERE / "cache", help="folder of fitted source models")
    options = parser.parse_args()
    data = fetch_timit_sample()
    pairs = list(enumerate(timit_pairs(data)))
    if options.pairs:
        pairs = [pairs[i] for i in np.linspace(0, len(pairs) - 1, min(options.pairs, len(pairs))).round().astype(int)]
    options.cells.mkdir(parents=True, exist_ok=True)
    Parallel(n_jobs=options.n_jobs)(
        delayed(run_pair)(number, pair, data, options.epochs, options.cells, options.cache) for number, pair in pairs
    )
    report(options.cells, options.epochs)


if __name__ == "__main__":
    main()

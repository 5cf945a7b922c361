"""Measure how separation improves with training time, for our models and for networks that one might take instead.

Run ``python benchmarks/paper/time_curve.py``, for five pairs of speakers and one seed; every cell is kept in
``time_curve.json`` and not computed again, so that the run can be interrupted. ``--report`` draws what is there to
``docs/time_curve.svg`` and writes ``docs/time_curve.md``. Settings are the same for all pairs. Training is made longer
by more steps of every part: source models, start and critics, or the mask network. A test mixture is scored by BSS eval
as ``run.py`` does; seconds are CPU seconds of one thread for all training, from recordings to the fitted separator.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from reference import RECIPES, mask_network
from run import score

from sklearn_gass import (
    AudioSeparator,
    MixtureCritic,
    MixtureStart,
    NMFSourceModel,
    SupervisedSeparator,
    VAESourceModel,
    WGANSourceModel,
)
from sklearn_gass.datasets import fetch_timit_sample, make_pair, speaker_pairs

HERE = Path(__file__).resolve().parent
RESULTS, DOCS = HERE / "time_curve.json", HERE.parent.parent / "docs"
PAIRS = (0, 6, 12, 18, 24)
SCALES = (0.2, 0.4, 0.8, 1.6, 3.2)
"""Lengths of training: 1 are the defaults of our models, and 1,000 steps of the mask networks."""


def neural(model):
    """Return a function from a scale to a separator whose parts are all trained that much longer."""

    def separator(scale):
        parts = {"start": MixtureStart(), "critic": MixtureCritic()}
        longer = {name: part.set_params(max_iter=steps(part.max_iter, scale)) for name, part in parts.items()}
        return SupervisedSeparator(model().set_params(max_iter=steps(model().max_iter, scale)), **longer)

    return separator


def steps(number, scale):
    """Return a number of steps or epochs for a scale."""
    return max(1, round(number * scale))


OURS = {
    "NMF, 100 templates": lambda scale: SupervisedSeparator(
        NMFSourceModel(100, max_iter=steps(NMFSourceModel().max_iter, scale))
    ),
    "VAE": neural(VAESourceModel),
    "WGAN": neural(WGANSourceModel),
}
METHODS = [*OURS, *RECIPES]


def run_cell(method, scale, example, seed):
    """Train a method on a pair; return its scores and what training took."""
    start = time.process_time()
    if method in RECIPES:
        recipe = replace(RECIPES[method], n_steps=steps(1000, scale))
        separate = mask_network(example, seed, recipe)
        seconds = time.process_time() - start
        estimates = separate(example.mixture)
    else:
        audio = AudioSeparator(OURS[method](scale), random_state=seed)
        audio.fit(example.train_utterances, example.train_speakers)
        seconds = time.process_time() - start
        separation = audio.separate(example.mixture)
        estimates = np.stack([separation[speaker] for speaker in example.reference_speakers])
    return {**score(example.references, estimates), "fit_seconds": seconds}


def load():
    """Return the cells that are there, by method, scale, pair and seed."""
    cells = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    return {(cell["method"], cell["scale"], cell["pair"], cell["seed"]): cell for cell in cells}


def save(cells):
    """Write all cells."""
    partial = RESULTS.with_suffix(".part")
    partial.write_text(json.dumps([cells[key] for key in sorted(cells)], indent=1) + "\n", encoding="utf-8")
    partial.replace(RESULTS)


def points(cells, method):
    """Return mean seconds, SDR of each pair (mean over seeds), and number of seeds of a method at each scale."""
    found = []
    for scale in SCALES:
        own = {key[2:]: cell for key, cell in cells.items() if key[:2] == (method, scale)}
        pairs = sorted({pair for pair, _ in own})
        if own:
            sdr = [np.mean([cell["sdr"] for (pair, _), cell in own.items() if pair == wanted]) for wanted in pairs]
            seconds = np.mean([cell["fit_seconds"] for cell in own.values()])
            found.append((seconds, np.array(sdr), len({seed for _, seed in own})))
    return found


def report(cells):
    """Write the table and the figure."""
    from matplotlib.figure import Figure

    lines = ["| method | CPU s of training | SDR | lowest pair | pairs | seeds |", "|---" * 6 + "|"]
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for method, marker in zip(METHODS, "svo^D", strict=True):
        curve = points(cells, method)
        lines += [
            f"| {method} | {seconds:.0f} | {sdr.mean():.2f} | {sdr.min():.2f} | {len(sdr)} | {n_seeds} |"
            for seconds, sdr, n_seeds in curve
        ]
        if curve:
            axes.plot([c[0] for c in curve], [c[1].mean() for c in curve], marker=marker, label=method)
    axes.set(xscale="log", xlabel="CPU seconds of training", ylabel="SDR in dB, mean over pairs")
    ticks = [1, 3, 10, 30, 100, 300]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False)
    figure.savefig(DOCS / "time_curve.svg", metadata={"Date": None})
    (DOCS / "time_curve.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    """Run the cells that are asked for and not there yet, or report."""
    parser = argparse.ArgumentParser(description="Measure how separation improves with training time.")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, metavar="NAME", help=str(METHODS))
    parser.add_argument("--pairs", type=int, nargs="+", default=PAIRS, help=f"numbers of pairs (default: {PAIRS})")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="seeds (default: 0)")
    parser.add_argument("--scales", type=float, nargs="+", choices=SCALES, default=SCALES, help="lengths of training")
    parser.add_argument("--report", action="store_true", help="write table and figure of what is there")
    options = parser.parse_args()
    if options.report:
        report(load())
        return
    torch.set_num_threads(1)
    data = fetch_timit_sample()
    pairs = speaker_pairs(data)
    for seed in options.seeds:
        for number in options.pairs:
            example = make_pair(data, pairs[number])
            for method in options.methods:
                for scale in options.scales:
                    key = method, scale, number, seed
                    if key in load():
                        continue
                    scores = run_cell(method, scale, example, seed)
                    cell = dict(zip(("method", "scale", "pair", "seed"), key, strict=True)) | scores
                    save(load() | {key: cell})
                    print(
                        f"{method} at {scale:g}, pair {number}: {cell['sdr']:.2f} dB, {cell['fit_seconds']:.0f} s",
                        flush=True,
                    )


if __name__ == "__main__":
    main()

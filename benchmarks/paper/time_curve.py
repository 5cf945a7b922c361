"""Measure how separation improves with training time, for our models and for networks that one might take instead.

Run ``python benchmarks/paper/time_curve.py``, for five pairs of speakers and one seed; every cell is kept in
``time_curve.json`` and not computed again unless its settings change, so that the run can be interrupted. ``--report``
draws what is there to ``docs/time_curve.svg`` and writes ``docs/time_curve.md``. Settings are the same for all pairs.
Training is made longer by more steps of every part: source models, start and critics, or the mask network. A test
mixture is scored by BSS eval as ``run.py`` does. Seconds are CPU seconds of one thread for all training, from
recordings to the fitted separator.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import astuple, replace
from pathlib import Path

import joblib
import numpy as np
import torch
from figure import write_svg
from matplotlib.figure import Figure
from methods import LATEST_REVISION
from reference import RECIPES, mask_network
from report import seconds as rounded
from report import signed
from run import current_commit, score
from scipy.stats import t

from sklearn_gass import (
    STFT,
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
LONGEST = {"mask network, one frame": 4.8}
"""One more length of methods whose steps take less time."""
TIMES = (30, 60, 120, 230)
"""CPU seconds at which methods are compared."""


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


def audio_separator(method, scale):
    """Return the unfitted separator of waveforms of one of our methods."""
    return AudioSeparator(OURS[method](scale), stft=STFT())


def settings(method, scale):
    """Return a hash of the parameters that decide a cell."""
    if method in RECIPES:
        described = astuple(replace(RECIPES[method], n_steps=steps(1000, scale)))
    else:
        described = sorted((name, repr(value)) for name, value in audio_separator(method, scale).get_params().items())
    return joblib.hash([LATEST_REVISION, described])


def scales(method):
    """Return the lengths of training of a method."""
    return (*SCALES, LONGEST[method]) if method in LONGEST else SCALES


def run_cell(method, scale, example, seed):
    """Train a method on a pair; return its scores and what training took."""
    start = time.process_time()
    if method in RECIPES:
        recipe = replace(RECIPES[method], n_steps=steps(1000, scale))
        separate = mask_network(example, seed, recipe)
        seconds = time.process_time() - start
        estimates = separate(example.mixture)
    else:
        audio = audio_separator(method, scale).set_params(random_state=seed)
        audio.fit(example.train_utterances, example.train_speakers)
        seconds = time.process_time() - start
        separation = audio.separate(example.mixture)
        estimates = np.stack([separation[speaker] for speaker in example.reference_speakers])
    return {**score(example.references, estimates), "fit_seconds": seconds}


def read():
    """Return all cells that are kept, by method, scale, pair and seed."""
    cells = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    return {(cell["method"], cell["scale"], cell["pair"], cell["seed"]): cell for cell in cells}


def load():
    """Return the cells with today's settings, of the pairs of this comparison."""
    cells = {key: cell for key, cell in read().items() if key[1] in scales(key[0]) and key[2] in PAIRS}
    return {key: cell for key, cell in cells.items() if cell["settings"] == settings(*key[:2])}


def save(cells):
    """Write cells; those of other settings stay until they are computed again."""
    cells = read() | cells
    # several runs may go on at a time; a cell that one of them loses to another is computed again
    partial = RESULTS.with_suffix(f".{os.getpid()}.part")
    partial.write_text(json.dumps([cells[key] for key in sorted(cells)], indent=1) + "\n", encoding="utf-8")
    partial.replace(RESULTS)


def runs(cells, method):
    """Return the cells of a method by scale, and by pair and seed; of scales and seeds that all of its pairs have."""
    own = {key[1:]: cell for key, cell in cells.items() if key[0] == method}
    pairs = {pair for _, pair, _ in own}
    found = {}
    for scale, seed in sorted({(scale, seed) for scale, _, seed in own}):
        if all((scale, pair, seed) in own for pair in pairs):
            found.setdefault(scale, {}).update({(pair, seed): own[scale, pair, seed] for pair in pairs})
    return found


def points(cells, method):
    """Return mean seconds, SDR of each pair (mean over seeds), and number of seeds of a method at each scale."""
    return [
        (
            np.mean([cell["fit_seconds"] for cell in own.values()]),
            by_pair({key: cell["sdr"] for key, cell in own.items()}),
            len({seed for _, seed in own}),
        )
        for own in runs(cells, method).values()
    ]


def by_pair(values):
    """Return means over seeds, by pair."""
    pairs = sorted({pair for pair, _ in values})
    return {wanted: np.mean([value for (pair, _), value in values.items() if pair == wanted]) for wanted in pairs}


def sdr_after(cells, method, seconds):
    """Return the SDR after so many seconds by pair and seed; of seeds for which all pairs have shorter and longer ones.

    It is interpolated between the two nearest lengths of training, linear in the logarithm of the seconds.
    """
    by_run = {}
    for own in runs(cells, method).values():
        for key, cell in own.items():
            by_run.setdefault(key, []).append((cell["fit_seconds"], cell["sdr"]))
    values, short = {}, set()
    for (pair, seed), found in by_run.items():
        times, sdr = np.array(sorted(found)).T
        if times[0] <= seconds <= times[-1]:
            values[pair, seed] = np.interp(np.log(seconds), np.log(times), sdr)
        else:
            short.add(seed)
    return {key: value for key, value in values.items() if key[1] not in short}


def comparison(cells):
    """Return the lines of a table that compares the VAE with the better mask network at equal seconds."""
    names = f"CPU s | seeds | VAE | {' | '.join(RECIPES)} | VAE above the better of them [95 %]"
    lines = [f"| {names} |", "|---" * 6 + "|"]
    for seconds in TIMES:
        known = {method: sdr_after(cells, method, seconds) for method in ("VAE", *RECIPES)}
        best = max(RECIPES, key=lambda method: mean(known[method]))
        seeds = {seed for _, seed in known["VAE"]} & {seed for _, seed in known[best]}
        values = {
            method: by_pair({key: value for key, value in found.items() if key[1] in seeds})
            for method, found in known.items()
        }
        gains = np.array([values["VAE"][pair] - values[best][pair] for pair in values["VAE"]])
        means = [f"{mean(found):.2f}" if found else "" for found in values.values()]
        gain = with_interval(gains) if len(gains) > 1 else ""
        lines.append(f"| {seconds} | {len(seeds)} | {' | '.join(means)} | {gain} |")
    return lines


def mean(scores):
    """Return the mean of a dict of scores, minus infinity if it is empty."""
    return np.mean(list(scores.values())) if scores else -np.inf


def with_interval(gains):
    """Return the mean over pairs, which share no speaker, and its interval by Student's t."""
    reach = t.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / np.sqrt(len(gains))
    return f"{signed(gains.mean())} [{signed(gains.mean() - reach)}, {signed(gains.mean() + reach)}]"


def table(cells):
    """Return the lines of the table of all points."""
    lines = ["| method | CPU s of training | SDR | lowest pair | pairs | seeds |", "|---" * 6 + "|"]
    for method in METHODS:
        lines += [
            f"| {method} | {rounded(seconds)} | {mean(sdr):.2f} | {min(sdr.values()):.2f} | {len(sdr)} | {n_seeds} |"
            for seconds, sdr, n_seeds in points(cells, method)
        ]
    return lines


def draw(cells, path):
    """Write the figure."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for method, line in zip(METHODS, LINES, strict=True):
        curve = points(cells, method)
        if curve:
            axes.plot([seconds for seconds, *_ in curve], [mean(sdr) for _, sdr, _ in curve], line, label=method)
    axes.set(xscale="log", xlabel="CPU seconds of training", ylabel="SDR in dB, mean over pairs")
    ticks = [1, 3, 10, 30, 100, 300]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    write_svg(figure, path)


LINES = ("s:", "o-", "^-", "D--", "v--")
"""Mark and dashes of each method."""


def make_page(cells):
    """Return the page as Markdown."""
    compared, listed = ("\n".join(lines(cells)) for lines in (comparison, table))
    return f"""# Quality against training time

How much better does separation become if you train longer, and what would a mask network do in the same time? Scores
are SDR in dB by BSS eval, as means over five pairs of speakers of the TIMIT sample; no speaker belongs to two of them.
These pairs are easier than most: the defaults of the VAE have 13.8 dB on them and 12.7 dB on all 25 pairs of
[the paper's table](paper_table.md). `python benchmarks/paper/time_curve.py` made the scores, with `--seeds 0 1`, and
`python benchmarks/paper/time_curve.py --report` wrote this page. Some lengths were left out, of the WGAN and of seed 1,
to save time. Rows with one seed have seed 0.

![SDR over the CPU seconds of training, by method](time_curve.svg)

Longer training means more steps of every part: source models, start and critics, or the mask network. No other setting
changes, and all pairs have the same. The mask networks are those of the paper's table. They learn from the same
recordings, and the same consistent Wiener filter follows their masks. Seconds are CPU seconds of one thread for both
speakers, from the recordings to the fitted separator. Two or three trainings, and at times tests, shared two cores.
Separation itself is not counted. The defaults of this library were developed on these speakers, by such scores, and the
settings of the mask networks were chosen on some of these speakers.

## At equal times

The true curves bend, and scores between two lengths of training are interpolated, linear in the logarithm of the
seconds. So they are slightly too low. The VAE and the better network are compared by the seeds that both have. The last
column has a 95 % interval by Student's t over the pairs. A cell is empty where some pair has no training so short or so
long.

{compared}

## All lengths

Seconds are means over the pairs.

{listed}
"""


def main():
    """Run the cells that are asked for and not there yet, or report."""
    parser = argparse.ArgumentParser(description="Measure how separation improves with training time.")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, help="(default: all)")
    parser.add_argument("--pairs", type=int, nargs="+", choices=PAIRS, default=PAIRS, help="numbers of pairs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="seeds (default: 0)")
    lengths = sorted({*SCALES, *LONGEST.values()})
    parser.add_argument("--scales", type=float, nargs="+", choices=lengths, help="1 is the length of the defaults")
    parser.add_argument("--report", action="store_true", help="write table and figure of what is there")
    options = parser.parse_args()
    if options.report:
        cells = load()
        draw(cells, DOCS / "time_curve.svg")
        (DOCS / "time_curve.md").write_text(make_page(cells), encoding="utf-8")
        return
    torch.set_num_threads(1)
    data = fetch_timit_sample()
    pairs = speaker_pairs(data)
    for seed in options.seeds:
        for number in options.pairs:
            example = make_pair(data, pairs[number])
            for method in options.methods:
                for scale in sorted({*scales(method)}.intersection(options.scales or lengths)):
                    key = method, scale, number, seed
                    if key in load():
                        continue
                    scores = run_cell(method, scale, example, seed)
                    cell = dict(zip(("method", "scale", "pair", "seed"), key, strict=True)) | scores
                    save({key: cell | {"commit": current_commit(), "settings": settings(method, scale)}})
                    print(
                        f"{method} at {scale:g}, pair {number}: {cell['sdr']:.2f} dB, {cell['fit_seconds']:.0f} s",
                        flush=True,
                    )


if __name__ == "__main__":
    main()

"""The page that says how much clean sound separation needs, without and with a base, of the cells of ``run.py``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from figure import write_svg
from matplotlib.figure import Figure
from methods import WITH_BASE
from report import seconds as rounded
from time_curve import by_pair, mean, with_interval

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent.parent / "docs"
RESULTS, PUBLISHED = HERE / "results.json", HERE.parent / "paper" / "results.json"
PAIRS = (0, 6, 12, 18, 24)
SECONDS = (3.0, 6.0, 9.0, 12.0, 0.0)
"""Seconds of each voice; 0 for all there are."""
ALL = 25
"""Seconds at which all of them are drawn: what nine sentences have on average."""
METHODS = NMF, VAE, BASED = "NMF", "VAE", WITH_BASE
"""The last one begins at a base, the others do not."""


def load():
    """Return the cells that are there, by pair, seed, seconds (0 for all) and method."""
    cells = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    return {(cell["pair"], cell["seed"], cell["seconds"], cell["method"]): cell for cell in cells}


def published():
    """Return the cells of ``benchmarks/paper/run.py`` for the separators without a base, on all recordings."""
    cells = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    rows = {"vae": (VAE, "VAE"), "nmf40": (NMF, "NMF, 40 templates")}
    return {
        (cell["number"], cell["seed"], 0.0, method): {"pair": cell["number"], **cell["rows"][row]}
        for family, (method, row) in rows.items()
        for cell in cells
        if cell["family"] == family
    }


def points(cells, method):
    """Return the cells of a method by seconds, and by pair and seed; of seeds that all pairs have."""
    found = {}
    for seconds in SECONDS:
        own = {key[:2]: cell for key, cell in cells.items() if key[0] in PAIRS and key[2:] == (seconds, method)}
        seeds = {seed for _, seed in own if all((pair, seed) in own for pair in PAIRS)}
        if seeds:
            found[seconds] = {key: cell for key, cell in own.items() if key[1] in seeds}
    return found


def of_pairs(own, name="sdr"):
    """Return the means over seeds of a value of cells, by pair."""
    return by_pair({key: cell[name] for key, cell in own.items()})


def draw(cells, path):
    """Write the figure."""
    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for method, line in zip(METHODS, ("^:", "o-", "s--"), strict=True):
        curve = {seconds or ALL: of_pairs(own) for seconds, own in points(cells, method).items()}
        lines = axes.plot([*curve], [mean(scores) for scores in curve.values()], line, label=method)
        lowest = [min(scores.values()) for scores in curve.values()]
        axes.plot([*curve], lowest, line, color=lines[0].get_color(), alpha=0.4, label=f"{method}: lowest pair")
    axes.set(xscale="log", xlabel="seconds of clean sound of each voice", ylabel="SDR in dB")
    ticks = [seconds or ALL for seconds in SECONDS]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    write_svg(figure, path)


def table(cells):
    """Return the lines of the table of all points, over the seeds that all methods with results share."""
    names = [*METHODS, "base above none [95 %]", "lowest pairs", "CPU s to train", "seeds"]
    lines = [f"| seconds of each voice | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    curves = {method: points(cells, method) for method in METHODS}
    for seconds in SECONDS:
        runs = {method: curve[seconds] for method, curve in curves.items() if seconds in curve}
        seeds = set.intersection(*({seed for _, seed in run} for run in runs.values())) if runs else ()
        if not seeds:
            continue
        runs = {m: {key: cell for key, cell in run.items() if key[1] in seeds} for m, run in runs.items()}
        scores = {method: of_pairs(run) for method, run in runs.items()}
        columns = [f"{mean(scores[method]):.2f}" if method in scores else "" for method in METHODS]
        gains = {pair: scores[BASED][pair] - scores[VAE][pair] for pair in PAIRS if VAE in scores and BASED in scores}
        columns.append(with_interval(np.array([*gains.values()])) if gains else "")
        columns.append(", ".join(f"{min(values.values()):.2f}" for values in scores.values()))
        columns.append(", ".join(rounded(mean(of_pairs(run, "fit_seconds"))) for run in runs.values()))
        length = f"{seconds:g}" if seconds else f"all, about {ALL}"
        lines.append(f"| {length} | {' | '.join(columns)} | {len(seeds)} |")
    return lines


def make_page(cells):
    """Return the page as Markdown."""
    listed = "\n".join(table(cells))
    return f"""# How much clean sound is needed

How much better does separation become with more recordings of each voice, and what do recordings of other voices buy?
Scores are SDR in dB by BSS eval, as means over five pairs of speakers of the TIMIT sample; no speaker belongs to two of
them. These pairs are easier than most. NMF and VAE are this library's defaults. In the last of the three methods,
training begins at a [base](guide/base_models.rst) of the other eight speakers; the base has none of the sentences that
all speakers say. A method has the same settings for all lengths and pairs. `python benchmarks/base/run.py
--pairs 0 6 12 18 24 --seeds 0 1 --seconds 3 6 12 0` makes the scores (nine seconds with `--seconds 9 --methods "VAE,
base of other voices"`), and with `--report` writes this page.

![SDR over the seconds of clean sound of each voice, by method](learning_curve.svg)

The first seconds of the recordings are taken. The interval is one of 95 % by Student's t over the pairs. Where several
numbers stand in a cell, they belong to the methods in their order; with nine seconds only the last one was trained.
Seconds of training are CPU seconds of one thread for both voices. Two trainings shared two cores. The training of a
base comes on top, 180 CPU seconds, once for any number of separators. The settings of bases were chosen on some of
these pairs.

{listed}
"""


def write_page(cells):
    """Write the page and its figure."""
    draw(cells, DOCS / "learning_curve.svg")
    (DOCS / "learning_curve.md").write_text(make_page(cells), encoding="utf-8")

"""The page that says how much clean sound separation needs, without and with a base, of the cells of ``run.py``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from figure import write_svg
from matplotlib.figure import Figure
from time_curve import by_pair, mean, with_interval

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent.parent / "docs"
RESULTS, PUBLISHED = HERE / "results.json", HERE.parent / "paper" / "results.json"
PAIRS = (0, 6, 12, 18, 24)
SECONDS = (3.0, 6.0, 12.0, 0.0)
"""Seconds of each voice; 0 for all there are."""
ALL = 25
"""Where these are drawn: what nine sentences have on average."""
NAMES = "without a base", "with a base"


def load():
    """Return the cells that are there, by pair, seed, seconds (0 for all) and whether there is a base."""
    cells = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    return {(cell["pair"], cell["seed"], cell["seconds"], cell["base"]): cell for cell in cells}


def published():
    """Return the cells of ``benchmarks/paper/run.py`` for the same separator without a base, on all recordings."""
    cells = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    return {
        (cell["number"], cell["seed"], 0.0, 0): {"pair": cell["number"], **cell["rows"]["VAE"]}
        for cell in cells
        if cell["family"] == "vae"
    }


def points(cells, base):
    """Return the cells without or with a base by seconds, and by pair and seed; of seeds that all pairs have."""
    found = {}
    for seconds in SECONDS:
        own = {key[:2]: cell for key, cell in cells.items() if key[0] in PAIRS and key[2:] == (seconds, base)}
        seeds = {seed for _, seed in own if all((pair, seed) in own for pair in PAIRS)}
        if seeds:
            found[seconds] = {key: cell for key, cell in own.items() if key[1] in seeds}
    return found


def of_pairs(own, name="sdr"):
    """Return the means over seeds of a value of cells, by pair."""
    return by_pair({key: cell[name] for key, cell in own.items()})


def draw(cells, path):
    """Write the figure."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for base, (name, line) in enumerate(zip(NAMES, ("o-", "s--"), strict=True)):
        curve = {seconds or ALL: of_pairs(own) for seconds, own in points(cells, base).items()}
        lines = axes.plot([*curve], [mean(scores) for scores in curve.values()], line, label=name)
        lowest = [min(scores.values()) for scores in curve.values()]
        axes.plot([*curve], lowest, line, color=lines[0].get_color(), alpha=0.4, label=f"{name}, lowest pair")
    axes.set(xscale="log", xlabel="seconds of clean sound of each voice", ylabel="SDR in dB")
    ticks = [seconds or ALL for seconds in SECONDS]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    write_svg(figure, path)


def table(cells):
    """Return the lines of the table of all points."""
    names = "seconds of each voice | without a base | with a base | with it above [95 %] | lowest pair | CPU s | seeds"
    lines = [f"| {names} |", "|---" * 7 + "|"]
    curves = [points(cells, base) for base in (0, 1)]
    for seconds in SECONDS:
        own = [curve.get(seconds) for curve in curves]
        if all(own):
            seeds = set.intersection(*({seed for _, seed in found} for found in own))
            own = [{key: cell for key, cell in found.items() if key[1] in seeds} for found in own]
            without, with_base = map(of_pairs, own)
            gains = np.array([with_base[pair] - without[pair] for pair in PAIRS])
            columns = [f"{mean(without):.2f}", f"{mean(with_base):.2f}", with_interval(gains)]
            columns.append(" and ".join(f"{min(scores.values()):.2f}" for scores in (without, with_base)))
            columns.append(" and ".join(f"{mean(of_pairs(found, 'fit_seconds')):.0f}" for found in own))
            lines.append(
                f"| {f'{seconds:g}' if seconds else f'all, about {ALL}'} | {' | '.join(columns)} | {len(seeds)} |"
            )
    return lines


def make_page(cells):
    """Return the page as Markdown."""
    listed = "\n".join(table(cells))
    return f"""# How much clean sound is needed

How much better does separation become with more recordings of each voice, and what do recordings of other voices buy?
Scores are SDR in dB by BSS eval, as means over five pairs of speakers of the TIMIT sample; no speaker belongs to two of
them. These pairs are easier than most. The separators are the default one, and one that begins at a
[base](guide/base_models.rst) of the other eight speakers, who say none of the sentences that all speakers say. A base
and a separator that begins at it have the same settings for all lengths and pairs. `python benchmarks/base/run.py
--pairs 0 6 12 18 24 --seeds 0 1 --seconds 3 6 12 0` makes the scores, and with `--report` writes this page.

![SDR over the seconds of clean sound of each voice, without and with a base](learning_curve.svg)

The first seconds of the recordings are taken. The interval is one of 95 % by Student's t over the pairs. Where two
numbers stand in a cell, the first is without a base. Seconds of training are CPU seconds of one thread for both
voices; two trainings shared two cores, and the training of the base comes on top, once for any number of separators.

{listed}
"""


def write_page(cells):
    """Write the page and its figure."""
    draw(cells, DOCS / "learning_curve.svg")
    (DOCS / "learning_curve.md").write_text(make_page(cells), encoding="utf-8")

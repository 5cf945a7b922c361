"""The figure of the comparison: each pair of speakers as a dot, each method as a row."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from methods import CHOSEN, FAMILIES, WITH_BASE

METRICS = ("sdr", "sir", "sar")
OURS, PAPERS, OTHERS = "this library's models", "the paper's settings", "references"
# of a palette that colour-blind people can tell apart
COLOURS = {OURS: "#0072B2", PAPERS: "#D55E00", OTHERS: "#666666"}


def draw(rows, path):
    """Write a picture of the distribution over the pairs of SDR, SIR and SAR, best mean SDR on top."""
    order = sorted(rows, key=lambda name: np.mean([scores["sdr"] for scores in rows[name].values()]))
    figure = Figure(figsize=(9, 1.3 + 0.3 * len(order)), layout="constrained")
    colours = [_colour(name) for name in order]
    for axes, metric in zip(figure.subplots(1, 3, sharey=True), METRICS, strict=True):
        values = [[scores[metric] for scores in rows[name].values()] for name in order]
        violins = axes.violinplot(values, orientation="horizontal", showmedians=True, showextrema=False, widths=0.9)
        violins["cmedians"].set_color("black")
        for place, (body, own, colour) in enumerate(zip(violins["bodies"], values, colours, strict=True), 1):
            body.set(facecolor=colour, alpha=0.35)
            spread = np.linspace(-0.25, 0.25, len(own))  # so that equal scores stay apart
            axes.plot(own, place + spread, ".", color=colour, markersize=2.5)
        axes.set(xlabel=f"{metric.upper()} in dB", yticks=range(1, len(order) + 1), yticklabels=order)
        axes.grid(axis="x", alpha=0.3)
    keys = [Line2D([], [], marker=".", linestyle="", color=c, label=k) for k, c in COLOURS.items()]
    keys.append(Line2D([], [], marker="|", linestyle="", color="black", label="median"))
    figure.legend(handles=keys, loc="outside upper center", ncols=len(keys), frameon=False)
    write_svg(figure, path)


def write_svg(figure, path):
    """Write a figure as SVG, with text as text, the same bytes whenever it is written."""
    with matplotlib.rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})


def _colour(name):
    """Return the colour of a row: that of the library's models, of the paper's settings, or of all else."""
    models = {row for family in FAMILIES.values() for row in family.variants} | {row for row, _ in CHOSEN.values()}
    models.add(WITH_BASE)
    if name.startswith("paper's"):
        return COLOURS[PAPERS]
    return COLOURS[OURS if name in models else OTHERS]

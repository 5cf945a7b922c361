"""What plots of searches have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_LABELS = {"critic_weight": "λ", "mask_exponent": "mask exponent"}
_MIN_GAP = 0.05  # of the axis
MARKERS, LINES = "osD^vP", ("-", "--", "-.", ":")  # beside colours, for those who cannot tell these apart


def parameter_label(name: str) -> str:
    """Return what a plot calls a parameter, without the names of the estimators around it."""
    own_name = name.rpartition("__")[2]
    return _LABELS.get(own_name, own_name)


def set_scale(ax: Any, values: NDArray[Any]) -> None:
    """Put ticks at the values, on a logarithmic axis if they span more than a decade; it is linear around 0.

    Ticks that would stand closer than a twentieth of the axis to the one before get no text.
    """
    positive = values[np.isfinite(values) & (values > 0)]
    if len(positive) and (values >= 0).all() and positive.max() >= 10 * positive.min():
        if len(positive) < len(values):
            ax.set_xscale("symlog", linthresh=positive.min())
            ax.set_xlim(left=-0.1 * positive.min())
        else:
            ax.set_xscale("log")
    finite = values[np.isfinite(values)]
    places = ax.transAxes.inverted().transform(ax.transData.transform([(value, 0) for value in finite]))[:, 0]
    texts, last = [], -np.inf
    for value, place in zip(finite, places, strict=True):
        texts.append(f"{value:g}" if place - last >= _MIN_GAP else "")
        last = place if texts[-1] else last
    ax.set_xticks(finite, texts)
    ax.set_xticks([], minor=True)

"""What plots of searches have in common."""

from __future__ import annotations

from typing import Any

_LABELS = {"critic_weight": "λ", "mask_exponent": "mask exponent"}


def new_axes() -> Any:
    """Return axes of a new figure that pyplot knows, as scikit-learn's displays do."""
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError("Plots need matplotlib: pip install 'sklearn_gass[plots]'") from error
    return plt.subplots(layout="constrained")[1]


def parameter_label(name: str) -> str:
    """Return what a plot calls a parameter, without the names of the estimators around it."""
    own_name = name.rpartition("__")[2]
    return _LABELS.get(own_name, own_name)

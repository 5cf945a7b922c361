"""Axes for displays: new ones of pyplot, or those that the caller has."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def display_axes(n_rows: int, n_columns: int, ax: Any = None, *, figsize: tuple[float, float] | None = None) -> Any:
    """Return an array of axes of shape (n_rows, n_columns) that share their ranges.

    Parameters
    ----------
    n_rows, n_columns : int
        How many are needed.
    ax : matplotlib Axes, array of them or None, default=None
        ``None`` makes a figure that pyplot knows, as scikit-learn's displays do. One Axes of a grid of subplots gives
        its place, an array is used as it is.
    figsize : tuple of (width, height) or None, default=None
        Size of a new figure in inches.
    """
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError("Plots need matplotlib: pip install 'sklearn_gass[plots]'") from error
    shape: dict[str, Any] = {"sharex": True, "sharey": True, "squeeze": False}
    if ax is None:
        return plt.subplots(n_rows, n_columns, layout="constrained", figsize=figsize, **shape)[1]
    given: NDArray[Any] = np.asarray(ax, dtype=object)
    if given.size == n_rows * n_columns:
        return given.reshape(n_rows, n_columns)
    place = ax.get_subplotspec() if given.size == 1 and given.ndim == 0 else None
    if place is None:
        raise ValueError(f"This display needs {n_rows * n_columns} axes, or one of a grid of subplots.")
    ax.set_axis_off()
    return place.subgridspec(n_rows, n_columns).subplots(**shape)

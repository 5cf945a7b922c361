"""Interference against artifacts along one parameter of a search."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_gass.display._axes import display_axes
from sklearn_gass.search_display._axes import parameter_label
from sklearn_gass.search_display._slices import slice_through_best


class TradeOffDisplay:
    """Interference against artifacts along one parameter: what less of one costs in the other.

    Parameters
    ----------
    param_name : str
        Name of the parameter.
    param_range : ndarray of shape (n_values,)
        Its values, in rising order.
    sir, sar : ndarray of shape (n_values, n_folds)
        Signal-to-interference and signal-to-artifacts ratios of held-out mixtures, in dB.
    best_value : float or None, default=None
        Chosen value; a star marks it.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        The figure of it.
    line_ : matplotlib Line2D
        Means over the folds, joined in the order of the values.
    errorbar_ : matplotlib ErrorbarContainer
        One standard deviation over the folds in both directions.

    See Also
    --------
    SearchDisplay : Scores against the parameter.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.search_display import TradeOffDisplay
    >>> sir, sar = np.array([[9, 11], [12, 14]]), np.array([[8, 8], [7, 7]])
    >>> display = TradeOffDisplay(param_name="critic_weight", param_range=np.array([0, 10]), sir=sir, sar=sar)
    >>> display.plot().line_.get_xdata().tolist()
    [10.0, 13.0]
    """

    def __init__(
        self,
        *,
        param_name: str,
        param_range: NDArray[Any],
        sir: NDArray[np.floating],
        sar: NDArray[np.floating],
        best_value: float | None = None,
    ):
        self.param_name = param_name
        self.param_range = param_range
        self.sir = sir
        self.sar = sar
        self.best_value = best_value

    @classmethod
    def from_search(cls, search: Any, *, param_name: str | None = None, ax: Any = None) -> TradeOffDisplay:
        """Draw a fitted search whose scores have "sir" and "sar".

        Parameters
        ----------
        search : fitted SupervisedSeparatorCV or search of scikit-learn
            With `cv_results_` and `best_params_`.
        param_name : str or None, default=None
            Numeric parameter to follow, with or without the names of the estimators around it; ``None`` takes
            "critic_weight".
        ax : matplotlib Axes or None, default=None
            What to draw on; ``None`` makes a new figure.

        Returns
        -------
        display : TradeOffDisplay
            Drawn display.

        Raises
        ------
        ValueError
            If the search varied no parameter of that name or several, or if it lacks one of the two metrics.
        """
        found = slice_through_best(search, param_name)
        scores = found.pop("scores")
        missing = sorted({"sir", "sar"} - set(scores))
        if missing:
            raise ValueError(f"The search has no score {missing}: give it scoring=SeparationScorer(['sir', 'sar']).")
        return cls(**found, sir=scores["sir"], sar=scores["sar"]).plot(ax=ax)

    def plot(self, ax: Any = None) -> TradeOffDisplay:
        """Draw a path through the means, each point with its value.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            What to draw on; ``None`` makes a new figure with pyplot, as scikit-learn's displays do.

        Returns
        -------
        self : TradeOffDisplay
            With the attributes that name what was drawn.
        """
        self.ax_ = display_axes(1, 1, ax)[0, 0]
        self.figure_ = self.ax_.get_figure()
        sir, sar = np.mean(self.sir, axis=1), np.mean(self.sar, axis=1)
        self.errorbar_ = self.ax_.errorbar(
            sir, sar, xerr=np.std(self.sir, axis=1), yerr=np.std(self.sar, axis=1), fmt="o-", alpha=0.7, capsize=2
        )
        self.line_ = self.errorbar_.lines[0]
        for value, x, y in zip(self.param_range, sir, sar, strict=True):
            self.ax_.annotate(f"{value:g}", (x, y), textcoords="offset points", xytext=(5, 5))
        if self.best_value is not None:
            chosen = self.param_range == self.best_value
            self.ax_.plot(sir[chosen], sar[chosen], "*", markersize=14, label="chosen")
            self.ax_.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False)  # above, where no data are
        self.ax_.set(xlabel="SIR (dB)", ylabel="SAR (dB)")
        self.ax_.set_title(f"{parameter_label(self.param_name)} at each point", loc="left", fontsize="medium")
        return self

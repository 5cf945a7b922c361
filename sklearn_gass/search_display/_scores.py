"""Scores against one parameter of a search, with their spread over the folds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from sklearn_gass.search_display._axes import new_axes, parameter_label
from sklearn_gass.search_display._slices import slice_through_best
from sklearn_gass.separation import SupervisedSeparatorCV

_TITLES = {"sdr": "SDR", "sir": "SIR", "sar": "SAR", "si_sdr": "SI-SDR", "score": "score"}


class SearchDisplay:
    """Scores against one parameter of a search.

    Parameters
    ----------
    param_name : str
        Name of the parameter.
    param_range : ndarray of shape (n_values,)
        Its values, in rising order.
    scores : dict of str to ndarray of shape (n_values, n_folds)
        Scores of held-out mixtures in dB by metric.
    best_value : float or None, default=None
        Chosen value; a vertical line marks it.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        The figure of it.
    lines_ : dict of str to matplotlib Line2D
        Mean over the folds, by metric.
    fill_between_ : dict of str to matplotlib PolyCollection
        Band of one standard deviation over the folds to both sides, by metric.

    See Also
    --------
    TradeOffDisplay : Interference against artifacts.
    sklearn.model_selection.ValidationCurveDisplay : The same for any estimator, with a fit for every value.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.search_display import SearchDisplay
    >>> display = SearchDisplay(
    ...     param_name="critic_weight", param_range=np.array([0, 10]), scores={"sdr": np.array([[5, 6], [6, 7]])}
    ... )
    >>> display.plot().lines_["sdr"].get_ydata().tolist()
    [5.5, 6.5]
    """

    def __init__(
        self,
        *,
        param_name: str,
        param_range: NDArray[Any],
        scores: dict[str, NDArray[np.floating]],
        best_value: float | None = None,
    ):
        self.param_name = param_name
        self.param_range = param_range
        self.scores = scores
        self.best_value = best_value

    @classmethod
    def from_search(cls, search: Any, *, param_name: str | None = None, ax: Any = None) -> SearchDisplay:
        """Draw a fitted search.

        If the search varied several parameters, you see the candidates whose other values are those of the best one.

        Parameters
        ----------
        search : fitted SupervisedSeparatorCV or search of scikit-learn
            With `cv_results_` and `best_params_`.
        param_name : str or None, default=None
            Numeric parameter to draw against, with or without the names of the estimators around it; ``None`` takes
            "critic_weight".
        ax : matplotlib Axes or None, default=None
            What to draw on; ``None`` makes a new figure.

        Returns
        -------
        display : SearchDisplay
            Drawn display.

        Raises
        ------
        ValueError
            If the search varied no parameter of that name or several, if its values are no numbers, or if the search
            has no best candidate.
        """
        display = cls(**slice_through_best(search, param_name))
        return display.plot(ax=ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        groups: Any = None,
        critic_weights: Any = (0.0, 1.0, 2.0, 5.0, 10.0),
        cv: Any = None,
        scoring: Any = ("sdr", "sir", "sar"),
        n_jobs: int | None = None,
        random_state: Any = None,
        ax: Any = None,
    ) -> SearchDisplay:
        """Search over λ, the weight of the critics, on clean recordings and draw the scores.

        Parameters
        ----------
        estimator : SupervisedSeparator or AudioSeparator
            Unfitted separator.
        X : list of ndarray of shape (n_samples,) or array-like of shape (n_frames, n_bins)
            Clean waveforms or frames, as the estimator takes them.
        y : array-like of shape (n_utterances,) or (n_frames,)
            Source of each.
        groups : array-like or None, default=None
            Utterance of each frame.
        critic_weights, cv, scoring, n_jobs, random_state
            As of `SupervisedSeparatorCV`. The default metrics need waveforms.
        ax : matplotlib Axes or None, default=None
            What to draw on; ``None`` makes a new figure.

        Returns
        -------
        display : SearchDisplay
            Drawn display.
        """
        search = SupervisedSeparatorCV(
            clone(estimator),
            critic_weights=critic_weights,
            cv=cv,
            scoring=scoring,
            n_jobs=n_jobs,
            random_state=random_state,
        )
        return cls.from_search(search.fit(X, y, groups=groups), ax=ax)

    def plot(self, ax: Any = None) -> SearchDisplay:
        """Draw a line with its spread for each metric.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            What to draw on; ``None`` makes a new figure with pyplot, as scikit-learn's displays do.

        Returns
        -------
        self : SearchDisplay
            With the attributes that name what was drawn.
        """
        self.ax_ = new_axes() if ax is None else ax
        self.figure_ = self.ax_.get_figure()
        self.lines_, self.fill_between_ = {}, {}
        for name, values in self.scores.items():
            mean, spread = np.mean(values, axis=1), np.std(values, axis=1)
            (line,) = self.ax_.plot(self.param_range, mean, marker="o", label=_title(name))
            self.lines_[name] = line
            self.fill_between_[name] = self.ax_.fill_between(
                self.param_range, mean - spread, mean + spread, alpha=0.2, color=line.get_color()
            )
        if self.best_value is not None:
            self.ax_.axvline(self.best_value, color="grey", linestyle=":", label="chosen")
        _set_scale(self.ax_, self.param_range)
        self.ax_.set(xlabel=parameter_label(self.param_name), ylabel="dB")
        self.ax_.legend()
        return self


def _title(metric: str) -> str:
    base, improvement, _ = metric.partition("_improvement")
    return _TITLES.get(base, base) + improvement.replace("_", " ")


def _set_scale(ax: Any, values: NDArray[Any]) -> None:
    """Use a logarithmic axis if values span more than a decade; it is linear around 0 if 0 is one of them."""
    positive = values[np.isfinite(values) & (values > 0)]
    if len(positive) and (values >= 0).all() and positive.max() >= 10 * positive.min():
        if len(positive) < len(values):
            ax.set_xscale("symlog", linthresh=positive.min())
            ax.set_xlim(left=-0.1 * positive.min())
        else:
            ax.set_xscale("log")

"""Scores against one parameter of a search, with their spread over the folds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from sklearn_gass.display._axes import display_axes
from sklearn_gass.search_display._axes import LINES, MARKERS, parameter_label, set_scale
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
        critic_weights : array-like of float, default=(0.0, 1.0, 2.0, 5.0, 10.0)
            Values of λ to try.
        cv : int, splitter or None, default=None
            How recordings are held out, as in `SupervisedSeparatorCV`.
        scoring : str, list of str or callable, default=("sdr", "sir", "sar")
            What to draw, as in `SupervisedSeparatorCV`. The default needs waveforms.
        n_jobs : int or None, default=None
            How many folds are fitted at a time; ``None`` means one.
        random_state : int, RandomState instance or None, default=None
            Seed of everything that is trained.
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
        self.ax_ = display_axes(1, 1, ax)[0, 0]
        self.figure_ = self.ax_.get_figure()
        self.lines_, self.fill_between_ = {}, {}
        for k, (name, values) in enumerate(self.scores.items()):
            mean, spread = np.mean(values, axis=1), np.std(values, axis=1)
            style = {"marker": MARKERS[k % len(MARKERS)], "linestyle": LINES[k % len(LINES)]}
            (line,) = self.ax_.plot(self.param_range, mean, label=_title(name), **style)
            self.lines_[name] = line
            self.fill_between_[name] = self.ax_.fill_between(
                self.param_range, mean - spread, mean + spread, alpha=0.2, color=line.get_color()
            )
        if self.best_value is not None:
            self.ax_.axvline(self.best_value, color="grey", linestyle=":", label="chosen")
        set_scale(self.ax_, np.asarray(self.param_range))
        self.ax_.set(xlabel=parameter_label(self.param_name), ylabel="dB")
        # above the axes, where no data are
        self.ax_.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(self.scores) + 1, frameon=False)
        return self


def _title(metric: str) -> str:
    base, improvement, _ = metric.partition("_improvement")
    return _TITLES.get(base, base) + improvement.replace("_", " ")

"""Plots of searches: scores against λ with their spread over the folds, and interference against artifacts.

Both take any fitted search that has `cv_results_` and `best_params_`: :class:`~sklearn_gass.SupervisedSeparatorCV`, or
the searches of scikit-learn. They hold arrays and follow the conventions of scikit-learn's displays: make one by
`from_search` or `from_estimator`, draw it by `plot`, as often as wanted.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from sklearn_gass.separation import SupervisedSeparatorCV

__all__ = ["SearchDisplay", "TradeOffDisplay"]

_TITLES = {"sdr": "SDR", "sir": "SIR", "sar": "SAR", "si_sdr": "SI-SDR", "score": "score"}
_LABELS = {"critic_weight": "λ", "mask_exponent": "mask exponent"}


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
        Chosen value, drawn as a vertical line.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        The figure of it.
    lines_ : dict of str to matplotlib Line2D
        Mean over the folds, by metric.
    fill_between_ : dict of str to matplotlib PolyCollection
        One standard deviation over the folds to both sides, by metric.

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

        Of a search over several parameters, those candidates are shown that share all other values with the best one.

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
            If the search did not vary the parameter, or by values that are no numbers, or has no best candidate.
        """
        display = cls(**_slice_through_best(search, param_name))
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
        """Search over λ on clean recordings and draw the scores.

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
            What to draw on; ``None`` makes a new figure, by pyplot as scikit-learn's displays do.

        Returns
        -------
        self : SearchDisplay
            With the attributes that name what was drawn.
        """
        self.ax_ = _new_axes() if ax is None else ax
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
        own_name = self.param_name.rpartition("__")[2]
        self.ax_.set(xlabel=_LABELS.get(own_name, own_name), ylabel="dB")
        self.ax_.legend()
        return self


class TradeOffDisplay:
    """Interference against artifacts along one parameter: how much of the one is paid for by the other.

    Parameters
    ----------
    param_name : str
        Name of the parameter.
    param_range : ndarray of shape (n_values,)
        Its values, in rising order.
    sir, sar : ndarray of shape (n_values, n_folds)
        Signal-to-interference and signal-to-artifacts ratios of held-out mixtures, in dB.
    best_value : float or None, default=None
        Chosen value, drawn as a star.

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
            If the search did not vary the parameter, or lacks one of the two metrics.
        """
        found = _slice_through_best(search, param_name)
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
            What to draw on; ``None`` makes a new figure, by pyplot as scikit-learn's displays do.

        Returns
        -------
        self : TradeOffDisplay
            With the attributes that name what was drawn.
        """
        self.ax_ = _new_axes() if ax is None else ax
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
            self.ax_.plot(sir[chosen], sar[chosen], "*", markersize=14)
        own_name = self.param_name.rpartition("__")[2]
        self.ax_.set(xlabel="SIR (dB)", ylabel="SAR (dB)", title=f"{_LABELS.get(own_name, own_name)} at each point")
        return self


def _slice_through_best(search: Any, param_name: str | None) -> dict[str, Any]:
    """Return values of a parameter and their scores where all other parameters are as in the best candidate."""
    if not hasattr(search, "best_params_"):
        raise ValueError("The search has no best_params_: fit it, with refit set if it has several metrics.")
    best, candidates = search.best_params_, search.cv_results_["params"]
    wanted = "critic_weight" if param_name is None else param_name
    matches = [name for name in best if name == wanted or name.endswith(f"__{wanted}")]
    if not matches:
        raise ValueError(f"The search did not vary {wanted}, but {sorted(best)}.")
    name = matches[0]
    others = {key: value for key, value in best.items() if key != name}
    alike = [i for i, c in enumerate(candidates) if {k: v for k, v in c.items() if k != name} == others]
    if not all(isinstance(candidates[i][name], Real) for i in alike):
        raise ValueError(f"{name} has values that are no numbers, and no place on an axis.")
    # successive halving has a value several times, the last one with most resources
    rows = [row for _, row in sorted({candidates[i][name]: i for i in alike}.items())]
    metrics = [key.removeprefix("mean_test_") for key in search.cv_results_ if key.startswith("mean_test_")]
    return {
        "param_name": name,
        "param_range": np.array([candidates[i][name] for i in rows]),
        "scores": {
            metric: np.stack([search.cv_results_[f"split{k}_test_{metric}"][rows] for k in range(search.n_splits_)], 1)
            for metric in metrics
        },
        "best_value": best[name],
    }


def _title(metric: str) -> str:
    base, improvement, _ = metric.partition("_improvement")
    return _TITLES.get(base, base) + improvement.replace("_", " ")


def _new_axes() -> Any:
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError("Plots need matplotlib: pip install 'sklearn_gass[plots]'") from error
    return plt.subplots(layout="constrained")[1]


def _set_scale(ax: Any, values: NDArray[Any]) -> None:
    """Use a logarithmic axis for values over more than a decade, linear around 0 if that is one of them."""
    positive = values[np.isfinite(values) & (values > 0)]
    if len(positive) and (values >= 0).all() and positive.max() >= 10 * positive.min():
        if len(positive) < len(values):
            ax.set_xscale("symlog", linthresh=positive.min())
            ax.set_xlim(left=-0.1 * positive.min())
        else:
            ax.set_xscale("log")

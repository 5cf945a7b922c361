"""Plots of training: the losses of each part, and how well critics tell clean frames from others.

The display holds arrays and follows the conventions of scikit-learn's displays. `from_estimator` makes one from a
fitted estimator and draws it. `plot` draws it again, as often as you want.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sklearn_gass.critics import MixtureCritic
from sklearn_gass.display._axes import display_axes
from sklearn_gass.search_display._axes import MARKERS
from sklearn_gass.separation._fitting import detector_of, unfrozen, with_inner
from sklearn_gass.source_models import WGANSourceModel

__all__ = ["TrainingDisplay"]
_MARKS = 10  # about so many on a line


class TrainingDisplay:
    """Losses in each epoch of training.

    Parameters
    ----------
    losses : dict of str to ndarray of shape (n_epochs,)
        Training losses, and losses of held-out frames, by part.
    gaps : dict of str to ndarray of shape (n_epochs,)
        How much higher critics score clean frames than generated or separated ones, by part; NaN in epochs in which a
        critic had no step.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the losses.
    gap_ax_ : matplotlib Axes or None
        Axes with the gaps, on the right of `ax_`; ``None`` if there are none.
    figure_ : matplotlib Figure
        Figure of both.
    lines_, gap_lines_ : dict of str to matplotlib Line2D
        Lines by part.

    See Also
    --------
    sklearn_gass.progress : Losses while training runs.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass import VAESourceModel
    >>> from sklearn_gass.training_display import TrainingDisplay
    >>> X = np.abs(np.random.RandomState(0).randn(50, 8))
    >>> model = VAESourceModel(2, hidden_layer_sizes=(16,), max_iter=3, random_state=0).fit(X)
    >>> display = TrainingDisplay.from_estimator(model)
    >>> display.losses["VAESourceModel"].shape
    (3,)
    """

    def __init__(self, *, losses: Mapping[str, NDArray[Any]], gaps: Mapping[str, NDArray[Any]]) -> None:
        self.losses = losses
        self.gaps = gaps

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> TrainingDisplay:
        """Draw the training of a fitted estimator.

        Parameters
        ----------
        estimator : source model, start, critic or separator
            Fitted.
        ax : matplotlib Axes or None, default=None
            What to draw on; ``None`` makes a new figure.

        Returns
        -------
        display : TrainingDisplay
            Drawn display.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If no part of it keeps losses, as with NMF alone.
        """
        check_is_fitted(estimator)
        losses: dict[str, NDArray[Any]] = {}
        gaps: dict[str, NDArray[Any]] = {}
        for name, part in _parts(estimator).items():
            history = getattr(part, "history_", [])
            training, held_out, critic = (_column(history, f"{kind}_loss") for kind in ("train", "valid", "critic"))
            if isinstance(part, MixtureCritic):
                gaps[name] = -training
                continue
            if len(training):
                losses[name] = training
            if np.isfinite(held_out).any():
                losses[f"{name}, held out"] = held_out
            if np.isfinite(critic).any():
                is_gap = isinstance(part, WGANSourceModel)
                (gaps if is_gap else losses)[f"{name}, critic"] = -critic if is_gap else critic
        if not losses and not gaps:
            raise ValueError(f"This {type(estimator).__name__} has kept no losses: no part of it is a network.")
        return cls(losses=losses, gaps=gaps).plot(ax=ax)

    def plot(self, ax: Any = None) -> TrainingDisplay:
        """Draw a line for each part, the gaps dashed, with marks beside colours for those who cannot tell these apart.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            What to draw on; ``None`` makes a new figure with pyplot, as scikit-learn's displays do.

        Returns
        -------
        self : TrainingDisplay
            With the attributes that name what was drawn.
        """
        self.ax_ = display_axes(1, 1, ax)[0, 0]
        self.figure_ = self.ax_.get_figure()
        self.lines_ = {
            name: _line(self.ax_, values, name, i, "-") for i, (name, values) in enumerate(self.losses.items())
        }
        self.ax_.set(xlabel="epoch", ylabel="loss")
        self.gap_ax_ = self.ax_.twinx() if self.gaps else None
        self.gap_lines_ = {}
        for i, (name, values) in enumerate(self.gaps.items(), len(self.losses)):
            self.gap_lines_[name] = _line(self.gap_ax_, values, f"{name}, gap", i, "--")
        if self.gap_ax_ is not None:
            self.gap_ax_.set_ylabel("critic gap")
        lines = [*self.lines_.values(), *self.gap_lines_.values()]
        labels = [line.get_label() for line in lines]
        # above, where no data are
        self.ax_.legend(lines, labels, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
        return self


def _parts(estimator: Any) -> dict[str, Any]:
    """Return what was trained, by name, the parts of separators inside others included."""
    estimator = unfrozen(with_inner(estimator)[-1])
    if not hasattr(estimator, "source_models_"):
        return {type(estimator).__name__: estimator}
    models = zip(estimator.classes_, estimator.source_models_, strict=True)
    parts = {f"source {label}": unfrozen(model) for label, model in models}
    detector = detector_of(estimator.source_models_)
    return {**parts, "start": estimator.start_, "critic": estimator.critic_, "detector": detector}


def _column(history: list[dict[str, Any]], name: str) -> NDArray[Any]:
    return np.array([epoch.get(name, np.nan) for epoch in history], dtype=float)


def _line(ax: Any, values: NDArray[Any], label: str, number: int, style: str) -> Any:
    look = {"marker": MARKERS[number % len(MARKERS)], "markevery": max(1, len(values) // _MARKS), "markersize": 5}
    return ax.plot(np.arange(1, len(values) + 1), values, style, color=f"C{number % 10}", label=label, **look)[0]

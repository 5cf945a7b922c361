"""Scorers for searches."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_gass.metrics import bss_eval, si_sdr
from sklearn_gass.scoring._mixtures import make_frame_mixtures, make_wave_mixtures

_IMPROVEMENT = "_improvement"
METRICS = ("sdr", "sir", "sar", "si_sdr", "sdr_improvement", "sir_improvement", "si_sdr_improvement")
"""Names of all metrics."""


@dataclass(frozen=True)
class SeparationScorer:
    """Score a fitted separator on mixtures of held-out clean recordings.

    Use it as ``scoring=`` of any search. Each mixture is separated once, whatever the number of metrics.

    Parameters
    ----------
    metrics : str or sequence of str, default="sdr"
        One name of ``METRICS``, for a single number, or several, for a dictionary. The latter makes a search
        multi-metric, which needs its `refit` to say which one chooses.
    snr : float or sequence of float, default=0.0
        Level of the first of the sorted labels against each other source in the mixtures, in dB; with several values
        each group of utterances is mixed at each of them. Waveforms are brought to equal levels before, frames keep
        theirs.

    Raises
    ------
    ValueError
        If a metric is unknown, or there is none, or a level is not finite.

    See Also
    --------
    sklearn_gass.SupervisedSeparatorCV : Chooses parameters of separation by such scores.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV, StratifiedKFold
    >>> from sklearn_gass import AudioSeparator, NMFSourceModel, SupervisedSeparator
    >>> from sklearn_gass.datasets import make_voices
    >>> from sklearn_gass.scoring import SeparationScorer
    >>> X, y = make_voices(2, n_utterances=4, duration=0.5, random_state=0, return_X_y=True)
    >>> audio = AudioSeparator(SupervisedSeparator(NMFSourceModel(5, max_iter=5), max_iter=10), random_state=0)
    >>> search = GridSearchCV(
    ...     audio,
    ...     {"separator__mask_exponent": [1, 2]},
    ...     scoring=SeparationScorer(["sdr", "sir"], snr=[-3, 3]),
    ...     refit="sdr",
    ...     cv=StratifiedKFold(2),
    ... ).fit(X, y)
    >>> sorted(key for key in search.cv_results_ if key.startswith("mean_test"))
    ['mean_test_sdr', 'mean_test_sir']
    """

    metrics: str | Sequence[str] = "sdr"
    snr: float | Sequence[float] = 0.0

    def __post_init__(self) -> None:
        unknown = [name for name in self._names if name not in METRICS]
        if unknown or not self._names:
            raise ValueError(f"Unknown metric(s) {unknown}; choose one or more of {list(METRICS)}.")
        if not self._levels or not all(isinstance(level, Real) and math.isfinite(level) for level in self._levels):
            raise ValueError(f"snr must be one or more finite numbers in dB, got {self.snr!r}.")

    @property
    def _names(self) -> list[str]:
        return [self.metrics] if isinstance(self.metrics, str) else list(self.metrics)

    @property
    def _levels(self) -> list[Any]:
        return list(self.snr) if isinstance(self.snr, Sequence | np.ndarray) else [self.snr]

    def __call__(self, estimator: Any, X: Any, y: Any) -> float | dict[str, float]:
        """Separate mixtures of clean recordings and compare with the truth.

        Parameters
        ----------
        estimator : fitted AudioSeparator, SupervisedSeparator, SupervisedSeparatorCV, Pipeline or search
            What to score; of a pipeline the last step, of a search of scikit-learn the best estimator.
        X : list of ndarray of shape (n_samples,) or array-like of shape (n_utterances, n_samples) or (n_frames, n_bins)
            Held-out clean waveforms or frames, as the estimator takes them.
        y : array-like of shape (n_utterances,) or (n_frames,)
            Source of each.

        Returns
        -------
        score : float or dict of str to float
            Mean over mixtures and sources in dB; by name if `metrics` is a sequence.

        Raises
        ------
        TypeError
            If the estimator is none of the above.
        NotFittedError
            If it is not fitted.
        ValueError
            If a source does not occur in `y`, or one occurs that was not fitted, if a metric is not defined for
            frames, or if a recording is silent or too short for the metric.
        """
        while not hasattr(estimator, "separate"):
            if isinstance(estimator, Pipeline):
                X = estimator[:-1].transform(X) if len(estimator) > 1 else X
                estimator = estimator[-1]
            elif hasattr(estimator, "best_estimator_"):
                estimator = estimator.best_estimator_
            else:
                raise TypeError(
                    f"{type(estimator).__name__} is no separator of this library, which alone can be scored."
                )
        check_is_fitted(estimator)
        # only what separates waveforms can do so piece by piece
        make = make_wave_mixtures if hasattr(estimator, "separate_blocks") else make_frame_mixtures
        scores: dict[str, list[float]] = {name: [] for name in self._names}
        for level in self._levels:
            for mixture, references in make(X, y, snr=level, labels=estimator.classes_):
                estimates = np.asarray(estimator.separate(_as_given(mixture, X)))
                values = _evaluate(references, estimates, mixture, self._names)
                for name in scores:
                    scores[name].append(float(np.mean(values[name])))
        means = {name: float(np.mean(values)) for name, values in scores.items()}
        return means[self.metrics] if isinstance(self.metrics, str) else means


def _as_given(mixture: NDArray[Any], X: Any) -> Any:
    """Return a mixture of frames in a data frame with the columns of `X` if that is one."""
    columns = getattr(X, "columns", None)
    return mixture if columns is None else type(X)(dict(zip(columns, mixture.T, strict=True)))


def get_scorer(scoring: str | Sequence[str] | Callable[..., Any] | None) -> Callable[..., Any]:
    """Return a scorer for what `scoring` of a search may be.

    Parameters
    ----------
    scoring : str, sequence of str, callable or None
        Names of metrics, anything callable with (estimator, X, y), or ``None`` for the estimator's own `score`.

    Returns
    -------
    scorer : callable
        Callable with (estimator, X, y).

    Raises
    ------
    ValueError
        If a metric is unknown.

    Examples
    --------
    >>> from sklearn_gass.scoring import get_scorer
    >>> get_scorer("si_sdr")
    SeparationScorer(metrics='si_sdr', snr=0.0)
    """
    if scoring is None:
        return _own_score
    return scoring if callable(scoring) else SeparationScorer(scoring)


def frame_sdr(references: ArrayLike, estimates: ArrayLike) -> NDArray[np.float64]:
    """Return the ratio of each source's energy to that of its error, in dB, bounded by floating-point precision.

    Parameters
    ----------
    references, estimates : array-like of shape (n_sources, n_frames, n_bins)
        True and separated magnitudes.

    Returns
    -------
    ratio : ndarray of shape (n_sources,)
        Ratios in dB.
    """
    true, tiny = np.asarray(references, dtype=np.float64), np.finfo(np.float64).tiny
    signal = np.sum(true**2, axis=(1, 2))
    error = np.sum((true - np.asarray(estimates)) ** 2, axis=(1, 2))
    ratio: NDArray[np.float64] = 10 * np.log10((signal + tiny) / (error + np.finfo(np.float64).eps * signal + tiny))
    return ratio


def _own_score(estimator: Any, X: Any, y: Any) -> float:
    return float(estimator.score(X, y))


def _evaluate(
    references: NDArray[Any], estimates: NDArray[Any], mixture: NDArray[Any], names: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Return the metrics of each source, for waveforms (two dimensions) or frames (three)."""
    measure = _measure_waves if references.ndim == 2 else _measure_frames
    plain = sorted({name.removesuffix(_IMPROVEMENT) for name in names})
    values = measure(references, estimates, plain)
    improved = sorted({name.removesuffix(_IMPROVEMENT) for name in names if name.endswith(_IMPROVEMENT)})
    if improved:
        unseparated = measure(references, np.broadcast_to(mixture, references.shape), improved)
        values |= {name + _IMPROVEMENT: values[name] - unseparated[name] for name in improved}
    return values


def _measure_waves(references: NDArray[Any], estimates: NDArray[Any], names: Sequence[str]) -> dict[str, Any]:
    values = {"si_sdr": si_sdr(references, estimates)} if "si_sdr" in names else {}
    return values | (bss_eval(references, estimates)._asdict() if set(names) - {"si_sdr"} else {})


def _measure_frames(references: NDArray[Any], estimates: NDArray[Any], names: Sequence[str]) -> dict[str, Any]:
    refused = sorted(set(names) - {"sdr", "si_sdr"})
    if refused:
        raise ValueError(
            f"Metric(s) {refused} need waveforms, but frames of magnitudes were given: use an AudioSeparator, or "
            "'sdr' or 'si_sdr'."
        )
    flat = len(references), -1
    return {
        "sdr": frame_sdr(references, estimates),
        "si_sdr": si_sdr(references.reshape(flat), estimates.reshape(flat)),
    }

"""Folds of clean recordings that have every source on both sides, and the work done in one fold of a search."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from numbers import Integral
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, check_cv

from sklearn_gass._validation import SPLITTERS
from sklearn_gass.separation._audio import AudioSeparator
from sklearn_gass.separation._separator import SupervisedSeparator

N_FOLDS = 3


def make_splitter(cv: Any, labels: NDArray[Any], codes: NDArray[np.intp], groups: Any, *, unit: str) -> Any:
    """Return the splitter for what `cv` of a search may be: folds of whole groups if there are any.

    Raises
    ------
    ValueError
        If a source has fewer groups or rows than the number of folds asked for, or only one.
    """
    if cv is not None and not isinstance(cv, Integral):
        return check_cv(cv, codes, classifier=True)
    rows = np.arange(len(codes)) if groups is None else np.asarray(groups)
    counts = [len(np.unique(rows[codes == code])) for code in range(len(labels))]
    rarest = int(np.argmin(counts))
    n_folds = max(2, min(N_FOLDS, counts[rarest])) if cv is None else int(cv)
    if n_folds > counts[rarest]:
        raise ValueError(
            f"Source {labels.tolist()[rarest]!r} has {counts[rarest]} {unit if groups is None else 'groups'}, but "
            f"{n_folds} folds need as many of every source."
        )
    # no shuffling: frames beside each other are nearly alike, and must not be on both sides
    return StratifiedKFold(n_folds) if groups is None else StratifiedGroupKFold(n_folds)


def check_folds(folds: list[tuple[Any, Any]], y: NDArray[Any], *, unit: str) -> None:
    """Raise ValueError for folds that lack a source, before anything is fitted.

    Parameters
    ----------
    folds : list of (train, test)
        Indices of the rows to train on and of those held out.
    y : ndarray of shape (n_rows,)
        Source of each row.
    unit : {"frames", "utterances"}
        What a row is.

    Raises
    ------
    ValueError
        Naming the fold, the sources and the splitter to use.
    """
    if not folds:
        raise ValueError("cv gives no fold.")
    labels = set(y.tolist())
    for number, (train, test) in enumerate(folds):
        for side, rows in [("training", train), ("held-out", test)]:
            missing = sorted(labels - set(y[rows].tolist()))
            if missing:
                raise ValueError(
                    f"Fold {number} of {len(folds)} has no {side} {unit} of source(s) {missing}, but every fold needs "
                    f"all of {sorted(labels)}. Use {SPLITTERS[unit]}, and no more folds than the rarest source has "
                    "utterances."
                )


def as_indices(rows: Any) -> NDArray[np.intp]:
    """Return the rows of one side of a fold as indices, if they are a mask."""
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows


def take(X: Any, rows: NDArray[np.intp]) -> Any:
    """Return some waveforms of a list, or some rows of an array."""
    return [X[i] for i in rows] if isinstance(X, list) else X[rows]


def separator_of_frames(fitted: SupervisedSeparator | AudioSeparator) -> SupervisedSeparator:
    """Return what has the critic weight and the mask exponent, inside a fitted separator or itself."""
    return fitted.separator_ if isinstance(fitted, AudioSeparator) else fitted


def score_fold(
    separator: SupervisedSeparator | AudioSeparator,
    train: tuple[Any, NDArray[Any]],
    test: tuple[Any, NDArray[Any]],
    weights: Sequence[float],
    exponents: Sequence[float],
    scorer: Callable[..., Any],
) -> tuple[float, list[float], list[Any]]:
    """Fit once, then score all values of the critic weight and the mask exponent.

    Parameters
    ----------
    separator : SupervisedSeparator or AudioSeparator
        Unfitted; it is changed.
    train, test : (X, y)
        Clean recordings.
    weights, exponents : sequence of float
        Values; each weight is tried with each exponent.
    scorer : callable
        Called with (estimator, X, y).

    Returns
    -------
    fit_seconds : float
        Duration of the fit.
    score_seconds : list of float
        Duration of each scoring, exponents in the inner loop.
    scores : list of float or of dict
        What the scorer returned.
    """
    start = time.time()
    separator.fit(*train)
    fit_seconds = time.time() - start
    inner = separator_of_frames(separator)
    seconds, scores = [], []
    for weight, pairs in groupby(((w, e) for w in weights for e in exponents), key=lambda pair: pair[0]):
        inner.set_params(critic_weight=weight)
        if len(exponents) > 1:
            # shadows the method of this instance, which is thrown away afterwards: masks share one search
            setattr(inner, "_infer", _remembering(type(inner)._infer.__get__(inner)))  # noqa: B010 -- as mypy wants it
        for _, exponent in pairs:
            inner.set_params(mask_exponent=exponent)
            start = time.time()
            scores.append(scorer(separator, *test))
            seconds.append(time.time() - start)
    return fit_seconds, seconds, scores


def _remembering(search: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the same function, which keeps its results."""
    found: dict[str, Any] = {}

    def remember(X: Any) -> Any:
        key = joblib.hash(X)
        if key not in found:
            found[key] = search(X)
        return found[key]

    return remember


def tabulate(candidates: list[dict[str, float]], folds: list[tuple[float, list[float], list[Any]]]) -> dict[str, Any]:
    """Return the results of all folds in the layout of `cv_results_` of scikit-learn's searches.

    Raises
    ------
    ValueError
        If a score is not a number.
    """
    n_candidates = len(candidates)
    results: dict[str, Any] = {}
    times = [("fit_time", [[fold[0]] * n_candidates for fold in folds]), ("score_time", [fold[1] for fold in folds])]
    for name, values in times:
        _summarise(results, name, np.transpose(values))
    for name in candidates[0]:
        results[f"param_{name}"] = np.ma.MaskedArray([candidate[name] for candidate in candidates], mask=False)
    results["params"] = candidates
    for name, scores in _scores_by_name([fold[2] for fold in folds]):
        results |= {f"split{i}_test_{name}": column for i, column in enumerate(scores.T)}
        means = _summarise(results, f"test_{name}", scores)
        if np.isnan(means).any():
            raise ValueError(f"The scorer gave no number ({name}) for {candidates[int(np.isnan(means).argmax())]}.")
        results[f"rank_test_{name}"] = rankdata(-means, method="min").astype(np.int32)
    return results


def _summarise(results: dict[str, Any], name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Store mean and spread over the columns, which are folds, and return the mean."""
    values = np.ascontiguousarray(values)
    results[f"mean_{name}"] = means = np.average(values, axis=1)
    with np.errstate(invalid="ignore"):  # scores may be infinite
        results[f"std_{name}"] = np.sqrt(np.average((values - means[:, np.newaxis]) ** 2, axis=1))
    return means


def _scores_by_name(folds: list[list[Any]]) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield arrays of shape (n_candidates, n_folds); a scorer's single number has the name "score"."""
    first = folds[0][0]
    if isinstance(first, dict):
        for name in first:
            yield name, np.array([[score[name] for score in fold] for fold in folds]).T
    else:
        yield "score", np.array(folds, dtype=np.float64).T

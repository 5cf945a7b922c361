"""Folds of clean recordings that have every source on both sides."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, check_cv

from sklearn_gass._validation import SPLITTERS

N_FOLDS = 3


def make_folds(cv: Any, X: Any, y: NDArray[Any], groups: Any, *, unit: str) -> list[list[NDArray[np.intp]]]:
    """Return, for each fold, indices to train on and indices held out; `unit` names what a row is.

    Raises
    ------
    ValueError
        If a source has fewer groups or rows than folds were asked for, or if a fold lacks a source.
    """
    labels, codes = np.unique(y, return_inverse=True)
    if cv is None or isinstance(cv, Integral):
        splitter = _make_splitter(cv, labels, codes, groups, unit)
    else:
        splitter = check_cv(cv, codes, classifier=True)
    folds = [[np.arange(len(y))[rows] for rows in fold] for fold in splitter.split(X, codes, groups)]
    if not folds:
        raise ValueError("cv gives no fold.")
    for number, fold in enumerate(folds):
        for side, rows in zip(("training", "held-out"), fold, strict=True):
            missing = sorted(set(labels.tolist()) - set(y[rows].tolist()))
            if missing:
                raise ValueError(
                    f"Fold {number} of {len(folds)} has no {side} {unit} of source(s) {missing}, but every fold needs "
                    f"all of {labels.tolist()}. Use {SPLITTERS[unit]}, and no more folds than the rarest source has "
                    "utterances."
                )
    return folds


def _make_splitter(n_folds: Any, labels: NDArray[Any], codes: NDArray[np.intp], groups: Any, unit: str) -> Any:
    rows = np.arange(len(codes)) if groups is None else np.asarray(groups)
    counts = [len(np.unique(rows[codes == code])) for code in range(len(labels))]
    rarest = int(np.argmin(counts))
    n_folds = max(2, min(N_FOLDS, counts[rarest])) if n_folds is None else int(n_folds)
    if n_folds > counts[rarest]:
        raise ValueError(
            f"Source {labels.tolist()[rarest]!r} has {counts[rarest]} {unit if groups is None else 'groups'}, but "
            f"{n_folds} folds need as many of every source."
        )
    # no shuffling: frames beside each other are nearly alike, and must not be on both sides
    return StratifiedKFold(n_folds) if groups is None else StratifiedGroupKFold(n_folds)

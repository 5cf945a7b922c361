"""Which parameters of a fitted separator still act, and what becomes of those that only training reads."""

from __future__ import annotations

import copy
from typing import Any

import joblib
from sklearn.base import BaseEstimator

from sklearn_gass._checkpoints import IRRELEVANT
from sklearn_gass.critics import CRITICS
from sklearn_gass.starts import STARTS

# how training runs and what a search scores by, not what training finds
_HARMLESS = {"scoring", "refit", "warm_start", *IRRELEVANT} - {"random_state"}
_SHORTHANDS: dict[str, dict[str, Any]] = {"start": STARTS, "critic": CRITICS}


class TrainedParameters(BaseEstimator):
    """Base of separators that notice which of their parameters were set after `fit`.

    Parameters that act at separation take effect from the outermost estimator on, whatever it is. All others are
    refused then, since only another `fit` could read them.
    """

    def _acting(self) -> set[str]:
        """Return the names of the parameters that act at separation."""
        raise NotImplementedError

    def _with(self, changes: dict[str, Any]) -> Any:
        """Return a copy of the fitted separator in which parameters that act at separation have other values."""
        raise NotImplementedError

    def _complete(self) -> Any:
        """Return an estimator with these parameters, and those of nested defaults."""
        return self

    def _remember_parameters(self) -> None:
        """Store, at the end of `fit`, what was trained with."""
        self._trained_params = leaves(self._complete())

    def _changes(self) -> dict[str, Any]:
        """Return the parameters that act at separation and were set since `fit`.

        Raises
        ------
        ValueError
            If a parameter that only training reads was set.
        """
        self._validate_params()  # some of them act now, and may have been set since fit
        now, before = leaves(self._complete()), self._trained_params
        changes = {name: now.get(name) for name in {*now, *before} if not _same(now.get(name), before.get(name))}
        acting = self._acting()
        for name in sorted(changes):
            if name not in acting and name.rpartition("__")[2] not in _HARMLESS:
                raise ValueError(
                    f"{name} has changed since this {type(self).__name__} was fitted, and would act after another fit "
                    f"only: fit again, or set it back to {before.get(name)!r}."
                )
        return {name: value for name, value in changes.items() if name in acting}

    def _now(self, outer: dict[str, Any] | None = None) -> Any:
        """Return the fitted separator with what was set since `fit`, here and by the owner of this separator."""
        return self._with({**self._changes(), **(outer or {})})


def nested_now(separator: Any, changes: dict[str, Any]) -> Any:
    """Return the fitted separator inside another one, with what was set since `fit` in either of them."""
    own = {name.removeprefix("separator__"): value for name, value in changes.items() if "__" in name}
    return separator._now(own) if isinstance(separator, TrainedParameters) else separator


def changed_copy(estimator: Any, changes: dict[str, Any]) -> Any:
    """Return a copy with other flat parameters, or the estimator itself if there are none."""
    return copy.copy(estimator).set_params(**changes) if changes else estimator


def leaves(estimator: Any) -> dict[str, Any]:
    """Return all parameters by name, with classes or labels in place of estimators and lists of them."""
    leaves: dict[str, Any] = {}
    for name, value in estimator.get_params(deep=True).items():
        part = _SHORTHANDS.get(name.rpartition("__")[2], {}).get(value if isinstance(value, str) else "")
        if part is not None:
            leaves |= {f"{name}__{key}": _described(default) for key, default in part().get_params().items()}
        whole = name.rpartition("__")[2] == "base"  # a fitted estimator, of which its class says too little
        leaves[name] = value if whole else part if part is not None else _described(value)
    return leaves


def _described(value: Any) -> Any:
    if hasattr(value, "get_params"):
        return type(value)
    if isinstance(value, list) and value and all(isinstance(item, tuple) for item in value):
        return [item[0] for item in value]
    return value


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    return type(one) is type(other) and bool(joblib.hash(one) == joblib.hash(other))

"""Training that begins at the weights of another fitted estimator, its base."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_gass._validation import HasMethods
from sklearn_gass.networks import StateDict, check_widths, shapes_fit


class BeginsAtBase:
    """Base of estimators whose networks may begin at the weights of a fitted one of the same class.

    A subclass has the parameter `base`. It is used as it is: `clone` passes it on with its weights, and its own
    parameters are not those of the estimator.
    """

    base: Any

    _parameter_constraints: dict = {"base": [HasMethods(["get_params"]), None]}

    def __sklearn_clone__(self) -> Self:
        cloned: Self = super().__sklearn_clone__()  # type: ignore[misc]
        cloned.base = self.base  # which has lost its weights on the way
        return cloned

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, without those of `base`.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of estimators inside, the base excepted.

        Returns
        -------
        params : dict
            Parameter names mapped to their values.
        """
        params: dict[str, Any] = super().get_params(deep=deep)  # type: ignore[misc]
        return {name: value for name, value in params.items() if not name.startswith("base__")}

    def set_params(self, **params: Any) -> Self:
        """Set parameters.

        Parameters
        ----------
        **params : dict
            New values by name.

        Returns
        -------
        self : object
            The estimator itself.

        Raises
        ------
        ValueError
            If there is no parameter of that name, or it is one of `base`, which stays as it was trained.
        """
        nested = sorted(name for name in params if name.startswith("base__"))
        if nested:
            raise ValueError(f"{nested[0]} cannot be set: a base stays as it was trained.")
        changed: Self = super().set_params(**params)  # type: ignore[misc]
        return changed

    def _fitted_base(self) -> Any:
        """Return the base, without a FrozenEstimator around it, or ``None`` if there is none.

        Raises
        ------
        ValueError
            If it is of another class or not fitted.
        """
        base = self.base.estimator if isinstance(self.base, FrozenEstimator) else self.base
        if base is None:
            return None
        own = type(self).__name__
        if type(base) is not type(self):
            raise ValueError(f"The base of a {own} must be another {own}, got {type(base).__name__}.")
        try:
            check_is_fitted(base, "weights_")
        except NotFittedError as error:
            raise ValueError(
                f"The base of this {own} is not fitted: fit it before, and in a grid wrap it in FrozenEstimator, since "
                "a search takes away the weights of estimators in grids."
            ) from error
        return base

    def _set_distance(self, weights: StateDict, begin: StateDict | None) -> None:
        """Keep how far training went from the weights that it began at, if a base had given them."""
        vars(self).pop("distance_from_base_", None)
        if begin is not None:
            self.distance_from_base_ = relative_distance(weights, begin)


def begun_at(part: Any, params: dict[str, Any]) -> Any:
    """Return an unfitted estimator that begins at a fitted one, with nothing of how and where that was trained.

    Parameters
    ----------
    part : estimator with the parameter `base`
        The fitted one.
    params : dict
        Parameters in which the new one differs.

    Returns
    -------
    begun : estimator of the same class
        The new one.
    """
    begun = clone(part)
    fresh = {name: value for name, value in _FRESH.items() if name in begun.get_params()}
    if part.base is not None:  # else each base would keep all that came before it
        part = copy.copy(part).set_params(base=None)
    return begun.set_params(base=part, **fresh, **params)


def check_shapes(estimator: Any, base: Any, pairs: Iterable[tuple[Any, Any]]) -> None:
    """Refuse a base whose networks differ from those of an estimator.

    Parameters
    ----------
    estimator : estimator
        What is to begin at the base.
    base : estimator of the same class
        The fitted base.
    pairs : iterable of (dict of str to ndarray or Tensor, dict of str to ndarray or Tensor)
        Own weights and those of the base that they are to be replaced by, by name.

    Raises
    ------
    ValueError
        If a parameter that shapes depend on differs, which is named, or else the number of bins.
    """
    for name in sorted(_ARCHITECTURE & set(estimator.get_params())):
        own, other = getattr(estimator, name), getattr(base, name)
        if name.endswith("_sizes"):
            own, other = check_widths(name, own), check_widths(name, other)
        if own != other:
            raise ValueError(
                f"The base of this {type(estimator).__name__} has {name} {other}, but {own} is asked for: both must be "
                "the same."
            )
    for own, other in pairs:
        if not shapes_fit(own, other):
            raise ValueError(
                f"The base of this {type(estimator).__name__} was trained on frames of another width: both need "
                "the same STFT and sample rate."
            )


def relative_distance(weights: StateDict, begin: StateDict) -> float:
    """Return the norm of the change of all weights over their norm at the beginning."""
    change = sum(float(np.square(weights[name] - first, dtype=np.float64).sum()) for name, first in begin.items())
    norm = sum(float(np.square(first, dtype=np.float64).sum()) for first in begin.values())
    return float(np.sqrt(change / norm)) if norm else 0.0


_ARCHITECTURE = {
    "n_components",
    "hidden_layer_sizes",
    "n_residual_blocks",
    "activation",
    "critic_hidden_layer_sizes",
    "critic_activation",
}
"""Parameters that the networks of a class depend on, if it has them."""

_FRESH = {
    "callbacks": None,
    "checkpoint": None,
    "device": "cpu",
    "random_state": None,
    "verbose": 0,
    "warm_start": False,
}

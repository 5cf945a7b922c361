"""Take estimators apart into arrays and a tree that JSON can hold.

JSON's own types stand for themselves. Anything else is an object with one key, its kind:

========== ======================================================================================
kind       content
========== ======================================================================================
tuple      list of items
dict       object of values by key
float      "nan", "inf" or "-inf"
scalar     name of the NumPy type, and the value
array      type, shape, and "F" if it lies in memory column by column, as in "float32 400 513"; the array is stored
           beside the tree, under the path of its place in it
strings    shape and items of an array of str
objects    shape and items of an array of plain Python objects
masked     data, mask and fill value of a masked array
rows       types by key of a list of dicts of numbers, and its array
object     class and arguments of an object that is no estimator
estimator  class, params and fitted attributes
same       path of an estimator that came before
========== ======================================================================================
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_gass.persistence._checks import check_fitted
from sklearn_gass.persistence._classes import (
    ALSO_FITTED,
    DROPPED,
    ESTIMATORS,
    FITTED,
    OBJECTS,
    OPTIONAL,
    PARAMETERS,
    has_fit,
)
from sklearn_gass.separation._parameters import TrainedParameters

DTYPES = {
    "bool",
    "float16",
    "float32",
    "float64",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
}
"""Types of arrays and scalars that a file can hold."""

COLUMN_TYPES: dict[str, type] = {"bool": bool, "float": float, "int": int}
"""Types of the numbers in a list of dicts."""

_NOT_STORED = {"_trained_params", "_metadata_request"}  # made again by loading; read by whoever calls `fit` alone

LONGEST_STRINGS = 2**24
"""Bytes that an array of str may take, since one long item makes all of them long."""


class Encoder:
    """Encoder of one estimator.

    Attributes
    ----------
    arrays : dict of str to ndarray
        Arrays by the path of their place in the tree.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}
        self._paths: dict[int, str] = {}
        self._owner = ""

    def encode(self, value: Any, path: str, name: str) -> Any:
        """Return the tree of a value.

        Parameters
        ----------
        value : object
            What to encode.
        path : str
            Its place.
        name : str
            Parameter or attribute that it belongs to, for messages.

        Returns
        -------
        tree : object
            What JSON can hold.

        Raises
        ------
        ValueError
            If a model file cannot hold it.
        """
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": str(value)}
        if kind is list and (types := _column_types(value)):
            return {"rows": [types, self._store(np.array([[*row.values()] for row in value], dtype=np.float64), path)]}
        if kind in (list, tuple):
            items = [self.encode(item, join(path, i), name) for i, item in enumerate(value)]
            return items if kind is list else {"tuple": items}
        if kind is dict and all(type(key) is str for key in value):
            return {"dict": {key: self.encode(item, join(path, key), name) for key, item in value.items()}}
        if isinstance(value, np.generic) and (value.dtype.name in DTYPES or kind is np.str_):
            return {"scalar": ["str" if kind is np.str_ else value.dtype.name, self.encode(value.item(), path, name)]}
        if kind is np.ma.MaskedArray:
            parts = {"data": value.data, "mask": np.ma.getmaskarray(value), "fill": value.fill_value}
            return {"masked": [self.encode(part, join(path, key), name) for key, part in parts.items()]}
        if kind is np.ndarray:
            return self._encode_array(value, path, name)
        if ESTIMATORS.get(kind.__name__) is kind:
            return self.encode_estimator(value, path)
        if OBJECTS.get(kind.__name__) is kind:
            arguments = {key: self.encode(getattr(value, key), join(path, key), name) for key in PARAMETERS[kind]}
            return {"object": [kind.__name__, arguments]}
        raise ValueError(
            f"{name} of this {self._owner} is {_described(value)}, which a model file cannot hold{_hint(name)}."
        )

    def encode_estimator(self, estimator: Any, path: str, changes: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the tree of an estimator.

        Parameters
        ----------
        estimator : estimator
            Of a class that files may hold.
        path : str
            Its place.
        changes : dict or None, default=None
            Parameters that act at separation and that an outer estimator was set to after `fit`.

        Returns
        -------
        tree : dict
            Of kind "estimator", or "same" if it was encoded before.

        Raises
        ------
        ValueError
            If a model file cannot hold it, or a parameter was set after `fit` that only training reads.
        """
        if id(estimator) in self._paths:
            return {"same": self._paths[id(estimator)]}
        cls, outer, self._owner = type(estimator), self._owner, type(estimator).__name__
        state = dict(vars(estimator))
        params = {name: state.pop(name) for name in PARAMETERS[cls]}
        fitted = {name: value for name, value in state.items() if name not in _NOT_STORED}
        unknown = sorted(set(fitted) - FITTED[cls] - ALSO_FITTED.get(cls, set()) - OPTIONAL)
        if unknown:
            raise ValueError(f"This {self._owner} has an attribute {unknown[0]}, which a model file does not know.")
        changes = dict(changes or {})
        if "_trained_params" in state and isinstance(estimator, TrainedParameters):
            changes = {**estimator._changes(), **changes}
        params.update({name: value for name, value in changes.items() if "__" not in name})
        tree: dict[str, Any] = {"class": self._owner, "params": {}, "fitted": {}}
        for name, value in params.items():
            if name not in DROPPED:
                tree["params"][name] = self.encode(value, join(path, name), name)
        for name, value in fitted.items():
            if name == "separator_":
                inner = {key.removeprefix("separator__"): new for key, new in changes.items() if "__" in key}
                tree["fitted"][name] = self._encode_separator(value, join(path, name), inner)
            else:
                tree["fitted"][name] = self.encode(value, join(path, name), name)
        if has_fit(estimator) or not FITTED[cls]:
            check_fitted(estimator)
        self._paths[id(estimator)], self._owner = path, outer
        return {"estimator": tree}

    def _encode_separator(self, separator: Any, path: str, changes: dict[str, Any]) -> Any:
        if ESTIMATORS.get(type(separator).__name__) is not type(separator):
            return self.encode(separator, path, "separator_")
        return self.encode_estimator(separator, path, changes)

    def _encode_array(self, array: NDArray[Any], path: str, name: str) -> Any:
        if array.dtype.kind in "UO":
            items = [self.encode(item, join(path, i), name) for i, item in enumerate(array.ravel().tolist())]
            if array.dtype.kind == "O":
                return {"objects": [list(array.shape), items]}
            if array.nbytes > LONGEST_STRINGS:
                raise ValueError(f"{name} of this {self._owner} has too long strings for a model file.")
            return {"strings": [list(array.shape), items]}
        if array.dtype.name not in DTYPES:
            raise ValueError(f"{name} of this {self._owner} has dtype {array.dtype}, which a model file cannot hold.")
        return {"array": self._store(array, path)}

    def _store(self, array: NDArray[Any], path: str) -> str:
        by_columns = array.flags.f_contiguous and not array.flags.c_contiguous
        native = array.astype(array.dtype.newbyteorder("="), copy=False)
        self.arrays[path] = np.ascontiguousarray(native.T if by_columns else native).reshape(
            array.shape[::-1] if by_columns else array.shape
        )
        return describe(array, by_columns)


def describe(array: NDArray[Any], by_columns: bool) -> str:
    """Return type, shape and order of an array as text."""
    return " ".join([array.dtype.name, *map(str, array.shape), *(["F"] if by_columns else [])])


def join(path: str, name: object) -> str:
    """Return the path of a part; paths are those of JSON pointers."""
    return f"{path}/{name}" if isinstance(name, int) else f"{path}/{str(name).replace('~', '~0').replace('/', '~1')}"


def _column_types(rows: list[Any]) -> dict[str, str] | None:
    """Return the types of a list of dicts of numbers, as training histories are, or ``None`` for any other list.

    In JSON they would be five times as long as in an array.
    """
    if not rows or not all(type(row) is dict and row for row in rows):
        return None
    types = {key: type(value).__name__ for key, value in rows[0].items()}
    for row in rows:
        if {key: type(value).__name__ for key, value in row.items()} != types or list(row) != list(types):
            return None
    whole = (value for row in rows for value in row.values() if type(value) is int)
    fits = set(types.values()) <= set(COLUMN_TYPES) and all(type(key) is str for key in types)
    return types if fits and all(abs(value) < 2**53 for value in whole) else None


def _described(value: Any) -> str:
    article = "an" if type(value).__name__[0] in "AEIOUaeiou" else "a"
    return f"{article} {type(value).__name__}"


def _hint(name: str) -> str:
    if name == "mask":
        return ": set it to None before saving, and set it again after loading"
    if name == "random_state":
        return ": fit with an int"
    return "; pickle can, for your own machine"

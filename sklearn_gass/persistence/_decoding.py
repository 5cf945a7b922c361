"""Put estimators together again from arrays and the tree that describes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_gass.persistence._checks import check_fitted
from sklearn_gass.persistence._classes import (
    ALSO_FITTED,
    DROPPED,
    ESTIMATORS,
    FITTED,
    LATER,
    OBJECTS,
    OPTIONAL,
    PARAMETERS,
    has_fit,
)
from sklearn_gass.persistence._encoding import COLUMN_TYPES, DTYPES, LONGEST_STRINGS, describe, join
from sklearn_gass.separation._parameters import TrainedParameters


class Decoder:
    """Decoder of one tree.

    Parameters
    ----------
    arrays : dict of str to ndarray
        Arrays by path. Those that were used are taken out.
    device : str or None
        New value of all parameters `device`.
    """

    def __init__(self, arrays: dict[str, NDArray[Any]], device: str | None) -> None:
        self.arrays, self.device = arrays, device
        self._estimators: dict[str, Any] = {}
        self._kinds: dict[str, Callable[[Any, str], Any]] = {
            "array": self._array,
            "dict": self._dict,
            "estimator": self._estimator,
            "float": self._float,
            "masked": self._masked,
            "object": self._object,
            "objects": self._objects,
            "rows": self._rows,
            "same": self._same,
            "scalar": self._scalar,
            "strings": self._strings,
            "tuple": self._tuple,
        }

    def decode(self, tree: Any, path: str) -> Any:
        """Return the value of a tree.

        Parameters
        ----------
        tree : object
            What JSON gave.
        path : str
            Its place.

        Returns
        -------
        value : object
            What was encoded.

        Raises
        ------
        ValueError
            If the tree is none that the encoder makes.
        """
        if tree is None or type(tree) in (bool, int, float, str):
            return tree
        if type(tree) is list:
            return [self.decode(item, join(path, i)) for i, item in enumerate(tree)]
        need(type(tree) is dict and len(tree) == 1, path)
        kind, content = next(iter(tree.items()))
        need(kind in self._kinds, path)
        return self._kinds[kind](content, path)

    def _tuple(self, content: Any, path: str) -> Any:
        need(type(content) is list, path)
        return tuple(self.decode(content, path))

    def _dict(self, content: Any, path: str) -> Any:
        need(type(content) is dict, path)
        return {key: self.decode(value, join(path, key)) for key, value in content.items()}

    def _float(self, content: Any, path: str) -> Any:
        need(content in ("nan", "inf", "-inf"), path)
        return float(content)

    def _scalar(self, content: Any, path: str) -> Any:
        dtype, value = parts(content, 2, path)
        need(dtype == "str" or dtype in DTYPES, path)
        value = self.decode(value, path)
        need(type(value) in ((str,) if dtype == "str" else (bool, int, float)), path)
        return np.str_(value) if dtype == "str" else np.dtype(dtype).type(value)

    def _array(self, content: Any, path: str) -> Any:
        need(type(content) is str, path)
        if path not in self.arrays:
            raise ValueError(f"it lacks the array {path}")
        stored, by_columns = self.arrays.pop(path), content.endswith(" F")
        array = stored.T if by_columns else stored
        if array.dtype.name not in DTYPES or content != describe(array, by_columns):
            raise ValueError(f"the array {path} has another type or shape than its description says")
        return array

    def _strings(self, content: Any, path: str) -> Any:
        shape, items = parts(content, 2, path)
        need(is_shape(shape) and type(items) is list and all(type(item) is str for item in items), path)
        need(4 * len(items) * max(map(len, items), default=1) <= LONGEST_STRINGS, path)
        return np.array(items, dtype=str).reshape(shape)

    def _objects(self, content: Any, path: str) -> Any:
        shape, items = parts(content, 2, path)
        need(is_shape(shape) and type(items) is list, path)
        array = np.empty(len(items), dtype=object)
        for i, item in enumerate(items):
            array[i] = self.decode(item, join(path, i))
        return array.reshape(shape)

    def _masked(self, content: Any, path: str) -> Any:
        names = "data", "mask", "fill"
        data, mask, fill = (
            self.decode(part, join(path, name)) for name, part in zip(names, parts(content, 3, path), strict=True)
        )
        need(isinstance(data, np.ndarray) and isinstance(mask, np.ndarray), path)
        need(mask.dtype == bool and mask.shape == data.shape, path)
        return np.ma.MaskedArray(data, mask=mask, fill_value=fill)

    def _rows(self, content: Any, path: str) -> Any:
        types, described = parts(content, 2, path)
        need(type(types) is dict and all(type(name) is str and name in COLUMN_TYPES for name in types.values()), path)
        table = self._array(described, path)
        need(table.dtype == np.float64 and table.ndim == 2 and table.shape[1] == len(types) > 0, path)
        columns = {key: COLUMN_TYPES[name] for key, name in types.items()}
        return [
            {key: kind(number) for (key, kind), number in zip(columns.items(), row, strict=True)}
            for row in table.tolist()
        ]

    def _object(self, content: Any, path: str) -> Any:
        name, arguments = parts(content, 2, path)
        need(type(name) is str and name in OBJECTS and type(arguments) is dict, path)
        check_names(name, set(arguments), set(PARAMETERS[OBJECTS[name]]), set())
        return OBJECTS[name](**self._dict(arguments, path))

    def _same(self, content: Any, path: str) -> Any:
        need(type(content) is str and content in self._estimators, path)
        return self._estimators[content]

    def _estimator(self, content: Any, path: str) -> Any:
        need(type(content) is dict and set(content) == {"class", "params", "fitted"}, path)
        name, params, fitted = content["class"], content["params"], content["fitted"]
        need(type(name) is str and type(params) is dict and type(fitted) is dict, path)
        if name not in ESTIMATORS:
            raise ValueError(f"it holds a {name!r}, which is no class that this version knows")
        cls: Any = ESTIMATORS[name]
        names = set(PARAMETERS[cls])
        check_names(name, set(params), names, DROPPED | set(LATER))
        arguments = {key: value for key, value in LATER.items() if key in names} | self._dict(params, path)
        if self.device is not None and "device" in names:
            arguments["device"] = self.device
        estimator = cls(**arguments)
        if hasattr(cls, "_parameter_constraints"):
            estimator._validate_params()
        known = FITTED[cls] | ALSO_FITTED.get(cls, set()) | OPTIONAL
        check_names(name, set(fitted), known, known)
        vars(estimator).update(self._dict(fitted, path))
        if has_fit(estimator) or not FITTED[cls]:
            check_fitted(estimator)
            if isinstance(estimator, TrainedParameters):
                estimator._remember_parameters()
        self._estimators[path] = estimator
        return estimator


def need(condition: bool, path: str) -> None:
    """Raise ValueError unless a condition on the description of a place holds."""
    if not condition:
        raise ValueError(f"its description is damaged at {path or '/'}")


def parts(content: Any, number: int, path: str) -> list[Any]:
    """Return a list after checking how many items it has."""
    need(type(content) is list and len(content) == number, path)
    return list(content)


def is_shape(shape: Any) -> bool:
    """Tell whether something is a list of whole numbers of at least 0."""
    return type(shape) is list and all(type(length) is int and length >= 0 for length in shape)


def check_names(cls: str, given: set[str], known: set[str], optional: set[str]) -> None:
    """Raise ValueError unless what is given is known, and what is not optional is given."""
    unknown, missing = sorted(given - known), sorted(known - given - optional)
    if unknown:
        raise ValueError(f"its {cls} has an unknown parameter or attribute {unknown[0]!r}")
    if missing:
        raise ValueError(f"its {cls} lacks the parameter {missing[0]!r}")

"""Fitted estimators remember which version of the library made them."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from sklearn.exceptions import InconsistentVersionWarning

_KEY = "_sklearn_gass_version"


class Versioned:
    """Mixin that writes the version into a pickle, and warns when another version reads it, as scikit-learn does."""

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), _KEY: _version()}  # type: ignore[dict-item]

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        made_by = state.pop(_KEY, "an unknown version")
        if made_by != _version():
            warnings.warn(
                InconsistentVersionWarning(
                    estimator_name=type(self).__name__,
                    current_sklearn_version=f"sklearn_gass {_version()}",
                    original_sklearn_version=f"sklearn_gass {made_by}",
                ),
                stacklevel=2,
            )
        super().__setstate__(state)  # type: ignore[misc]


def _version() -> str:
    return str(sys.modules["sklearn_gass"].__version__)

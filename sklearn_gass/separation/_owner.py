"""Estimators with a parameter `separator`, whose default is a separator of frames."""

from __future__ import annotations

from typing import Any

from sklearn_gass._validation import refuse_class
from sklearn_gass.separation._base import BaseSeparator
from sklearn_gass.separation._parameters import TrainedParameters, changed_copy
from sklearn_gass.separation._separator import SupervisedSeparator


class SeparatorOwner(BaseSeparator):
    """Base of estimators around a separator, of which ``None`` means ``SupervisedSeparator()``."""

    separator: Any

    def set_params(self, **params):
        """Set parameters, those of the separator inside by ``separator__<name>``.

        Parameters
        ----------
        **params : dict
            New values.

        Returns
        -------
        self : object
            The estimator itself.
        """
        if self.separator is None and any(name.startswith("separator__") for name in params):
            self.separator = SupervisedSeparator()
        refuse_class("separator", params.get("separator", self.separator))
        return super().set_params(**params)

    def _complete(self):
        return changed_copy(self, {"separator": SupervisedSeparator()} if self.separator is None else {})

    def _acting(self):
        separator = self._complete().separator
        names = separator._acting() if isinstance(separator, TrainedParameters) else ()
        return {f"separator__{name}" for name in names}

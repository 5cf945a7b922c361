"""One source model for all sources, or one by name for each: how a separator is put together."""

from __future__ import annotations

from sklearn_gass._validation import BaseComposition, check_same_labels
from sklearn_gass.source_models import NMFSourceModel


class SourceModelComposition(BaseComposition):
    """Base of estimators whose parameter `source_model` is a model or a list of (label, model)."""

    def get_params(self, deep=True):
        """Return the parameters, those of the source models included if `deep`.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of the source models.

        Returns
        -------
        params : dict
            Parameter names mapped to their values.
        """
        if isinstance(self.source_model, list):
            return self._get_params("source_model", deep=deep)
        return super().get_params(deep=deep)

    def set_params(self, **params):
        """Set parameters, those of source models by ``source_model__<name>`` or ``<label>__<name>``.

        Parameters
        ----------
        **params : dict
            New values.

        Returns
        -------
        self : SupervisedSeparator
            The separator itself.
        """
        return self._set_params("source_model", **params)

    def _listed_labels(self):
        """Return the labels of a list of models after checking it."""
        items = self.source_model
        if not all(isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) for item in items):
            raise ValueError("source_model must be a source model or a list of (label, source model) with str labels.")
        labels = [label for label, _ in items]
        self._validate_names(labels)
        return labels

    def _models_in_order(self):
        """Return an unfitted source model for each of `classes_`."""
        if not isinstance(self.source_model, list):
            model = NMFSourceModel() if self.source_model is None else self.source_model
            return [model] * len(self.classes_)
        check_same_labels([str(label) for label in self.classes_], self._listed_labels())
        models = dict(self.source_model)
        return [models[str(label)] for label in self.classes_]

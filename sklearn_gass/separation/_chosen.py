"""What a separator that has chosen its parameters does after that: it leaves everything to the separator inside."""

from __future__ import annotations

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_gass._validation import check_feature_names_in, check_frames, check_utterances
from sklearn_gass.separation._audio import AudioSeparator
from sklearn_gass.separation._separator import SupervisedSeparator


class ChosenSeparator(TransformerMixin, BaseEstimator):
    """Base of estimators with a parameter `separator`, whose `fit` leaves one in `separator_` and its `classes_`."""

    def transform(self, X):
        """Separate mixtures with the chosen parameters.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins), or list of ndarray of shape (n_samples,)
            Frames of a mixture, or mixtures for an `AudioSeparator`.

        Returns
        -------
        S : ndarray of shape (n_frames, n_sources * n_bins), or list of ndarray of shape (n_sources, n_samples)
            What the separator's own `transform` returns; sources sum to the mixture.
        """
        check_is_fitted(self)
        with config_context(transform_output="default"):
            return self.separator_.transform(self._check(X, reset=False))

    def separate(self, X):
        """Separate one mixture into an array per source.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins) or (n_samples,)
            Frames of a mixture, or its waveform for an `AudioSeparator`.

        Returns
        -------
        sources : ndarray of shape (n_sources, n_frames, n_bins), or Separation
            Sources that sum to the mixture.
        """
        check_is_fitted(self)
        return self.separator_.separate(X if self._holds_waves else self._check(X, reset=False))

    @available_if(lambda self: self._holds_waves)
    def separate_blocks(self, mixture):
        """Separate one mixture piece by piece, as :meth:`AudioSeparator.separate_blocks` does.

        Parameters
        ----------
        mixture : array-like of shape (n_samples,)
            Waveform; there is this method only around an `AudioSeparator`.

        Returns
        -------
        pieces : iterator of ndarray of shape (n_sources, n)
            Successive samples of all sources.
        """
        check_is_fitted(self)
        return self.separator_.separate_blocks(mixture)

    def inverse_transform(self, S):
        """Add separated sources up to mixtures.

        Parameters
        ----------
        S : array-like of shape (n_frames, n_sources * n_bins), or list of ndarray of shape (n_sources, n_samples)
            What `transform` returned.

        Returns
        -------
        X : ndarray of shape (n_frames, n_bins), or list of ndarray of shape (n_samples,)
            Mixtures.
        """
        check_is_fitted(self)
        return self.separator_.inverse_transform(S)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the output columns: label, underscore, name of the bin or sample.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of `X`; ``None`` takes those seen in `fit`, or ``x0``, ``x1``, …

        Returns
        -------
        names : ndarray of shape (n_sources * n_columns,)
            Names of the columns that `transform` returns.
        """
        check_is_fitted(self)
        columns = check_feature_names_in(self, input_features)
        return np.asarray([f"{label}_{name}" for label in self.classes_ for name in columns], dtype=object)

    @property
    def _holds_waves(self):
        return isinstance(self.separator, AudioSeparator)

    def _check(self, X, y="no_validation", *, reset):
        check = check_utterances if self._holds_waves else check_frames
        return check(self, X, y, reset=reset)

    def _held_out_mixtures(self, X, y, snr=0.0):
        check_is_fitted(self)
        return self.separator_._held_out_mixtures(*self._check(X, y, reset=False), snr)

    def _separate(self, mixture):
        return self.separator_._separate(mixture)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(SupervisedSeparator() if self.separator is None else self.separator)
        tags.target_tags.required = True
        tags.input_tags.positive_only = inner.input_tags.positive_only
        tags.transformer_tags.preserves_dtype = inner.transformer_tags.preserves_dtype
        return tags

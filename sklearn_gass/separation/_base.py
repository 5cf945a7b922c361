"""The verbs that separators share."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_gass._validation import check_feature_names_in, check_frames
from sklearn_gass._versioned import Versioned
from sklearn_gass.scoring import SeparationScorer
from sklearn_gass.separation._notebook import ShowsItsParts
from sklearn_gass.separation._parameters import TrainedParameters


class BaseSeparator(ShowsItsParts, Versioned, TrainedParameters, TransformerMixin, BaseEstimator, metaclass=ABCMeta):
    """Base of all separators: estimators with `classes_` whose `transform` gives a block of columns per source."""

    @abstractmethod
    def transform(self, X):
        """Separate mixtures.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins), or list of ndarray of shape (n_samples,)
            Frames of a mixture, or waveforms of mixtures.

        Returns
        -------
        S : ndarray of shape (n_frames, n_sources * n_bins), or list of ndarray of shape (n_sources, n_samples)
            One block of columns, or one waveform, per source in the order of `classes_`; they sum to the mixture.
        """

    @abstractmethod
    def separate(self, X):
        """Separate one mixture into an array per source.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins) or (n_samples,)
            Frames of a mixture, or its waveform.

        Returns
        -------
        sources : ndarray of shape (n_sources, n_frames, n_bins), or Separation
            Sources in the order of `classes_`, which sum to the mixture.
        """

    @abstractmethod
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

    @abstractmethod
    def score(self, X, y):
        """Separate mixtures of held-out clean recordings and compare with the truth.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins), or list of ndarray of shape (n_samples,)
            Held-out clean frames or waveforms.
        y : array-like of shape (n_frames,) or (n_utterances,)
            Source of each; every source that was fitted must occur.

        Returns
        -------
        score : float
            Signal-to-distortion ratio in dB, or what the parameter `scoring` asks for if there is one.
        """

    @available_if(lambda self: hasattr(self, "n_features_in_") or not hasattr(self, "classes_"))
    def get_feature_names_out(self, input_features=None):
        """Return the names of the output columns: label, underscore, name of the bin.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the bins; ``None`` takes those seen in `fit`, or ``x0``, ``x1``, …

        Returns
        -------
        names : ndarray of shape (n_sources * n_bins,)
            Names of the columns that `transform` returns.
        """
        check_is_fitted(self)
        bins = check_feature_names_in(self, input_features)
        return np.asarray([f"{label}_{name}" for label in self.classes_ for name in bins], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class BaseFrameSeparator(BaseSeparator):
    """Base of separators of frames; a subclass implements `explain`."""

    @abstractmethod
    def explain(self, X, *, n_samples=None):
        """Explain the frames of a mixture as sums of generated frames, before any mask.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins)
            Magnitude frames of a mixture.
        n_samples : int or None, default=None
            Number of plausible separations that the explanation's `spread` is drawn from; ``None`` draws none.

        Returns
        -------
        explanation : Explanation
            Estimates, latents, objective and number of steps.
        """

    def transform(self, X):
        """Separate the frames of a mixture.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins)
            Magnitude frames of a mixture, in the unit of the training frames.

        Returns
        -------
        S : ndarray of shape (n_frames, n_sources * n_bins)
            Separated frames, one block of columns per source in the order of `classes_`; they sum to `X`.
        """
        return np.concatenate(list(self.separate(X)), axis=1)

    def separate(self, X):
        """Separate the frames of a mixture into an array per source.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins)
            Magnitude frames of a mixture, in the unit of the training frames.

        Returns
        -------
        sources : ndarray of shape (n_sources, n_frames, n_bins)
            Separated frames in the order of `classes_`; they sum to `X`.
        """
        return self.explain(X).separate()

    def inverse_transform(self, S):
        """Add separated frames up to the mixture.

        Parameters
        ----------
        S : array-like of shape (n_frames, n_sources * n_bins)
            Separated frames as `transform` returns them.

        Returns
        -------
        X : ndarray of shape (n_frames, n_bins)
            Their sum.

        Raises
        ------
        ValueError
            If `S` has another width than `transform` returns, or holds NaN.
        """
        check_is_fitted(self)
        S = check_array(S, dtype=[np.float64, np.float32], input_name="S")
        if S.shape[1] != self._n_features_out:
            raise ValueError(f"S has {S.shape[1]} columns, but transform returns {self._n_features_out}.")
        return S.reshape(len(S), len(self.classes_), -1).sum(1)

    def score(self, X, y):
        """Separate mixtures of held-out clean frames and compare with the truth.

        The n-th frame of each source is added up to the n-th mixture frame, as many as the rarest source has.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins)
            Held-out clean magnitude frames.
        y : array-like of shape (n_frames,)
            Source of each frame; every source that was fitted must occur.

        Returns
        -------
        score : float
            Mean over sources of the signal-to-distortion ratio of magnitudes, in dB.

        Raises
        ------
        ValueError
            If a source does not occur in `y`, or one occurs that was not fitted.
        """
        check_is_fitted(self)
        check_frames(self, X, y, reset=False)
        return SeparationScorer("sdr")(self, X, y)

    @property
    def _n_features_out(self) -> int:
        return len(self.classes_) * self.n_features_in_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags

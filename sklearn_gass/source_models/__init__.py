"""Generative models of the magnitude frames of one sound source."""

from sklearn_gass.source_models._nmf import NMFSourceModel

__all__ = ["NMFSourceModel"]

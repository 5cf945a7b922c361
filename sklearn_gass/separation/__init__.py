"""Separators: estimators that combine source models, a start and a critic."""

from sklearn_gass.separation._audio import AudioSeparator
from sklearn_gass.separation._explanation import Explanation
from sklearn_gass.separation._search import SupervisedSeparatorCV
from sklearn_gass.separation._separation import Separation
from sklearn_gass.separation._separator import SupervisedSeparator
from sklearn_gass.separation._spread import Spread

__all__ = ["AudioSeparator", "Explanation", "Separation", "Spread", "SupervisedSeparator", "SupervisedSeparatorCV"]

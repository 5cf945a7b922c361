"""Critics: functions that rank how clean an estimate of a source sounds.

Separation looks for estimates that explain the mixture and have high scores; λ (`critic_weight`) weighs the scores. A
critic is one class in one file. To add one, derive from :class:`BaseCritic` and pass an instance of it as ``critic=``
of a separator; a string is shorthand for one of the critics here with its defaults.
"""

from sklearn_gass.critics._base import BaseCritic
from sklearn_gass.critics._mixture import MixtureCritic
from sklearn_gass.critics._source import SourceCritic

CRITICS = {"mixture": MixtureCritic, "source": SourceCritic}

__all__ = ["CRITICS", "BaseCritic", "MixtureCritic", "SourceCritic"]

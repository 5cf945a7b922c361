"""Starts: where the optimisation of a mixture's latents begins.

A start is one class in one file. To add one, derive from :class:`BaseStart` and pass an instance of it as ``start=`` of
a separator; a string is shorthand for one of the starts here with its defaults.
"""

from sklearn_gass.starts._base import BaseStart
from sklearn_gass.starts._mixture import MixtureStart
from sklearn_gass.starts._random import RandomStart
from sklearn_gass.starts._source import SourceStart

STARTS = {"mixture": MixtureStart, "source": SourceStart, "random": RandomStart}

__all__ = ["STARTS", "BaseStart", "MixtureStart", "RandomStart", "SourceStart"]

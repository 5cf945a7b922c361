"""Speech to separate: real recordings, synthetic voices, and mixtures with known references."""

from sklearn_gass.datasets._backgrounds import make_background
from sklearn_gass.datasets._mixing import Pair, make_mixture, make_pair, speaker_pairs
from sklearn_gass.datasets._timit import fetch_timit_sample
from sklearn_gass.datasets._voices import make_voices

__all__ = ["Pair", "fetch_timit_sample", "make_background", "make_mixture", "make_pair", "make_voices", "speaker_pairs"]

"""Scores for searches: how well an estimator separates mixtures of held-out recordings, in decibels.

Everything that chooses parameters by a score can use them: ``scoring=`` of scikit-learn's searches and of
:class:`~sklearn_gass.SupervisedSeparatorCV`, or a call inside the objective of another optimiser. Mixtures are made
from the held-out utterances only, the n-th utterance of each source in the n-th mixture, so that all candidates are
scored on the same ones.

Metrics are those of :mod:`sklearn_gass.metrics`: ``"sdr"``, ``"sir"`` and ``"sar"`` of BSS eval, ``"si_sdr"``, and the
improvements over the mixture ``"sdr_improvement"``, ``"sir_improvement"`` and ``"si_sdr_improvement"``. Frames have no
phase, so BSS eval is not defined for them: their ``"sdr"`` is the ratio of each source's energy to that of its error,
in magnitudes, and ``"sir"`` and ``"sar"`` are refused.
"""

from sklearn_gass.scoring._mixtures import make_frame_mixtures, make_wave_mixtures
from sklearn_gass.scoring._scorer import METRICS, SeparationScorer, frame_sdr, get_scorer

__all__ = ["METRICS", "SeparationScorer", "frame_sdr", "get_scorer", "make_frame_mixtures", "make_wave_mixtures"]

"""Synthetic voices, for machines without recordings."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.utils import Bunch, check_random_state

from sklearn_gass._validation import Interval, validate_params
from sklearn_gass.datasets._synthesis import Voice, speak

__all__ = ["make_voices"]

_DESCR = """\
Synthetic voices
================

Babble of a source-filter model: a glottal-like harmonic source with a pitch contour drives resonators that glide
between the formants of vowels and sonorants; noise bursts stand for unvoiced consonants, and there are pauses. Even
voices are low (sex "m"), odd ones high ("f"). Each has its own pitch range, vocal tract length, spectral tilt,
breathiness and speed.
"""


@validate_params(
    {
        "n_voices": [Interval(Integral, 1, None, closed="left")],
        "n_utterances": [Interval(Integral, 1, None, closed="left")],
        "duration": [Interval(Real, 0.5, None, closed="left")],
        "sample_rate": [Interval(Integral, 8000, None, closed="left")],
        "random_state": ["random_state"],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def make_voices(
    n_voices: int = 2,
    *,
    n_utterances: int = 10,
    duration: float = 2.5,
    sample_rate: int = 16000,
    random_state: int | RandomState | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[list[NDArray[np.float32]], NDArray[np.str_]]:
    """Generate utterances of synthetic voices.

    Each voice babbles vowels, sonorants and unvoiced consonants with pauses in between. Voices differ in pitch, vocal
    tract length, spectral tilt, breathiness and speed. Voices with even numbers are low, those with odd numbers high.

    Parameters
    ----------
    n_voices : int, default=2
        Number of voices. With the same integer seed, more voices leave the earlier ones as they were.
    n_utterances : int, default=10
        Utterances of each voice. More utterances leave the earlier ones as they were.
    duration : float, default=2.5
        Length of each utterance in seconds, at least 0.5.
    sample_rate : int, default=16000
        Samples per second, at least 8000.
    random_state : int, RandomState instance or None, default=None
        Seed. Pass an int for the same voices at every call.
    return_X_y : bool, default=False
        If True, return ``(utterances, speakers)`` instead of a Bunch.

    Returns
    -------
    data : Bunch
        utterances : list of n_voices * n_utterances float32 ndarray of shape (n_samples,)
            Waveforms with a peak of 0.5, voice after voice.
        speakers : ndarray of str of shape (n_voices * n_utterances,)
            "voice0", "voice1", ...
        groups : ndarray of str of shape (n_voices * n_utterances,)
            Utterance ids, such as "voice0/utterance3".
        sexes : ndarray of str of shape (n_voices * n_utterances,)
            "m" for low voices, "f" for high ones.
        sample_rate : int
            The parameter.
        DESCR : str
            Description.
    (utterances, speakers) : tuple if `return_X_y` is True
        The two fields of the Bunch.

    See Also
    --------
    fetch_timit_sample : Real speech.
    make_mixture : Mix utterances at a given level.

    References
    ----------
    .. [1] D. H. Klatt, "Software for a cascade/parallel formant synthesizer", J. Acoust. Soc. Am. 67(3), 1980.
    .. [2] G. E. Peterson, H. L. Barney, "Control methods used in a study of the vowels", J. Acoust. Soc. Am. 24(2),
       1952.

    Examples
    --------
    >>> from sklearn_gass.datasets import make_voices
    >>> data = make_voices(2, n_utterances=3, duration=0.5, random_state=0)
    >>> len(data.utterances), data.utterances[0].shape
    (6, (8000,))
    >>> data.groups[2:4].tolist()
    ['voice0/utterance2', 'voice1/utterance0']
    """
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    n_samples = round(duration * sample_rate)
    utterances, speakers, groups, sexes = [], [], [], []
    for index in range(n_voices):
        voice = _draw_voice(RandomState([seed, index]), high=bool(index % 2))
        for number in range(n_utterances):
            rng = RandomState([seed, index, number])
            utterances.append(speak(voice, n_samples, sample_rate, rng))
            speakers.append(f"voice{index}")
            groups.append(f"voice{index}/utterance{number}")
            sexes.append("f" if index % 2 else "m")
    if return_X_y:
        return utterances, np.array(speakers)
    fields: dict[str, Any] = {
        "utterances": utterances,
        "speakers": np.array(speakers),
        "groups": np.array(groups),
        "sexes": np.array(sexes),
        "sample_rate": sample_rate,
        "DESCR": _DESCR,
    }
    return Bunch(**fields)


def _draw_voice(rng: RandomState, *, high: bool) -> Voice:
    return Voice(
        pitch=rng.uniform(175, 235) if high else rng.uniform(90, 135),
        pitch_range=rng.uniform(2, 5),
        tract=rng.uniform(1.12, 1.24) if high else rng.uniform(0.94, 1.05),
        formant_shift=rng.uniform(0.95, 1.05, size=4),
        tilt=rng.uniform(1.0, 1.4) if high else rng.uniform(0.8, 1.2),
        breath=rng.uniform(0.03, 0.1) if high else rng.uniform(0.01, 0.05),
        vibrato=rng.uniform(0.1, 0.3),
        speed=rng.uniform(0.85, 1.15),
        hiss=rng.uniform(1.0, 1.12) if high else rng.uniform(0.85, 0.98),
    )

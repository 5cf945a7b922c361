"""Mixtures with known references, and the protocol of female x male speaker pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch

from sklearn_gass._validation import Interval, check_wave, validate_params

__all__ = ["Pair", "make_mixture", "make_pair", "speaker_pairs"]


@dataclass(frozen=True)
class Pair:
    """Two speakers of a data set and the split of their utterances.

    Attributes
    ----------
    first, second : str
        Speaker labels: the female, then the male one.
    train : tuple of int
        Indices of the training utterances, those of `first` before those of `second`.
    test : tuple of (int, int)
        Indices of the two utterances to mix, in the order of `first` and `second`.
    """

    first: str
    second: str
    train: tuple[int, ...]
    test: tuple[int, int]


@validate_params(
    {"sources": ["array-like"], "snr": [Interval(Real, None, None, closed="neither")]},
    prefer_skip_nested_validation=True,
)
def make_mixture(
    sources: Sequence[ArrayLike], *, snr: float = 0.0
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Mix recordings at a given level difference.

    Each source is divided by its standard deviation. The first one is then `snr` dB louder than each other one. Shorter
    sources get zeros at their end.

    Parameters
    ----------
    sources : sequence of array-like of shape (n_samples_k,)
        Two or more waveforms with the same sample rate; their lengths may differ.
    snr : float, default=0.0
        Level of the first source against each other one, in dB. The first source keeps unit standard deviation. At 0
        dB all have the same level.

    Returns
    -------
    mixture : ndarray of shape (n_samples,)
        Sum of the references, as long as the longest source. float32 if all sources are or hold 16 bits, else float64.
    references : ndarray of shape (n_sources, n_samples)
        The scaled and padded sources.

    Raises
    ------
    ValueError
        If there are fewer than two sources, or one is silent, empty, not 1-D, not real or not finite.

    See Also
    --------
    make_pair : Training data and test mixture of two speakers.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.datasets import make_mixture
    >>> tone = np.sin(np.arange(1000) / 5)
    >>> clicks = np.tile([1.0, 0, 0, 0], 200)
    >>> mixture, references = make_mixture([tone, clicks], snr=6)
    >>> mixture.shape, references.shape
    ((1000,), (2, 1000))
    >>> bool(np.allclose(references.sum(axis=0), mixture))
    True
    """
    waves = [check_wave(source, name=f"sources[{index}]") for index, source in enumerate(sources)]
    if len(waves) < 2:
        raise ValueError(f"A mixture needs two or more sources, got {len(waves)}.")
    dtype = np.result_type(*waves)
    references = np.zeros((len(waves), max(map(len, waves))), dtype=dtype)
    for index, wave in enumerate(waves):
        gain = 10.0 ** (-snr / 20.0) if index else 1.0
        references[index, : len(wave)] = wave * (gain / _level(wave, f"sources[{index}]"))
    return references.sum(axis=0), references


def _level(wave: NDArray[np.floating], name: str) -> float:
    """Return the standard deviation of a waveform, summed up in float64."""
    if np.ptp(wave) == 0:
        raise ValueError(f"{name} is silent: all its samples are equal, so it has no level to scale.")
    return float(np.std(wave, dtype=np.float64))


def speaker_pairs(data: Bunch) -> list[Pair]:
    """Pair every female with every male speaker and choose the utterances to mix.

    The test pair of two speakers is the female and the male utterance whose sample counts differ least. If several
    combinations do, it is the first one, with utterances in the order of the data set. All other utterances of the two
    speakers train. Speakers are in alphabetical order. The ten speakers of ``fetch_timit_sample(subset="protocol")``
    give 25 pairs.

    Parameters
    ----------
    data : Bunch
        From :func:`fetch_timit_sample` or :func:`make_voices`: `utterances`, `speakers` and `sexes`.

    Returns
    -------
    pairs : list of Pair
        One per female and male speaker, the female ones in the outer loop.

    Raises
    ------
    ValueError
        If there is no female or no male speaker, or a speaker has fewer than two utterances.

    See Also
    --------
    make_pair : The waveforms of one pair.

    References
    ----------
    .. [1] C. Subakan, P. Smaragdis, "Generative Adversarial Source Separation", ICASSP 2018. :arxiv:`1710.10779`

    Examples
    --------
    >>> from sklearn_gass.datasets import make_voices, speaker_pairs
    >>> speaker_pairs(make_voices(2, n_utterances=3, duration=0.5, random_state=0))
    [Pair(first='voice1', second='voice0', train=(4, 5, 1, 2), test=(3, 0))]
    """
    speakers, sexes = np.asarray(data.speakers), np.asarray(data.sexes)
    lengths = np.array([len(utterance) for utterance in data.utterances])
    females, males = (np.unique(speakers[sexes == sex]).tolist() for sex in "fm")
    if not females or not males:
        raise ValueError(f"Pairs need female and male speakers, got {len(females)} female and {len(males)} male.")
    rows = {speaker: np.flatnonzero(speakers == speaker) for speaker in females + males}
    for speaker, indices in rows.items():
        if len(indices) < 2:
            raise ValueError(f"Speaker {speaker!r} has 1 utterance; one to train on and one to test on are needed.")
    return [_pair(female, male, rows, lengths) for female in females for male in males]


def _pair(first: str, second: str, rows: dict[str, NDArray[np.intp]], lengths: NDArray[np.intp]) -> Pair:
    differences = np.abs(np.subtract.outer(lengths[rows[first]], lengths[rows[second]]))
    chosen = np.unravel_index(differences.argmin(), differences.shape)
    train = [np.delete(rows[speaker], index) for speaker, index in zip((first, second), chosen, strict=True)]
    test = (int(rows[first][chosen[0]]), int(rows[second][chosen[1]]))
    return Pair(first, second, tuple(np.concatenate(train).tolist()), test)


def make_pair(data: Bunch, pair: Pair) -> Bunch:
    """Prepare the training utterances and the 0 dB test mixture of one pair.

    The training utterances of a speaker are divided by the standard deviation of all of them together. Each test
    utterance is divided by its own. The shorter test utterance gets zeros at its end.

    Parameters
    ----------
    data : Bunch
        The data set the pair was made from.
    pair : Pair
        One of :func:`speaker_pairs`.

    Returns
    -------
    example : Bunch
        train_utterances : list of ndarray of shape (n_samples_i,)
            Scaled training utterances.
        train_speakers : ndarray of str of shape (n_train,)
            Their speakers.
        train_groups : ndarray of str of shape (n_train,)
            Their utterance ids.
        mixture : ndarray of shape (n_samples,)
            Test mixture.
        references : ndarray of shape (2, n_samples)
            The two test utterances that sum to it.
        reference_speakers : ndarray of str of shape (2,)
            Speaker of each reference. A separator sorts its labels, so it may have them in another order.

    Raises
    ------
    ValueError
        If an utterance to be scaled is silent.

    See Also
    --------
    speaker_pairs : The list of pairs.

    Examples
    --------
    >>> from sklearn_gass.datasets import make_pair, make_voices, speaker_pairs
    >>> voices = make_voices(2, n_utterances=3, duration=0.5, random_state=0)
    >>> example = make_pair(voices, speaker_pairs(voices)[0])
    >>> len(example.train_utterances), example.mixture.shape, example.reference_speakers.tolist()
    (4, (8000,), ['voice1', 'voice0'])
    """
    train = np.asarray(pair.train)
    speakers = np.asarray(data.speakers)[train]
    waves = [data.utterances[index] for index in train]
    levels = {}
    for speaker in (pair.first, pair.second):
        together = np.concatenate([wave for wave, label in zip(waves, speakers, strict=True) if label == speaker])
        levels[speaker] = _level(together, f"The training sound of {speaker}")
    mixture, references = make_mixture([data.utterances[index] for index in pair.test])
    return Bunch(
        train_utterances=[wave / levels[speaker] for wave, speaker in zip(waves, speakers, strict=True)],
        train_speakers=speakers,
        train_groups=np.asarray(data.groups)[train],
        mixture=mixture,
        references=references,
        reference_speakers=np.array([pair.first, pair.second]),
    )

"""Mixtures of held-out clean recordings, on which separators are scored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import column_or_1d

from sklearn_gass._validation import check_no_missing, check_same_labels, check_wave, is_ragged
from sklearn_gass.datasets import make_mixture


def make_wave_mixtures(
    X: Any, y: ArrayLike, *, snr: float = 0.0, labels: ArrayLike | None = None
) -> Iterator[tuple[NDArray[np.floating], NDArray[np.floating]]]:
    """Mix held-out clean utterances: the n-th of each source goes into the n-th mixture.

    There are as many mixtures as the rarest source has utterances.

    Parameters
    ----------
    X : list of ndarray of shape (n_samples,) or array-like of shape (n_utterances, n_samples)
        Clean waveforms.
    y : array-like of shape (n_utterances,)
        Source of each.
    snr : float, default=0.0
        Level of the first label's utterance against each other one, in dB.
    labels : array-like of shape (n_sources,) or None, default=None
        Sources in the order of the references; ``None`` takes the sorted labels in `y`.

    Yields
    ------
    mixture : ndarray of shape (n_samples,)
        Sum of the references.
    references : ndarray of shape (n_sources, n_samples)
        Utterances at equal levels but for `snr`, the shorter ones padded with zeros at their end.

    Raises
    ------
    ValueError
        If a source does not occur in `y`, or one occurs that is not in `labels`, or an utterance is silent.

    See Also
    --------
    make_frame_mixtures : The same for frames.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.scoring import make_wave_mixtures
    >>> waves = [np.sin(np.arange(9)), np.cos(np.arange(7))]
    >>> [(mixture.shape, references.shape) for mixture, references in make_wave_mixtures(waves, ["a", "b"])]
    [((9,), (2, 9))]
    """
    rows = X if is_ragged(X) else check_array(X, dtype=[np.float64, np.float32])
    waves = [check_wave(wave, name=f"utterance {i}") for i, wave in enumerate(rows)]
    by_source = _rows_by_source(y, labels, unit="utterances")
    for rows in zip(*by_source.values(), strict=False):
        for label, row in zip(by_source, rows, strict=True):
            if not np.ptp(waves[row]):
                raise ValueError(f"A held-out utterance of source {str(label)!r} is silent.")
        yield make_mixture([waves[row] for row in rows], snr=snr)


def make_frame_mixtures(
    X: ArrayLike, y: ArrayLike, *, snr: float = 0.0, labels: ArrayLike | None = None
) -> Iterator[tuple[NDArray[np.floating], NDArray[np.floating]]]:
    """Add held-out clean frames up: the n-th of each source goes into the n-th frame of one mixture.

    Parameters
    ----------
    X : array-like of shape (n_frames, n_bins)
        Clean magnitude frames.
    y : array-like of shape (n_frames,)
        Source of each.
    snr : float, default=0.0
        What the other sources' levels are lowered by against the first label's, in dB.
    labels : array-like of shape (n_sources,) or None, default=None
        Sources in the order of the references; ``None`` takes the sorted labels in `y`.

    Yields
    ------
    mixture : ndarray of shape (n_mixture_frames, n_bins)
        Sum of the references; there is one mixture, with as many frames as the rarest source has.
    references : ndarray of shape (n_sources, n_mixture_frames, n_bins)
        Frames of each source.

    Raises
    ------
    ValueError
        If a source does not occur in `y`, or one occurs that is not in `labels`.

    See Also
    --------
    make_wave_mixtures : The same for waveforms.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.scoring import make_frame_mixtures
    >>> [(mixture, references)] = make_frame_mixtures(np.ones((3, 4)), ["a", "b", "a"])
    >>> mixture.shape, references.shape
    ((1, 4), (2, 1, 4))
    """
    frames = check_array(X, dtype=[np.float64, np.float32])
    by_source = _rows_by_source(y, labels, unit="frames")
    n_frames = min(map(len, by_source.values()))
    references = np.stack([frames[rows[:n_frames]] for rows in by_source.values()])
    if snr:
        references[1:] *= 10.0 ** (-snr / 20)
    yield references.sum(0), references


def _rows_by_source(y: ArrayLike, labels: ArrayLike | None, *, unit: str) -> dict[Any, NDArray[np.intp]]:
    if y is None:
        raise ValueError("A score requires y, the source of each recording, but y is None.")
    check_no_missing(y)
    names = column_or_1d(y)
    known = np.unique(names) if labels is None else np.asarray(labels)
    check_same_labels(np.unique(names).tolist(), known.tolist(), unit=unit)
    return {label: np.flatnonzero(names == label) for label in known.tolist()}

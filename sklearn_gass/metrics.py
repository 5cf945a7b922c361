"""How well sources were separated, in decibels; higher is better.

Conventions
-----------

Signals are arrays whose last axis is time. References and estimates have the same shape, and estimate ``k`` belongs to
reference ``k``. A supervised separator knows which source is which, so no permutation is tried. Computations are done
in double precision. A silent reference is an error, because no ratio is defined for it. Means are not removed.

Metrics
-------

* :func:`si_sdr`: scale-invariant signal-to-distortion ratio [2]_. The reference may be scaled. All else counts as
  distortion.
* :func:`bss_eval`: signal-to-distortion, -interference and -artifacts ratios of BSS eval version 3 [1]_. The reference
  may be filtered by 512 taps, so a change of timbre does not count. Interference is what a filtered sum of all
  references explains beyond that. Artifacts are the rest.
* :func:`si_sdr_improvement`, :func:`bss_eval_improvement`: the same minus the score of the unseparated mixture.
* :func:`ideal_ratio_mask_bound`: what masks made from the true sources reach.

References
----------
.. [1] E. Vincent, R. Gribonval, C. Févotte, "Performance measurement in blind audio source separation", IEEE
   Transactions on Audio, Speech, and Language Processing 14(4), 2006.
.. [2] J. Le Roux, S. Wisdom, H. Erdogan, J. R. Hershey, "SDR - half-baked or well done?", ICASSP 2019.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_gass._signals import as_estimates, check_pair, first_silent, unit_peak
from sklearn_gass.masks import apply_masks, ideal_ratio_masks
from sklearn_gass.stft import STFT

_N_TAPS = 512


class BSSEval(NamedTuple):
    """Scores of BSS eval.

    Attributes
    ----------
    sdr : ndarray of shape (n_sources,)
        Signal-to-distortion ratios in dB.
    sir : ndarray of shape (n_sources,)
        Signal-to-interference ratios in dB.
    sar : ndarray of shape (n_sources,)
        Signal-to-artifacts ratios in dB.
    """

    sdr: NDArray[np.float64]
    sir: NDArray[np.float64]
    sar: NDArray[np.float64]


class BSSEvalImprovement(NamedTuple):
    """Improvement of scores of BSS eval over the mixture.

    Attributes
    ----------
    sdr : ndarray of shape (n_sources,)
        Gain in signal-to-distortion ratio in dB.
    sir : ndarray of shape (n_sources,)
        Gain in signal-to-interference ratio in dB.
    """

    sdr: NDArray[np.float64]
    sir: NDArray[np.float64]


def si_sdr(references: ArrayLike, estimates: ArrayLike) -> NDArray[np.float64]:
    """Compute the scale-invariant signal-to-distortion ratio of Le Roux et al. (2019).

    Parameters
    ----------
    references : array-like of shape (..., n_samples)
        True sources.
    estimates : array-like of shape (..., n_samples)
        Separated sources.

    Returns
    -------
    ratio : ndarray of shape (...)
        Ratio in dB. It is infinity for an exact, scaled copy of the reference, and minus infinity for silence and for
        all else that is orthogonal to the reference.

    Raises
    ------
    ValueError
        If shapes differ, if samples are complex, missing or not finite, or if a reference is silent.

    See Also
    --------
    bss_eval : Ratios that tell interference from artifacts.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.metrics import si_sdr
    >>> reference = np.array([1.0, 1.0, 1.0, 1.0])
    >>> print(si_sdr(reference, [1.1, 0.9, 1.1, 0.9]).round(2), si_sdr(reference, [2.2, 1.8, 2.2, 1.8]).round(2))
    20.0 20.0
    """
    true, guess = map(unit_peak, check_pair(references, estimates))
    scale = (true * guess).sum(axis=-1, keepdims=True) / (true * true).sum(axis=-1, keepdims=True)
    target = scale * true
    level = _level(target)
    # a target of zero stays minus infinity whatever the distortion
    return level - np.where(np.isneginf(level), 0.0, _level(guess - target))


def si_sdr_improvement(references: ArrayLike, estimates: ArrayLike, mixture: ArrayLike) -> NDArray[np.float64]:
    """Compute by how much separation raised `si_sdr`.

    Parameters
    ----------
    references : array-like of shape (..., n_samples)
        True sources.
    estimates : array-like of shape (..., n_samples)
        Separated sources.
    mixture : array-like of shape (n_samples,)
        The mixture that was separated. You may also give one mixture for each reference, in a shape that broadcasts to
        the shape of the references.

    Returns
    -------
    improvement : ndarray of shape (...)
        Difference of the ratios of estimate and mixture in dB.

    Raises
    ------
    ValueError
        As for `si_sdr`, or if the mixture has another length.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.metrics import si_sdr_improvement
    >>> sources = np.array([[1.0, 1.0], [1.0, -1.0]])
    >>> si_sdr_improvement(sources, [[1.0, 0.8], [0.8, -1.0]], sources.sum(axis=0)).round(2)
    array([19.08, 19.08])
    """
    true, guess = check_pair(references, estimates)
    return si_sdr(true, guess) - si_sdr(true, as_estimates(mixture, true))


def bss_eval(references: ArrayLike, estimates: ArrayLike) -> BSSEval:
    """Compute signal-to-distortion, -interference and -artifacts ratios of Vincent et al. (2006).

    This is BSS eval version 3 with 512 filter taps. It tries no permutations.

    Parameters
    ----------
    references : array-like of shape (n_sources, n_samples)
        True sources, at least 512 samples for each source.
    estimates : array-like of shape (n_sources, n_samples)
        Separated sources in the same order.

    Returns
    -------
    scores : BSSEval
        Arrays `sdr`, `sir` and `sar` of shape (n_sources,), in dB.

    Raises
    ------
    ValueError
        If shapes differ or are not 2-D, if samples are complex, too few or not finite, or if a reference or an
        estimate is silent.

    See Also
    --------
    si_sdr : A stricter and much cheaper ratio.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.metrics import bss_eval
    >>> noise = np.random.default_rng(0).standard_normal((2, 4000))
    >>> scores = bss_eval(noise, noise + 0.1 * noise[::-1])
    >>> bool(np.all(np.abs(scores.sir - 20) < 1))
    True
    """
    true, guess = check_pair(references, estimates)
    if true.ndim != 2:
        raise ValueError(f"references must have shape (n_sources, n_samples), got {true.shape}.")
    n_sources, n_samples = true.shape
    # with fewer samples the filtered references span everything, and no artifact is possible
    if n_samples < n_sources * _N_TAPS:
        raise ValueError(
            f"BSS eval of {n_sources} source(s) needs {n_sources * _N_TAPS} samples or more, {_N_TAPS} a source, "
            f"but got {n_samples}."
        )
    if not guess.any(axis=-1).all():
        raise ValueError(f"BSS eval is not defined for a silent estimate (index {first_silent(guess)}).")
    with warnings.catch_warnings():
        # mir_eval announces the removal of this module in 0.9, below which the project pins it
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        from mir_eval.separation import bss_eval_sources

        sdr, sir, sar, _ = bss_eval_sources(unit_peak(true), unit_peak(guess), compute_permutation=False)
    return BSSEval(sdr, sir, sar)


def bss_eval_improvement(references: ArrayLike, estimates: ArrayLike, mixture: ArrayLike) -> BSSEvalImprovement:
    """Compute by how much separation raised the ratios of `bss_eval`.

    The signal-to-artifacts ratio has no such number, because a mixture has no artifacts.

    Parameters
    ----------
    references : array-like of shape (n_sources, n_samples)
        True sources.
    estimates : array-like of shape (n_sources, n_samples)
        Separated sources in the same order.
    mixture : array-like of shape (n_samples,)
        The mixture that was separated.

    Returns
    -------
    improvement : BSSEvalImprovement
        Arrays `sdr` and `sir` of shape (n_sources,), in dB.

    Raises
    ------
    ValueError
        As for `bss_eval`, or if the mixture has another length.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.metrics import bss_eval_improvement
    >>> noise = np.random.default_rng(0).standard_normal((2, 4000))
    >>> bss_eval_improvement(noise, noise + 0.1 * noise[::-1], noise.sum(axis=0)).sir.round()
    array([20., 20.])
    """
    true, guess = check_pair(references, estimates)
    separated, unseparated = bss_eval(true, guess), bss_eval(true, as_estimates(mixture, true))
    return BSSEvalImprovement(separated.sdr - unseparated.sdr, separated.sir - unseparated.sir)


def ideal_ratio_mask_bound(sources: ArrayLike, stft: STFT | None = None, exponent: float = 2.0) -> BSSEval:
    """Score the separation of the sum of sources by masks made from the sources themselves.

    No separation that masks magnitudes and keeps the mixture's phase gets much further than this.

    Parameters
    ----------
    sources : array-like of shape (n_sources, n_samples)
        True sources; their sum is the mixture.
    stft : STFT or None, default=None
        Transform in which to mask; None means ``STFT()``.
    exponent : float, default=2.0
        Power of the magnitudes in the masks, in (0, inf].

    Returns
    -------
    scores : BSSEval
        Arrays `sdr`, `sir` and `sar` of shape (n_sources,), in dB.

    Raises
    ------
    ValueError
        As for `bss_eval`, or if the exponent is not in (0, inf].

    See Also
    --------
    sklearn_gass.masks.ideal_ratio_masks : The masks.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.metrics import ideal_ratio_mask_bound
    >>> time = np.arange(8000) / 8000
    >>> chirps = np.array([np.sin(2000 * time**2), np.sin(9000 * time + 2000 * time**2)])
    >>> bool(ideal_ratio_mask_bound(chirps).sdr.min() > 15)
    True
    """
    true, _ = check_pair(sources, sources)
    if true.ndim != 2:
        raise ValueError(f"sources must have shape (n_sources, n_samples), got {true.shape}.")
    true = true / np.abs(true).max()  # spectra add up many samples, which may leave the range of floats
    transform = STFT() if stft is None else stft
    masks = ideal_ratio_masks(np.stack([transform.analyze(source)[0] for source in true]), exponent)
    magnitudes, phase = transform.analyze(true.sum(axis=0))
    return bss_eval(true, transform.synthesize(apply_masks(magnitudes, masks), phase, true.shape[-1]))


def _level(signals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return energies in dB; those of faint signals do not underflow, and silence has minus infinity."""
    peaks, energies = np.abs(signals).max(axis=-1), np.square(unit_peak(signals)).sum(axis=-1)
    with np.errstate(divide="ignore"):
        level: NDArray[np.float64] = 20 * np.log10(peaks) + 10 * np.log10(energies)
    return level

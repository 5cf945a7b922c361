"""Ratio masks: how much of every bin of a mixture belongs to each source.

A mask has values from zero to one, and the masks of all sources sum to one in every bin, so masked mixtures sum to the
mixture.
"""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray


def ratio_masks(estimates: ArrayLike, exponent: float = 2.0) -> NDArray[np.floating]:
    """Share every bin among the sources in proportion to a power of their estimated magnitudes.

    ``a_k**p / sum_j(a_j**p)``. Bins in which all estimates are zero are shared equally.

    Parameters
    ----------
    estimates : array-like of shape (n_sources, ...)
        Non-negative magnitudes of each source, commonly of shape (n_sources, n_frames, n_bins).
    exponent : float, default=2.0
        Power ``p`` in (0, inf]. 1 shares by magnitude, 2 by power (Wiener filter). Infinity gives each bin to its
        loudest source; sources that are equally loud share it. Try 2 first.

    Returns
    -------
    masks : ndarray of shape (n_sources, ...)
        Values in [0, 1]. Over the sources they sum to one, to the precision of the dtype. The dtype is that of the
        estimates if these are floats, else float64. Another order of the sources gives exactly the same masks in that
        order.

    Raises
    ------
    ValueError
        If estimates are negative, complex, not finite or empty, or if the exponent is not in (0, inf].

    See Also
    --------
    apply_masks : Multiply a mixture by masks.

    References
    ----------
    .. [1] A. Liutkus, R. Badeau, "Generalized Wiener filtering with fractional power spectrograms", ICASSP 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.masks import ratio_masks
    >>> ratio_masks(np.array([[1.0, 0.0, 3.0], [3.0, 0.0, 0.0]]), exponent=1)
    array([[0.25, 0.5 , 1.  ],
           [0.75, 0.5 , 0.  ]])
    """
    if isinstance(exponent, bool) or not isinstance(exponent, Real) or not exponent > 0:
        raise ValueError(f"exponent must be a number in (0, inf], got {exponent!r}.")
    magnitudes = _check_estimates(estimates)
    peak = magnitudes.max(axis=0)
    if np.isinf(exponent):
        weights = (magnitudes == peak).astype(magnitudes.dtype)
    else:
        # relative to the loudest source no power overflows, and at least one does not underflow
        weights = np.divide(magnitudes, peak, out=np.ones_like(magnitudes), where=peak > 0)
        weights **= float(exponent)
    return weights / sum_in_any_order(weights)


def ideal_ratio_masks(sources: ArrayLike, exponent: float = 2.0) -> NDArray[np.floating]:
    """Compute the masks that the true sources give, a bound for what masking can reach.

    Parameters
    ----------
    sources : array-like of shape (n_sources, ...)
        Magnitudes or complex spectra of the true sources, commonly of shape (n_sources, n_frames, n_bins).
    exponent : float, default=2.0
        Power in (0, inf], as for `ratio_masks`.

    Returns
    -------
    masks : ndarray of shape (n_sources, ...)
        Values in [0, 1] that sum to one over the sources.

    Raises
    ------
    ValueError
        If real sources are negative, if sources are not finite or empty, or if the exponent is not in (0, inf].

    See Also
    --------
    sklearn_gass.metrics.ideal_ratio_mask_bound : Scores that these masks reach.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.masks import ideal_ratio_masks
    >>> ideal_ratio_masks(np.array([[3j], [1.0]]), exponent=1)
    array([[0.75],
           [0.25]])
    """
    spectra = np.asarray(sources)
    return ratio_masks(np.abs(spectra) if np.iscomplexobj(spectra) else spectra, exponent)


def apply_masks(mixture: ArrayLike, masks: ArrayLike) -> NDArray[np.inexact]:
    """Multiply a mixture by the mask of each source.

    Parameters
    ----------
    mixture : array-like of shape (...)
        Magnitudes or complex spectrum of the mixture, commonly of shape (n_frames, n_bins).
    masks : array-like of shape (n_sources, ...)
        One mask a source.

    Returns
    -------
    sources : ndarray of shape (n_sources, ...)
        Masked mixtures; they sum to the mixture if the masks sum to one.

    Raises
    ------
    ValueError
        If the masks do not have the mixture's shape behind the axis of sources.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.masks import apply_masks
    >>> apply_masks(np.array([4.0, 2.0]), np.array([[0.25, 0.5], [0.75, 0.5]]))
    array([[1., 1.],
           [3., 1.]])
    """
    whole, shares = np.asarray(mixture), np.asarray(masks)
    if shares.ndim == 0 or shares.shape[1:] != whole.shape:
        raise ValueError(f"masks must have shape (n_sources, *{whole.shape}) for this mixture, got {shares.shape}.")
    sources: NDArray[np.inexact] = shares * whole
    return sources


def _check_estimates(estimates: ArrayLike) -> NDArray[np.floating]:
    magnitudes = np.asarray(estimates)
    if np.iscomplexobj(magnitudes):
        raise ValueError("Complex data not supported: estimates must be magnitudes.")
    if magnitudes.ndim == 0 or magnitudes.shape[0] == 0:
        raise ValueError(f"estimates must have shape (n_sources, ...) with one source or more, got {magnitudes.shape}.")
    if magnitudes.dtype.kind != "f":
        magnitudes = magnitudes.astype(np.float64)
    if not np.isfinite(magnitudes).all():
        raise ValueError("estimates contain NaN or infinity.")
    if (magnitudes < 0).any():
        raise ValueError("Negative values in data: estimates must be magnitudes.")
    return magnitudes


def sum_in_any_order(weights: NDArray[np.floating]) -> NDArray[np.floating]:
    """Sum over sources so that rounding does not depend on their order, as it does otherwise from three on."""
    total: NDArray[np.floating] = (np.sort(weights, axis=0) if len(weights) > 2 else weights).sum(axis=0)
    return total

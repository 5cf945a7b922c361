"""Divergences between magnitude frames and their reconstruction, one number a frame.

Separation minimises these functions, so they are written for cheap gradients. ``constant=False`` leaves out terms that
do not depend on the reconstruction. Gradients and differences stay the same, and a logarithm is saved for every bin.

A small number, the precision of the dtype, is added inside logarithms and denominators. Where the reconstruction is
zero, it keeps values and gradients finite. It also keeps gradients from vanishing, as they would with clipping. Scale
frames to values around one, because magnitudes near or below 1e-7 in single precision (2e-16 in double) count as zero.
"""

from __future__ import annotations

from typing import Protocol

import torch


class Divergence(Protocol):
    """Function of frames and reconstruction that returns one value a frame."""

    def __call__(
        self,
        frames: torch.Tensor,
        reconstruction: torch.Tensor,
        *,
        constant: bool = True,
        weights: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the divergence of each frame."""


def kl_divergence(
    frames: torch.Tensor,
    reconstruction: torch.Tensor,
    *,
    constant: bool = True,
    weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Compute the generalised Kullback-Leibler divergence, the loss of Poisson outputs.

    ``sum(x * log(x / r) - x + r)`` over the bins of each frame, with ``0 * log(0) = 0``.

    Parameters
    ----------
    frames : torch.Tensor of shape (..., n_bins)
        Observed non-negative magnitudes ``x``.
    reconstruction : torch.Tensor of shape (..., n_bins)
        Non-negative magnitudes ``r`` that should explain them.
    constant : bool, default=True
        Whether to include ``sum(x * log(x) - x)``, which does not depend on the reconstruction.
    weights : torch.Tensor of shape (..., n_bins) or None, default=None
        Non-negative weights of the bins; ``None`` means ones.

    Returns
    -------
    divergence : torch.Tensor of shape (...)
        One value a frame.

    Raises
    ------
    ValueError
        If the shapes differ.

    References
    ----------
    .. [1] D. D. Lee, H. S. Seung, "Algorithms for non-negative matrix factorization", NIPS 2000.

    Examples
    --------
    >>> import torch
    >>> from sklearn_gass.divergences import kl_divergence
    >>> frames = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    >>> kl_divergence(frames, torch.tensor([[1.0, 1.0], [2.0, 3.0]]))
    tensor([1., 0.])
    """
    _check_shapes(frames, reconstruction)
    eps = torch.finfo(reconstruction.dtype).eps
    log_reconstruction = torch.log(reconstruction + eps)
    if not constant:
        return _sum(reconstruction - frames * log_reconstruction, weights)
    return _sum(frames * (torch.log(frames + eps) - log_reconstruction) - frames + reconstruction, weights)


def euclidean_distance(
    frames: torch.Tensor,
    reconstruction: torch.Tensor,
    *,
    constant: bool = True,
    weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Compute half the squared Euclidean distance, the loss of Gaussian outputs.

    ``sum((x - r)**2) / 2`` over the bins of each frame.

    Parameters
    ----------
    frames : torch.Tensor of shape (..., n_bins)
        Observed magnitudes ``x``.
    reconstruction : torch.Tensor of shape (..., n_bins)
        Magnitudes ``r`` that should explain them.
    constant : bool, default=True
        Accepted for symmetry, and of no effect: there is no term to leave out.
    weights : torch.Tensor of shape (..., n_bins) or None, default=None
        Non-negative weights of the bins; ``None`` means ones.

    Returns
    -------
    distance : torch.Tensor of shape (...)
        One value a frame.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> import torch
    >>> from sklearn_gass.divergences import euclidean_distance
    >>> euclidean_distance(torch.tensor([[0.0, 1.0]]), torch.tensor([[2.0, 1.0]]))
    tensor([2.])
    """
    _check_shapes(frames, reconstruction)
    return 0.5 * _sum((frames - reconstruction).square(), weights)


def itakura_saito_divergence(
    frames: torch.Tensor,
    reconstruction: torch.Tensor,
    *,
    constant: bool = True,
    weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Compute the Itakura-Saito divergence, the loss of gamma and exponential outputs.

    ``sum(x / r - log(x / r) - 1)`` over the bins of each frame. It depends on the ratio only. At ``x = 0`` the
    definition is infinite. Here it is large but finite, and zero if both are zero.

    Parameters
    ----------
    frames : torch.Tensor of shape (..., n_bins)
        Observed non-negative magnitudes or powers ``x``.
    reconstruction : torch.Tensor of shape (..., n_bins)
        Non-negative values ``r`` that should explain them.
    constant : bool, default=True
        Whether to include ``-sum(log(x) + 1)``, which does not depend on the reconstruction.
    weights : torch.Tensor of shape (..., n_bins) or None, default=None
        Non-negative weights of the bins; ``None`` means ones.

    Returns
    -------
    divergence : torch.Tensor of shape (...)
        One value a frame.

    Raises
    ------
    ValueError
        If the shapes differ.

    References
    ----------
    .. [1] C. Févotte, N. Bertin, J.-L. Durrieu, "Nonnegative matrix factorization with the Itakura-Saito divergence:
       with application to music analysis", Neural Computation 21(3), 2009.

    Examples
    --------
    >>> import torch
    >>> from sklearn_gass.divergences import itakura_saito_divergence
    >>> itakura_saito_divergence(torch.tensor([[1.0, 3.0]]), torch.tensor([[1.0, 3.0]]))
    tensor([0.])
    """
    _check_shapes(frames, reconstruction)
    eps = torch.finfo(reconstruction.dtype).eps
    observed, explained = frames + eps, reconstruction + eps
    terms = observed / explained + torch.log(explained)
    if constant:
        terms = terms - torch.log(observed) - 1
    return _sum(terms, weights)


def _sum(terms: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Return the weighted sum over the bins."""
    return terms.sum(dim=-1) if weights is None else (terms * weights).sum(dim=-1)


def _check_shapes(frames: torch.Tensor, reconstruction: torch.Tensor) -> None:
    # broadcasting would silently compare frames with each other's reconstruction
    if frames.shape != reconstruction.shape:
        raise ValueError(
            "frames and reconstruction must have one shape, "
            f"got {tuple(frames.shape)} and {tuple(reconstruction.shape)}."
        )


DIVERGENCES: dict[str, Divergence] = {
    "kullback-leibler": kl_divergence,
    "frobenius": euclidean_distance,
    "itakura-saito": itakura_saito_divergence,
}
"""Divergences by the name that scikit-learn's ``beta_loss`` gives them."""

BETAS = {"kullback-leibler": 1, "frobenius": 2, "itakura-saito": 0}
"""Degree of each divergence: ``a`` times louder frames and reconstruction make it ``a**degree`` times as large."""

"""Multiplicative updates for non-negative linear models, one row of activations at a time.

A row of activations ``h`` explains a frame ``x`` as ``h @ components``. The updates minimise the divergence of
that reconstruction, plus the energy of a gamma prior on the activations when there is one, and never raise it.

References
----------
C. Fevotte, J. Idier, "Algorithms for nonnegative matrix factorization with the beta-divergence", Neural
Computation 23(9), 2011.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sklearn_gass.engine._lbfgs import row_blocks


@dataclass(frozen=True)
class GammaPrior:
    """Independent gamma priors on activations, ``shape`` and ``rate`` of shape (n_components,)."""

    shape: Tensor
    rate: Tensor

    def energy(self, activations: Tensor) -> Tensor:
        """Return the negative log density of each row up to a constant, shape (n_frames,)."""
        floor = torch.finfo(activations.dtype).eps
        return activations @ self.rate - activations.clamp_min(floor).log() @ (self.shape - 1)


def update_activations(
    frames: Tensor,
    activations: Tensor,
    components: Tensor,
    beta_loss: str,
    prior: GammaPrior | None = None,
    addend: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """Return the next activations, shape (n_frames, n_components).

    An addend of shape (n_frames, n_bins) is a part of the frames that is explained already and stays as it is. Weights
    of that shape weigh the divergence of each bin.

    For the Frobenius loss, an update without weights is several sweeps, since all but the first cost next to nothing
    (N. Gillis, F. Glineur, "Accelerated Multiplicative Updates and Hierarchical ALS Algorithms for Nonnegative Matrix
    Factorization", Neural Computation 24(4), 2012).
    """
    if beta_loss == "frobenius" and weights is not None:
        product = activations @ components if addend is None else activations @ components + addend
        target, explained = (frames * weights) @ components.T, (product * weights) @ components.T
        return activations * _frobenius_factor(activations, target, explained, prior)
    if beta_loss == "frobenius":
        target, gram = frames @ components.T, components @ components.T
        fixed = 0.0 if addend is None else addend @ components.T
        for _ in range(_SWEEPS):
            activations = activations * _frobenius_factor(activations, target, activations @ gram + fixed, prior)
        return activations
    numerator, denominator = _slope_parts(frames, activations, components, beta_loss, addend, weights)
    if prior is not None:
        inverse = 1.0 / activations.clamp_min(torch.finfo(frames.dtype).tiny ** 0.25)
        numerator = numerator + (prior.shape - 1).clamp_min(0) * inverse
        denominator = denominator + prior.rate + (1 - prior.shape).clamp_min(0) * inverse
    ratio = numerator / denominator.clamp_min(torch.finfo(frames.dtype).tiny ** 0.5)
    return activations * (ratio.sqrt() if beta_loss == "itakura-saito" else ratio)


def _frobenius_factor(activations: Tensor, target: Tensor, explained: Tensor, prior: GammaPrior | None) -> Tensor:
    """Return what activations are multiplied by under Gaussian outputs."""
    tiny = torch.finfo(target.dtype).tiny
    if prior is None:
        return target / explained.clamp_min(tiny**0.5)
    inverse = 1.0 / activations.clamp_min(tiny**0.25)
    penalised = explained + prior.rate + (1 - prior.shape).clamp_min(0) * inverse
    root = _positive_root(explained, target - prior.rate, (prior.shape - 1).clamp_min(0) * inverse)
    return torch.where(prior.shape > 1, root, target / penalised.clamp_min(tiny**0.5))


def update_components(
    frames: Tensor,
    activations: Tensor,
    components: Tensor,
    beta_loss: str,
    addend: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """Return the next components, shape (n_components, n_bins)."""
    fixed, weighted = (None if part is None else part.T for part in (addend, weights))
    return update_activations(frames.T, components.T, activations.T, beta_loss, addend=fixed, weights=weighted).T


def _positive_root(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Solve ``a r**2 = b r + c``, where the quadratic bound of a Gaussian output with a gamma prior is lowest.

    The ratio that the other outputs have would overshoot here and may raise the objective.
    """
    tiny = torch.finfo(a.dtype).tiny ** 0.5
    root = (b.square() + 4 * a * c).sqrt()
    return torch.where(b > 0, (b + root) / (2 * a).clamp_min(tiny), 2 * c / (root - b).clamp_min(tiny))


def _slope_parts(
    frames: Tensor,
    activations: Tensor,
    components: Tensor,
    beta_loss: str,
    addend: Tensor | None,
    weights: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Return the negative and positive parts of the divergence's slope in the activations."""
    # in the frames' memory layout, which is the other one when components are updated
    product = activations @ components if frames.is_contiguous() else (components.T @ activations.T).T
    if addend is not None:
        product += addend
    reconstruction = product.clamp_min_(torch.finfo(frames.dtype).tiny ** 0.25)
    if beta_loss == "kullback-leibler":
        quotients = torch.div(frames, reconstruction, out=reconstruction)
        if weights is None:
            return quotients @ components.T, components.sum(1)
        return quotients.mul_(weights) @ components.T, weights @ components.T
    inverse = reconstruction.reciprocal_()
    weighted = inverse if weights is None else inverse * weights
    positive = weighted @ components.T
    return inverse.mul_(weighted).mul_(frames) @ components.T, positive


def solve_activations(
    frames: Tensor,
    components: Tensor,
    beta_loss: str,
    *,
    prior: GammaPrior | None = None,
    max_iter: int = 100,
    tol: float = 1e-4,
) -> tuple[Tensor, int]:
    """Find the activations of each row for fixed components.

    Every row starts from equal activations with the row's own level and stops on its own, once an update changes its
    activations by less than `tol` relative to their norm; a silent row has zero activations.

    Returns
    -------
    activations : Tensor of shape (n_frames, n_components)
    n_iter : int
        Updates of the row that took most.
    """
    level = frames.sum(1, keepdim=True) / components.sum().clamp_min(torch.finfo(frames.dtype).tiny ** 0.5)
    activations = level.expand(-1, len(components)).clone()
    active = _in_blocks(level[:, 0] > 0)
    current, rows = activations[active], frames[active]
    n_iter = 0
    while n_iter < max_iter and len(active):
        n_iter += 1
        updated = update_activations(rows, current, components, beta_loss, prior)
        moving = (updated - current).norm(dim=1) > tol * updated.norm(dim=1)
        current = updated
        if n_iter % _CHECK_EVERY == 0 and not moving.all():
            activations[active[~moving]] = current[~moving]
            still = _in_blocks(moving)
            active, current, rows = active[still], current[still], rows[still]
    activations[active] = current
    return activations, max(n_iter, 1)


def _in_blocks(chosen: Tensor) -> Tensor:
    """Return the numbers of the chosen rows, the last one repeated to fill whole blocks, which round each row alike."""
    rows = torch.nonzero(chosen)[:, 0]
    return rows[row_blocks(len(rows), rows.device)] if len(rows) else rows


_CHECK_EVERY = 10
_SWEEPS = 4

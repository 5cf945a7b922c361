"""The latent engine: explain mixture frames by latents of frozen decoders.

For each frame ``x`` of a mixture it minimises over the latents ``h_k`` of all sources::

    d(x || sum_k f_k(h_k)) + sum_k energy_k(h_k) - critic_weight * sum_k critic_k(f_k(h_k))

It knows tensors and decoders, never estimators. Everything is done per row, so chunks, subsets and orders of rows
give the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sklearn_gass._decoder import Decoder, LinearPart
from sklearn_gass._multiplicative import GammaPrior, solve_activations
from sklearn_gass.divergences import DIVERGENCES


@dataclass(frozen=True)
class Inference:
    """What the engine found.

    Attributes
    ----------
    latents : list of Tensor of shape (n_frames, n_components)
        Latents of each source.
    estimates : Tensor of shape (n_sources, n_frames, n_bins)
        Generated frames of each source, in the mixture's unit.
    objective : Tensor of shape (n_frames,)
        Objective of each row, with magnitudes in units of the decoders' mean scale.
    n_iter : int
        Steps of the row that took most.
    """

    latents: list[Tensor]
    estimates: Tensor
    objective: Tensor
    n_iter: int


def infer(
    frames: Tensor,
    decoders: Sequence[Decoder],
    *,
    beta_loss: str,
    critic_weight: float = 0.0,
    max_iter: int = 100,
    tol: float = 1e-4,
    batch_size: int = 1024,
) -> Inference:
    """Find the latents of all sources for each frame.

    Parameters
    ----------
    frames : Tensor of shape (n_frames, n_bins)
        Non-negative frames of a mixture, on the device and in the floating type of the decoders.
    decoders : sequence of Decoder
        One per source.
    beta_loss : str
        Name of the divergence, a key of ``divergences.DIVERGENCES``.
    critic_weight : float, default=0.0
        Weight of the critics' scores; decoders without a critic do not take part.
    max_iter : int, default=100
        Steps at most.
    tol : float, default=1e-4
        A row stops when a step changes it by less than this, relatively.
    batch_size : int, default=1024
        Rows worked on at a time; bounds memory and does not change results.

    Returns
    -------
    Inference
        Latents, estimates and objective of each row.
    """
    unit = sum(decoder.scale for decoder in decoders) / len(decoders)
    problem = _Problem(decoders, [decoder.scale / unit for decoder in decoders], beta_loss, critic_weight)
    solve = _solve_linear if problem.is_linear else _search
    chunks = [solve(chunk, problem, max_iter, tol) for chunk in (frames / unit).split(batch_size)]
    with torch.no_grad():
        results = []
        for (latents, n_iter), chunk in zip(chunks, (frames / unit).split(batch_size), strict=True):
            estimates = problem.estimates(latents)
            results.append((latents, estimates, problem.objective(chunk, latents, estimates), n_iter))
    return Inference(
        latents=[torch.cat(parts) for parts in zip(*(result[0] for result in results), strict=True)],
        estimates=torch.cat([result[1] for result in results], dim=1) * unit,
        objective=torch.cat([result[2] for result in results]),
        n_iter=max(result[3] for result in results),
    )


@dataclass(frozen=True)
class _Problem:
    """The objective, with magnitudes in units of the decoders' mean scale."""

    decoders: Sequence[Decoder]
    gains: list[float]
    beta_loss: str
    critic_weight: float

    @property
    def is_linear(self) -> bool:
        return all(decoder.linear is not None for decoder in self.decoders)

    def estimates(self, latents: Sequence[Tensor]) -> Tensor:
        return torch.stack([d.generate(h) * g for d, h, g in zip(self.decoders, latents, self.gains, strict=True)])

    def objective(self, frames: Tensor, latents: Sequence[Tensor], estimates: Tensor) -> Tensor:
        value = DIVERGENCES[self.beta_loss](frames, estimates.sum(0))
        for decoder, h, estimate, gain in zip(self.decoders, latents, estimates, self.gains, strict=True):
            value = value + decoder.energy(h)
            if self.critic_weight and decoder.critic is not None:
                value = value - self.critic_weight * decoder.critic(estimate / gain)
        return value


def _solve_linear(frames: Tensor, problem: _Problem, max_iter: int, tol: float) -> tuple[list[Tensor], int]:
    parts = [decoder.linear for decoder in problem.decoders if decoder.linear is not None]
    components = torch.cat([part.components * gain for part, gain in zip(parts, problem.gains, strict=True)])
    activations, n_iter = solve_activations(
        frames, components, problem.beta_loss, prior=_joint_prior(parts), max_iter=max_iter, tol=tol
    )
    return list(activations.split([len(part.components) for part in parts], dim=1)), n_iter


def _joint_prior(parts: Sequence[LinearPart]) -> GammaPrior | None:
    """Put the sources' priors side by side; a source without one gets the flat gamma prior (shape 1, rate 0)."""
    if all(part.prior is None for part in parts):
        return None
    priors = [
        part.prior or GammaPrior(torch.ones_like(part.components[:, 0]), torch.zeros_like(part.components[:, 0]))
        for part in parts
    ]
    return GammaPrior(torch.cat([p.shape for p in priors]), torch.cat([p.rate for p in priors]))


def _search(frames: Tensor, problem: _Problem, max_iter: int, tol: float) -> tuple[list[Tensor], int]:
    """Adam on the latents; those of linear decoders are searched in the logarithm."""
    raise RuntimeError("gradient search: not there yet")

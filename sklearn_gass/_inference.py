"""The latent engine: explain mixture frames by latents of frozen decoders.

For each frame ``x`` of a mixture it minimises over the latents ``h_k`` of all sources::

    d(x || sum_k f_k(h_k)) + sum_k energy_k(h_k) - critic_weight * sum_k critic_k(f_k(h_k))

by limited-memory BFGS from the decoders' own start; decoders that are all linear are solved by multiplicative updates.
It knows tensors and decoders, never estimators. Everything is done per row, so chunks, subsets and orders of rows
give the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sklearn_gass._decoder import Decoder, LinearPart
from sklearn_gass._lbfgs import minimise_rows
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
    tol: float = 1e-3,
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
    tol : float, default=1e-3
        A row stops when steps improve it by less than this, relatively.
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
    latents, estimates, objectives, n_iter = [], [], [], 0
    with torch.no_grad():
        for chunk in (frames / unit).split(batch_size):
            found, steps = solve(chunk, problem, max_iter, tol)
            generated = problem.generate(found)
            latents.append(found)
            estimates.append(torch.stack(generated) * unit)
            objectives.append(problem.objective(chunk, found, generated))
            n_iter = max(n_iter, steps)
    return Inference(
        latents=[torch.cat(parts) for parts in zip(*latents, strict=True)],
        estimates=torch.cat(estimates, dim=1),
        objective=torch.cat(objectives),
        n_iter=n_iter,
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

    def generate(self, latents: Sequence[Tensor]) -> list[Tensor]:
        return [d.generate(h) * gain for d, h, gain in zip(self.decoders, latents, self.gains, strict=True)]

    def objective(
        self, frames: Tensor, latents: Sequence[Tensor], generated: Sequence[Tensor], *, constant: bool = True
    ) -> Tensor:
        value = DIVERGENCES[self.beta_loss](frames, torch.stack(list(generated)).sum(0), constant=constant)
        for decoder, h, frame, gain in zip(self.decoders, latents, generated, self.gains, strict=True):
            value = value + decoder.energy(h)
            if self.critic_weight and decoder.critic is not None:
                value = value - self.critic_weight * decoder.critic(frame / gain)
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
    """Search latents by their gradients; the non-negative ones of linear decoders in the logarithm."""
    share = frames / len(problem.decoders)
    starts = [
        _to_free(decoder, decoder.start(share / gain))
        for decoder, gain in zip(problem.decoders, problem.gains, strict=True)
    ]
    widths = [start.shape[1] for start in starts]
    constants = DIVERGENCES[problem.beta_loss](frames, frames)
    constants -= DIVERGENCES[problem.beta_loss](frames, frames, constant=False)

    def split(points: Tensor) -> list[Tensor]:
        return [_from_free(d, part) for d, part in zip(problem.decoders, points.split(widths, dim=1), strict=True)]

    def objective(points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            points = points.detach().requires_grad_()
            latents = split(points)
            values = problem.objective(frames[rows], latents, problem.generate(latents), constant=False)
            (gradients,) = torch.autograd.grad(values.sum(), points)
        return values.detach() + constants[rows], gradients

    points, n_iter = minimise_rows(objective, torch.cat(starts, dim=1), max_iter=max_iter, tol=tol)
    return split(points), n_iter


def _to_free(decoder: Decoder, latents: Tensor) -> Tensor:
    return latents if decoder.linear is None else latents.clamp_min(torch.finfo(latents.dtype).eps).log()


def _from_free(decoder: Decoder, points: Tensor) -> Tensor:
    return points if decoder.linear is None else points.exp()

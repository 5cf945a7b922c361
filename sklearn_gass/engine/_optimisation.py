"""How latents of one block of rows are found: by gradients, or by multiplicative updates of linear decoders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from sklearn_gass.divergences import DIVERGENCES
from sklearn_gass.engine._decoder import LinearPart
from sklearn_gass.engine._lbfgs import Objective
from sklearn_gass.engine._multiplicative import GammaPrior, solve_activations, update_activations
from sklearn_gass.engine._problem import Problem

_NOISE = 0.5  # standard deviation of disturbed starts


@dataclass(frozen=True)
class GradientOptimiser:
    """Optimises the free latents of all sources by gradients.

    Attributes
    ----------
    problem : Problem
        What is to be solved.
    minimise : callable
        From an objective and first points to the best points and the number of steps.
    n_init : int
        Runs, all but the first from disturbed starts.
    """

    problem: Problem
    minimise: Callable[..., tuple[Tensor, int]]
    n_init: int

    def from_start(self, frames: Tensor) -> tuple[Tensor, int]:
        """Optimise from the problem's start; from the second time on from a start with noise that all rows share."""
        start = self.problem.first_points(frames)
        objective = self._objective(frames, start, self.problem.start_weight)
        best, steps = self.minimise(objective, start)
        generator = torch.Generator().manual_seed(0)
        for _ in range(self.n_init - 1):
            noise = _NOISE * torch.randn(start.shape[1], generator=generator).to(start)
            found, more = self.minimise(objective, start + noise)
            rows = torch.arange(len(start), device=start.device)
            better = objective(found, rows)[0] < objective(best, rows)[0]
            best, steps = torch.where(better[:, None], found, best), max(steps, more)
        return best, steps

    def from_points(
        self, frames: Tensor, points: Tensor, neighbours: Tensor, *, neighbour_weight: float
    ) -> tuple[Tensor, int]:
        """Go on from points, drawn to the neighbours' mean as well as to the start."""
        start, weight = self.problem.first_points(frames), self.problem.start_weight
        anchor = (weight * start + neighbour_weight * neighbours) / (weight + neighbour_weight)
        return self.minimise(self._objective(frames, anchor, weight + neighbour_weight), points)

    def beside(
        self,
        frames: Tensor,
        points: Tensor,
        neighbours: Tensor,
        addend: Tensor,
        weights: Tensor | None,
        *,
        neighbour_weight: float,
    ) -> tuple[Tensor, int]:
        """Go on from points beside a part of the frames that is explained already, drawn to the neighbours' mean.

        The divergence of each bin has a weight, if there are weights.
        """
        return self.minimise(self._objective(frames, neighbours, neighbour_weight, addend, weights), points)

    def _objective(
        self,
        frames: Tensor,
        anchor: Tensor,
        weight: float,
        addend: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> Objective:
        """Return values and gradients, with half the squared distance from the anchor times a weight."""
        problem, divergence = self.problem, partial(DIVERGENCES[self.problem.beta_loss], weights=weights)
        constants = divergence(frames, frames) - divergence(frames, frames, constant=False)

        def objective(points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
            with torch.enable_grad():
                points = points.detach().requires_grad_()
                latents = problem.split(points)
                beside = [None if part is None else part[rows] for part in (addend, weights)]
                values = problem.objective(frames[rows], latents, problem.generate(latents), *beside, constant=False)
                if weight:
                    values = values + 0.5 * weight * (points - anchor[rows]).square().sum(1)
                (gradients,) = torch.autograd.grad(values.sum(), points)
            return values.detach() + constants[rows], gradients

        return objective


def solve_linear(frames: Tensor, problem: Problem, max_iter: int, tol: float) -> tuple[list[Tensor], int]:
    """Return the activations of each linear source, and the number of multiplicative updates."""
    parts = [decoder.linear for decoder in problem.decoders if decoder.linear is not None]
    components = torch.cat([part.components * gain for part, gain in zip(parts, problem.gains, strict=True)])
    activations, n_iter = solve_activations(
        frames, components, problem.beta_loss, prior=_joint_prior(parts), max_iter=max_iter, tol=tol
    )
    return list(activations.split([len(part.components) for part in parts], dim=1)), n_iter


def update_linear(
    frames: Tensor, problem: Problem, latents: Sequence[Tensor], addend: Tensor, weights: Tensor | None, n_updates: int
) -> list[Tensor]:
    """Return the activations of each linear source after more updates, beside a part that is explained already.

    The divergence of each bin has a weight, if there are weights.
    """
    parts = [decoder.linear for decoder in problem.decoders if decoder.linear is not None]
    components = torch.cat([part.components * gain for part, gain in zip(parts, problem.gains, strict=True)])
    activations, prior = torch.cat(list(latents), dim=1), _joint_prior(parts)
    for _ in range(n_updates):
        activations = update_activations(frames, activations, components, problem.beta_loss, prior, addend, weights)
    return list(activations.split([len(part.components) for part in parts], dim=1))


def _joint_prior(parts: Sequence[LinearPart]) -> GammaPrior | None:
    """Put the sources' priors side by side; a source without one gets the flat gamma prior (shape 1, rate 0)."""
    if all(part.prior is None for part in parts):
        return None
    priors = [
        part.prior or GammaPrior(torch.ones_like(part.components[:, 0]), torch.zeros_like(part.components[:, 0]))
        for part in parts
    ]
    return GammaPrior(torch.cat([p.shape for p in priors]), torch.cat([p.rate for p in priors]))

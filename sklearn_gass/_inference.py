"""The latent engine: explain mixture frames by latents of frozen decoders.

For each frame ``x`` of a mixture it minimises over the latents ``h_k`` of all sources::

    d(x || sum_k f_k(h_k)) + sum_k energy_k(h_k) - critic_weight * sum_k critic_k(f_k(h_k))

by limited-memory BFGS; decoders that are all linear are solved by multiplicative updates. The search starts from the
decoders' own encoders, or from a mixture encoder (see ``_mixtures``), near which it may be told to stay. Scores of
critics that were trained on separation are multiplied by the level of the mixture frame to the power that divergences
grow with, so that they count as much in loud frames as in quiet ones. The engine knows tensors and decoders, never
estimators. Everything is done per row, so chunks, subsets and orders of rows give the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sklearn_gass._decoder import Decoder, LinearPart
from sklearn_gass._lbfgs import Objective, follow_rmsprop, minimise_rows, row_blocks
from sklearn_gass._multiplicative import GammaPrior, solve_activations
from sklearn_gass.divergences import BETAS, DIVERGENCES


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
        Objective of each row without the distance from the start, magnitudes in units of the decoders' mean scale.
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
    critics: Sequence[Callable[[Tensor], Tensor]] | None = None,
    start: Callable[[Tensor], Tensor] | None = None,
    start_weight: float = 0.0,
    solver: str = "lbfgs",
    max_iter: int = 100,
    tol: float = 1e-3,
    n_init: int = 1,
    smoothness: float = 0.0,
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
        Weight of the critics' scores.
    critics : sequence of callable or None, default=None
        From frames of each source in units of the decoders' mean scale to a score of each row, which is multiplied by
        the mean magnitude of the mixture frame to the power that its divergence grows with; ``None`` asks the
        decoders' own critics, as they are, and decoders without one do not take part.
    start : callable or None, default=None
        From mixture frames in units of the decoders' mean scale to the free latents of all sources side by side;
        ``None`` starts each source from its own encoder's view of an equal share of the mixture.
    start_weight : float, default=0.0
        Weight of half the squared distance of the free latents from their start.
    solver : {"lbfgs", "rmsprop"}, default="lbfgs"
        Limited-memory BFGS, or `max_iter` steps of RMSprop at a rate of 0.001.
    max_iter : int, default=100
        Steps at most.
    tol : float, default=1e-3
        A row stops when steps improve it by less than this, relatively.
    n_init : int, default=1
        Searches, all but the first from disturbed starts; each row keeps the best by the objective with the distance
        from the start.
    smoothness : float, default=0.0
        Weight of half the squared distance of free latents from those of the frames before and after. If not 0,
        frames are no longer independent: they must follow each other in time.
    batch_size : int, default=1024
        Rows worked on at a time; bounds memory and does not change results.

    Returns
    -------
    Inference
        Latents, estimates and objective of each row.
    """
    problem = Problem(decoders, beta_loss, critic_weight, critics, start, start_weight)
    with torch.no_grad():
        chunks = (frames / problem.unit).split(batch_size)
        blocks = [chunk[row_blocks(len(chunk), chunk.device)] for chunk in chunks]
        if problem.is_linear:
            solve = partial(_solve_linear, problem=problem, max_iter=max_iter, tol=tol)
            found, steps = _each(solve, blocks)
        else:
            minimise = partial(minimise_rows, tol=tol) if solver == "lbfgs" else follow_rmsprop
            search = _Search(problem, partial(minimise, max_iter=max_iter), n_init)
            points, steps = _each(search.from_start, blocks)
            for _ in range(_SMOOTHING_SWEEPS if smoothness else 0):
                between = _means_of_neighbours(torch.cat([p[: len(c)] for p, c in zip(points, chunks, strict=True)]))
                between_blocks = [part[row_blocks(len(part), part.device)] for part in between.split(batch_size)]
                draw = partial(search.from_points, neighbour_weight=2 * smoothness)
                points, steps = _each(draw, blocks, points, between_blocks)
            found = [problem.split(p) for p in points]
        estimates, objectives = [], []
        for block, latents, chunk in zip(blocks, found, chunks, strict=True):
            generated = problem.generate(latents)
            estimates.append(torch.stack(generated)[:, : len(chunk)] * problem.unit)
            objectives.append(problem.objective(block, latents, generated)[: len(chunk)])
    return Inference(
        latents=[
            torch.cat([h[: len(chunk)] for h, chunk in zip(parts, chunks, strict=True)])
            for parts in zip(*found, strict=True)
        ],
        estimates=torch.cat(estimates, dim=1),
        objective=torch.cat(objectives),
        n_iter=steps,
    )


def _each(solve: Callable[..., tuple[Any, int]], *blocks: Iterable[Any]) -> tuple[list[Any], int]:
    """Solve block by block; return the solutions and the largest number of steps."""
    solutions, steps = zip(*map(solve, *blocks), strict=True)
    return list(solutions), max(steps)


@dataclass(frozen=True)
class Problem:
    """Decoders and the objective they share, with magnitudes in units of the decoders' mean scale."""

    decoders: Sequence[Decoder]
    beta_loss: str
    critic_weight: float = 0.0
    critics: Sequence[Callable[[Tensor], Tensor]] | None = None
    start: Callable[[Tensor], Tensor] | None = None
    start_weight: float = 0.0

    @property
    def is_linear(self) -> bool:
        """Whether multiplicative updates can solve it."""
        return all(decoder.linear is not None for decoder in self.decoders)

    @property
    def unit(self) -> float:
        """The decoders' mean scale."""
        return sum(decoder.scale for decoder in self.decoders) / len(self.decoders)

    @property
    def gains(self) -> list[float]:
        """What each decoder's frames are multiplied by to be in that unit."""
        return [decoder.scale / self.unit for decoder in self.decoders]

    def generate(self, latents: Sequence[Tensor]) -> list[Tensor]:
        """Return the frames of each source."""
        return [d.generate(h) * gain for d, h, gain in zip(self.decoders, latents, self.gains, strict=True)]

    def first_points(self, frames: Tensor) -> Tensor:
        """Return the free latents of all sources, side by side, from which the search starts."""
        if self.start is not None:
            return self.start(frames)
        share = frames / len(self.decoders)
        latents = [decoder.start(share / gain) for decoder, gain in zip(self.decoders, self.gains, strict=True)]
        return torch.cat([_to_free(d, h) for d, h in zip(self.decoders, latents, strict=True)], dim=1)

    def split(self, points: Tensor) -> list[Tensor]:
        """Return the latents of each source for free latents side by side."""
        parts = points.split([decoder.n_components for decoder in self.decoders], dim=1)
        return [_from_free(decoder, part) for decoder, part in zip(self.decoders, parts, strict=True)]

    def objective(
        self, frames: Tensor, latents: Sequence[Tensor], generated: Sequence[Tensor], *, constant: bool = True
    ) -> Tensor:
        """Return the objective of each row, without the distance from the start."""
        value = DIVERGENCES[self.beta_loss](frames, torch.stack(list(generated)).sum(0), constant=constant)
        for decoder, h in zip(self.decoders, latents, strict=True):
            value = value + decoder.energy(h)
        if self.critic_weight:
            for scores in self._scores(frames, generated):
                value = value - self.critic_weight * scores
        return value

    def _scores(self, frames: Tensor, generated: Sequence[Tensor]) -> list[Tensor]:
        """Return the critics' scores of each row, those of critics of separation in proportion to the divergence."""
        if self.critics is not None:
            level = frames.mean(1) ** BETAS[self.beta_loss]
            return [level * critic(frame) for critic, frame in zip(self.critics, generated, strict=True)]
        own = zip(self.decoders, generated, self.gains, strict=True)
        return [decoder.critic(frame / gain) for decoder, frame, gain in own if decoder.critic is not None]


def _solve_linear(frames: Tensor, problem: Problem, max_iter: int, tol: float) -> tuple[list[Tensor], int]:
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


@dataclass(frozen=True)
class _Search:
    """Search by gradients for the free latents of all sources side by side, one block of rows at a time."""

    problem: Problem
    minimise: Callable[..., tuple[Tensor, int]]
    n_init: int

    def from_start(self, frames: Tensor) -> tuple[Tensor, int]:
        """Search from the problem's start; from the second time on from a start with noise that all rows share."""
        start = self.problem.first_points(frames)
        objective = self._objective(frames, start, self.problem.start_weight)
        best, steps = self.minimise(objective, start)
        generator = torch.Generator().manual_seed(0)
        for _ in range(self.n_init - 1):
            noise = 0.5 * torch.randn(start.shape[1], generator=generator).to(start)
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

    def _objective(self, frames: Tensor, anchor: Tensor, weight: float) -> Objective:
        """Return values and gradients, with half the squared distance from the anchor times a weight."""
        problem, divergence = self.problem, DIVERGENCES[self.problem.beta_loss]
        constants = divergence(frames, frames) - divergence(frames, frames, constant=False)

        def objective(points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
            with torch.enable_grad():
                points = points.detach().requires_grad_()
                latents = problem.split(points)
                values = problem.objective(frames[rows], latents, problem.generate(latents), constant=False)
                if weight:
                    values = values + 0.5 * weight * (points - anchor[rows]).square().sum(1)
                (gradients,) = torch.autograd.grad(values.sum(), points)
            return values.detach() + constants[rows], gradients

        return objective


def _means_of_neighbours(points: Tensor) -> Tensor:
    """Return the mean of the rows before and after each row; the ends are their own neighbours."""
    padded = torch.cat([points[:1], points, points[-1:]])
    return 0.5 * (padded[:-2] + padded[2:])


def _to_free(decoder: Decoder, latents: Tensor) -> Tensor:
    return latents if decoder.linear is None else latents.clamp_min(torch.finfo(latents.dtype).eps).log()


def _from_free(decoder: Decoder, points: Tensor) -> Tensor:
    return points if decoder.linear is None else points.exp()


_SMOOTHING_SWEEPS = 3

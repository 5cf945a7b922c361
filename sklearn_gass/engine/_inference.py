"""Explain mixture frames by latents of frozen decoders.

For each frame ``x`` of a mixture the engine minimises over the latents ``h_k`` of all sources::

    d(x || sum_k f_k(h_k)) + sum_k energy_k(h_k) - critic_weight * sum_k critic_k(f_k(h_k))

by limited-memory BFGS; decoders that are all linear are solved by multiplicative updates. The first latents come from
the problem's start, near which the optimisation may be told to stay. Everything is done per row, so chunks, subsets and
orders of rows give the same numbers. A row is a frame. If the decoders have a context, it is a frame between an earlier
and a later one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sklearn_gass.engine._context import with_context, without_context
from sklearn_gass.engine._lbfgs import follow_rmsprop, minimise_rows, row_blocks
from sklearn_gass.engine._optimisation import GradientOptimiser, solve_linear
from sklearn_gass.engine._problem import Problem

SMOOTHING_SWEEPS = 3
"""Rounds of smoothing, and so the number of frames before and after that a frame hears of."""


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
        Objective of each row (of three frames with a context) without the distance from the start, magnitudes in units
        of the decoders' mean scale.
    n_iter : int
        Steps of the row that took most.
    """

    latents: list[Tensor]
    estimates: Tensor
    objective: Tensor
    n_iter: int


def infer(
    frames: Tensor,
    problem: Problem,
    *,
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
        Non-negative frames of a mixture, on the device and in the floating type of the decoders. If the decoders have a
        context, frames must follow each other in time.
    problem : Problem
        Decoders, divergence, start and critics.
    solver : {"lbfgs", "rmsprop"}, default="lbfgs"
        Limited-memory BFGS, or `max_iter` steps of RMSprop at a rate of 0.001.
    max_iter : int, default=100
        Steps at most.
    tol : float, default=1e-3
        A row stops when steps improve it by less than this, relatively.
    n_init : int, default=1
        Runs, all but the first from disturbed starts; each row keeps the best by the objective with the distance
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
    with torch.no_grad():
        chunks = with_context(frames / problem.unit, problem.context).split(batch_size)
        blocks = [chunk[row_blocks(len(chunk), chunk.device)] for chunk in chunks]
        if problem.is_linear:
            found, steps = _each(partial(solve_linear, problem=problem, max_iter=max_iter, tol=tol), blocks)
        else:
            minimise = partial(minimise_rows, tol=tol) if solver == "lbfgs" else follow_rmsprop
            optimiser = GradientOptimiser(problem, partial(minimise, max_iter=max_iter), n_init)
            points, steps = _each(optimiser.from_start, blocks)
            for _ in range(SMOOTHING_SWEEPS if smoothness else 0):
                between = means_of_neighbours(torch.cat([p[: len(c)] for p, c in zip(points, chunks, strict=True)]))
                between_blocks = [part[row_blocks(len(part), part.device)] for part in between.split(batch_size)]
                draw = partial(optimiser.from_points, neighbour_weight=2 * smoothness)
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
        estimates=without_context(torch.cat(estimates, dim=1), problem.context),
        objective=torch.cat(objectives),
        n_iter=steps,
    )


def _each(solve: Callable[..., tuple[Any, int]], *blocks: Iterable[Any]) -> tuple[list[Any], int]:
    """Solve block by block; return the solutions and the largest number of steps."""
    solutions, steps = zip(*map(solve, *blocks), strict=True)
    return list(solutions), max(steps)


def means_of_neighbours(points: Tensor) -> Tensor:
    """Return the mean of the rows before and after each row; the ends are their own neighbours."""
    padded = torch.cat([points[:1], points, points[-1:]])
    return 0.5 * (padded[:-2] + padded[2:])

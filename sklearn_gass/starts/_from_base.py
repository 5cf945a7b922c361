"""What an encoder of mixtures takes over from another one, its base."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.func import functional_call

from sklearn_gass._bases import check_shapes
from sklearn_gass.divergences import DIVERGENCES
from sklearn_gass.engine import Problem


def begin_at(network: Any, start: Any, problem: Problem, mixture: Tensor, parts: list[Tensor]) -> None:
    """Load the weights of a start's base into its encoder.

    The output layer has a block of rows for each source. A block of the base goes to the source that it generates best
    in a batch of mixtures, if both have the same number of latents. All other blocks keep their random weights.

    Parameters
    ----------
    network : FrameEncoder
        Encoder, changed in place, whose last layer gives the latents of all sources side by side.
    start : MixtureStart
        Start with a fitted base.
    problem : Problem
        Decoders of the sources.
    mixture : Tensor of shape (n_frames, n_bins)
        Mixture frames.
    parts : list of Tensor of shape (n_frames, n_bins)
        The frames of each source in them.

    Raises
    ------
    ValueError
        If layers other than the last one differ in shape.
    """
    base = start._fitted_base()
    output = f"layers.{len(network.layers) - 1}."
    own = network.state_dict()
    weights = {name: torch.tensor(array, device=problem.device) for name, array in base.weights_.items()}
    check_shapes(start, base, [(_inner(own, output), _inner(weights, output))])
    own_blocks = _blocks([decoder.n_components for decoder in problem.decoders])
    base_blocks = _blocks(getattr(base, "n_latents_", []))  # files of older versions do not say
    guesses = functional_call(network, weights, (mixture,))
    for name, weight in _inner(own, output).items():
        weight.copy_(weights[name])
    for i, j in _best_pairs(_costs(problem, parts, guesses, own_blocks, base_blocks)):
        for name in (f"{output}weight", f"{output}bias"):
            own[name][own_blocks[i]] = weights[name][base_blocks[j]]


def _costs(
    problem: Problem, parts: list[Tensor], guesses: Tensor, own_blocks: list[slice], base_blocks: list[slice]
) -> NDArray[np.float64]:
    """Return the divergence of each source, a row each, if its latents are those of each block of the base."""
    costs = np.full((len(own_blocks), len(base_blocks)), np.inf)
    for j, block in enumerate(base_blocks):
        points = torch.zeros(len(guesses), problem.n_latents, device=guesses.device)
        fitting = [i for i, own in enumerate(own_blocks) if own.stop - own.start == block.stop - block.start]
        for i in fitting:
            points[:, own_blocks[i]] = guesses[:, block]
        generated = problem.generate(problem.split(points))
        for i in fitting:
            costs[i, j] = float(DIVERGENCES[problem.beta_loss](parts[i], generated[i], constant=False).mean())
    return costs


def _best_pairs(costs: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return which rows go with which columns, at the lowest sum; rows and columns may be left over."""
    finite = np.isfinite(costs)
    if not finite.any():
        return []
    worst = 1 + 2 * costs.size * np.abs(costs[finite]).max()  # than any sum of others
    pairs = zip(*linear_sum_assignment(np.where(finite, costs, worst)), strict=True)
    return [(int(i), int(j)) for i, j in pairs if finite[i, j]]


def _blocks(sizes: list[int]) -> list[slice]:
    ends = np.cumsum(sizes).tolist()
    return [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]


def _inner(weights: dict[str, Tensor], output: str) -> dict[str, Tensor]:
    """Return the weights of all layers but the last one."""
    return {name: weight for name, weight in weights.items() if not name.startswith(output)}

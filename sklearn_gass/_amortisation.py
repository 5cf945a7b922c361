"""The mixture encoder: guesses the latents of all sources from a mixture frame at once.

The objective of separation has many local minima, and an encoder that only ever saw clean frames starts the search
far from the right one. So once the source models are fitted, an encoder is trained on synthetic mixtures of their
training frames, with all decoders frozen, to find latents whose generated frames are close to the true ones: amortised
inference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from sklearn_gass._inference import Problem
from sklearn_gass._networks import FrameEncoder
from sklearn_gass.divergences import DIVERGENCES

_HIDDEN = (500, 500)
_BATCH = 128
_LEARNING_RATE = 1e-3
_GAIN_RANGE = 5.0  # dB either way


def make_mixture_encoder(problem: Problem, n_bins: int, generator: torch.Generator | None = None) -> FrameEncoder:
    """Return an encoder of mixture frames to the free latents of all sources, side by side."""
    return FrameEncoder([n_bins, *_HIDDEN, sum(d.n_components for d in problem.decoders)], generator)


def train_mixture_encoder(
    encoder: FrameEncoder, problem: Problem, sources: Sequence[Tensor], *, max_iter: int, generator: torch.Generator
) -> None:
    """Train an encoder in place.

    Parameters
    ----------
    encoder : FrameEncoder
        What is trained.
    problem : Problem
        The frozen decoders and the divergence.
    sources : sequence of Tensor of shape (n_frames_k, n_bins)
        Clean frames of each source, in the decoders' order, in units of their mean scale.
    max_iter : int
        Steps, each on a new batch of mixtures.
    generator : torch.Generator
        Source of frames, gains and phases.
    """
    divergence = DIVERGENCES[problem.beta_loss]
    optimiser = torch.optim.Adam(encoder.parameters(), lr=_LEARNING_RATE, fused=True)
    for step in range(max_iter):
        optimiser.param_groups[0]["lr"] = _LEARNING_RATE * (1 - step / max_iter)
        parts = [_draw_frames(frames, generator) for frames in sources]
        generated = problem.generate(problem.split(encoder(mix_magnitudes(parts, generator))))
        losses = [divergence(part, frame, constant=False).mean() for part, frame in zip(parts, generated, strict=True)]
        optimiser.zero_grad()
        torch.stack(losses).sum().backward()
        optimiser.step()


def mix_magnitudes(parts: Sequence[Tensor], generator: torch.Generator) -> Tensor:
    """Return magnitudes of the sum of frames whose phases are independent and uniform.

    Parameters
    ----------
    parts : sequence of Tensor of shape (n_frames, n_bins)
        Magnitudes of each source.
    generator : torch.Generator
        Source of the phases.

    Returns
    -------
    mixture : Tensor of shape (n_frames, n_bins)
        Magnitudes of the mixture.
    """
    real, imaginary = parts[0], torch.zeros_like(parts[0])
    for part in parts[1:]:  # only differences of phases matter
        phase = 2 * math.pi * torch.rand(part.shape, generator=generator, device=part.device)
        real, imaginary = real + part * torch.cos(phase), imaginary + part * torch.sin(phase)
    return torch.hypot(real, imaginary)


def _draw_frames(frames: Tensor, generator: torch.Generator) -> Tensor:
    """Return a batch of random frames at random levels."""
    rows = torch.randint(len(frames), (_BATCH,), generator=generator, device=frames.device)
    level = (2 * torch.rand(_BATCH, 1, generator=generator, device=frames.device) - 1) * _GAIN_RANGE
    return frames[rows] * 10 ** (level / 20)

"""What a separator learns from synthetic mixtures of its training frames, once its source models are fitted.

The *mixture encoder* guesses the latents of all sources from a mixture frame at once. The objective of separation has
many local minima, and an encoder that only ever saw clean frames starts the search far from the right one.

The *critics* tell clean frames of a source from what separation makes of mixtures with it. A critic that only ever saw
frames its generator made up has no reason to notice what other sources leave behind.

References
----------
S. Lunz, O. Öktem, C.-B. Schönlieb, "Adversarial Regularizers in Inverse Problems", NeurIPS 2018, arXiv:1805.11572.
I. Gulrajani et al., "Improved Training of Wasserstein GANs", NIPS 2017, arXiv:1704.00028.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sklearn_gass._inference import Problem
from sklearn_gass._networks import FrameEncoder, slopes
from sklearn_gass.divergences import DIVERGENCES

_ENCODER_WIDTHS = (500, 500)
_CRITIC_WIDTHS = (256, 256)
_BATCH = 64
_LEARNING_RATE = 1e-3
_LEVELS = (-5.0, 5.0)  # of the sources in a mixture, in dB
_PENALTY_WEIGHT = 20.0
_PENALTY_EVERY = 2


@dataclass(frozen=True)
class CleanSource:
    """Clean frames to draw training mixtures from.

    Attributes
    ----------
    frames : Tensor of shape (n_frames, n_bins)
        Frames of one source, in the unit of the problem.
    augment : callable
        From a batch of frames and a generator to random variations of them.
    """

    frames: Tensor
    augment: Callable[[Tensor, torch.Generator], Tensor]

    def draw(self, generator: torch.Generator) -> Tensor:
        """Return a batch of random frames at random levels, uniform between bounds in dB."""
        device = self.frames.device
        rows = torch.randint(len(self.frames), (_BATCH,), generator=generator, device=device)
        low, high = _LEVELS
        levels = low + (high - low) * torch.rand(_BATCH, 1, generator=generator, device=device)
        return self.augment(self.frames[rows], generator) * 10 ** (levels / 20)


def make_mixture_encoder(problem: Problem, n_bins: int, generator: torch.Generator | None = None) -> FrameEncoder:
    """Return an encoder of mixture frames to the free latents of all sources, side by side."""
    return FrameEncoder([n_bins, *_ENCODER_WIDTHS, sum(d.n_components for d in problem.decoders)], generator)


def make_critics(n_sources: int, n_bins: int, generator: torch.Generator | None = None) -> list[FrameEncoder]:
    """Return a critic for each source."""
    return [FrameEncoder([n_bins, *_CRITIC_WIDTHS, 1], generator) for _ in range(n_sources)]


def train_mixture_encoder(
    encoder: FrameEncoder,
    problem: Problem,
    sources: Sequence[CleanSource],
    *,
    max_iter: int,
    generator: torch.Generator,
) -> None:
    """Train an encoder in place to give latents whose generated frames are close to the true ones.

    Parameters
    ----------
    encoder : FrameEncoder
        What is trained.
    problem : Problem
        The frozen decoders and the divergence.
    sources : sequence of CleanSource
        Clean frames of each source, in the decoders' order.
    max_iter : int
        Steps, each on a new batch of mixtures.
    generator : torch.Generator
        Source of frames, levels and phases.
    """
    divergence = DIVERGENCES[problem.beta_loss]
    optimiser = torch.optim.Adam(encoder.parameters(), lr=_LEARNING_RATE, fused=True)
    for step in range(max_iter):
        optimiser.param_groups[0]["lr"] = _LEARNING_RATE * (1 - step / max_iter)
        parts = [source.draw(generator) for source in sources]
        generated = problem.generate(problem.split(encoder(add_up(parts, generator))))
        losses = [divergence(part, frame, constant=False).mean() for part, frame in zip(parts, generated, strict=True)]
        optimiser.zero_grad()
        torch.stack(losses).sum().backward()
        optimiser.step()


def train_critics(
    critics: Sequence[FrameEncoder],
    problem: Problem,
    sources: Sequence[CleanSource],
    *,
    max_iter: int,
    generator: torch.Generator,
) -> None:
    """Train critics in place, by the Wasserstein objective with a gradient penalty, to notice bad separation.

    Parameters
    ----------
    critics : sequence of FrameEncoder
        One per source; higher scores mean cleaner frames.
    problem : Problem
        The frozen decoders; what they generate at the start of the search is what the critics see of separation.
    sources : sequence of CleanSource
        Clean frames of each source, in the decoders' order.
    max_iter : int
        Steps, each on a new batch of mixtures.
    generator : torch.Generator
        Source of frames, levels and phases.
    """
    weights = [weight for critic in critics for weight in critic.parameters()]
    optimiser = torch.optim.Adam(weights, lr=_LEARNING_RATE, betas=(0.5, 0.9), fused=True)
    for step in range(max_iter):
        optimiser.param_groups[0]["lr"] = _LEARNING_RATE * (1 - step / max_iter)
        parts = [source.draw(generator) for source in sources]
        with torch.no_grad():
            separated = problem.generate(problem.split(problem.first_points(add_up(parts, generator))))
        losses = []
        for critic, part, estimate in zip(critics, parts, separated, strict=True):
            clean, unclean = torch.log1p(part), torch.log1p(estimate)
            clean_scores, unclean_scores = critic.read(torch.cat([clean, unclean])).split(_BATCH)
            losses.append(unclean_scores.mean() - clean_scores.mean())
            if step % _PENALTY_EVERY == 0:
                share = torch.rand(_BATCH, 1, generator=generator, device=clean.device)
                steepness = slopes(critic, torch.lerp(clean, unclean, share)).norm(dim=1)
                losses.append(_PENALTY_WEIGHT * (steepness - 1).square().mean())
        optimiser.zero_grad()
        torch.stack(losses).sum().backward()
        optimiser.step()


def add_up(parts: Sequence[Tensor], generator: torch.Generator) -> Tensor:
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

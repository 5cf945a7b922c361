"""Synthetic mixtures of clean training frames, from which starts and critics learn what separation meets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

_STEPS_PER_EPOCH = 100
_MIXTURES_OF_A_DRAW = 2  # varying frames is a fourth of a step
_ABSENCE = 0.1  # chance of a source to be absent from a mixture, as one that pauses is
_LEAST_CHANCE = 1e-6  # so that silent frames can be drawn where there are no others


@dataclass(frozen=True)
class CleanSource:
    """Clean frames of one source to draw training mixtures from.

    Attributes
    ----------
    frames : Tensor of shape (n_frames, n_bins)
        Frames of one source, in the unit of the problem.
    augment : callable
        From a batch of frames and a generator to random variations of them.
    """

    frames: Tensor
    augment: Callable[[Tensor, torch.Generator], Tensor]

    def draw(self, n_frames: int, generator: torch.Generator) -> Tensor:
        """Return random variations of random frames, of shape (n_frames, n_bins), loud ones more often."""
        uniform = torch.rand(n_frames, generator=generator, dtype=torch.float64, device=self.frames.device)
        rows = torch.searchsorted(self._chances_up_to, uniform, right=True)
        return self.augment(self.frames.index_select(0, rows), generator)

    @cached_property
    def _chances_up_to(self) -> Tensor:
        """Chance of a frame up to each one; that of one frame grows with the square root of its mean magnitude."""
        chances = self.frames.mean(1).cpu().double().sqrt() + _LEAST_CHANCE  # a GPU would not always sum alike
        sums = chances.cumsum(0)
        return (sums / sums[-1]).to(self.frames.device)


class MixtureBatches:
    """Batches of mixtures for a number of training steps, in epochs of 100 steps.

    Each source is absent from a tenth of the mixtures, so that a source that pauses is given less of the others. A few
    mixtures are silent.

    Iterating gives the batches of the next epoch: tuples of a mixture of shape (batch_size, n_bins) and the list of
    its sources' frames.

    Parameters
    ----------
    sources : sequence of CleanSource
        Clean frames of each source.
    n_steps : int
        Batches of the whole training.
    batch_size : int
        Mixture frames in a batch.
    levels : (float, float)
        Bounds of each source's random gain in dB.
    generator : torch.Generator
        Source of frames, levels and phases, on the device of the frames.
    """

    def __init__(
        self,
        sources: Sequence[CleanSource],
        n_steps: int,
        *,
        batch_size: int,
        levels: tuple[float, float],
        generator: torch.Generator,
    ) -> None:
        self.sources, self.n_steps, self.batch_size = sources, n_steps, batch_size
        self.levels, self.generator = levels, generator
        self.n_epochs = math.ceil(n_steps / _STEPS_PER_EPOCH)
        self._n_left = n_steps

    def __iter__(self) -> Iterator[tuple[Tensor, list[Tensor]]]:
        n_steps = min(_STEPS_PER_EPOCH, self._n_left)
        self._n_left -= n_steps
        for step in range(n_steps):
            if step % _MIXTURES_OF_A_DRAW == 0:
                drawn = [source.draw(self.batch_size, self.generator) for source in self.sources]
            else:
                drawn = [frames.roll(i, 0) for i, frames in enumerate(drawn)]  # each frame meets other ones
            parts = [frames * self._gains(len(frames)) for frames in drawn]
            yield add_up(parts, self.generator), parts

    def _gains(self, n_frames: int) -> Tensor:
        """Return a factor for each frame of a source, of shape (n_frames, 1): 0 where it is absent."""
        low, high = self.levels
        level, presence = torch.rand(2, n_frames, 1, generator=self.generator, device=self.generator.device)
        gains: Tensor = 10 ** ((low + (high - low) * level) / 20)
        return gains.where(presence >= _ABSENCE, 0)

    def skip(self, n_steps: int) -> None:
        """Take steps of whole epochs as done, by a training that is gone on with; random numbers are restored apart."""
        self._n_left -= n_steps


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
    mixture = parts[0]
    for part in parts[1:]:
        # the law of cosines; the sum so far has a uniform phase, too
        cosine = torch.rand(part.shape, generator=generator, device=part.device).mul_(2 * math.pi).cos_()
        mixture = (mixture.square() + part.square() + 2 * mixture * part * cosine).clamp_(min=0).sqrt_()
    return mixture

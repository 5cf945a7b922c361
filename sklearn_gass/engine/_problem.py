"""The problem that the engine solves: decoders, their start, their critics, and the objective they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sklearn_gass.divergences import DIVERGENCES
from sklearn_gass.engine._decoder import Decoder


@dataclass(frozen=True)
class Problem:
    """Decoders of all sources, and what separation asks of their latents.

    Magnitudes are in units of the decoders' mean scale (`unit`). The *free latents* are what is optimised: the latents
    of all sources side by side, those of linear decoders as logarithms.

    Attributes
    ----------
    decoders : sequence of Decoder
        One per source.
    beta_loss : str
        Name of the divergence between a mixture frame and the sum of generated frames, a key of
        ``divergences.DIVERGENCES``.
    n_bins : int
        Width of the frames. Rows have three times as many with a `context`, in the mixture and in what is generated.
    dtype : torch.dtype, default=torch.float32
        Floating type of the decoders and of all frames.
    device : torch.device or str, default="cpu"
        Where the decoders are.
    start : callable or None, default=None
        From mixture frames (n_frames, n_bins) to free latents (n_frames, n_latents) to start from; ``None`` starts
        from what the decoders' own encoders make of an equal share of the mixture.
    start_weight : float, default=0.0
        Weight of half the squared distance of the free latents from the start.
    critic : callable or None, default=None
        From mixture frames and the generated frames of each source to a list of scores, each of shape (n_frames,).
    critic_weight : float, default=0.0
        Weight λ of the scores.
    """

    decoders: Sequence[Decoder]
    beta_loss: str
    n_bins: int
    dtype: torch.dtype = torch.float32
    device: torch.device | str = "cpu"
    start: Callable[[Tensor], Tensor] | None = None
    start_weight: float = 0.0
    critic: Callable[[Tensor, Sequence[Tensor]], list[Tensor]] | None = None
    critic_weight: float = 0.0

    @property
    def is_linear(self) -> bool:
        """Whether multiplicative updates can solve it."""
        return all(decoder.linear is not None for decoder in self.decoders)

    @property
    def context(self) -> int:
        """How many frames away the earlier and the later frame of a row are; 0 if rows are single frames.

        Raises
        ------
        ValueError
            If the decoders differ in it.
        """
        contexts = {0 if decoder.linear is None else decoder.linear.context for decoder in self.decoders}
        if len(contexts) > 1:
            raise ValueError(f"All sources must have the same context, got {sorted(contexts)}.")
        return contexts.pop()

    @property
    def n_latents(self) -> int:
        """Number of latents of all sources."""
        return sum(decoder.n_components for decoder in self.decoders)

    @property
    def unit(self) -> float:
        """The decoders' mean scale."""
        return sum(decoder.scale for decoder in self.decoders) / len(self.decoders)

    @property
    def gains(self) -> list[float]:
        """What each decoder's frames are multiplied by to be in that unit."""
        return [decoder.scale / self.unit for decoder in self.decoders]

    def generate(self, latents: Sequence[Tensor]) -> list[Tensor]:
        """Return the frames of each source, of shape (n_frames, n_bins), for its latents."""
        return [d.generate(h) * gain for d, h, gain in zip(self.decoders, latents, self.gains, strict=True)]

    def first_points(self, frames: Tensor) -> Tensor:
        """Return the free latents from which the optimisation starts."""
        if self.start is None:
            return self.encode_shares(frames)
        points, shape = self.start(frames), (len(frames), self.n_latents)
        if not isinstance(points, Tensor) or points.shape != shape:
            raise ValueError(f"A start must return a tensor of free latents of shape {shape}, got {_shape_of(points)}.")
        return points

    def encode_shares(self, frames: Tensor) -> Tensor:
        """Return what each decoder's own encoder makes of an equal share of the mixture, as free latents."""
        share = frames / len(self.decoders)
        return self.join([d.start(share / gain) for d, gain in zip(self.decoders, self.gains, strict=True)])

    def join(self, latents: Sequence[Tensor]) -> Tensor:
        """Return free latents side by side for the latents of each source."""
        return torch.cat([_to_free(d, h) for d, h in zip(self.decoders, latents, strict=True)], dim=1)

    def split(self, points: Tensor) -> list[Tensor]:
        """Return the latents of each source for free latents side by side."""
        parts = points.split([decoder.n_components for decoder in self.decoders], dim=1)
        return [_from_free(decoder, part) for decoder, part in zip(self.decoders, parts, strict=True)]

    def objective(
        self,
        frames: Tensor,
        latents: Sequence[Tensor],
        generated: Sequence[Tensor],
        addend: Tensor | None = None,
        weights: Tensor | None = None,
        *,
        constant: bool = True,
    ) -> Tensor:
        """Return the objective of each row, without the distance from the start.

        An addend of shape (n_frames, n_bins) is added to what the sources generate. Weights of that shape weigh the
        divergence of each bin.
        """
        everything = list(generated) if addend is None else [*generated, addend]
        value = DIVERGENCES[self.beta_loss](frames, torch.stack(everything).sum(0), constant=constant, weights=weights)
        for decoder, h in zip(self.decoders, latents, strict=True):
            value = value + decoder.energy(h)
        if self.critic_weight and self.critic is not None:
            for scores in self._scores(frames, generated):
                value = value - self.critic_weight * scores
        return value

    def _scores(self, frames: Tensor, generated: Sequence[Tensor]) -> list[Tensor]:
        scores = self.critic(frames, generated) if self.critic is not None else []
        wrong = scores if isinstance(scores, Tensor) else [s for s in scores if _shape_of(s) != (len(frames),)]
        if len(wrong):
            raise ValueError(
                f"A critic must return a list of scores of shape {(len(frames),)}, got {_shape_of(wrong[0])} in a "
                f"{type(scores).__name__}."
            )
        return scores


def _shape_of(value: object) -> object:
    return tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__


def _to_free(decoder: Decoder, latents: Tensor) -> Tensor:
    return latents if decoder.linear is None else latents.clamp_min(torch.finfo(latents.dtype).eps).log()


def _from_free(decoder: Decoder, points: Tensor) -> Tensor:
    return points if decoder.linear is None else points.exp()

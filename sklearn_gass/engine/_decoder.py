"""The frozen decoder: what a fitted source model hands to the latent engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from sklearn_gass.engine._multiplicative import GammaPrior


def no_energy(latents: Tensor) -> Tensor:
    """Return zeros: the prior energy of latents that are free."""
    return latents.new_zeros(len(latents))


@dataclass(frozen=True)
class LinearPart:
    """What makes a decoder linear: frames are non-negative activations times `components`.

    With a context, `components` and what the decoder generates have three times as many bins as a frame: those of a
    frame between an earlier and a later one, which are `context` frames away.
    """

    components: Tensor
    prior: GammaPrior | None
    context: int = 0


@dataclass(frozen=True)
class Decoder:
    """A generator of frames with all weights frozen, on one device and in one floating type.

    Everything is a pure function of single rows, so a row's result never depends on the other rows. Frames are in
    the model's own unit: magnitudes divided by `scale`.

    Attributes
    ----------
    generate : callable
        Latents (n_frames, n_components) to non-negative frames (n_frames, n_bins); differentiable.
    start : callable
        Frames (n_frames, n_bins) to the latents from which the optimisation starts.
    n_components : int
        Number of latents.
    scale : float
        Magnitude that is 1 in the model's unit.
    energy : callable
        Latents to the prior's energy of each row, shape (n_frames,).
    critic : callable or None
        Frames to a score of each row, shape (n_frames,); higher is more like the training data.
    linear : LinearPart or None
        Set for linear decoders, whose latents are non-negative. Alone or among themselves they are solved by
        multiplicative updates instead of gradients.
    """

    generate: Callable[[Tensor], Tensor]
    start: Callable[[Tensor], Tensor]
    n_components: int
    scale: float
    energy: Callable[[Tensor], Tensor] = no_energy
    critic: Callable[[Tensor], Tensor] | None = None
    linear: LinearPart | None = None

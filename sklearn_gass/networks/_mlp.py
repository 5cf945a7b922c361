"""Plain multilayer perceptrons, built from explicit generators.

Frames come in the model's unit (mean magnitude 1). What a network reads is their ``log1p``, which keeps loud bins from
drowning the quiet ones.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "leaky_relu": lambda inputs: functional.leaky_relu(inputs, 0.2),
    "tanh": torch.tanh,
    "softplus": functional.softplus,
}


class MLP(nn.Module):
    """Multilayer perceptron with leaky rectifiers between its layers.

    Parameters
    ----------
    sizes : sequence of int
        Widths of input, hidden layers and output.
    generator : torch.Generator or None
        Source of the first weights, uniform in plus or minus one over the square root of a layer's inputs;
        ``None`` gives weights that have shapes but no memory, to be loaded.
    activation : {"leaky_relu", "tanh", "softplus"}, default="leaky_relu"
        Non-linearity of the hidden layers.
    """

    def __init__(
        self, sizes: Sequence[int], generator: torch.Generator | None = None, activation: str = "leaky_relu"
    ) -> None:
        super().__init__()
        device = "meta" if generator is None else "cpu"
        self.layers = nn.ModuleList(
            nn.utils.skip_init(nn.Linear, n_in, n_out, device=device) for n_in, n_out in itertools.pairwise(sizes)
        )
        self.activation = ACTIVATIONS[activation]
        if generator is None:
            return
        with torch.no_grad():
            for n_in, layer in zip(sizes[:-1], self.layers, strict=True):
                for parameter in layer.parameters():
                    bound = 1 / math.sqrt(n_in)
                    parameter.copy_(torch.empty_like(parameter).uniform_(-bound, bound, generator=generator))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return outputs of shape (n_rows, sizes[-1])."""
        *hidden, last = self.layers
        for layer in hidden:
            inputs = self.activation(layer(inputs))
        outputs: Tensor = last(inputs)
        return outputs


class FrameDecoder(MLP):
    """Latents to non-negative frames, by a softplus."""

    def start_at(self, mean_frame: Tensor) -> None:
        """Let the first output be the mean frame, which saves the epochs that learning it would take."""
        with torch.no_grad():
            self.layers[-1].get_parameter("bias").copy_(torch.log(torch.expm1(mean_frame.clamp(1e-3, 20))))

    def forward(self, latents: Tensor) -> Tensor:
        """Return frames of shape (n_frames, n_bins)."""
        return functional.softplus(super().forward(latents))


class FrameEncoder(MLP):
    """Frames to latents, or to anything else that is told of a frame (critics' scores, latents of several sources).

    Parameters
    ----------
    sizes : sequence of int
        Widths of input, hidden layers and output; one hidden layer or more if there are residual blocks.
    generator : torch.Generator or None
        Source of the first weights, as for `MLP`.
    activation : {"leaky_relu", "tanh", "softplus"}, default="leaky_relu"
        Non-linearity of the hidden layers.
    n_residual_blocks : int, default=0
        Blocks of two layers each, as wide as the last hidden layer, whose output is added to their input.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        generator: torch.Generator | None = None,
        activation: str = "leaky_relu",
        n_residual_blocks: int = 0,
    ) -> None:
        super().__init__(sizes, generator, activation)
        width = sizes[-2]
        self.blocks = nn.ModuleList(MLP([width] * 3, generator, activation) for _ in range(n_residual_blocks))
        if generator is not None:
            with torch.no_grad():
                for block in self.blocks:  # a deep network begins close to a shallow one
                    cast(MLP, block).layers[-1].get_parameter("weight").mul_(0.3)

    def forward(self, frames: Tensor) -> Tensor:
        """Return outputs of shape (n_frames, sizes[-1])."""
        return self.read(torch.log1p(frames))

    def read(self, features: Tensor) -> Tensor:
        """Return outputs for frames whose ``log1p`` was taken before."""
        if not self.blocks:
            return super().forward(features)
        *hidden, widest, last = self.layers
        for layer in hidden:
            features = self.activation(layer(features))
        state = widest(features)
        for block in self.blocks:
            state = state + block(self.activation(state))
        outputs: Tensor = last(self.activation(state))
        return outputs


def check_widths(name: str, widths: Any) -> list[int]:
    """Return the widths of hidden layers as a list of int; a single int is one layer.

    Raises
    ------
    ValueError
        If one is not an integer of at least 1.
    """
    widths = [widths] if isinstance(widths, Integral) else list(widths)
    if not all(isinstance(w, Integral) and not isinstance(w, bool) and int(w) >= 1 for w in widths):
        raise ValueError(f"{name} must hold integers of at least 1, got {widths}.")
    return [int(width) for width in widths]

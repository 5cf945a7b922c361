"""Networks of the neural source models: plain multilayer perceptrons, built from explicit generators.

Frames come in the model's unit (mean magnitude 1). What a network reads is their ``log1p``, which keeps loud bins from
drowning the quiet ones.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

StateDict = dict[str, NDArray[np.float32]]


class MLP(nn.Module):
    """Multilayer perceptron with leaky rectifiers between its layers.

    Parameters
    ----------
    sizes : sequence of int
        Widths of input, hidden layers and output.
    generator : torch.Generator or None
        Source of the first weights, uniform in plus or minus one over the square root of a layer's inputs;
        ``None`` leaves them zero, to be loaded.
    activation : {"leaky_relu", "tanh", "softplus"}, default="leaky_relu"
        Non-linearity of the hidden layers.
    """

    def __init__(
        self, sizes: Sequence[int], generator: torch.Generator | None = None, activation: str = "leaky_relu"
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.utils.skip_init(nn.Linear, n_in, n_out) for n_in, n_out in itertools.pairwise(sizes)
        )
        self.activation = ACTIVATIONS[activation]
        with torch.no_grad():
            for n_in, layer in zip(sizes[:-1], self.layers, strict=True):
                for parameter in layer.parameters():
                    if generator is None:
                        parameter.zero_()
                    else:
                        bound = 1 / math.sqrt(n_in)
                        parameter.copy_(torch.empty_like(parameter).uniform_(-bound, bound, generator=generator))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return outputs of shape (n_rows, sizes[-1])."""
        *hidden, last = self.layers
        for layer in hidden:
            inputs = self.activation(layer(inputs))
        return last(inputs)


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
    """Frames to latents, or to anything else that is told of a frame (critics' scores, latents of several sources)."""

    def forward(self, frames: Tensor) -> Tensor:
        """Return outputs of shape (n_frames, sizes[-1])."""
        return self.read(torch.log1p(frames))

    def read(self, features: Tensor) -> Tensor:
        """Return outputs for frames whose ``log1p`` was taken before."""
        return super().forward(features)


ACTIVATIONS = {
    "leaky_relu": lambda inputs: functional.leaky_relu(inputs, 0.2),
    "tanh": torch.tanh,
    "softplus": functional.softplus,
}


def warp_frequencies(frames: Tensor, octaves: float, generator: torch.Generator) -> Tensor:
    """Stretch or squeeze the frequency axis of each frame by a random factor.

    That changes pitch and resonances of a voice as another vocal tract would. Above the highest bin the spectrum is
    its own mirror image, as that of sampled sound is.

    Parameters
    ----------
    frames : Tensor of shape (n_frames, n_bins)
        Magnitude frames whose bins are equally spaced from frequency 0 on.
    octaves : float
        Factors are ``2**u`` with u uniform between plus and minus this.
    generator : torch.Generator
        Source of the factors, on the device of the frames.

    Returns
    -------
    warped : Tensor of shape (n_frames, n_bins)
        Frames by linear interpolation.

    References
    ----------
    N. Jaitly, G. Hinton, "Vocal Tract Length Perturbation (VTLP) improves speech recognition", ICML Workshop on Deep
    Learning for Audio, Speech, and Language Processing, 2013.
    """
    last = frames.shape[1] - 1
    if not octaves or not last:
        return frames
    uniform = torch.rand(len(frames), 1, generator=generator, device=frames.device)
    bins = torch.arange(last + 1, device=frames.device) * torch.exp2(octaves * (2 * uniform - 1))
    bins = last - (last - bins).abs()
    below = bins.clamp_(min=0).floor().clamp_(max=last - 1)
    left = below.long()
    return torch.lerp(frames.gather(1, left), frames.gather(1, left + 1), (bins - below).to(frames.dtype))


def slopes(critic: FrameEncoder, features: Tensor) -> Tensor:
    """Return the gradient of a critic's scores at ``log1p`` frames, in a way that can be differentiated again.

    Parameters
    ----------
    critic : FrameEncoder
        The critic.
    features : Tensor of shape (n_frames, n_bins)
        Points at which to take the gradient.

    Returns
    -------
    gradients : Tensor of shape (n_frames, n_bins)
        Gradient at each point.
    """
    features = features.detach().requires_grad_()
    return torch.autograd.grad(critic.read(features).sum(), features, create_graph=True)[0]


def check_device(device: str) -> torch.device:
    """Return the torch device of that name.

    Raises
    ------
    ValueError
        If this machine or this build of torch has no such device.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].split(". ")[0].removesuffix(".")
        raise ValueError(f"device {device!r} cannot be used: {reason}.") from error
    return torch.device(device)


def to_arrays(module: nn.Module) -> StateDict:
    """Return the weights as plain arrays by name."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in module.state_dict().items()}


def load_arrays(module: nn.Module, arrays: StateDict) -> None:
    """Load weights into a module."""
    module.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})


def from_arrays(module: nn.Module, arrays: StateDict, dtype: torch.dtype, device: torch.device | str) -> nn.Module:
    """Load weights into a module, freeze it, and move it to a floating type and device."""
    load_arrays(module, arrays)
    return module.to(device=device, dtype=dtype).requires_grad_(False).eval()

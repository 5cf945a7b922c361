"""Penalties that keep a critic's slope in bounds while it trains.

References
----------
I. Gulrajani et al., "Improved Training of Wasserstein GANs", NIPS 2017, arXiv:1704.00028.
L. Mescheder, A. Geiger, S. Nowozin, "Which Training Methods for GANs do actually Converge?", ICML 2018,
arXiv:1801.04406.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sklearn_gass.networks._mlp import FrameEncoder

PENALTY_EVERY = 2
"""A penalty on every second step is as good as on each, at half the cost."""


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
    with torch.autocast(features.device.type, enabled=False):  # second derivatives are of single precision
        features = features.detach().requires_grad_()
        return torch.autograd.grad(critic.read(features).sum(), features, create_graph=True)[0]


def gradient_penalty(critic: FrameEncoder, real: Tensor, fake: Tensor, generator: torch.Generator) -> Tensor:
    """Return the mean squared distance from 1 of the norm of a critic's gradient between real and other frames.

    Parameters
    ----------
    critic : FrameEncoder
        The critic.
    real, fake : Tensor of shape (n_frames, n_bins)
        ``log1p`` of clean frames and of those to be told from them; the gradient is taken at random points between.
    generator : torch.Generator
        Source of the points, on the device of the frames.

    Returns
    -------
    penalty : Tensor of shape ()
        What a Wasserstein critic's loss is increased by, up to a weight.
    """
    share = torch.rand(len(real), 1, generator=generator, device=real.device)
    steepness: Tensor = slopes(critic, torch.lerp(fake.to(real.dtype), real, share)).norm(dim=1)
    return (steepness - 1).square().mean()

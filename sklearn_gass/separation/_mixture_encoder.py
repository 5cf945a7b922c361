"""The mixture encoder of a separator as fitted state: plain arrays in, plain arrays out."""

from __future__ import annotations

import torch

from sklearn_gass._amortisation import make_mixture_encoder, train_mixture_encoder
from sklearn_gass._inference import Problem
from sklearn_gass._networks import from_arrays, to_arrays


def fit_mixture_encoder(models, frames, beta_loss, max_iter, seed, device):
    """Train an encoder for fitted source models; a function of its own so that joblib can cache it.

    Parameters
    ----------
    models : list of source models
        Fitted models.
    frames : list of ndarray of shape (n_frames, n_bins)
        Clean frames of each.
    beta_loss : str
        Divergence between true and generated frames.
    max_iter : int
        Training steps.
    seed : int
        Seed of weights and mixtures.
    device : str
        Where to train.

    Returns
    -------
    weights : dict of str to ndarray
        Weights of the encoder by name.
    """
    problem = Problem([model._decoder(torch.float32, device) for model in models], beta_loss)
    sources = [torch.tensor(part, dtype=torch.float32, device=device) / problem.unit for part in frames]
    encoder = make_mixture_encoder(problem, sources[0].shape[1], torch.Generator().manual_seed(seed)).to(device)
    generator = torch.Generator(device).manual_seed(seed)
    train_mixture_encoder(encoder, problem, sources, max_iter=max_iter, generator=generator)
    return to_arrays(encoder)


def load_mixture_encoder(decoders, n_bins, weights, dtype, device):
    """Return the frozen encoder for decoders on a device in a floating type.

    Parameters
    ----------
    decoders : list of Decoder
        Frozen decoders of the sources.
    n_bins : int
        Number of bins.
    weights : dict of str to ndarray
        What `fit_mixture_encoder` returned.
    dtype : torch.dtype
        Floating type.
    device : str
        Device.

    Returns
    -------
    encoder : FrameEncoder
        From mixture frames to free latents of all sources side by side.
    """
    return from_arrays(make_mixture_encoder(Problem(decoders, ""), n_bins), weights, dtype, device)

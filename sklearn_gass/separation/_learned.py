"""What a separator has learned from synthetic mixtures, as fitted state: plain arrays in, plain arrays out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from sklearn_gass._inference import Problem
from sklearn_gass._mixtures import (
    CleanSource,
    make_critics,
    make_mixture_encoder,
    train_critics,
    train_mixture_encoder,
)
from sklearn_gass._networks import StateDict, from_arrays, to_arrays


@dataclass(frozen=True)
class LearnedFromMixtures:
    """Weights of what was trained; ``None`` for what was not.

    Attributes
    ----------
    encoder : dict of str to ndarray or None
        Mixture encoder.
    critics : dict of str to ndarray or None
        Critics of all sources.
    """

    encoder: StateDict | None = None
    critics: StateDict | None = None

    def load_encoder(self, decoders, n_bins, dtype, device) -> Callable[[Tensor], Tensor] | None:
        """Return the frozen mixture encoder, from frames in the decoders' mean unit to free latents."""
        if self.encoder is None:
            return None
        return from_arrays(make_mixture_encoder(Problem(decoders, ""), n_bins), self.encoder, dtype, device)

    def load_critics(self, n_sources, n_bins, dtype, device) -> list[Callable[[Tensor], Tensor]] | None:
        """Return the frozen critics, from frames in the decoders' mean unit to a score of each row."""
        if self.critics is None:
            return None
        modules = from_arrays(nn.ModuleList(make_critics(n_sources, n_bins)), self.critics, dtype, device)
        return [partial(_first_output, module) for module in modules.children()]


def learn_from_mixtures(models, frames, beta_loss, encoder_max_iter, critic_max_iter, seed, device):
    """Train a mixture encoder and critics of separation; a function of its own so that joblib can cache it.

    Parameters
    ----------
    models : list of source models
        Fitted models.
    frames : list of ndarray of shape (n_frames, n_bins)
        Clean frames of each.
    beta_loss : str
        Divergence between true and generated frames.
    encoder_max_iter, critic_max_iter : int
        Training steps; 0 trains none.
    seed : int
        Seed of weights and mixtures.
    device : str
        Where to train.

    Returns
    -------
    learned : LearnedFromMixtures
        Weights.
    """
    problem = Problem([model._decoder(torch.float32, device) for model in models], beta_loss)
    sources = [
        CleanSource(torch.tensor(part, dtype=torch.float32, device=device) / problem.unit, model._augment)
        for model, part in zip(models, frames, strict=True)
    ]
    n_bins, encoder, critics = frames[0].shape[1], None, None
    initial, drawing = torch.Generator().manual_seed(seed), torch.Generator(device).manual_seed(seed)
    if encoder_max_iter:
        module = make_mixture_encoder(problem, n_bins, initial).to(device)
        train_mixture_encoder(module, problem, sources, max_iter=encoder_max_iter, generator=drawing)
        encoder = to_arrays(module)
        problem = replace(problem, start=module.requires_grad_(False))
    if critic_max_iter:
        judges = make_critics(len(models), n_bins, initial)
        modules = nn.ModuleList(judges).to(device)
        train_critics(judges, problem, sources, max_iter=critic_max_iter, generator=drawing)
        critics = to_arrays(modules)
    return LearnedFromMixtures(encoder, critics)


def _first_output(module: nn.Module, frames: Tensor) -> Tensor:
    return module(frames)[:, 0]

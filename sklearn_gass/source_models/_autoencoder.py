"""What autoencoders share, among themselves and with adversarially trained models."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Integral, Real

import torch
from torch import nn

from sklearn_gass._validation import Interval
from sklearn_gass.divergences import DIVERGENCES
from sklearn_gass.source_models._neural import LOG_VARIANCE_RANGE, BaseNeuralSourceModel


class BaseAutoencoderSourceModel(BaseNeuralSourceModel):
    """Base of models with one optimiser and a loss that held-out frames have, too."""

    _parameter_constraints: dict = {
        **BaseNeuralSourceModel._parameter_constraints,
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    }

    @abstractmethod
    def _loss(self, networks, frames, generator):
        """Return the loss of each frame."""

    def _make_trainee(self, networks, frames):
        optimiser = self._optimiser(networks.parameters(), self.learning_rate_init)
        return AutoencoderTrainee(networks, self._loss, optimiser)

    def _train(self, frames, generator):
        if self.early_stopping and len(frames) == 1:
            raise ValueError("early_stopping needs frames to hold out and others to train on, got 1 sample.")
        super()._train(frames, generator)

    def _fit_networks(self, networks, frames, generator):
        held_out = None
        if self.early_stopping:
            n_held_out = min(max(1, round(self.validation_fraction * len(frames))), len(frames) - 1)
            order = torch.randperm(len(frames), generator=generator, device=frames.device)
            frames, held_out = frames[order[n_held_out:]], frames[order[:n_held_out]]
        self._run(
            self._make_trainee(networks, frames),
            frames,
            generator,
            self.history_,
            held_out=held_out,
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
        )


class AutoencoderTrainee(nn.Module):
    """Encoder and decoder under one loss.

    Parameters
    ----------
    networks : ModuleDict
        With `encoder` and `decoder`.
    loss : callable
        From networks, frames and generator to the loss of each frame.
    optimiser : Optimizer
        Of both networks.
    """

    def __init__(self, networks, loss, optimiser):
        super().__init__()
        self.networks = networks
        self.loss = loss
        self.optimisers = [optimiser]

    def update(self, frames, generator):
        """Take one step down the mean loss."""
        loss = self.loss(self.networks, frames, generator).mean()
        descend(self.optimisers[0], loss)
        return {"loss": loss.detach()}

    def evaluate(self, frames, generator):
        """Return the mean loss."""
        return self.loss(self.networks, frames, generator).mean()


def descend(optimiser, loss):
    """Take one step of an optimiser down a loss."""
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def variational_loss(decoder, frames, mean, log_variance, generator, beta_loss, latent_weight):
    """Return minus the evidence lower bound of each frame, with a weight on its Kullback-Leibler part.

    Parameters
    ----------
    decoder : callable
        Latents to frames.
    frames : Tensor of shape (n_frames, n_bins)
        Clean frames.
    mean, log_variance : Tensor of shape (n_frames, n_components)
        Gaussian posterior of the latents.
    generator : torch.Generator
        Source of the latents' noise.
    beta_loss : str
        Divergence of the reconstruction.
    latent_weight : float
        Weight of the divergence between posterior and standard normal prior.

    Returns
    -------
    loss : Tensor of shape (n_frames,)
        Bound up to a constant.
    """
    log_variance = log_variance.clamp(*LOG_VARIANCE_RANGE)
    noise = torch.randn(mean.shape, generator=generator, device=mean.device)
    reconstruction = decoder(mean + noise * torch.exp(0.5 * log_variance))
    divergence = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1)
    return DIVERGENCES[beta_loss](frames, reconstruction, constant=False) + latent_weight * divergence

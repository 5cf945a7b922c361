"""Base of source models that learn from a critic: a network that ranks how much frames look like training frames."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Integral, Real

import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sklearn_gass._validation import Interval, StrOptions, check_frames
from sklearn_gass.divergences import DIVERGENCES
from sklearn_gass.networks import ACTIVATIONS, PENALTY_EVERY, FrameEncoder, check_widths
from sklearn_gass.progress import divided
from sklearn_gass.source_models._autoencoder import AutoencoderTrainee, descend, variational_loss
from sklearn_gass.source_models._neural import BaseNeuralSourceModel


class BaseAdversarialSourceModel(BaseNeuralSourceModel):
    """Base of models whose generator learns from a critic and, with a weight, from reconstruction."""

    _parameter_constraints: dict = {
        **BaseNeuralSourceModel._parameter_constraints,
        "critic_hidden_layer_sizes": ["array-like", Integral],
        "critic_activation": [StrOptions(set(ACTIVATIONS))],
        "critic_learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "n_critic": [Interval(Integral, 1, None, closed="left")],
        "penalty_weight": [Interval(Real, 0, None, closed="left")],
        "latent": [StrOptions({"gaussian", "data"})],
        "reconstruction_weight": [Interval(Real, 0, None, closed="left")],
        "n_reconstruction": [Interval(Integral, 1, None, closed="left")],
        "inversion_max_iter": [Interval(Integral, 0, None, closed="left")],
        "critic_max_iter": [Interval(Integral, 0, None, closed="left")],
    }

    _n_codes = 2
    _betas = (0.5, 0.9)

    @abstractmethod
    def _critic_loss(self, real, fake):
        """Return the critic's loss for scores of real and generated frames."""

    @abstractmethod
    def _generator_loss(self, fake):
        """Return the generator's loss for scores of generated frames."""

    @abstractmethod
    def _penalty(self, critic, real, fake, generator):
        """Return a penalty to add to the critic's loss, or ``None``."""

    def _constrain(self, critic):
        """Change the critic's weights after each of its steps; the default changes nothing."""

    def critic_score(self, X):
        """Score how much frames look like the training frames, by the critic.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins)
            Magnitude frames.

        Returns
        -------
        scores : ndarray of shape (n_frames,)
            One score a frame; higher is more like the training frames. Only differences between scores have a meaning.
        """
        check_is_fitted(self)
        frames = torch.tensor(check_frames(self, X, reset=False))
        with torch.no_grad():
            return self.decoder(frames.dtype).critic(frames / self.scale_).numpy()

    def _make_networks(self, n_bins, generator=None):
        networks = super()._make_networks(n_bins, generator)
        hidden = check_widths("critic_hidden_layer_sizes", self.critic_hidden_layer_sizes)
        networks["critic"] = FrameEncoder([n_bins, *hidden, 1], generator, self.critic_activation)
        return networks

    def _phase_costs(self, n_frames, n_bins):
        networks = self._make_networks(n_bins)
        critic = networks.pop("critic")
        autoencoder = self._epoch_cost(n_frames, networks)
        adversarial = 1.0 if self.reconstruction_weight else 1.0 + 0.3 * self.n_critic
        costs = {"autoencoder": self.max_iter * autoencoder} if self.latent == "data" else {}
        costs["generator"] = self.max_iter * adversarial * autoencoder
        if self.inversion_max_iter and not self.reconstruction_weight:
            costs["encoder"] = self.inversion_max_iter * autoencoder
        if self.critic_max_iter:
            networks["encoder"] = critic
            costs["critic"] = self.critic_max_iter * self._epoch_cost(n_frames, networks)
        return costs

    def _fit_networks(self, networks, frames, generator):
        phases = divided(self._phase_costs(*frames.shape), phases=True)
        self.inversion_history_ = list(getattr(self, "inversion_history_", ())) if self.warm_start else []
        self.latents_ = None
        if "autoencoder" in phases:
            with phases["autoencoder"]:
                self._learn_latents(networks, frames, generator)
        with phases["generator"]:
            self._run(self._make_trainee(networks, frames), frames, generator, self.history_)
        if "encoder" in phases:
            with phases["encoder"]:
                self._learn_inversion(networks, frames, generator)
        if "critic" in phases:
            critic = _CriticTrainee(networks, frames, self)
            with phases["critic"]:
                self._run(critic, frames, generator, [], max_iter=self.critic_max_iter, callbacks=None, decay=True)

    def _make_trainee(self, networks, frames):
        return _AdversarialTrainee(networks, frames, self)

    def _learn_latents(self, networks, frames, generator):
        """Train an autoencoder; the generator is fed with its codes of the training frames."""

        def loss(networks, frames, generator):
            codes = networks["encoder"](frames)[:, : self.n_components]
            divergence = DIVERGENCES[self.beta_loss](frames, networks["decoder"](codes), constant=False)
            return divergence + 0.5 * self.latent_weight * codes.square().sum(1)

        weights = [*networks["encoder"].parameters(), *networks["decoder"].parameters()]
        trainee = AutoencoderTrainee(networks, loss, self._optimiser(weights, self.learning_rate_init))
        self._run(trainee, frames, generator, self.inversion_history_, callbacks=None)
        with torch.no_grad():
            self.latents_ = networks["encoder"](frames)[:, : self.n_components].cpu().numpy()

    def _learn_inversion(self, networks, frames, generator):
        """Train the encoder to find the latents of generated frames and to reconstruct real frames."""

        def loss(networks, frames, generator):
            latents = self._base_latents(len(frames), generator)
            with torch.no_grad():
                generated = networks["decoder"](latents)
            guesses = networks["encoder"](torch.cat([generated, frames]))[:, : self.n_components]
            regression, codes = guesses.split(len(frames))
            divergence = DIVERGENCES[self.beta_loss](frames, networks["decoder"](codes), constant=False)
            prior = self.latent_weight * codes.square().sum(1)
            return 0.5 * ((regression - latents).square().sum(1) + prior) + divergence

        networks["decoder"].requires_grad_(False)
        trainee = AutoencoderTrainee(networks, loss, self._optimiser(networks["encoder"].parameters(), 1e-3))
        self._run(
            trainee,
            frames,
            generator,
            self.inversion_history_,
            max_iter=self.inversion_max_iter,
            callbacks=None,
            decay=True,
        )

    def _base_latents(self, n_samples, generator):
        """Draw latents to feed the generator with, on the device of the random generator."""
        if self.latents_ is None:
            return torch.randn(n_samples, self.n_components, generator=generator, device=generator.device)
        rows = torch.randint(len(self.latents_), (n_samples,), generator=generator, device=generator.device)
        return torch.tensor(self.latents_, device=generator.device)[rows]

    @property
    def _has_trained_encoder(self):
        return bool(self.reconstruction_weight or self.inversion_max_iter or self.latents_ is not None)

    def _draw_latents(self, n_samples, generator, spread):
        if self.reconstruction_weight:
            return super()._draw_latents(n_samples, generator, spread)
        return self._base_latents(n_samples, generator)


class _AdversarialTrainee(nn.Module):
    """Train critic and generator; the encoder learns with the generator if reconstruction has a weight."""

    def __init__(self, networks, frames, model):
        super().__init__()
        self.networks, self.frames, self.model = networks, frames, model
        learners = ["decoder", "encoder"] if model.reconstruction_weight else ["decoder"]
        self.optimisers = [
            model._optimiser([p for name in learners for p in networks[name].parameters()], model.learning_rate_init),
            model._optimiser(networks["critic"].parameters(), model.critic_learning_rate_init),
        ]
        self.period = model.n_reconstruction if model.reconstruction_weight else 1
        self.n_steps, self.n_critic_steps = 0, 0
        self.critic_loss: torch.Tensor
        self.register_buffer("critic_loss", torch.zeros(()))

    def get_extra_state(self):
        """Return, for checkpoints, how many steps were taken."""
        return torch.tensor([self.n_steps, self.n_critic_steps])

    def set_extra_state(self, state):
        """Go on counting from there."""
        self.n_steps, self.n_critic_steps = state.tolist()

    def update(self, frames, generator):
        """Take a step of the generator; on every `period`-th step train the critic first, and learn from it."""
        losses = []
        if self.n_steps % self.period == 0:
            for _ in range(self.model.n_critic):
                self.critic_loss = self._update_critic(len(frames), generator)
            # the generator learns from the critic on every `period`-th step only, so that loss counts as many times
            losses.append(self.period * self._adversarial_loss(len(frames), generator))
        if self.model.reconstruction_weight:
            losses.append(self.model.reconstruction_weight * self._reconstruction_loss(frames, generator))
        self.n_steps += 1
        loss = torch.stack(losses).sum()
        descend(self.optimisers[0], loss)
        return {"loss": loss.detach(), "critic_loss": self.critic_loss}

    def _update_critic(self, n_frames, generator):
        rows = torch.randint(len(self.frames), (n_frames,), generator=generator, device=generator.device)
        real, critic = self.model.augment(self.frames[rows], generator), self.networks["critic"]
        critic.requires_grad_(True)
        with torch.no_grad():
            fake = self.networks["decoder"](self.model._base_latents(n_frames, generator))
        real_scores, fake_scores = critic(torch.cat([real, fake])).split(n_frames)
        loss = objective = self.model._critic_loss(real_scores, fake_scores)
        if self.n_critic_steps % PENALTY_EVERY == 0:
            penalty = self.model._penalty(critic, real, fake, generator)
            objective = loss if penalty is None else loss + self.model.penalty_weight * penalty
        self.n_critic_steps += 1
        descend(self.optimisers[1], objective)
        self.model._constrain(critic)
        return loss.detach().float()

    def _adversarial_loss(self, n_frames, generator):
        critic = self.networks["critic"].requires_grad_(False)
        return self.model._generator_loss(
            critic(self.networks["decoder"](self.model._base_latents(n_frames, generator)))
        )

    def _reconstruction_loss(self, frames, generator):
        mean, log_variance = self.networks["encoder"](frames).chunk(2, dim=1)
        beta_loss, latent_weight = self.model.beta_loss, self.model.latent_weight
        decoder = self.networks["decoder"]
        return variational_loss(decoder, frames, mean, log_variance, generator, beta_loss, latent_weight).mean()


class _CriticTrainee(_AdversarialTrainee):
    """Train the critic alone, against the finished generator."""

    def update(self, frames, generator):
        """Take one step of the critic."""
        return {"loss": self._update_critic(len(frames), generator)}

"""Source model by a generative adversarial network with the original loss."""

from __future__ import annotations

import torch
from torch.nn import functional

from sklearn_gass.networks import slopes
from sklearn_gass.source_models._adversarial import BaseAdversarialSourceModel


class GANSourceModel(BaseAdversarialSourceModel):
    """Source model by a generative adversarial network with the non-saturating loss.

    The critic is a classifier of real and generated frames; its logit is the critic's score.


    Parameters
    ----------
    n_components : int, default=64
        Number of latents.
    hidden_layer_sizes : int or sequence of int, default=(400, 400)
        Widths of the generator's hidden layers, from the latents on; the encoder has them in reverse.
    activation : {"leaky_relu", "softplus", "tanh"}, default="leaky_relu"
        Non-linearity of the generator's and encoder's hidden layers.
    critic_hidden_layer_sizes : int or sequence of int, default=(256, 256)
        Widths of the critic's hidden layers.
    critic_activation : {"leaky_relu", "softplus", "tanh"}, default="leaky_relu"
        Non-linearity of the critic's hidden layers.
    beta_loss : {"kullback-leibler", "frobenius", "itakura-saito"}, default="kullback-leibler"
        Divergence that frames are reconstructed by, in training and at `transform`.
    latent : {"gaussian", "data"}, default="gaussian"
        What the generator is fed: standard normal latents, or the codes that an autoencoder, trained first, gives the
        training frames.
    penalty_weight : float, default=1.0
        Weight of the squared gradient of the logit at real frames, which keeps the game stable.
    n_critic : int, default=1
        Steps of the critic for each of the generator.
    reconstruction_weight : float, default=0.1
        Weight of a variational autoencoder's loss beside the adversarial one; 0 trains by the adversarial objective
        alone.
    n_reconstruction : int, default=12
        Steps by reconstruction for each step in which generator and critic take turns, whose loss then counts as often
        in it; of no effect in training by the adversarial objective alone. With fewer steps to an epoch, `history_`
        has epochs without adversarial loss.
    frequency_warp : float, default=0.12
        Largest random warp of the frequency axis of training frames, in octaves; 0 leaves frames as they are. A few
        minutes of sound hold few pitches, and this fills the gaps between them.
    latent_weight : float, default=1.0
        Weight of the prior's energy against the divergence, in the autoencoder's loss, at `transform` and in
        separation.
    solver : {"adam", "rmsprop"}, default="adam"
        Optimiser of the weights.
    learning_rate : {"linear", "constant"}, default="linear"
        Whether learning rates fall linearly to zero over `max_iter` epochs or stay what they are.
    learning_rate_init : float, default=0.001
        First learning rate of the generator.
    critic_learning_rate_init : float, default=0.001
        The same of the critic.
    batch_size : int, default=64
        Frames per step.
    max_iter : int, default=80
        Epochs.
    inversion_max_iter : int, default=40
        Epochs in which, after adversarial training alone, an encoder learns to invert the frozen generator.
    critic_max_iter : int, default=10
        Epochs in which the critic alone goes on, once the generator is finished: one that shares its steps with the
        generator is always behind, and may take what was just generated for better than the training frames.
    weight_average : float, default=0.0
        Decay of a running average of the weights over steps that replaces the last weights; 0 keeps these.
    warm_start : bool, default=False
        Whether another `fit` goes on from the fitted weights.
    callbacks : list of skorch callbacks or None, default=None
        Called during adversarial training, as in skorch.
    verbose : int, default=0
        If not 0, a line per epoch is printed.
    device : str, default="cpu"
        Where to train, as torch names it.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, minibatches, latents and `sample`.

    Attributes
    ----------
    weights_ : dict of str to ndarray
        Weights of the networks by name.
    latents_ : ndarray of shape (n_frames, n_components) or None
        Codes of the training frames if ``latent="data"``.
    history_ : list of dict
        Losses of generator and critic and seconds of each epoch.
    inversion_history_ : list of dict
        The same of the autoencoder that came before or the encoder that came after, if any.
    codes_ : ndarray of shape (n_kept, n_codes)
        What the encoder makes of up to 1,000 training frames.
    residuals_ : ndarray of shape (n_kept, n_bins)
        Quotients of these frames and their reconstruction, from quiet to loud: the output noise of `sample`.
    residual_levels_ : ndarray of shape (n_kept,)
        Mean magnitudes of the reconstructions that the residuals belong to, in units of `scale_`.
    scale_ : float
        Mean training magnitude, the model's unit.
    n_iter_ : int
        Epochs of adversarial training made.
    n_features_in_ : int
        Number of bins.
    feature_names_in_ : ndarray of shape (n_bins,)
        Names of the bins; only if `X` had string column names.

    See Also
    --------
    WGANSourceModel : A critic that measures a distance instead.

    References
    ----------
    I. Goodfellow et al., "Generative Adversarial Nets", NIPS 2014.
    L. Mescheder, A. Geiger, S. Nowozin, "Which Training Methods for GANs do actually Converge?", ICML 2018.


    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass import GANSourceModel
    >>> X = np.abs(np.random.RandomState(0).randn(50, 8))
    >>> model = GANSourceModel(n_components=2, hidden_layer_sizes=(16,), max_iter=2, random_state=0).fit(X)
    >>> model.critic_score(model.sample(5)).shape
    (5,)
    """

    _parameter_constraints: dict = {
        **BaseAdversarialSourceModel._parameter_constraints,
    }

    def __init__(
        self,
        n_components=64,
        *,
        hidden_layer_sizes=(400, 400),
        activation="leaky_relu",
        critic_hidden_layer_sizes=(256, 256),
        critic_activation="leaky_relu",
        beta_loss="kullback-leibler",
        latent="gaussian",
        penalty_weight=1.0,
        n_critic=1,
        reconstruction_weight=0.1,
        n_reconstruction=12,
        frequency_warp=0.12,
        latent_weight=1.0,
        solver="adam",
        learning_rate="linear",
        learning_rate_init=1e-3,
        critic_learning_rate_init=1e-3,
        batch_size=64,
        max_iter=80,
        inversion_max_iter=40,
        critic_max_iter=10,
        weight_average=0.0,
        warm_start=False,
        callbacks=None,
        verbose=0,
        device="cpu",
        random_state=None,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.critic_hidden_layer_sizes = critic_hidden_layer_sizes
        self.critic_activation = critic_activation
        self.beta_loss = beta_loss
        self.latent = latent
        self.penalty_weight = penalty_weight
        self.n_critic = n_critic
        self.reconstruction_weight = reconstruction_weight
        self.n_reconstruction = n_reconstruction
        self.frequency_warp = frequency_warp
        self.latent_weight = latent_weight
        self.solver = solver
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.critic_learning_rate_init = critic_learning_rate_init
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.inversion_max_iter = inversion_max_iter
        self.critic_max_iter = critic_max_iter
        self.weight_average = weight_average
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.verbose = verbose
        self.device = device
        self.random_state = random_state

    def _critic_loss(self, real, fake):
        return functional.softplus(fake).mean() + functional.softplus(-real).mean()

    def _generator_loss(self, fake):
        return functional.softplus(-fake).mean()

    def _penalty(self, critic, real, fake, generator):
        return 0.5 * slopes(critic, torch.log1p(real)).square().sum(1).mean()

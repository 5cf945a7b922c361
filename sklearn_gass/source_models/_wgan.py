"""Source model by a Wasserstein generative adversarial network."""

from __future__ import annotations

from numbers import Real

import torch
from torch.nn import functional

from sklearn_gass._validation import Interval, StrOptions
from sklearn_gass.networks import gradient_penalty
from sklearn_gass.source_models._adversarial import BaseAdversarialSourceModel


class WGANSourceModel(BaseAdversarialSourceModel):
    """Source model by a Wasserstein generative adversarial network.

    The critic's scores estimate how far generated frames are from real ones, which is also what the separator asks it
    with ``critic_weight``.


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
    penalty : {"gradient", "clip", "spectral"}, default="gradient"
        How the critic is kept from growing without bound: by a penalty on gradients whose norm is not one between real
        and generated frames, by clipping its weights, or by dividing each layer by its largest singular value, as five
        power iterations find it, if that is above 1.
    penalty_weight : float, default=20.0
        Weight of the gradient penalty.
    clip_value : float, default=0.01
        Bound of the critic's weights with ``penalty="clip"``.
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
    GANSourceModel : The original adversarial loss.

    References
    ----------
    M. Arjovsky, S. Chintala, L. Bottou, "Wasserstein GAN", ICML 2017, arXiv:1701.07875.
    I. Gulrajani et al., "Improved Training of Wasserstein GANs", NIPS 2017, arXiv:1704.00028.
    T. Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR 2018, arXiv:1802.05957.
    C. Subakan, P. Smaragdis, "Generative Adversarial Source Separation", ICASSP 2018, arXiv:1710.10779.


    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass import WGANSourceModel
    >>> X = np.abs(np.random.RandomState(0).randn(50, 8))
    >>> model = WGANSourceModel(n_components=2, hidden_layer_sizes=(16,), max_iter=2, random_state=0).fit(X)
    >>> model.critic_score(model.sample(5)).shape
    (5,)
    """

    _parameter_constraints: dict = {
        **BaseAdversarialSourceModel._parameter_constraints,
        "penalty": [StrOptions({"gradient", "clip", "spectral"})],
        "clip_value": [Interval(Real, 0, None, closed="neither")],
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
        penalty="gradient",
        penalty_weight=20.0,
        clip_value=0.01,
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
        self.penalty = penalty
        self.penalty_weight = penalty_weight
        self.clip_value = clip_value
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
        return fake.mean() - real.mean()

    def _generator_loss(self, fake):
        return -fake.mean()

    def _penalty(self, critic, real, fake, generator):
        if self.penalty != "gradient":
            return None
        return gradient_penalty(critic, torch.log1p(real), torch.log1p(fake), generator)

    def _constrain(self, critic):
        with torch.no_grad():
            if self.penalty == "clip":
                for weight in critic.parameters():
                    weight.clamp_(-self.clip_value, self.clip_value)
            elif self.penalty == "spectral":
                for layer in critic.layers:
                    layer.weight /= max(1.0, _spectral_norm(layer.weight))


def _spectral_norm(weight):
    """Return the largest singular value, by power iterations from the row sums."""
    vector = weight.sum(1)
    for _ in range(_POWER_ITERATIONS):
        vector = functional.normalize(weight @ functional.normalize(weight.T @ vector, dim=0), dim=0)
    return float((weight.T @ vector).norm())


_POWER_ITERATIONS = 5

"""Source model by a generative adversarial network with the original loss."""

from __future__ import annotations

import torch
from torch.nn import functional

from sklearn_gass.networks import slopes
from sklearn_gass.source_models._adversarial import BaseAdversarialSourceModel


class GANSourceModel(BaseAdversarialSourceModel):
    """Source model by a generative adversarial network (GAN) with the non-saturating loss.

    A generator network turns latents into frames. It learns from a *critic*, a network that ranks how much frames look
    like training frames. The critic of a GAN is a classifier of training frames and generated frames, and its score is
    the logit. A separator with ``critic="source"`` asks it in separation, too.

    By default the generator also learns to reconstruct frames, as a variational autoencoder does, together with an
    encoder that guesses the latents of a frame. All parameters act in training; `beta_loss` and `latent_weight` also
    act at `transform` and in separation.

    Parameters
    ----------
    n_components : int, default=64
        Number of latents. More latents describe frames in finer detail, also frames that the source does not make. Try
        half and twice the default first.
    hidden_layer_sizes : int or sequence of int, default=(400, 400)
        Widths of the generator's hidden layers, from the latents to the frame. The encoder has the same layers in
        reverse. Wider and deeper networks fit the training frames closer and train longer. Try ``(200,)`` and
        ``(800, 800)`` beside the default first.
    activation : {"leaky_relu", "softplus", "tanh"}, default="leaky_relu"
        Non-linearity of the generator's and encoder's hidden layers. The paper has "softplus".
    critic_hidden_layer_sizes : int or sequence of int, default=(256, 256)
        Widths of the critic's hidden layers. Wider and deeper critics tell finer differences and train longer.
    critic_activation : {"leaky_relu", "softplus", "tanh"}, default="leaky_relu"
        Non-linearity of the critic's hidden layers. The paper has "tanh".
    beta_loss : {"kullback-leibler", "frobenius", "itakura-saito"}, default="kullback-leibler"
        Divergence between a frame and its reconstruction, also at `transform` and in separation. It is the negative
        log-likelihood of a Poisson, Gaussian or exponential output distribution, in this order. The second one gives
        loud bins more weight than the first, the third one less. Keep the default first.
    latent : {"gaussian", "data"}, default="gaussian"
        What the generator is fed in training. "gaussian" draws standard normal latents. "data" trains an autoencoder
        first and takes its codes of the training frames. Keep the default first.
    penalty_weight : float, default=1.0
        Weight of a penalty on the squared gradient of the critic's score at real frames. It keeps training stable.
        Larger values make the critic smoother, and less exact. Keep the default first.
    n_critic : int, default=1
        Steps of the critic for each adversarial step of the generator. More steps give a more exact critic and longer
        training. Keep 1 first, and try 2 with ``reconstruction_weight=0``.
    reconstruction_weight : float, default=0.1
        Weight of the loss of a variational autoencoder, which is added to the adversarial loss. Larger values
        reconstruct frames better and learn less from the critic. At 0 the generator learns from the critic alone. Keep
        the default first.
    n_reconstruction : int, default=12
        On every `n_reconstruction`-th step the critic trains and the generator learns from it, with that loss
        multiplied by `n_reconstruction`. On all other steps the generator learns by reconstruction alone. So by default
        the critic trains on every twelfth step, with its loss multiplied by twelve. Smaller values train longer. If an
        epoch has fewer steps, `history_` has epochs without adversarial loss. With ``reconstruction_weight=0`` the
        critic trains on every step.
    frequency_warp : float, default=0.12
        Largest random warp of the frequency axis of training frames, in octaves. A few minutes of sound hold few
        pitches, and warps fill the gaps between them. Larger values give more variety, and 0 leaves frames as they are.
        Keep the default for voices. The separator's start and critics learn from warped frames, too.
    latent_weight : float, default=1.0
        Weight of the prior of the latents against the divergence, in the loss of the autoencoder, at `transform` and in
        separation. Larger values keep latents nearer to typical ones and reconstruct frames less exactly. Try half and
        twice the default first.
    solver : {"adam", "rmsprop"}, default="adam"
        Optimiser of the weights. The paper has "rmsprop".
    learning_rate : {"linear", "constant"}, default="linear"
        Whether learning rates fall linearly to zero over `max_iter` epochs or stay constant.
    learning_rate_init : float, default=0.001
        First learning rate of the generator and the encoder. Larger values learn faster, until training diverges.
    critic_learning_rate_init : float, default=0.001
        First learning rate of the critic.
    batch_size : int, default=64
        Frames per training step. Smaller batches make more steps of an epoch, so training takes longer.
    max_iter : int, default=80
        Number of epochs, which are passes over the training frames. More epochs fit closer and take longer. Halve it
        for a first look.
    inversion_max_iter : int, default=40
        Epochs in which an encoder learns to invert the finished generator. Only with ``reconstruction_weight=0``, since
        otherwise the encoder learns beside the generator. More epochs give `transform` and ``start="source"`` a better
        start. Set 0 if you use neither.
    critic_max_iter : int, default=10
        Epochs in which the critic trains alone, once the generator is finished. While both train, the critic is one
        step behind the generator, and may score new generated frames higher than training frames. These epochs correct
        its scores. They change `critic_score` and ``critic="source"``, not the generator. Set 0 if you use neither.
    weight_average : float, default=0.0
        Decay of a running average of the weights over the training steps. If it is not 0, the average replaces the last
        weights at the end. Values nearer to 1 average over more steps. Keep 0 first.
    base : GANSourceModel or None, default=None
        Fitted model that training begins at, instead of random weights, such as one of other voices. Both must have the
        same layers and bins. It is not changed. `clone` keeps it; in a grid, wrap it in ``FrozenEstimator``. With a
        base, try a quarter of `max_iter`. A model file does not keep it.
    warm_start : bool, default=False
        Whether another `fit` goes on from the fitted weights, instead of new random ones. `history_` goes on, too.
    checkpoint : str, path-like or None, default=None
        File to keep the state of training in, so that another `fit` with the same data and parameters goes on from it
        with the same numbers. One of other data or parameters is refused. It stays when `fit` is finished. ``None``
        keeps nothing.
    checkpoint_every : float, default=30.0
        Seconds between two states that are written.
    callbacks : list of skorch callbacks or None, default=None
        Called during adversarial training, as in skorch.
    verbose : int, default=0
        If not 0, training prints a line per epoch.
    device : str, default="cpu"
        Where to train, as torch names it, such as "cuda".
    random_state : int, RandomState instance or None, default=None
        Seed of weights, minibatches, latents and `sample`. Set an int for repeatable results.

    Attributes
    ----------
    weights_ : dict of str to ndarray
        Weights of the networks by name.
    latents_ : ndarray of shape (n_frames, n_components) or None
        Codes of the training frames if ``latent="data"``, else ``None``.
    history_ : list of dict
        Losses of generator and critic, and seconds, of each epoch.
    inversion_history_ : list of dict
        The same for the autoencoder that was trained before, or for the encoder that was trained after, if any.
    codes_ : ndarray of shape (n_kept, n_codes)
        Output of the encoder for up to 1,000 training frames.
    residuals_ : ndarray of shape (n_kept, n_bins)
        The output noise of `sample`: quotients of up to 1,000 training frames and their reconstruction, sorted in each
        bin within groups of frames about as loud, so that no row belongs to a frame.
    residual_levels_ : ndarray of shape (n_kept,)
        Mean magnitude of the reconstruction behind each residual, in units of `scale_`.
    transition_ : ndarray of shape (n_components, n_components) or None
        How the normal scores of latents follow from those of the frame before, for sequences that `sample` draws.
        ``None`` if no encoder was trained, with ``reconstruction_weight=0``, ``inversion_max_iter=0`` and
        ``latent="gaussian"``.
    transition_covariance_ : ndarray of shape (n_components, n_components) or None
        Covariance of these scores.
    scale_ : float
        Mean magnitude of the training frames, the unit of the model.
    n_iter_ : int
        Number of epochs of adversarial training.
    distance_from_base_ : float
        Norm of the change of all weights from those of `base`, over their norm; only with a `base`.
    n_features_in_ : int
        Number of bins.
    feature_names_in_ : ndarray of shape (n_bins,)
        Names of the bins; only if `X` had string column names.

    See Also
    --------
    WGANSourceModel : The same with a critic that estimates a distance.

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
        base=None,
        warm_start=False,
        checkpoint=None,
        checkpoint_every=30.0,
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
        self.base = base
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
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

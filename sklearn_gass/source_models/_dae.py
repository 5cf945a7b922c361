"""Source model by a denoising autoencoder."""

from __future__ import annotations

from numbers import Real

import numpy as np
import torch

from sklearn_gass._validation import Interval
from sklearn_gass.divergences import DIVERGENCES
from sklearn_gass.source_models._autoencoder import BaseAutoencoderSourceModel


class DAESourceModel(BaseAutoencoderSourceModel):
    """Source model by a denoising autoencoder (DAE).

    An encoder network sees frames with masked bins, with noise, and with another frame of the source on top. It must
    find latents from which a decoder network makes the clean frame. Mixtures ask the same of it. All parameters act in
    training; `beta_loss` and `latent_weight` also act at `transform` and in separation.

    Parameters
    ----------
    n_components : int, default=64
        Number of latents. More latents describe frames in finer detail, also frames that the source does not make. Try
        half and twice the default first.
    hidden_layer_sizes : int or sequence of int, default=(400, 400)
        Widths of the decoder's hidden layers, from the latents to the frame. The encoder has the same layers in
        reverse. Wider and deeper networks fit the training frames closer and train longer. Try ``(200,)`` and
        ``(800, 800)`` beside the default first.
    activation : {"leaky_relu", "softplus", "tanh"}, default="leaky_relu"
        Non-linearity of the hidden layers. The paper has "softplus".
    beta_loss : {"kullback-leibler", "frobenius", "itakura-saito"}, default="kullback-leibler"
        Divergence between a frame and its reconstruction, also at `transform` and in separation. It is the negative
        log-likelihood of a Poisson, Gaussian or exponential output distribution, in this order. The second one gives
        loud bins more weight than the first, the third one less. Keep the default first.
    frequency_warp : float, default=0.12
        Largest random warp of the frequency axis of training frames, in octaves. A few minutes of sound hold few
        pitches, and warps fill the gaps between them. Larger values give more variety, and 0 leaves frames as they are.
        Keep the default for voices. The separator's start and critics learn from warped frames, too.
    latent_weight : float, default=1.0
        Weight of half the squared norm of the latents against the reconstruction, also at `transform` and in
        separation. Larger values keep latents nearer to zero and reconstruct frames less exactly. Try half and twice
        the default first.
    masking_noise : float, default=0.2
        Share of the bins that are set to zero before encoding. Larger values make the encoder guess more of a frame.
    additive_noise : float, default=0.3
        Level of white noise (half-normal in each bin) that is added before encoding, relative to the frame's mean.
        Larger values hide more of a frame.
    interference : float, default=0.5
        Largest level of another training frame that is added before encoding. The level is drawn uniformly for each
        frame. Larger values hide more of a frame.
    solver : {"adam", "rmsprop"}, default="adam"
        Optimiser of the weights. The paper has "rmsprop".
    learning_rate : {"linear", "constant"}, default="linear"
        Whether learning rates fall linearly to zero over `max_iter` epochs or stay constant.
    learning_rate_init : float, default=0.002
        First learning rate. Larger values learn faster, until training diverges. If the loss in `history_` jumps up,
        try half the value.
    batch_size : int, default=64
        Frames per training step. Smaller batches make more steps of an epoch, so training takes longer.
    max_iter : int, default=80
        Largest number of epochs, which are passes over the training frames. More epochs fit closer and take longer.
        Halve it for a first look.
    weight_average : float, default=0.0
        Decay of a running average of the weights over the training steps. If it is not 0, the average replaces the last
        weights at the end. Values nearer to 1 average over more steps. Keep 0 first.
    early_stopping : bool, default=False
        Whether to hold out frames and stop when their loss no longer falls. Otherwise training stops when the training
        loss no longer falls.
    validation_fraction : float, default=0.1
        Share of the frames to hold out. Only with `early_stopping`.
    tol : float, default=1e-4
        Smallest fall of the watched loss that counts as progress, relative to the loss. Larger values end training
        earlier.
    n_iter_no_change : int, default=10
        Epochs without progress after which training stops. Smaller values end training earlier.
    base : DAESourceModel or None, default=None
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
        Called during training, as in skorch.
    verbose : int, default=0
        If not 0, training prints a line per epoch.
    device : str, default="cpu"
        Where to train, as torch names it, such as "cuda".
    random_state : int, RandomState instance or None, default=None
        Seed of weights, minibatches, noise and `sample`. Set an int for repeatable results.

    Attributes
    ----------
    weights_ : dict of str to ndarray
        Weights of the networks by name.
    latent_mean_ : ndarray of shape (n_components,)
        Mean of the training frames' latents. `sample` draws from a Gaussian with this mean.
    latent_covariance_ : ndarray of shape (n_components, n_components)
        Covariance of these latents, and of the Gaussian.
    history_ : list of dict
        Loss and seconds of each epoch.
    codes_ : ndarray of shape (n_kept, n_codes)
        Output of the encoder for up to 1,000 training frames.
    residuals_ : ndarray of shape (n_kept, n_bins)
        The output noise of `sample`: quotients of up to 1,000 training frames and their reconstruction, sorted in each
        bin within groups of frames about as loud, so that no row belongs to a frame.
    residual_levels_ : ndarray of shape (n_kept,)
        Mean magnitude of the reconstruction behind each residual, in units of `scale_`.
    transition_ : ndarray of shape (n_components, n_components)
        How the normal scores of latents follow from those of the frame before, for sequences that `sample` draws.
    transition_covariance_ : ndarray of shape (n_components, n_components)
        Covariance of these scores.
    scale_ : float
        Mean magnitude of the training frames, the unit of the model.
    n_iter_ : int
        Number of epochs made.
    distance_from_base_ : float
        Norm of the change of all weights from those of `base`, over their norm; only with a `base`.
    n_features_in_ : int
        Number of bins.
    feature_names_in_ : ndarray of shape (n_bins,)
        Names of the bins; only if `X` had string column names.

    See Also
    --------
    VAESourceModel : An autoencoder with a prior on its latents instead of disturbed frames.

    References
    ----------
    P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol, "Extracting and Composing Robust Features with Denoising
    Autoencoders", ICML 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass import DAESourceModel
    >>> X = np.abs(np.random.RandomState(0).randn(50, 8))
    >>> model = DAESourceModel(n_components=2, hidden_layer_sizes=(16,), max_iter=2, random_state=0).fit(X)
    >>> model.sample(5).shape
    (5, 8)
    """

    _parameter_constraints: dict = {
        **BaseAutoencoderSourceModel._parameter_constraints,
        "masking_noise": [Interval(Real, 0, 1, closed="left")],
        "additive_noise": [Interval(Real, 0, None, closed="left")],
        "interference": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_components=64,
        *,
        hidden_layer_sizes=(400, 400),
        activation="leaky_relu",
        beta_loss="kullback-leibler",
        frequency_warp=0.12,
        latent_weight=1.0,
        masking_noise=0.2,
        additive_noise=0.3,
        interference=0.5,
        solver="adam",
        learning_rate="linear",
        learning_rate_init=2e-3,
        batch_size=64,
        max_iter=80,
        weight_average=0.0,
        early_stopping=False,
        validation_fraction=0.1,
        tol=1e-4,
        n_iter_no_change=10,
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
        self.beta_loss = beta_loss
        self.frequency_warp = frequency_warp
        self.latent_weight = latent_weight
        self.masking_noise = masking_noise
        self.additive_noise = additive_noise
        self.interference = interference
        self.solver = solver
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.weight_average = weight_average
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.base = base
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.callbacks = callbacks
        self.verbose = verbose
        self.device = device
        self.random_state = random_state

    def _describe(self, networks, frames):
        super()._describe(networks, frames)
        latents = networks["encoder"](frames).cpu().double()
        self.latent_mean_ = latents.mean(0).numpy()
        self.latent_covariance_ = torch.cov(latents.T, correction=0).reshape(latents.shape[1], -1).numpy()

    def _draw_latents(self, n_samples, generator, spread):
        values, vectors = np.linalg.eigh(self.latent_covariance_)
        root = torch.from_numpy(vectors * np.sqrt(np.maximum(values, 0)))
        noise = torch.randn(n_samples, self.n_components, generator=generator, dtype=root.dtype)
        return (torch.tensor(self.latent_mean_) + noise @ root.T).float()

    def _loss(self, networks, frames, generator):
        latents = networks["encoder"](self._corrupt(frames, generator))
        divergence = DIVERGENCES[self.beta_loss](frames, networks["decoder"](latents), constant=False)
        return divergence + 0.5 * self.latent_weight * latents.square().sum(1)

    def _corrupt(self, frames, generator):
        def uniform(*shape):
            return torch.rand(*shape, generator=generator, device=frames.device)

        others = frames[torch.randint(len(frames), (len(frames),), generator=generator, device=frames.device)]
        corrupted = frames + self.interference * uniform(len(frames), 1) * others
        noise = torch.randn(frames.shape, generator=generator, device=frames.device).abs()
        corrupted = corrupted + self.additive_noise * frames.mean(1, keepdim=True) * noise
        return corrupted * (uniform(*frames.shape) >= self.masking_noise)

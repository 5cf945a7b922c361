"""Source model by a denoising autoencoder."""

from __future__ import annotations

from numbers import Real

import numpy as np
import torch

from sklearn_gass._validation import Interval
from sklearn_gass.divergences import DIVERGENCES
from sklearn_gass.source_models._autoencoder import BaseAutoencoderSourceModel


class DAESourceModel(BaseAutoencoderSourceModel):
    """Source model by a denoising autoencoder.

    The encoder sees frames with masked bins, with noise, and with another frame of the source on top, and must find
    latents that give the clean frame. That is what it has to do in a mixture, too.

    Parameters
    ----------
    n_components : int, default=64
        Number of latents.
    hidden_layer_sizes : int or sequence of int, default=(400, 400)
        Widths of the decoder's hidden layers, from the latents on; the encoder has them in reverse.
    activation : {"leaky_relu", "softplus", "tanh"}, default="leaky_relu"
        Non-linearity of the hidden layers.
    beta_loss : {"kullback-leibler", "frobenius", "itakura-saito"}, default="kullback-leibler"
        Divergence between frames and their reconstruction: the negative log-likelihood of a Poisson, Gaussian or
        exponential output distribution.
    frequency_warp : float, default=0.12
        Largest random warp of the frequency axis of training frames, in octaves; 0 leaves frames as they are. A few
        minutes of sound hold few pitches, and this fills the gaps between them.
    latent_weight : float, default=1.0
        Weight of half the latents' squared norm against the reconstruction, in training, at `transform` and in
        separation.
    masking_noise : float, default=0.2
        Share of the bins set to zero before encoding.
    additive_noise : float, default=0.3
        Level of white noise (half-normal in each bin) added before encoding, relative to the frame's mean.
    interference : float, default=0.5
        Highest level, drawn uniformly for each frame, of another training frame added before encoding.
    solver : {"adam", "rmsprop"}, default="adam"
        Optimiser of the weights.
    learning_rate : {"linear", "constant"}, default="linear"
        Whether learning rates fall linearly to zero over `max_iter` epochs or stay what they are.
    learning_rate_init : float, default=0.002
        First learning rate.
    batch_size : int, default=64
        Frames per step.
    max_iter : int, default=80
        Epochs at most.
    weight_average : float, default=0.0
        Decay of a running average of the weights over steps that replaces the last weights; 0 keeps these.
    early_stopping : bool, default=False
        Whether to hold frames out and stop when their loss no longer falls; otherwise the training loss is watched.
    validation_fraction : float, default=0.1
        Share of the frames held out with `early_stopping`.
    tol : float, default=1e-4
        Relative fall of the watched loss that counts as progress.
    n_iter_no_change : int, default=10
        Epochs without progress after which training stops.
    warm_start : bool, default=False
        Whether another `fit` goes on from the fitted weights.
    callbacks : list of skorch callbacks or None, default=None
        Called during training, as in skorch.
    verbose : int, default=0
        If not 0, a line per epoch is printed.
    device : str, default="cpu"
        Where to train, as torch names it.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, minibatches, noise and `sample`.

    Attributes
    ----------
    weights_ : dict of str to ndarray
        Weights of the networks by name.
    latent_mean_ : ndarray of shape (n_components,)
        Mean of the training frames' latents: `sample` draws from the Gaussian fitted to these.
    latent_covariance_ : ndarray of shape (n_components, n_components)
        Their covariance.
    history_ : list of dict
        Loss and seconds of each epoch.
    codes_ : ndarray of shape (n_kept, n_codes)
        What the encoder makes of up to 1,000 training frames.
    residuals_ : ndarray of shape (n_kept, n_bins)
        Quotients of these frames and their reconstruction, from quiet to loud: the output noise of `sample`.
    residual_levels_ : ndarray of shape (n_kept,)
        Mean magnitudes of the reconstructions that the residuals belong to, in units of `scale_`.
    scale_ : float
        Mean training magnitude, the model's unit.
    n_iter_ : int
        Epochs made.
    n_features_in_ : int
        Number of bins.
    feature_names_in_ : ndarray of shape (n_bins,)
        Names of the bins; only if `X` had string column names.

    See Also
    --------
    VAESourceModel : A variational posterior instead of denoising.

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
        warm_start=False,
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
        self.warm_start = warm_start
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

"""Non-negative matrix factorisation as a source model: the linear rung of the ladder."""

from __future__ import annotations

from functools import partial
from numbers import Integral, Real

import numpy as np
import torch
from scipy.special import polygamma, psi
from typing_extensions import override

from sklearn_gass._validation import Interval, StrOptions
from sklearn_gass.divergences import DIVERGENCES
from sklearn_gass.engine import Decoder, GammaPrior, LinearPart, no_energy
from sklearn_gass.engine._context import N_SPANNED, with_context, without_context
from sklearn_gass.engine._multiplicative import solve_activations, update_activations, update_components
from sklearn_gass.source_models._base import N_KEPT, BaseSourceModel, spread_rows
from sklearn_gass.source_models._dynamics import fit_transition


class NMFSourceModel(BaseSourceModel):
    """Source model by non-negative matrix factorisation (NMF).

    A frame is a sum of `n_components` spectral templates, each with a non-negative factor, its *activation*. Training
    finds the templates by extrapolated multiplicative updates. With ``prior="gamma"`` the activations have gamma
    priors, fitted to the training frames, and the model is a probabilistic NMF.

    Parameters act in training. `beta_loss` and `prior` also act at `transform` and in separation.

    Parameters
    ----------
    n_components : int, default=40
        Number of templates. More templates fit the source closer, and also explain more of other sources. Try 20 and
        100 beside the default first.
    beta_loss : {"kullback-leibler", "frobenius", "itakura-saito"}, default="kullback-leibler"
        Divergence between a frame and its reconstruction, also at `transform` and in separation. It is the negative
        log-likelihood of a Poisson, Gaussian or exponential output distribution, in this order. The second one gives
        loud bins more weight than the first, the third one less. Keep the default first.
    prior : {None, "gamma"}, default=None
        Prior on the activations at `transform`, in separation and in `sample`; it is fitted in training. "gamma"
        prefers activations that are common in training. ``None`` leaves them free, and `sample` then takes activations
        of the training frames. Keep the default first.
    context : int, default=0
        If not 0, each template spans three frames: a frame, the one that is so many frames before it, and the one that
        is so many after it. Such templates know how a sound moves, and 100 of them separate recordings better than
        templates of single frames: try ``context=2`` first. Frames must then follow each other in time, also at
        `transform` and in separation, and what is found for a frame depends on frames up to twice as far away. Several
        recordings may follow each other in training. All sources of a separator need the same context.
    max_iter : int, default=20
        Largest number of updates of the templates in training. Many more fit the training frames closer, and separate
        worse.
    tol : float, default=1e-4
        Training stops when three updates lower the divergence by less than this, relative to the first divergence.
        Larger values end it earlier.
    warm_start : bool, default=False
        Whether another `fit` goes on from the fitted templates, instead of new random ones.
    random_state : int, RandomState instance or None, default=None
        Seed of the first templates and of `sample`. Set an int for repeatable results.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_bins), or (n_components, 3 * n_bins) with a context
        Templates; each has a mean of one. With a context, those of the earlier frame come first, and those of the later
        one last.
    context_ : int
        The `context` of training.
    activations_ : ndarray of shape (n_frames, n_components)
        Activations of the training frames.
    prior_shape_, prior_rate_ : ndarray of shape (n_components,)
        Fitted gamma prior of each activation; only with ``prior="gamma"``.
    reconstruction_err_ : float
        Divergence per training frame at the end of training, in units of `scale_`; with a context, per row of three
        frames.
    residuals_ : ndarray of shape (n_kept, n_bins)
        The output noise of `sample`: quotients of up to 1,000 training frames and their reconstruction, sorted in each
        bin within groups of frames about as loud, so that no row belongs to a frame.
    residual_levels_ : ndarray of shape (n_kept,)
        Mean magnitude of the reconstruction behind each residual, in units of `scale_`.
    transition_ : ndarray of shape (n_components, n_components)
        How the normal scores of activations follow from those of the frame before, for sequences that `sample` draws.
    transition_covariance_ : ndarray of shape (n_components, n_components)
        Covariance of these scores.
    scale_ : float
        Mean magnitude of the training frames, the unit of the model.
    n_iter_ : int
        Number of updates made.
    n_features_in_ : int
        Number of bins.
    feature_names_in_ : ndarray of shape (n_bins,)
        Names of the bins; only if `X` had string column names.

    See Also
    --------
    sklearn.decomposition.NMF : The same factorisation as a plain transformer.

    References
    ----------
    D. D. Lee, H. S. Seung, "Algorithms for non-negative matrix factorization", NIPS 2000.
    R. Varadhan, C. Roland, "Simple and Globally Convergent Methods for Accelerating the Convergence of Any EM
    Algorithm", Scandinavian Journal of Statistics 35(2), 2008.
    C. Fevotte, J. Idier, "Algorithms for nonnegative matrix factorization with the beta-divergence", Neural
    Computation 23(9), 2011.
    J. F. Gemmeke, T. Virtanen, A. Hurmalainen, "Exemplar-based sparse representations for noise robust automatic speech
    recognition", IEEE Transactions on Audio, Speech, and Language Processing 19(7), 2011, for windows of frames.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass import NMFSourceModel
    >>> X = np.abs(np.random.RandomState(0).randn(50, 8))
    >>> model = NMFSourceModel(n_components=3, random_state=0).fit(X)
    >>> model.sample(5).shape
    (5, 8)
    >>> model.inverse_transform(model.transform(X)).shape
    (50, 8)
    """

    context_ = 0  # of model files of older versions

    _parameter_constraints: dict = {
        **BaseSourceModel._parameter_constraints,
        "prior": [StrOptions({"gamma"}), None],
        "context": [Interval(Integral, 0, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
    }

    def __init__(
        self,
        n_components=40,
        *,
        beta_loss="kullback-leibler",
        prior=None,
        context=0,
        max_iter=20,
        tol=1e-4,
        warm_start=False,
        random_state=None,
    ):
        self.n_components = n_components
        self.beta_loss = beta_loss
        self.prior = prior
        self.context = context
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state

    def _train(self, frames, generator):
        activations, components = self._factorise(with_context(frames, self.context), generator)
        norms = components.mean(1).clamp_min(torch.finfo(frames.dtype).tiny)
        components, activations = components / norms[:, None], activations * norms
        self.components_ = components.numpy()
        self.activations_ = activations.numpy()
        self.context_ = int(self.context)
        if self.prior == "gamma":
            self.prior_shape_, self.prior_rate_ = _fit_gamma(self.activations_)
        rows = spread_rows(len(frames), N_KEPT)
        self._set_residuals(frames[rows], self._generate(activations[rows], successive=False))
        self.transition_, self.transition_covariance_ = fit_transition(self.activations_)

    def _factorise(self, frames, generator):
        """Return activations and templates, updated from random ones."""

        def update(factors):
            activations = update_activations(frames, factors[0], factors[1], self.beta_loss)
            return activations, update_components(frames, activations, factors[1], self.beta_loss)

        def error_of(factors, constant=False):
            return float(divergence(frames, factors[0] @ factors[1], constant=constant).mean())

        divergence = DIVERGENCES[self.beta_loss]
        components = 0.5 + torch.rand(self.n_components, frames.shape[1], generator=generator, dtype=frames.dtype)
        if self.warm_start and hasattr(self, "components_"):
            for name, before in (("n_components", len(self.components_)), ("context", self.context_)):
                now = getattr(self, name)
                if before != now:
                    raise ValueError(
                        f"This NMFSourceModel was fitted with {name}={before}, not {now}: fit it again, without "
                        "warm_start."
                    )
            components = torch.tensor(self.components_, dtype=frames.dtype)
        activations = torch.rand(len(frames), self.n_components, generator=generator, dtype=frames.dtype)
        activations *= frames.sum(1, keepdim=True) / (activations @ components).sum(1, keepdim=True)
        factors, n_iter, longest = (activations, components), 0, _LONGEST_STEP
        first, last = error_of(factors, constant=True), error_of(factors)
        while n_iter < self.max_iter:
            once = update(factors)
            n_iter += 1
            if n_iter + 2 > self.max_iter:
                factors = once
                continue
            twice = update(once)
            leap = update(tuple(map(partial(_extrapolate, longest=longest), factors, once, twice)))
            n_iter += 2
            error = error_of(leap)
            if error <= last:
                factors, longest = leap, min(2 * longest, _LONGEST_STEP_EVER)
            else:
                factors, longest = twice, max(1.0, longest / 4)
                error = error_of(twice)
            if last - error < self.tol * first:
                break
            last = error
        self.n_iter_ = n_iter
        self.reconstruction_err_ = error_of(factors, constant=True)
        return factors

    @override
    def decoder(self, dtype=torch.float32, device="cpu"):
        components = torch.tensor(self.components_, dtype=dtype, device=device)
        prior = None
        if self.prior == "gamma":
            prior = GammaPrior(
                torch.tensor(self.prior_shape_, dtype=dtype, device=device),
                torch.tensor(self.prior_rate_, dtype=dtype, device=device),
            )
        return linear_decoder(components, self.scale_, self.beta_loss, prior, self.context_)

    @override
    def _generate(self, latents, *, successive):
        rows = super()._generate(latents, successive=successive)
        if not self.context_:
            return rows
        return without_context(rows, self.context_) if successive else rows.chunk(N_SPANNED, dim=1)[1].contiguous()

    def _training_cost(self, n_frames, n_bins):
        return super()._training_cost(n_frames, n_bins * (N_SPANNED if self.context else 1))

    def _draw_latents(self, n_samples, generator, spread):
        if self.prior is None:
            rows = torch.randint(len(self.activations_), (n_samples,), generator=generator)
            return torch.from_numpy(self.activations_[rows.numpy()])
        shape = torch.tensor(self.prior_shape_).expand(n_samples, -1)
        return torch._standard_gamma(shape, generator=generator) / torch.tensor(self.prior_rate_)

    def _known_latents(self):
        return self.activations_


def linear_decoder(components, scale, beta_loss, prior=None, context=0):
    """Return the decoder of templates, a tensor with `n_components` rows, for magnitudes divided by a scale."""
    return Decoder(
        generate=lambda activations: activations @ components,
        start=lambda frames: solve_activations(frames, components, beta_loss, prior=prior, max_iter=20)[0],
        n_components=len(components),
        scale=scale,
        energy=prior.energy if prior is not None else no_energy,
        linear=LinearPart(components, prior, context),
    )


def _fit_gamma(activations):
    """Return shape and rate of a gamma distribution per column, by maximum likelihood.

    The shape solves ``log(shape) - psi(shape) = log(mean) - mean(log)`` by Newton steps on its inverse (T. Minka,
    "Estimating a Gamma distribution", 2002). Exact zeros have no likelihood, so activations get a floor far below their
    mean first. A template that is never active gets an exponential prior with the smallest mean.
    """
    floor = 1e-6 * max(float(activations.mean()), np.finfo(activations.dtype).tiny ** 0.5)
    values = np.maximum(activations.astype(np.float64), floor)
    mean = values.mean(0)
    gap = np.maximum(np.log(mean) - np.log(values).mean(0), 1e-8)
    shape = (3 - gap + np.sqrt((gap - 3) ** 2 + 24 * gap)) / (12 * gap)
    for _ in range(10):
        step = (np.log(shape) - psi(shape) - gap) / (shape**2 * (1 / shape - polygamma(1, shape)))
        shape = 1 / (1 / shape + step)
    shape = np.where(mean <= floor, 1.0, np.clip(shape, 1e-3, 1e3))
    return shape.astype(activations.dtype), (shape / mean).astype(activations.dtype)


def _extrapolate(start, once, twice, *, longest):
    """Extrapolate two successive updates of a factor, in the logarithm; the less they turn, the longer the step.

    The step is that of SQUAREM, scheme 3 (R. Varadhan, C. Roland, "Simple and Globally Convergent Methods for
    Accelerating the Convergence of Any EM Algorithm", Scandinavian Journal of Statistics 35(2), 2008).
    """
    start, once, twice = (factor.clamp_min(_TINY) for factor in (start, once, twice))
    first = torch.log(once / start)
    turn = torch.log(twice / once) - first
    step = float((first.norm() / turn.norm().clamp_min(_TINY)).clamp(1, longest))
    return start * torch.exp((2 * step * first + step**2 * turn).clamp(-_LARGEST_LOG, _LARGEST_LOG))


_LONGEST_STEP = 4.0
_LONGEST_STEP_EVER = 1e3
_LARGEST_LOG = 20.0
_TINY = 1e-12

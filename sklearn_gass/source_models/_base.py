"""What all source models share: validation, scaling, sampling and scoring."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from numbers import Integral, Real

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, DensityMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from sklearn_gass._checkpoints import agreed_seed, own_checkpoint, training_parameters
from sklearn_gass._random import derive_seed, torch_generator
from sklearn_gass._validation import Interval, StrOptions, check_frames, fit_context, learned, undo_fit
from sklearn_gass._versioned import Versioned
from sklearn_gass.divergences import DIVERGENCES
from sklearn_gass.engine import Decoder, Inference, Problem, infer
from sklearn_gass.progress import as_part
from sklearn_gass.source_models._dynamics import draw_sequence


class BaseSourceModel(
    Versioned, ClassNamePrefixFeaturesOutMixin, TransformerMixin, DensityMixin, BaseEstimator, metaclass=ABCMeta
):
    """Base of all generative models of the magnitude frames of one sound source.

    It validates, scales, samples and scores. A subclass has the parameters `n_components`, `beta_loss`, `max_iter` and
    `random_state`, and implements three methods:

    - `_train` sets the fitted attributes, plain numpy arrays among them `n_iter_`, from frames of mean magnitude 1;
    - `decoder` hands the fitted model to whoever separates with it;
    - `_draw_latents` draws latents for `sample`.

    To draw sequences, it also implements `_draw_sequence`.

    Attributes
    ----------
    scale_ : float
        Mean training magnitude, the model's unit.
    n_iter_ : int
        Updates or epochs that training took.
    n_features_in_ : int
        Number of bins.
    feature_names_in_ : ndarray of shape (n_bins,)
        Names of the bins; only if `X` had string column names.

    See Also
    --------
    sklearn_gass.engine.Decoder : What `decoder` returns.
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "beta_loss": [StrOptions(set(DIVERGENCES))],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    learns_from_mixture = False
    """Whether the model needs no recordings, since it is learned from each mixture itself."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn to generate frames like those of `X`.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins)
            Magnitude-spectrogram frames of clean sound of one source, non-negative, in any unit. Their order matters to
            `sample` with ``sequence=True`` and to an `NMFSourceModel` with a `context` alone, which need them in their
            order in time. Several recordings may follow each other; the few steps from one to the next count like all
            others.
        y : None
            Ignored, present for API consistency.

        Returns
        -------
        self : object
            The fitted model.

        Raises
        ------
        ValueError
            If `X` holds negative, NaN, infinite or complex values or no frames.
        """
        continues = getattr(self, "warm_start", False) and hasattr(self, "n_features_in_")
        before = dict(vars(self))
        if hasattr(self, "n_iter_"):
            del self.n_iter_
        try:
            X = check_frames(self, X, reset=not continues)
            self._n_features_out = self.n_components
            self.scale_ = float(X.mean(dtype=np.float64)) or 1.0
            with as_part(type(self).__name__), own_checkpoint(self, **self._identity(X, continues)):
                generator = torch.Generator().manual_seed(agreed_seed(self.random_state, derive_seed))
                self._train(torch.from_numpy(X / X.dtype.type(self.scale_)), generator)
        except BaseException as error:
            if "n_iter_" not in vars(self):  # training has left nothing whole
                undo_fit(self, before, restore=continues or not isinstance(error, Exception))
            raise
        return self

    def _training_cost(self, n_frames: int, n_bins: int) -> float:
        """Return about how many milliseconds training takes, for the progress of several parts."""
        return 3e-7 * self.max_iter * n_frames * n_bins * self.n_components

    def _identity(self, X, continues):
        """Return what has to be the same for a checkpoint to be of the same training, by name."""
        if getattr(self, "checkpoint", None) is None:
            return {}
        earlier = {name: value for name, value in learned(self).items() if continues and "history" not in name}
        parameters = [type(self).__name__, training_parameters(self.get_params())]
        return {"data": X, "parameters": parameters, "earlier_training": earlier}

    @abstractmethod
    def _train(self, frames: torch.Tensor, generator: torch.Generator) -> None:
        """Set the fitted attributes from frames in the model's unit (mean magnitude 1)."""

    @abstractmethod
    def decoder(self, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> Decoder:
        """Return the fitted model as a frozen decoder: pure functions of tensors, which separation works with.

        Parameters
        ----------
        dtype : torch.dtype, default=torch.float32
            Floating type that the decoder's functions have to work in.
        device : torch.device or str, default="cpu"
            Where its tensors are to be.

        Returns
        -------
        decoder : Decoder
            How to generate frames from latents, from which latents to start for a frame, the prior's energy, and a
            critic if the model has one.
        """

    @abstractmethod
    def _draw_latents(self, n_samples: int, generator: torch.Generator, spread: float) -> torch.Tensor:
        """Draw latents, shape (n_samples, n_components), of an encoder's posteriors at a share of their deviation."""

    def augment(self, frames: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return random variations of training frames, for this model's training and for what learns from mixtures.

        Parameters
        ----------
        frames : Tensor of shape (n_frames, n_bins)
            Magnitude frames in any unit.
        generator : torch.Generator
            Source of the variations, on the device of the frames.

        Returns
        -------
        varied : Tensor of shape (n_frames, n_bins)
            The frames themselves, unless a model varies them.
        """
        return frames

    def sample(self, n_samples=1, random_state=None, *, output_noise=True, spread=0.5, sequence=False):
        """Generate frames.

        Parameters
        ----------
        n_samples : int, default=1
            Number of frames.
        random_state : int, RandomState instance or None, default=None
            Seed of this draw; ``None`` falls back to the model's `random_state`.
        output_noise : bool, default=True
            Draw from the output distribution around each generated frame; ``False`` returns its mean, which is
            smoother than any real frame. The distribution is the empirical one of each bin: quotients of training
            frames and their reconstructions, pooled over frames about as loud.
        spread : float, default=0.5
            How far latents scatter around the codes of training frames, in standard deviations of the encoder's
            posteriors. 0 stays at the codes; 1 draws more varied and less natural frames. Sequences, and models without
            such posteriors, do not use it.
        sequence : bool, default=False
            Draw frames that follow each other in time as the training frames do, if those were in their order. Their
            latents follow a vector autoregression of order one. ``False`` draws each frame on its own.

        Returns
        -------
        X : ndarray of shape (n_samples, n_bins)
            Frames in the unit of the training frames.

        Raises
        ------
        ValueError
            If `n_samples` is not a positive integer, if `spread` is negative or not finite, or if a sequence is asked
            of a model that does not know how its latents move.
        """
        check_is_fitted(self)
        if isinstance(n_samples, bool) or not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError(f"n_samples must be an integer of at least 1, got {n_samples!r}.")
        if isinstance(spread, bool) or not (isinstance(spread, Real) and 0 <= float(spread) < np.inf):
            raise ValueError(f"spread must be a finite number of at least 0, got {spread!r}.")
        generator = torch_generator(self.random_state if random_state is None else random_state)
        with torch.no_grad():
            if sequence:
                latents = self._draw_sequence(int(n_samples), generator)
            else:
                latents = self._draw_latents(int(n_samples), generator, float(spread))
            frames = self._generate(latents, successive=sequence)
            if output_noise:
                frames = frames * self._draw_residuals(frames, generator)
        return frames.mul_(self.scale_).numpy()

    def _draw_sequence(self, n_samples: int, generator: torch.Generator) -> torch.Tensor:
        """Draw latents of successive frames, shape (n_samples, n_components)."""
        if getattr(self, "transition_", None) is None:
            raise ValueError(
                f"This {type(self).__name__} does not know how its latents move from frame to frame, so it draws no "
                "sequence. Neural models with a trained encoder and NMFSourceModel learn it in fit; files of older "
                "versions lack it."
            )
        return draw_sequence(self.transition_, self.transition_covariance_, self._known_latents(), n_samples, generator)

    def _known_latents(self) -> NDArray[np.floating]:
        """Return latents of training frames, which those of a sequence are distributed like."""
        raise NotImplementedError

    def _set_residuals(self, frames: torch.Tensor, reconstruction: torch.Tensor) -> None:
        """Keep how frames scatter around their reconstruction, in groups from quiet to loud.

        The quotients of a group's frames and reconstructions are sorted in each bin. That keeps their distribution, and
        no row belongs to a frame any more.
        """
        order = torch.argsort(reconstruction.sum(1))
        residuals = ((frames + _FLOOR) / (reconstruction + _FLOOR))[order].clamp_(max=_LARGEST_RESIDUAL)
        groups = [group.sort(dim=0).values for group in residuals.tensor_split(_n_groups(len(residuals)))]
        self.residuals_ = torch.cat(groups).cpu().numpy().astype(np.float16)
        self.residual_levels_ = reconstruction.mean(1)[order].cpu().numpy()

    def _draw_residuals(self, frames: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Draw for each bin of each frame a residual of the group that is about as loud."""
        n_rows = len(self.residuals_)
        bounds = torch.tensor([len(part) for part in torch.arange(n_rows).tensor_split(_n_groups(n_rows))]).cumsum(0)
        places = torch.searchsorted(torch.tensor(self.residual_levels_, dtype=frames.dtype), frames.mean(1))
        reach = max(1, round(_RESIDUAL_REACH * n_rows))
        places += torch.randint(-reach, reach + 1, places.shape, generator=generator)
        groups = torch.searchsorted(bounds, places.clamp_(0, n_rows - 1), right=True)
        sizes = torch.diff(bounds, prepend=torch.zeros(1, dtype=bounds.dtype))[groups]
        within = (torch.rand(frames.shape, generator=generator) * sizes[:, None]).long()
        rows = (bounds[groups] - sizes)[:, None] + within
        return torch.tensor(np.take_along_axis(self.residuals_, rows.numpy(), axis=0), dtype=frames.dtype)

    def transform(self, X):
        """Find the latents that explain each frame best.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins)
            Magnitude frames.

        Returns
        -------
        latents : ndarray of shape (n_frames, n_components)
            Latents of each frame, at the minimum of divergence plus prior energy. A row's latents do not depend on
            the other rows, unless the model has a `context`.
        """
        return self._infer(X).latents[0].numpy()

    def inverse_transform(self, latents):
        """Generate the frames that belong to latents.

        Parameters
        ----------
        latents : array-like of shape (n_frames, n_components)
            Latents as `transform` returns them.

        Returns
        -------
        X : ndarray of shape (n_frames, n_bins)
            Magnitude frames in the unit of the training frames.

        Raises
        ------
        ValueError
            If `latents` has another width than `n_components` or holds NaN.
        """
        check_is_fitted(self)
        latents = check_array(latents, dtype=[np.float64, np.float32], input_name="latents")
        if latents.shape[1] != self._n_features_out:
            raise ValueError(
                f"latents has {latents.shape[1]} columns, but the model has {self._n_features_out} latents."
            )
        with torch.no_grad():
            latents = torch.tensor(latents)
            return self._generate(latents, successive=True).mul_(self.scale_).numpy()

    def _generate(self, latents: torch.Tensor, *, successive: bool) -> torch.Tensor:
        """Return the frames of latents, which belong to successive frames or to single ones."""
        return self.decoder(latents.dtype).generate(latents)

    def score_samples(self, X):
        """Score each frame: the higher, the better the model explains it.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins)
            Magnitude frames.

        Returns
        -------
        scores : ndarray of shape (n_frames,)
            Minus the divergence of the best reconstruction, minus the prior energy of its latents; with magnitudes
            in units of the mean training magnitude (`scale_`). With a `context`, of the row of three frames around each
            frame: compare such scores among models of one context only.
        """
        return -self._infer(X).objective.numpy()

    def score(self, X, y=None):
        """Return the mean of `score_samples`.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins)
            Magnitude frames.
        y : None
            Ignored, present for API consistency.

        Returns
        -------
        score : float
            Mean score of the frames.
        """
        return float(np.mean(self.score_samples(X)))

    def _infer(self, X) -> Inference:
        check_is_fitted(self)
        frames = torch.tensor(check_frames(self, X, reset=False))
        return infer(frames, Problem([self.decoder(frames.dtype)], self.beta_loss, frames.shape[1], frames.dtype))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def spread_rows(n_rows: int, n_kept: int) -> torch.Tensor:
    """Return up to `n_kept` row numbers, evenly spread over all."""
    return torch.linspace(0, n_rows - 1, min(n_rows, n_kept)).round().long()


N_KEPT = 1000  # training frames whose codes and residuals are kept for `sample`
_FLOOR = 1e-3  # in units of the mean magnitude, keeps the residuals of silent bins bounded
_LARGEST_RESIDUAL = 6e4  # fits into half precision
_RESIDUAL_REACH = 0.02  # share of the kept frames, on either side, that count as about as loud
_GROUP = 40  # frames whose residuals are pooled


def _n_groups(n_rows: int) -> int:
    return max(1, n_rows // _GROUP)

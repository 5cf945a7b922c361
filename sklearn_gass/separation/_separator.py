"""The meta-estimator that separates mixture frames with one source model per source."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real

import joblib
import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.base import TransformerMixin, clone
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, check_memory

from sklearn_gass._inference import Inference, infer
from sklearn_gass._networks import check_device
from sklearn_gass._random import derive_seed, seed_if_unseeded, torch_generator
from sklearn_gass._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_feature_names_in,
    check_frames,
    check_labels,
    check_same_labels,
    fit_context,
)
from sklearn_gass.divergences import DIVERGENCES
from sklearn_gass.masks import ratio_masks
from sklearn_gass.scoring import frame_sdr
from sklearn_gass.separation._composition import SourceModelComposition
from sklearn_gass.separation._learned import LearnedFromMixtures, learn_from_mixtures


class SupervisedSeparator(TransformerMixin, SourceModelComposition):
    """Separate mixture frames into two or more sources with a generative model of each.

    `fit` trains one source model per label on clean frames. `transform` explains each frame of a mixture as a sum of
    frames that the models generate, turns these into masks, and applies the masks to the mixture, so that the
    separated sources sum to the mixture.

    Parameters
    ----------
    source_model : source model or list of (label, source model), default=None
        One model for all sources, cloned for each, or one for each source, named by the labels in `y`; ``None``
        means ``NMFSourceModel()``. Parameters nest: ``source_model__n_components`` for one model,
        ``<label>__n_components`` for a list. Models inside ``sklearn.frozen.FrozenEstimator`` are used as they are.
    critic_weight : float, default=2.0
        Weight λ of the critics: how much an estimate that looks like the training data is preferred to one that fits
        the mixture. Takes effect at `transform`, without another fit. The critics of ``critic="source"`` weigh the
        same in every frame, as in the method's paper, those of ``critic="mixture"`` in proportion to the divergence
        that a frame of its level has.
    mask_exponent : float, default=2.0
        Power of the estimates in the masks: 1 gives the ratio of magnitudes, 2 a Wiener-like mask, ``inf`` a binary
        one. Takes effect at `transform`.
    beta_loss : {"kullback-leibler", "frobenius", "itakura-saito"} or None, default=None
        Divergence between mixture and the sum of estimates; ``None`` takes the one the source models share.
    start : {"mixture", "source", "random"}, default="mixture"
        Where the latent search starts: from an encoder of mixtures, trained in `fit` on synthetic mixtures of the
        training frames, from what each source model's own encoder makes of an equal share of the mixture, or from the
        same random latents for every frame. Linear models alone need none of them.
    start_weight : float, default=5.0
        With ``start="mixture"``, weight of half the squared distance of the latents from the start: how far the search
        may go to explain the mixture better. Takes effect at `transform`.
    start_max_iter : int, default=3000
        Steps of the mixture encoder's training.
    critic : {"mixture", "source"}, default="mixture"
        Who judges: critics trained in `fit` to tell clean frames of each source from those that separation makes of
        synthetic mixtures, or those that adversarially trained source models bring along; beside these, sources
        without one are not judged.
    critic_max_iter : int, default=500
        Steps of the training of these critics.
    solver : {"lbfgs", "rmsprop"}, default="lbfgs"
        How latents are searched: by limited-memory BFGS, or by `max_iter` steps of RMSprop at a rate of 0.001 as in the
        method's paper.
    max_iter : int, default=100
        Steps of the latent search at most.
    tol : float, default=1e-3
        The search of a frame ends when steps improve it by less than this, relatively.
    n_init : int, default=1
        Searches, all but the first from disturbed starts; each frame keeps the one with the lowest objective.
    smoothness : float, default=0.0
        Weight of half the squared distance of the latents from those of the frames before and after. If not 0, frames
        must follow each other in time, and no longer are separated independently. Linear models alone have none.
    batch_size : int, default=1024
        Frames searched at a time. Bounds memory; results do not depend on it.
    memory : str, joblib.Memory or None, default=None
        Where fitted source models are cached. With a cache and a fixed `random_state`, a search over parameters that
        matter only at `transform` fits each source model once.
    n_jobs : int or None, default=None
        Source models fitted in parallel, as in joblib.
    device : str, default="cpu"
        Where to search and to train the mixture encoder, as torch names it.
    random_state : int, RandomState instance or None, default=None
        Seed given to every source model that has none of its own; the same for all, so that renaming the sources
        only permutes the output.

    Attributes
    ----------
    classes_ : ndarray of shape (n_sources,)
        Sorted labels of the sources.
    source_models_ : list of source models
        Fitted models, in the order of `classes_`.
    learned_ : LearnedFromMixtures
        Weights of the mixture encoder and of the critics of separation.
    n_features_in_ : int
        Number of bins.
    feature_names_in_ : ndarray of shape (n_bins,)
        Names of the bins; only if `X` had string column names.
    n_iter_ : int
        Updates or steps of the source model that took most training.

    See Also
    --------
    AudioSeparator : The same for waveforms.

    References
    ----------
    C. Subakan, P. Smaragdis, "Generative Adversarial Source Separation", ICASSP 2018, arXiv:1710.10779.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass import NMFSourceModel, SupervisedSeparator
    >>> rng = np.random.RandomState(0)
    >>> low, high = rng.rand(40, 6) * [9, 8, 5, 1, 0, 0], rng.rand(40, 6) * [0, 1, 1, 6, 9, 9]
    >>> X, y = np.vstack([low, high]), ["low"] * 40 + ["high"] * 40
    >>> separator = SupervisedSeparator(NMFSourceModel(n_components=3, random_state=0)).fit(X, y)
    >>> high_estimate, low_estimate = separator.separate(low + high)
    >>> bool(np.allclose(low_estimate + high_estimate, low + high))
    True
    """

    _parameter_constraints: dict = {
        "source_model": [HasMethods(["fit", "sample"]), list, None],
        "critic_weight": [Interval(Real, 0, None, closed="left")],
        "mask_exponent": [Interval(Real, 0, None, closed="right")],
        "beta_loss": [StrOptions(set(DIVERGENCES)), None],
        "start": [StrOptions({"mixture", "source", "random"})],
        "start_weight": [Interval(Real, 0, None, closed="left")],
        "start_max_iter": [Interval(Integral, 1, None, closed="left")],
        "critic": [StrOptions({"mixture", "source"})],
        "critic_max_iter": [Interval(Integral, 1, None, closed="left")],
        "solver": [StrOptions({"lbfgs", "rmsprop"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "smoothness": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "memory": [str, HasMethods(["cache"]), None],
        "n_jobs": [Integral, None],
        "device": [str],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        source_model=None,
        *,
        critic_weight=2.0,
        mask_exponent=2.0,
        beta_loss=None,
        start="mixture",
        start_weight=5.0,
        start_max_iter=3000,
        critic="mixture",
        critic_max_iter=500,
        solver="lbfgs",
        max_iter=100,
        tol=1e-3,
        n_init=1,
        smoothness=0.0,
        batch_size=1024,
        memory=None,
        n_jobs=None,
        device="cpu",
        random_state=None,
    ):
        self.source_model = source_model
        self.critic_weight = critic_weight
        self.mask_exponent = mask_exponent
        self.beta_loss = beta_loss
        self.start = start
        self.start_weight = start_weight
        self.start_max_iter = start_max_iter
        self.critic = critic
        self.critic_max_iter = critic_max_iter
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.n_init = n_init
        self.smoothness = smoothness
        self.batch_size = batch_size
        self.memory = memory
        self.n_jobs = n_jobs
        self.device = device
        self.random_state = random_state

    @classmethod
    def from_fitted(cls, source_models, **params):
        """Put already fitted source models together, without any data.

        Parameters
        ----------
        source_models : list of (label, fitted source model)
            Two or more models of frames of the same width.
        **params : dict
            Further constructor parameters.

        Returns
        -------
        separator : SupervisedSeparator
            A fitted separator.

        Raises
        ------
        ValueError
            If there are fewer than two models, a label comes twice, or the models differ in their number of bins.
        """
        separator = cls(list(source_models), **params)
        separator._validate_params()
        labels = separator._listed_labels()
        if len(labels) < 2:
            raise ValueError(f"Separation needs two or more sources, got 1 class: {labels}.")
        order = np.argsort(labels)
        models = [separator.source_model[i][1] for i in order]
        for model in models:
            check_is_fitted(model)
        names = [model.feature_names_in_ for model in models if hasattr(model, "feature_names_in_")]
        if len(names) == len(models) and all(np.array_equal(names[0], others) for others in names[1:]):
            separator.feature_names_in_ = names[0]
        separator.classes_ = np.asarray(labels)[order]
        separator._set_models(models)
        seed = derive_seed(separator.random_state)
        # the whole spread of the posteriors: what learns from samples gains by variety
        frames = [model._sample(_N_SAMPLES, seed, output_noise=True, spread=1.0) for model in models]
        separator._learn(frames, seed)
        return separator

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Train one source model per label.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins)
            Magnitude frames of clean sound of all sources.
        y : array-like of shape (n_frames,)
            Source of each frame.

        Returns
        -------
        self : SupervisedSeparator
            The fitted separator.

        Raises
        ------
        ValueError
            If `y` names fewer than two sources or others than the listed models, if `X` is no valid frame matrix, or
            if the models have different losses and `beta_loss` does not say which to take.
        """
        X, y = check_frames(self, X, y, reset=True)
        self.classes_, codes = check_labels(y)
        check_device(self.device)
        seed = derive_seed(self.random_state)
        models = [seed_if_unseeded(clone(model), seed) for model in self._models_in_order()]
        self._objective_loss(models)
        frames = [X[codes == code] for code in range(len(models))]
        fit_model = check_memory(self.memory).cache(_fit_model)
        jobs = (delayed(fit_model)(model, own) for model, own in zip(models, frames, strict=True))
        self._set_models(Parallel(n_jobs=self.n_jobs)(jobs))
        self._learn(frames, seed)
        return self

    def transform(self, X):
        """Separate the frames of a mixture.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins)
            Magnitude frames of a mixture, in the unit of the training frames.

        Returns
        -------
        S : ndarray of shape (n_frames, n_sources * n_bins)
            Separated frames, one block of columns per source in the order of `classes_`; they sum to `X`.
        """
        sources = self.separate(X)
        return np.concatenate(list(sources), axis=1)

    def separate(self, X):
        """Separate the frames of a mixture into an array per source.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins)
            Magnitude frames of a mixture, in the unit of the training frames.

        Returns
        -------
        sources : ndarray of shape (n_sources, n_frames, n_bins)
            Separated frames in the order of `classes_`; they sum to `X`.
        """
        check_is_fitted(self)
        return self._separate(check_frames(self, X, reset=False))

    def inverse_transform(self, S):
        """Add separated frames up to the mixture.

        Parameters
        ----------
        S : array-like of shape (n_frames, n_sources * n_bins)
            Separated frames as `transform` returns them.

        Returns
        -------
        X : ndarray of shape (n_frames, n_bins)
            Their sum.

        Raises
        ------
        ValueError
            If `S` has another width than `transform` returns, or holds NaN.
        """
        check_is_fitted(self)
        S = check_array(S, dtype=[np.float64, np.float32], input_name="S")
        if S.shape[1] != self._n_features_out:
            raise ValueError(f"S has {S.shape[1]} columns, but transform returns {self._n_features_out}.")
        return S.reshape(len(S), len(self.classes_), -1).sum(1)

    def score(self, X, y):
        """Separate mixtures of held-out clean frames and compare with the truth.

        The n-th frame of each source is added up to the n-th mixture frame, as many as the rarest source has.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins)
            Held-out clean magnitude frames.
        y : array-like of shape (n_frames,)
            Source of each frame; every source that was fitted must occur.

        Returns
        -------
        score : float
            Mean over sources of the signal-to-distortion ratio of magnitudes, in dB.

        Raises
        ------
        ValueError
            If a source does not occur in `y`, or one occurs that was not fitted.
        """
        ((mixture, references),) = self._held_out_mixtures(X, y)
        return float(np.mean(frame_sdr(references, self._separate(mixture))))

    def get_feature_names_out(self, input_features=None):
        """Return the names of the output columns: label, underscore, name of the bin.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the bins; ``None`` takes those seen in `fit`, or ``x0``, ``x1``, …

        Returns
        -------
        names : ndarray of shape (n_sources * n_bins,)
            Names of the columns that `transform` returns.
        """
        check_is_fitted(self)
        bins = check_feature_names_in(self, input_features)
        return np.asarray([f"{label}_{name}" for label in self.classes_ for name in bins], dtype=object)

    @property
    def _n_features_out(self) -> int:
        return len(self.classes_) * self.n_features_in_

    def _set_models(self, models):
        widths = {model.n_features_in_ for model in models}
        widths.add(getattr(self, "n_features_in_", models[0].n_features_in_))
        if len(widths) > 1:
            raise ValueError(f"The source models differ in their number of bins, or from X: {sorted(widths)}.")
        self.source_models_ = models
        self.n_features_in_ = models[0].n_features_in_
        self.n_iter_ = max(model.n_iter_ for model in models)

    def _learn(self, frames, seed):
        """Train what is learned from mixtures of clean frames of each source, unless all models are linear."""
        self.learned_ = LearnedFromMixtures()
        if any(model._decoder(torch.float32).linear is None for model in self.source_models_):
            order = self._search_order()
            self.learned_ = check_memory(self.memory).cache(learn_from_mixtures)(
                [self.source_models_[i] for i in order],
                [frames[i] for i in order],
                self._objective_loss(self.source_models_),
                self.start_max_iter if self.start == "mixture" else 0,
                self.critic_max_iter if self.critic == "mixture" else 0,
                seed,
                self.device,
            )

    def _objective_loss(self, models):
        losses = {model.beta_loss for model in models}
        if self.beta_loss is None and len(losses) > 1:
            raise ValueError(
                f"The source models have different losses {sorted(losses)}: set beta_loss of the separator."
            )
        return self.beta_loss or losses.pop()

    def _separate(self, X):
        return ratio_masks(self._infer(X).estimates.cpu().numpy(), self.mask_exponent) * X

    def _infer(self, X) -> Inference:
        self._validate_params()  # many of them act here, and may have been set since fit
        frames = torch.tensor(X, device=check_device(self.device))
        order = self._search_order()
        n_bins, dtype, device = X.shape[1], frames.dtype, self.device
        decoders = [self.source_models_[i]._decoder(dtype, device) for i in order]
        self._check_learned(decoders)
        encoder = self.learned_.load_encoder(decoders, n_bins, dtype, device) if self.start == "mixture" else None
        critics = self.learned_.load_critics(len(order), n_bins, dtype, device) if self.critic == "mixture" else None
        found = infer(
            frames,
            decoders,
            beta_loss=self._objective_loss(self.source_models_),
            critic_weight=self.critic_weight,
            critics=critics,
            start=self._random_start(decoders) if self.start == "random" else encoder,
            start_weight=0.0 if encoder is None else self.start_weight,
            solver=self.solver,
            max_iter=self.max_iter,
            tol=self.tol,
            n_init=self.n_init,
            smoothness=self.smoothness,
            batch_size=self.batch_size,
        )
        places = np.argsort(order)
        return replace(found, latents=[found.latents[i] for i in places], estimates=found.estimates[places])

    def _check_learned(self, decoders):
        """Raise ValueError if parameters ask for what the source models lack or only another `fit` can learn."""
        if all(decoder.linear is not None for decoder in decoders):
            return
        for name, learned, needed in (
            ("start", self.learned_.encoder, True),
            ("critic", self.learned_.critics, self.critic_weight > 0),
        ):
            if getattr(self, name) == "mixture" and learned is None and needed:
                raise ValueError(f'{name}="mixture" was not set when this separator was fitted: fit it again.')
        if self.critic == "source" and self.critic_weight and all(decoder.critic is None for decoder in decoders):
            raise ValueError(
                'critic="source" asks the critics of the source models, none of which has one: set critic_weight=0, or '
                'critic="mixture" and fit again.'
            )

    def _random_start(self, decoders):
        """Return a start at the same standard normal latents for every row."""
        generator = torch_generator(0 if self.random_state is None else self.random_state)
        latents = torch.randn(sum(decoder.n_components for decoder in decoders), generator=generator)
        return lambda rows: latents.to(rows).expand(len(rows), -1)

    def _search_order(self):
        """Return an order of the models that their labels have no part in, since rounding depends on the order."""
        scales = [model.scale_ for model in self.source_models_]

        def key(i):
            return scales[i], _fingerprint(self.source_models_[i]) if scales.count(scales[i]) > 1 else ""

        return sorted(range(len(scales)), key=key)

    def _held_out_mixtures(self, X, y, snr=0.0):
        """Return one mixture of clean frames, and its sources of shape (n_sources, n_mixture_frames, n_bins)."""
        check_is_fitted(self)
        X, y = check_frames(self, X, y, reset=False)
        check_same_labels(np.unique(y).tolist(), self.classes_.tolist(), unit="frames")
        n_frames = min(np.sum(y == label) for label in self.classes_)
        references = np.stack([X[y == label][:n_frames] for label in self.classes_])
        if snr:
            references[1:] *= 10.0 ** (-snr / 20)
        return [(references.sum(0), references)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _fingerprint(model):
    """Return a hash of what a fitted model is, without what its training took."""
    model = getattr(model, "estimator", model)  # inside FrozenEstimator
    return joblib.hash({name: value for name, value in vars(model).items() if "history" not in name})


def _fit_model(model, frames):
    """Fit one source model; a function of its own so that joblib can cache it."""
    return model.fit(frames, None)  # FrozenEstimator insists on y


_N_SAMPLES = 2000

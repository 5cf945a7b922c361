"""The meta-estimator that separates mixture frames with one source model per source."""

from __future__ import annotations

import warnings
from dataclasses import replace
from numbers import Integral, Real

import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, check_memory

from sklearn_gass._checkpoints import CHECKPOINT_CONSTRAINTS, Part, agreed_seed, own_checkpoint
from sklearn_gass._random import derive_seed, seed_if_unseeded
from sklearn_gass._validation import (
    HasMethods,
    Interval,
    StrOptions,
    all_or_nothing,
    check_frames,
    check_labels,
    fit_context,
)
from sklearn_gass.critics import CRITICS, BaseCritic
from sklearn_gass.divergences import DIVERGENCES
from sklearn_gass.engine import SMOOTHING_SWEEPS, given_to_background, infer, infer_with_background
from sklearn_gass.networks import check_device
from sklearn_gass.progress import divided, printing
from sklearn_gass.separation._base import BaseFrameSeparator
from sklearn_gass.separation._composition import CONTRACT, SeparatorComposition
from sklearn_gass.separation._explanation import Explanation, heard_for
from sklearn_gass.separation._fitting import detector_of, fit_model, fit_within, is_background, make_problem
from sklearn_gass.separation._parameters import changed_copy
from sklearn_gass.separation._spread import SpreadSampler, change_spreads
from sklearn_gass.starts import STARTS, BaseStart

_DETECTOR = "detector"
_INFERENCE = {"solver", "max_iter", "tol", "n_init", "smoothness", "batch_size"}
_SMOOTHNESS_OF_RECORDINGS = 40.0
_ACTING = {"critic_weight", "mask_exponent", "mask", "start_weight", "device"} | _INFERENCE


class SupervisedSeparator(BaseFrameSeparator, SeparatorComposition):
    """Separate mixture frames into two or more sources with a generative model of each.

    `fit` trains one source model per label on clean frames. `transform` explains each frame of a mixture as a sum of
    frames that the models generate, turns these into masks, and applies the masks to the mixture, so that the
    separated sources sum to the mixture.

    Parameters
    ----------
    source_model : source model or list of (label, source model), default=None
        One model for all sources, cloned for each, or one for each source, named by the labels in `y`; ``None``
        means ``VAESourceModel()``. One in a list may be a :class:`BackgroundModel`, whose label `y` need not have.
        Parameters nest: ``source_model__n_components`` for one model,
        ``<label>__n_components`` for a list. Models inside ``sklearn.frozen.FrozenEstimator`` are used as they are.
    start : {"mixture", "source", "random"} or start, default="mixture"
        Where the optimisation of latents starts. A string stands for :class:`MixtureStart` (an encoder trained in `fit`
        on synthetic mixtures), :class:`SourceStart` (each source model's own encoder) or :class:`RandomStart` with
        their defaults. Parameters nest: ``start__max_iter``. Linear models alone need none.
    start_weight : float, default=20.0
        How strongly latents are held near an informed start such as `MixtureStart`: the weight of half their squared
        distance from it. Lower values explain the mixture better and trust the start less. Acts at separation.
    critic : {"mixture", "source"}, critic or None, default="mixture"
        What ranks how clean estimates sound. A string stands for :class:`MixtureCritic` (trained in `fit` to tell clean
        frames from separated ones) or :class:`SourceCritic` (critics of adversarially trained source models) with their
        defaults; ``None`` for none. Parameters nest: ``critic__max_iter``. Linear models alone have none.
    critic_weight : float, default=2.0
        Weight λ of the critic: how much an estimate that looks like the training data is preferred to one that fits
        the mixture. Acts at separation.
    mask_exponent : float, default=2.0
        Power of the estimates in the masks: 1 gives the ratio of magnitudes, 2 a Wiener-like mask, ``inf`` a binary
        one. Higher values leave less of the other sources and more artifacts. Acts at separation.
    mask : callable or None, default=None
        Your own masks: a function of the estimates, of shape (n_sources, n_frames, n_bins), and the exponent that
        returns masks of that shape; ``None`` means :func:`sklearn_gass.masks.ratio_masks`. The sources sum to the
        mixture if the masks sum to 1. Acts at separation.
    beta_loss : {"kullback-leibler", "frobenius", "itakura-saito"} or None, default=None
        Divergence between mixture and the sum of estimates; ``None`` takes the one the source models share.
    solver : {"lbfgs", "rmsprop"}, default="lbfgs"
        How latents are optimised: by limited-memory BFGS, or by `max_iter` steps of RMSprop at a rate of 0.001 as in
        the method's paper. Acts at separation, as the next five do.
    max_iter : int, default=100
        Steps of the optimisation at most.
    tol : float, default=1e-3
        The optimisation of a frame ends when steps improve it by less than this, relatively.
    n_init : int, default=1
        Runs, all but the first from disturbed starts; each frame keeps the one with the lowest objective. Beside a
        `BackgroundModel` it is the number of searches, each from other first templates, whose estimates are averaged.
        There 4 give better results than 1, and take four times as long.
    smoothness : float or None, default=None
        Weight of half the squared distance of the latents from those of the frames before and after. If not 0, frames
        must follow each other in time, and no longer are separated independently. ``None`` is 40 in an
        `AudioSeparator`, which knows recordings, and 0 otherwise and beside a `BackgroundModel`. Linear models alone
        have none.
    batch_size : int, default=1024
        Frames optimised at a time. Bounds memory; results do not depend on it.
    memory : str, joblib.Memory or None, default=None
        Where fitted source models, starts and critics are cached. With a cache and a fixed `random_state`, a search
        over parameters that act at separation trains each of them once.
    n_jobs : int or None, default=None
        Source models fitted in parallel, as in joblib; in threads if there is a `checkpoint`.
    warm_start : bool, default=False
        Whether another `fit` goes on from the fitted source models, start and critic, instead of new ones. A source
        model, start or critic whose own `warm_start` is True goes on in any case. So does `history_` of each. Start and
        critic belong to their sources: with others they begin anew.
    checkpoint : str, path-like or None, default=None
        File to keep the state of training in, so that another `fit` with the same data and parameters goes on from it
        with the same numbers. One of other data or parameters is refused. It stays when `fit` is finished. ``None``
        keeps nothing.
    checkpoint_every : float, default=30.0
        Seconds between two states that are written.
    verbose : int, default=0
        If not 0, `fit` prints a line for each part that it has trained, and one every ten seconds in between. See
        :mod:`sklearn_gass.progress` for more.
    device : str, default="cpu"
        Where to separate and to train start and critic, as torch names it.
    random_state : int, RandomState instance or None, default=None
        Seed given to every source model that has none of its own, the same for all, so that renaming the sources
        only permutes the output. Start and critic get seeds that follow from it.

    Attributes
    ----------
    classes_ : ndarray of shape (n_sources,)
        Sorted labels of the sources.
    source_models_ : list of source models
        Fitted models, in the order of `classes_`.
    start_ : BaseStart or None
        The fitted start; ``None`` if all models are linear.
    critic_ : BaseCritic or None
        The fitted critic; ``None`` if all models are linear or `critic` is ``None``.
    n_features_in_ : int
        Number of bins.
    feature_names_in_ : ndarray of shape (n_bins,)
        Names of the bins; only if `X` had string column names.
    n_iter_ : int
        Updates or epochs of the source model that took most training.

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
        "source_model": [HasMethods(CONTRACT), list, None],
        "start": [StrOptions(set(STARTS)), BaseStart],
        "start_weight": [Interval(Real, 0, None, closed="left")],
        "critic": [StrOptions(set(CRITICS)), BaseCritic, None],
        "critic_weight": [Interval(Real, 0, None, closed="left")],
        "mask_exponent": [Interval(Real, 0, None, closed="right")],
        "mask": [callable, None],
        "beta_loss": [StrOptions(set(DIVERGENCES)), None],
        "solver": [StrOptions({"lbfgs", "rmsprop"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "smoothness": [Interval(Real, 0, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "memory": [str, HasMethods(["cache"]), None],
        "n_jobs": [Interval(Integral, None, None, closed="neither"), None],
        "warm_start": ["boolean"],
        **CHECKPOINT_CONSTRAINTS,
        "verbose": ["verbose"],
        "device": [str],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        source_model=None,
        *,
        start="mixture",
        start_weight=20.0,
        critic="mixture",
        critic_weight=2.0,
        mask_exponent=2.0,
        mask=None,
        beta_loss=None,
        solver="lbfgs",
        max_iter=100,
        tol=1e-3,
        n_init=1,
        smoothness=None,
        batch_size=1024,
        memory=None,
        n_jobs=None,
        warm_start=False,
        checkpoint=None,
        checkpoint_every=30.0,
        verbose=0,
        device="cpu",
        random_state=None,
    ):
        self.source_model = source_model
        self.start = start
        self.start_weight = start_weight
        self.critic = critic
        self.critic_weight = critic_weight
        self.mask_exponent = mask_exponent
        self.mask = mask
        self.beta_loss = beta_loss
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.n_init = n_init
        self.smoothness = smoothness
        self.batch_size = batch_size
        self.memory = memory
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.verbose = verbose
        self.device = device
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Train one source model per label, then start and critic, and the detector of a background that has one.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins)
            Magnitude frames of clean sound of all sources.
        y : array-like of shape (n_frames,)
            Source of each frame.

        Returns
        -------
        self : SupervisedSeparator
            The fitted separator. If training fails or is interrupted, it stays what it was before.

        Raises
        ------
        ValueError
            If `y` names fewer than two sources, or none but that of a `BackgroundModel`, or others than the listed
            models, if `X` is no valid frame matrix, if the models have different losses and `beta_loss` does not say
            which to take, or if the checkpoint is of another training.
        OSError
            If the checkpoint cannot be read or written.

        Warns
        -----
        UserWarning
            If start and critic cannot go on by `warm_start`, since the sources are others than before.
        """
        with all_or_nothing(self), printing(self.verbose):
            earlier = self._models_by_label()
            X, y = check_frames(self, X, y, reset=True)
            labels, codes = check_labels(y, fewest=self._fewest_labels)
            self.classes_ = self._with_background(labels)
            if earlier and earlier.keys() != set(self.classes_.tolist()):
                if self._goes_on("start") or self._goes_on("critic"):
                    warnings.warn("The sources are others than before: start and critic begin anew.", stacklevel=2)
                self.start_ = self.critic_ = None
            check_device(self.device)
            names = list(map(str, labels))
            frames = [X[codes == names.index(str(c))] if str(c) in names else None for c in self.classes_]
            models = self._new_models(earlier, frames)
            with own_checkpoint(self, **self._identity([X, y], models)) as file:
                seed = agreed_seed(self.random_state, derive_seed)
                sources = self._source_costs(models, frames)
                costs = {**self._part_costs(models, X.shape[1]), **self._detector_cost(models, X.shape[1])}
                tasks = divided({**sources, **costs})
                models = [seed_if_unseeded(model, seed) for model in models]
                models = self._fit_models(models, frames, file, [tasks[name] for name in sources])
                self._assemble(models, frames, seed, file, tasks)
                if _DETECTOR in tasks:
                    with tasks[_DETECTOR], Part(file, _DETECTOR):
                        # the start has the seed itself, the critic the next one
                        self._fit_detector(frames, derive_seed(derive_seed(seed)))
        return self

    def _fit_models(self, models, frames, file, tasks):
        """Return the fitted source models."""
        cached = check_memory(self.memory).cache(fit_model)
        jobs = (
            delayed(fit_within)(task, Part(file, f"source {i}"), cached, model, own, self.n_features_in_)
            for i, (task, model, own) in enumerate(zip(tasks, models, frames, strict=True))
        )
        # one file cannot be written by several processes
        fitted = Parallel(n_jobs=self.n_jobs, require=None if file is None else "sharedmem")(jobs)
        for task in tasks:
            task.catch_up()
        return fitted

    def _detector_cost(self, models, n_bins):
        """Return about how many milliseconds the training of the background's detector takes, if it has one."""
        for model in models:
            if self._trains_detector([model]):
                cost = getattr(model._make_detector(), "_training_cost", None)
                return {_DETECTOR: 0.0 if cost is None else cost(n_bins, len(models) - 1)}
        return {}

    def _fit_detector(self, frames, seed):
        """Train the detector of the background on separations of clean frames of the known sources."""
        problem, known = self._problem(torch.float32), self._known_in_order()
        frames = [None if own is None else torch.tensor(own, dtype=torch.float32) / problem.unit for own in frames]
        place = self._background_place
        background = self.source_models_[place]

        def explain(mixture):
            found = self._infer((mixture * problem.unit).to(self.device), problem, None, n_init=1)
            return found.estimates / problem.unit

        detector = seed_if_unseeded(background._make_detector(), seed)
        background.detector_ = detector.fit(explain, [frames[i] for i in known], frames[place])

    def explain(self, X, heard=None, *, n_samples=None):
        """Explain the frames of a mixture as sums of generated frames, before any mask.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins)
            Magnitude frames of a mixture, in the unit of the training frames. With a `BackgroundModel`, or if source
            models have a `context`, frames of one recording in their order in time.
        heard : Background or None, default=None
            What was learned of the background in an earlier part of the same recording: the attribute `background` of
            its explanation, in any floating type. Only with a `BackgroundModel`, which then goes on from there.
        n_samples : int or None, default=None
            Number of plausible separations to draw, from which the explanation's `spread` follows. Try 100 first: more
            give smoother intervals, and take proportionally longer. The separator's `random_state` is their seed.
            ``None`` draws none.

        Returns
        -------
        explanation : Explanation
            Estimates, latents, objective and number of steps, from which masks of any exponent follow.

        Raises
        ------
        ValueError
            If a parameter that only training reads was set since `fit`, `n_samples` is no integer of at least 2, or
            `heard` is something else, of frames of another width, or given without a `BackgroundModel`.
        """
        return self._explain(X, heard, SpreadSampler.make(n_samples, self.random_state))

    def _explain(self, X, heard, sampler):
        """Explain frames, with the spread that a sampler draws if there is one."""
        check_is_fitted(self)
        X = check_frames(self, X, reset=False)
        self._changes()
        order, frames = self._known_in_order(), torch.tensor(X, device=check_device(self.device))
        problem = self._problem(frames.dtype)
        found = self._infer(frames, problem, heard)
        order += [i for i in range(len(self.classes_)) if i not in order]  # the background comes last
        places = np.argsort(order)
        spread = None
        if sampler is not None:  # before sources get the order of their labels, which draws must not depend on
            are_linear = [decoder.linear is not None for decoder in problem.decoders]
            are_linear += [True] * (len(order) - len(are_linear))
            spread = sampler(X, found.estimates.cpu().numpy(), are_linear)
            spread = change_spreads(lambda part: part[places], spread)
        return Explanation(
            mixture=X,
            labels=self.classes_,
            estimates=found.estimates[places].cpu().numpy(),
            latents=[found.latents[i].cpu().numpy() for i in places],
            objective=found.objective.cpu().numpy(),
            n_iter=found.n_iter,
            mask_exponent=self.mask_exponent,
            mask=self.mask,
            background=getattr(found, "background", None),
            spread=spread,
        )

    def _problem(self, dtype):
        """Return the problem of separating with the known sources, start and critic."""
        models = [self.source_models_[i] for i in self._known_in_order()]
        problem = make_problem(models, self._objective_loss(self.source_models_), dtype, self.device)
        if self.start_ is not None:
            weight = self.start_weight if self.start_.is_anchor else 0.0
            problem = replace(problem, start=self.start_.freeze(problem), start_weight=weight)
        if self.critic_ is not None and self.critic_weight:
            problem = replace(problem, critic=self.critic_.freeze(problem), critic_weight=self.critic_weight)
        return problem

    def _infer(self, frames, problem, heard, **changes):
        """Run the engine, with the background of an earlier part of the recording if there is one."""
        settings = {name: getattr(self, name) for name in _INFERENCE} | {"smoothness": self.smoothness or 0.0} | changes
        unknown = [model for model in self.source_models_ if is_background(model)]
        if not unknown:
            if heard is not None:
                raise ValueError("heard is what was learned of a background, but no source has a BackgroundModel.")
            return infer(frames, problem, **settings)
        if heard is None:
            known = [self.source_models_[i] for i in self._known_in_order()]
            heard = unknown[0].background(known, frames.dtype, self.device)
        else:
            heard = heard_for(heard, frames)
        found = infer_with_background(frames, problem, heard, **settings)
        detector = detector_of(unknown)
        if detector is None:
            return found
        detect = detector.freeze(len(problem.decoders), frames.dtype, self.device)
        shares = detect(frames / problem.unit, found.estimates / problem.unit)
        return replace(found, estimates=given_to_background(found.estimates, shares))

    def for_recordings(self):
        """Return the separator for frames that follow each other in a recording: with its own default smoothness."""
        smooth = self.smoothness is None and not self.has_background
        return changed_copy(self, {"smoothness": _SMOOTHNESS_OF_RECORDINGS} if smooth else {})

    @property
    def n_neighbours(self):
        """Number of frames before and after a frame that its result depends on, if there is no `BackgroundModel`."""
        if getattr(self, "start_", None) is None:  # only linear models, without latents to keep near each other
            return 2 * max((getattr(model, "context_", 0) for model in getattr(self, "source_models_", ())), default=0)
        return SMOOTHING_SWEEPS if self.smoothness else 0

    @property
    def has_background(self):
        """Whether one of the sources is learned from each mixture; its frames depend on each other."""
        return self._background_place is not None

    @property
    def _background_place(self):
        """Place in `classes_` of the source that is learned from each mixture; ``None`` if there is none."""
        models = enumerate(getattr(self, "source_models_", ()))
        return next((place for place, model in models if is_background(model)), None)

    def _acting(self):
        return _ACTING

    def _with(self, changes):
        return changed_copy(self, changes)

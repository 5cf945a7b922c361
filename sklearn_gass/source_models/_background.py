"""A source that nobody recorded, learned from the mixture itself."""

from __future__ import annotations

import copy
from numbers import Real

import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted
from typing_extensions import override

from sklearn_gass._checkpoints import Part
from sklearn_gass._random import as_seed
from sklearn_gass._validation import HasMethods, Interval, StrOptions
from sklearn_gass.detectors import DETECTORS
from sklearn_gass.engine import Background, Memory, quiet_spectrum
from sklearn_gass.source_models._base import N_KEPT, BaseSourceModel, spread_rows
from sklearn_gass.source_models._nmf import NMFSourceModel, linear_decoder


class BackgroundModel(BaseSourceModel):
    """Source model of everything that nobody recorded, learned from each mixture itself.

    Give it to a separator beside models of known sources, under a label of its own. The separator then needs recordings
    of the known sources only. At separation their models stay as they are, and a background is learned that explains
    the rest of the mixture: a sum of `n_components` spectral templates, each with an activation in every frame. Latents
    of the known sources, templates and activations are found together, in turns. This is semi-supervised non-negative
    matrix factorisation, where the known part may be any source model.

    All frames of a mixture share the templates, so the result of a frame depends on the others: separate one recording
    at a time, and all of it.

    Recordings of the background alone may be given all the same, under its label: `fit` learns first templates from
    them, and separation goes on from there.

    Parameters
    ----------
    n_components : int, default=16
        Number of templates. Between 8 and 32 it hardly matters. More templates describe a background that changes more,
        such as another voice, and take longer.
    beta_loss : {"kullback-leibler", "frobenius", "itakura-saito"}, default="kullback-leibler"
        Divergence between a frame and its reconstruction. Take that of the known sources.
    max_iter : int, default=8
        Largest number of rounds at separation. In a round first the known sources and then the background are improved.
        More rounds explain the mixture more closely, by templates that take over parts of the known sources in the end.
        Take at least 4: from the third round on, bins are weighted by how much of them each part explains.
    prior_weight : float, default=4.0
        How many times as much the priors of the known sources' latents weigh as without a background. Larger values
        keep the known sources from explaining the background. Try 1 and 10 beside the default first. Source models
        without a prior, such as the default of `NMFSourceModel`, do not use it.
    detector : {"presence"}, detector or None, default=None
        What tells the known sources from parts of the background that resemble them. "presence" stands for
        :class:`PresenceDetector` with its defaults. A separator trains it in `fit`, on separations of its training
        frames from made-up backgrounds, which takes a minute with a VAE. Known sources that pause are then much more
        silent. ``None`` trains none, and neither does `from_fitted` or a model in a ``FrozenEstimator``. Parameters
        nest: ``detector__n_mixtures``. A detector of your own is an estimator with the methods `fit` and `freeze` of a
        `PresenceDetector`.
    random_state : int, RandomState instance or None, default=None
        Seed of the first templates and of `sample`; ``None`` takes that of the separator, and 0 in a FrozenEstimator.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_bins)
        Templates of the recordings of the background, each with a mean of one; only with such recordings.
    examples_ : ndarray of shape (n_kept, n_bins)
        Up to 1,000 frames of these recordings, from which templates are learned at separation, too; only with them.
    activations_, residuals_, residual_levels_ : ndarray
        As those of `NMFSourceModel`; only with them.
    detector_ : detector
        The fitted detector of the known sources of a separator; only if that has trained one.
    scale_ : float
        Mean magnitude of the recordings; 1 without.
    n_iter_ : int
        Number of updates that training made; 1 without recordings.
    n_features_in_ : int
        Number of bins.
    feature_names_in_ : ndarray of shape (n_bins,)
        Names of the bins; only if `X` had string column names.

    See Also
    --------
    NMFSourceModel : The same kind of model of a known source, with templates that stay as they were trained.

    References
    ----------
    P. Smaragdis, B. Raj, M. Shashanka, "Supervised and semi-supervised separation of sounds from single-channel
    mixtures", ICA 2007.
    S. Leglaive, L. Girin, R. Horaud, "A variance modeling framework based on variational autoencoders for speech
    enhancement", MLSP 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass import BackgroundModel, NMFSourceModel, SupervisedSeparator
    >>> rng = np.random.RandomState(0)
    >>> known, unknown = rng.rand(40, 6) * [9, 8, 5, 0, 0, 0], np.ones((40, 6)) * [0, 0, 1, 6, 9, 9]
    >>> models = [("known", NMFSourceModel(3)), ("rest", BackgroundModel(1))]
    >>> separator = SupervisedSeparator(models, random_state=0).fit(known, ["known"] * 40)
    >>> separator.classes_.tolist()
    ['known', 'rest']
    >>> separator.separate(known + unknown).shape
    (2, 40, 6)
    """

    _parameter_constraints: dict = {
        **BaseSourceModel._parameter_constraints,
        "prior_weight": [Interval(Real, 0, None, closed="left")],
        "detector": [StrOptions(set(DETECTORS)), HasMethods(["fit", "freeze", "get_params", "set_params"]), None],
    }

    learns_from_mixture = True

    def __init__(
        self,
        n_components=16,
        *,
        beta_loss="kullback-leibler",
        max_iter=8,
        prior_weight=4.0,
        detector=None,
        random_state=None,
    ):
        self.n_components = n_components
        self.beta_loss = beta_loss
        self.max_iter = max_iter
        self.prior_weight = prior_weight
        self.detector = detector
        self.random_state = random_state

    def set_params(self, **params):
        """Set parameters, those of the detector by two underscores.

        Parameters
        ----------
        **params : dict
            New values by name. A detector that was given as a string becomes the object it stands for.

        Returns
        -------
        self : BackgroundModel
            The model itself.
        """
        shorthand = params.get("detector", self.detector)
        nested = [name for name in params if name.startswith("detector__")]
        if nested and shorthand is None:
            raise ValueError(f"{nested[0]} cannot be set while detector is None.")
        if nested and isinstance(shorthand, str):
            if shorthand not in DETECTORS:
                raise ValueError(f"detector must be one of {sorted(DETECTORS)} or an object, got {shorthand!r}.")
            params = {"detector": DETECTORS[shorthand](), **{k: v for k, v in params.items() if k != "detector"}}
        return super().set_params(**params)

    def _validate_params(self):
        super()._validate_params()
        if hasattr(self.detector, "_parameter_constraints"):  # now, and not after source models were trained
            self.detector._validate_params()

    def _train(self, frames, generator):
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        nmf = NMFSourceModel(self.n_components, beta_loss=self.beta_loss, random_state=seed)
        with Part(None, "templates"):  # it is no part of its own, and a checkpoint has the seed of the whole
            nmf.fit(frames.numpy())
        self.components_, self.activations_ = nmf.components_, nmf.activations_ * nmf.scale_
        self.residuals_, self.residual_levels_ = nmf.residuals_, nmf.residual_levels_ * nmf.scale_
        self.examples_ = frames[spread_rows(len(frames), N_KEPT)].numpy() * self.scale_
        self.n_iter_ = nmf.n_iter_

    def expect(self, n_bins):
        """Get ready to learn from mixtures alone, without recordings of the background.

        Parameters
        ----------
        n_bins : int
            Width of the mixtures' frames.

        Returns
        -------
        self : BackgroundModel
            The model, which knows no template so far.
        """
        self._validate_params()
        self.n_features_in_, self._n_features_out = n_bins, self.n_components
        self.scale_, self.n_iter_ = 1.0, 1
        return self

    def background(self, known, dtype=torch.float32, device="cpu"):
        """Return what the engine is asked for at separation.

        Parameters
        ----------
        known : sequence of source models
            Fitted models of the known sources. Frames that they sample show what these do in quiet moments, which is no
            background.
        dtype : torch.dtype, default=torch.float32
            Floating type of the mixture's frames.
        device : torch.device or str, default="cpu"
            Where they are.

        Returns
        -------
        background : Background
            Number of templates, and those of the recordings if there were any.
        """
        check_is_fitted(self)
        # a frozen model is not given the separator's seed
        seed = as_seed(0 if self.random_state is None else self.random_state)
        samples = [torch.tensor(model.sample(_N_SAMPLES, seed), dtype=dtype, device=device) for model in known]
        quiet = torch.stack(list(map(quiet_spectrum, samples))).sum(0)
        if not hasattr(self, "components_"):
            return Background(self.n_components, self.max_iter, self.prior_weight, seed, quiet)
        levels = self.scale_ * self.activations_.mean(0)[:, None]
        templates = torch.tensor(levels * self.components_, dtype=dtype, device=device)
        examples = torch.tensor(self.examples_, dtype=dtype, device=device)
        memory = Memory(examples, torch.zeros_like(examples))
        return Background(len(templates), self.max_iter, self.prior_weight, seed, quiet, templates, memory)

    def _make_detector(self):
        """Return an unfitted detector, as the parameter `detector` says; ``None`` if there is none."""
        if self.detector is None:
            return None
        return DETECTORS[self.detector]() if isinstance(self.detector, str) else clone(self.detector)

    def _without_detector(self):
        """Return the model without the fitted detector, which knows the sources of one separator only."""
        copied = copy.copy(self)
        if hasattr(copied, "detector_"):
            del copied.detector_
        return copied

    @override
    def decoder(self, dtype=torch.float32, device="cpu"):
        self._check_examples()
        components = torch.tensor(self.components_, dtype=dtype, device=device)
        return linear_decoder(components, self.scale_, self.beta_loss)

    def _draw_latents(self, n_samples, generator, spread):
        self._check_examples()
        rows = torch.randint(len(self.activations_), (n_samples,), generator=generator)
        return torch.from_numpy(self.activations_[rows.numpy()])

    def _check_examples(self):
        if not hasattr(self, "components_"):
            raise ValueError(
                "This BackgroundModel was fitted without recordings of the background, so it knows no templates: "
                "it learns them from each mixture that a separator gets."
            )


_N_SAMPLES = 300

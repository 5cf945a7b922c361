"""A separator that chooses its own critic weight and mask exponent, training once per fold."""

from __future__ import annotations

from itertools import product
from numbers import Integral

import numpy as np
from sklearn import get_config
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils.metadata_routing import UNUSED, MetadataRouter, MethodMapping, process_routing
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sklearn_gass._random import derive_seed, seed_if_unseeded
from sklearn_gass._validation import HasMethods, StrOptions, check_labels, fit_context
from sklearn_gass.scoring import METRICS, SeparationScorer, get_scorer
from sklearn_gass.separation._chosen import ChosenSeparator
from sklearn_gass.separation._folds import (
    as_indices,
    check_folds,
    make_splitter,
    score_fold,
    separator_of_frames,
    tabulate,
    take,
)
from sklearn_gass.separation._separator import SupervisedSeparator


class SupervisedSeparatorCV(ChosenSeparator):
    """Separator that chooses λ, and the mask exponent if asked to, by cross-validation on its training data.

    Both act at separation and not in training. So source models are fitted once per fold, however many values are
    tried, and once more on everything: with three folds and two sources 8 fits, where a grid search over six values
    needs 38. The scores are those of the grid search to the last digit, since every value starts its latent search
    from the same point; no solution of one value is carried over to the next.

    Parameters
    ----------
    separator : SupervisedSeparator, AudioSeparator or None, default=None
        What to choose for; ``None`` means ``SupervisedSeparator()``. With an `AudioSeparator` around a
        `SupervisedSeparator`, rows are utterances, and scores are those of waveforms. An `AudioSeparator` may also be
        put around this estimator, which then chooses by frames of magnitudes.
    critic_weights : array-like of float, default=(0.0, 1.0, 2.0, 5.0, 10.0)
        Values of λ to try.
    mask_exponents : array-like of float or None, default=None
        Values of the mask exponent to try with each λ, at little cost since they share one latent search; ``None``
        keeps that of the separator.
    cv : int, splitter, iterable of (train, test) or None, default=None
        Folds. An int, or ``None`` for 3 or as many as the rarest source allows, makes folds of whole groups if `fit` is
        given groups, and otherwise blocks of consecutive rows of each source. Nothing is shuffled: neighbouring frames
        are nearly alike, so that shuffled ones would be held out beside their twins.
    scoring : str, list of str, tuple of str, callable or None, default=None
        What to choose by: names of metrics or any scorer of :mod:`sklearn_gass.scoring`; ``None`` asks the separator's
        own `score`, which is the signal-to-distortion ratio of frames or SI-SDR of waveforms.
    refit : str, callable or None, default=None
        Which of several metrics chooses, by name, ``None`` for the first; or a function of `cv_results_` that returns
        the index of the best candidate.
    n_jobs : int or None, default=None
        Folds worked on in parallel, as in joblib.
    random_state : int, RandomState instance or None, default=None
        Seed given to a separator that has none of its own. All folds get the same, so that λ is not confounded with
        the start of the training.

    Attributes
    ----------
    best_params_ : dict
        Chosen values, by the names that `set_params` of the separator takes.
    critic_weight_ : float
        Chosen λ.
    mask_exponent_ : float
        Chosen mask exponent, or that of the separator.
    best_score_ : float
        Mean score of the choice over the folds, in dB; of the metric that chose, or of the first
        one if a function did.
    best_index_ : int
        Row of `cv_results_` that was chosen.
    cv_results_ : dict of str to ndarray
        Scores and times in the layout of scikit-learn's `GridSearchCV`. All candidates share the fit of a fold and
        have its duration.
    multimetric_ : bool
        Whether there are several metrics.
    separator_ : SupervisedSeparator or AudioSeparator
        Fitted on everything with the chosen values.
    n_splits_ : int
        Number of folds.
    classes_ : ndarray of shape (n_sources,)
        Sorted labels of the sources.
    n_features_in_ : int
        Number of bins, or of samples per waveform if fitted on an array of equally long ones.
    feature_names_in_ : ndarray of shape (n_columns,)
        Names of the columns; only if `X` had string column names.

    See Also
    --------
    SupervisedSeparator : What it chooses for.
    sklearn_gass.scoring.SeparationScorer : What it may choose by.
    sklearn_gass.search_display.SearchDisplay : Plots of the scores.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass import SupervisedSeparator, SupervisedSeparatorCV, VAESourceModel
    >>> rng = np.random.RandomState(0)
    >>> low, high = rng.rand(60, 6) * [9, 8, 5, 1, 0, 0], rng.rand(60, 6) * [0, 1, 1, 6, 9, 9]
    >>> X, y, utterances = np.vstack([low, high]), ["low"] * 60 + ["high"] * 60, np.arange(120) // 10
    >>> model = VAESourceModel(2, hidden_layer_sizes=(8,), max_iter=5)
    >>> separator = SupervisedSeparator(model, start_max_iter=20, critic_max_iter=20, max_iter=5)
    >>> search = SupervisedSeparatorCV(separator, critic_weights=[0, 10], random_state=0)
    >>> search = search.fit(X, y, groups=utterances)
    >>> search.critic_weight_ in (0, 10), search.cv_results_["mean_test_score"].shape
    (True, (2,))
    """

    _parameter_constraints: dict = {
        "separator": [HasMethods(["fit", "separate"]), None],
        "critic_weights": ["array-like"],
        "mask_exponents": ["array-like", None],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(METRICS)), list, tuple, callable, None],
        "refit": [str, callable, None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }
    # groups go to the splitter, which says itself whether it asks for them
    __metadata_request__fit = {"groups": UNUSED}

    def __init__(
        self,
        separator=None,
        *,
        critic_weights=(0.0, 1.0, 2.0, 5.0, 10.0),
        mask_exponents=None,
        cv=None,
        scoring=None,
        refit=None,
        n_jobs=None,
        random_state=None,
    ):
        self.separator = separator
        self.critic_weights = critic_weights
        self.mask_exponents = mask_exponents
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, groups=None):
        """Choose the parameters on held-out parts of the training data, then train on all of it.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins), or list of ndarray of shape (n_samples,)
            Clean frames of all sources, or waveforms for an `AudioSeparator`.
        y : array-like of shape (n_frames,) or (n_utterances,)
            Source of each row.
        groups : array-like of shape (n_frames,) or (n_utterances,), default=None
            What must not be torn apart: the utterance of each frame.

        Returns
        -------
        self : SupervisedSeparatorCV
            The fitted separator.

        Raises
        ------
        ValueError
            If a fold lacks a source, if a value to try is out of range, if `refit` is no metric of `scoring`, or as
            the separator's `fit`.
        """
        waves, unit = self._holds_waves, "utterances" if self._holds_waves else "frames"
        X, y = self._check(X, y, reset=True)
        y = np.asarray(y)
        labels, codes = check_labels(y, unit=unit)
        separator, prefix, scorer = self._make_separator(), "separator__" if waves else "", self._scorer()
        grid = self._grid(separator, prefix)
        folds = self._split(X, labels, codes, groups, unit)
        check_folds(folds, y, unit=unit)
        self.n_splits_ = len(folds)
        weights = grid[f"{prefix}critic_weight"]
        exponents = grid.get(f"{prefix}mask_exponent", [separator.get_params()[f"{prefix}mask_exponent"]])
        scored = Parallel(n_jobs=self.n_jobs)(
            delayed(score_fold)(
                clone(separator), (take(X, train), y[train]), (take(X, test), y[test]), weights, exponents, scorer
            )
            for train, test in folds
        )
        candidates = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
        self.cv_results_ = tabulate(candidates, scored)
        self._choose()
        self.separator_ = separator.set_params(**self.best_params_).fit(X, y)
        chosen = separator_of_frames(self.separator_)
        self.critic_weight_, self.mask_exponent_ = float(chosen.critic_weight), float(chosen.mask_exponent)
        self.classes_ = self.separator_.classes_
        return self

    def score(self, X, y):
        """Score the chosen parameters on held-out clean recordings, by the metric that chose.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins), or list of ndarray of shape (n_samples,)
            Held-out clean frames or waveforms.
        y : array-like of shape (n_frames,) or (n_utterances,)
            Source of each; every source that was fitted must occur.

        Returns
        -------
        score : float
            In dB.
        """
        check_is_fitted(self)
        score = self._scorer()(self.separator_, *self._check(X, y, reset=False))
        return score[self._metric()] if isinstance(score, dict) else score

    def get_metadata_routing(self):
        """Say that `fit` passes groups on to the splitter, if that asks for them.

        Returns
        -------
        routing : MetadataRouter
            What scikit-learn's metadata routing asks for.
        """
        splitter = StratifiedGroupKFold() if self.cv is None or isinstance(self.cv, Integral) else self.cv
        mapping = MethodMapping().add(caller="fit", callee="split")
        return MetadataRouter(owner=self).add(splitter=splitter, method_mapping=mapping)

    def _make_separator(self):
        """Return an unfitted separator with a seed."""
        separator = SupervisedSeparator() if self.separator is None else clone(self.separator)
        if self._holds_waves and separator.separator is None:
            separator.set_params(separator=SupervisedSeparator())
        if not isinstance(separator.separator if self._holds_waves else separator, SupervisedSeparator):
            raise ValueError(
                f"separator must be a SupervisedSeparator, or an AudioSeparator around one, got {self.separator!r}."
            )
        # a number is passed on as it is, so that the scores are those of the separator with this number
        is_number = isinstance(self.random_state, Integral)
        return seed_if_unseeded(separator, self.random_state if is_number else derive_seed(self.random_state))

    def _grid(self, separator, prefix):
        """Return the values to try by parameter, after checking them."""
        grid = {f"{prefix}critic_weight": list(self.critic_weights)}
        if self.mask_exponents is not None:
            grid[f"{prefix}mask_exponent"] = list(self.mask_exponents)
        for name, values in grid.items():
            if not values:
                raise ValueError(f"There is no value of {name} to try.")
            for value in values:
                candidate = clone(separator).set_params(**{name: value})
                (candidate.separator if prefix else candidate)._validate_params()
        return grid

    def _split(self, X, labels, codes, groups, unit):
        if groups is not None:
            check_consistent_length(X, groups)
            if get_config()["enable_metadata_routing"]:
                groups = process_routing(self, "fit", groups=groups).splitter.split.get("groups")
        folds = make_splitter(self.cv, labels, codes, groups, unit=unit).split(X, codes, groups)
        return [(as_indices(train), as_indices(test)) for train, test in folds]

    def _scorer(self):
        """Return the scorer after checking that it has the metric that is to choose."""
        scorer = get_scorer(self.scoring)
        if isinstance(scorer, SeparationScorer):
            self._check_metric([scorer.metrics] if isinstance(scorer.metrics, str) else scorer.metrics)
        elif self.scoring is None:
            self._check_metric(["score"])
        return scorer

    def _check_metric(self, names):
        if isinstance(self.refit, str) and self.refit not in names:
            raise ValueError(f"refit={self.refit!r} is none of the metrics {list(names)}.")

    def _metric(self):
        """Return the name of the metric that chooses, or the first one if a function does."""
        names = [key.removeprefix("rank_test_") for key in self.cv_results_ if key.startswith("rank_test_")]
        if names == ["score"]:
            return "score"
        self._check_metric(names)
        return self.refit if isinstance(self.refit, str) else names[0]

    def _choose(self):
        metric = self._metric()
        results = self.cv_results_
        chosen = self.refit(results) if callable(self.refit) else results[f"rank_test_{metric}"].argmin()
        self.best_index_, self.multimetric_ = int(chosen), metric != "score"
        self.best_params_ = results["params"][self.best_index_]
        self.best_score_ = float(results[f"mean_test_{metric}"][self.best_index_])

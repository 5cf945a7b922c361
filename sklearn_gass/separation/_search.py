"""A separator that chooses its own critic weight and mask exponent, training once per fold."""

from __future__ import annotations

import tempfile
import warnings
from numbers import Integral

import numpy as np
from joblib import Memory
from sklearn import config_context, get_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedGroupKFold
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import UNUSED, MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_consistent_length, check_is_fitted
from typing_extensions import override

from sklearn_gass._random import as_seed, seed_if_unseeded
from sklearn_gass._validation import (
    HasMethods,
    Interval,
    StrOptions,
    all_or_nothing,
    check_frames,
    check_labels,
    check_utterances,
    fit_context,
)
from sklearn_gass.progress import divided, silence
from sklearn_gass.scoring import METRICS, SeparationScorer, get_scorer
from sklearn_gass.separation._audio import AudioSeparator
from sklearn_gass.separation._folds import make_folds
from sklearn_gass.separation._owner import SeparatorOwner
from sklearn_gass.separation._parameters import nested_now
from sklearn_gass.separation._separator import SupervisedSeparator


class SupervisedSeparatorCV(SeparatorOwner):
    """Separator that chooses λ, and the mask exponent if asked to, by cross-validation on its training data.

    Both act at separation. So everything is trained once per fold, however many values are tried, and once more on all
    data: with three folds and two sources 8 source models, where a plain grid search over six values trains 38. It is
    scikit-learn's `GridSearchCV` on a cache of what each fold trained, in a temporary folder unless the separator has a
    `memory`, and has the same scores. After `fit`, a parameter of the separator acts if it is set to another value than
    the one it was constructed with; the chosen values act otherwise.

    Parameters
    ----------
    separator : SupervisedSeparator, AudioSeparator or None, default=None
        What to choose for; ``None`` means ``SupervisedSeparator()``. With an `AudioSeparator` rows are utterances, and
        scores those of waveforms. An `AudioSeparator` around this estimator lets it choose by frames.
    critic_weights : array-like of float, default=(0.0, 1.0, 2.0, 5.0, 10.0)
        Values of λ to try.
    mask_exponents : array-like of float or None, default=None
        Values of the mask exponent to try with each λ; ``None`` keeps that of the separator.
    cv : int, splitter, iterable of (train, test) or None, default=None
        Folds. An int, or ``None`` for up to 3, makes folds of whole groups if `fit` is given groups, and otherwise
        blocks of consecutive rows of each source: neighbouring frames are too alike to be shuffled.
    scoring : str, list of str, tuple of str, callable or None, default=None
        What to choose by: names of metrics or any scorer of :mod:`sklearn_gass.scoring`; ``None`` asks the separator's
        own `score`, which is the signal-to-distortion ratio of frames or SI-SDR of waveforms.
    refit : str, callable or None, default=None
        Which of several metrics chooses, by name, ``None`` for the first; or a function of `cv_results_` that returns
        the index of the best candidate.
    n_jobs : int or None, default=None
        Folds trained and candidates scored in parallel, as in joblib.
    random_state : int, RandomState instance or None, default=None
        Seed given to a separator that has none of its own. All folds get the same, so that λ is not confounded with
        the start of the training.

    Attributes
    ----------
    critic_weight_, mask_exponent_ : float
        Chosen λ, and chosen mask exponent or that of the separator.
    best_params_, best_score_, best_index_, cv_results_, multimetric_, n_splits_
        As in scikit-learn's `GridSearchCV`, with scores in dB. Fit times are those of reading what was trained before.
    separator_ : SupervisedSeparator or AudioSeparator
        Fitted on everything with the chosen values.
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
    >>> separator = SupervisedSeparator(model, max_iter=5).set_params(start__max_iter=20, critic__max_iter=20)
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
        "n_jobs": [Interval(Integral, None, None, closed="neither"), None],
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
        with all_or_nothing(self), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            unit = "utterances" if self._holds_waves else "frames"
            X, y = self._check(X, y, reset=True)
            self.classes_, _ = check_labels(y, unit=unit)
            separator, scorer = self._make_separator(), self._scorer()
            grid = self._grid(separator)
            folds = make_folds(self.cv, X, y, self._groups_to_split(X, groups), unit=unit)
            memory = separator.get_params()[f"{self._prefix}memory"]
            cached = {f"{self._prefix}memory": Memory(folder, verbose=0) if memory is None else memory}
            separator.set_params(**cached)
            tasks = divided({**{f"fold {i} of {len(folds)}": 1.0 for i in range(1, len(folds) + 1)}, "choice": 1.5})
            Parallel(n_jobs=self.n_jobs)(
                delayed(_train)(task, clone(separator), X, y, train)
                for task, (train, _) in zip(tasks.values(), folds, strict=False)
            )
            for name, task in tasks.items():
                if name != "choice":
                    task.catch_up()
            search = GridSearchCV(separator, grid, scoring=scorer, cv=folds, refit=self._choose, n_jobs=self.n_jobs)
            # scores every candidate, with what was trained above, and trains on everything
            with tasks["choice"], silence(), warnings.catch_warnings():  # scores may be infinite
                warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
                search.set_params(error_score="raise").fit(X, y)
            for name in ("best_params_", "best_index_", "cv_results_", "multimetric_", "n_splits_"):
                setattr(self, name, getattr(search, name))
            self.best_score_ = float(self.cv_results_[f"mean_test_{self._metric(self.cv_results_)}"][self.best_index_])
            self.separator_ = search.best_estimator_
            chosen = self.separator_.separator_ if self._holds_waves else self.separator_
            self.separator_.set_params(**dict.fromkeys(cached, memory))  # the cache is gone
            chosen.set_params(memory=memory)
            self.critic_weight_, self.mask_exponent_ = float(chosen.critic_weight), float(chosen.mask_exponent)
            self._remember_parameters()
        return self

    @override
    def transform(self, X):
        check_is_fitted(self)
        with config_context(transform_output="default"):
            return self._now().transform(self._check(X, reset=False))

    def separate(self, X, sample_rate=None, *, n_samples=None):
        """Separate a mixture by the separator that was found best.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_frames, n_bins)
            One waveform if this is around an `AudioSeparator`, else magnitude frames.
        sample_rate : int or None, default=None
            Rate of the waveform in Hz, so that one of another rate is refused.
        n_samples : int or None, default=None
            Number of plausible separations to draw, from which the `spread` of the result follows; waveforms only.

        Returns
        -------
        sources : Separation or ndarray of shape (n_sources, n_frames, n_bins)
            Waveforms, or frames, in the order of `classes_`; they sum to `X`.

        Raises
        ------
        ValueError
            As `AudioSeparator.separate` does, or if frames have a `sample_rate` or `n_samples`.
        """
        check_is_fitted(self)
        if self._holds_waves:
            return self._now().separate(X, sample_rate, n_samples=n_samples)
        if sample_rate is not None or n_samples is not None:
            raise ValueError(
                "sample_rate and n_samples are for waveforms, but this separates frames; "
                "separator_.explain(X, n_samples=100) draws for frames."
            )
        return self._now().separate(self._check(X, reset=False))

    @available_if(lambda self: self._holds_waves)
    def separate_blocks(self, mixture, sample_rate=None, *, channels=None):
        """Separate one mixture piece by piece, if this is around an `AudioSeparator`.

        Parameters
        ----------
        mixture : array-like of shape (n_samples,)
            Waveform.
        sample_rate : int or None, default=None
            Its rate in Hz, so that one of another rate is refused.
        channels : array-like of shape (n_channels, n_samples) or None, default=None
            Channels to separate by what was found for the mixture.

        Returns
        -------
        pieces : iterator of ndarray of shape (n_sources, n), or (n_sources, n_channels, n) with channels
            Successive samples of all sources.
        """
        check_is_fitted(self)
        return self._now().separate_blocks(mixture, sample_rate, channels=channels)

    @override
    def inverse_transform(self, S):
        check_is_fitted(self)
        return self.separator_.inverse_transform(S)

    @override
    def score(self, X, y):
        check_is_fitted(self)
        X, y = self._check(X, y, reset=False)
        scorer = self._scorer()
        score = self._now().score(X, y) if scorer is None else scorer(self._now(), X, y)
        return score[self._metric(self.cv_results_)] if isinstance(score, dict) else score

    def get_metadata_routing(self):
        """Say that `fit` passes groups on to the splitter, if that asks for them.

        Returns
        -------
        routing : MetadataRouter
            What scikit-learn's metadata routing asks for.
        """
        splitter = StratifiedGroupKFold() if self.cv is None or isinstance(self.cv, Integral) else self.cv
        return MetadataRouter(owner=self).add(
            splitter=splitter, method_mapping=MethodMapping().add(caller="fit", callee="split")
        )

    @property
    def _holds_waves(self):
        return isinstance(self.separator, AudioSeparator)

    @property
    def _prefix(self):
        return "separator__" if self._holds_waves else ""

    def _check(self, X, y="no_validation", *, reset):
        check = check_utterances if self._holds_waves else check_frames
        return check(self, X, y, reset=reset)

    def _make_separator(self):
        """Return an unfitted separator with a seed."""
        separator = clone(self._complete().separator)
        if self._holds_waves:
            separator = separator._complete()
        if not isinstance(separator.separator if self._holds_waves else separator, SupervisedSeparator):
            raise ValueError(
                f"separator must be a SupervisedSeparator, or an AudioSeparator around one, got {self.separator!r}."
            )
        # a number is passed on as it is, so that the scores are those of the separator with this number
        separator = seed_if_unseeded(separator, as_seed(self.random_state))
        if separator.get_params()[f"{self._prefix}checkpoint"] is not None:
            raise ValueError("A search trains many times: set checkpoint of the separator to None, and memory instead.")
        return separator

    def _grid(self, separator):
        """Return the values to try by parameter, after checking them."""
        tried = {"critic_weight": self.critic_weights, "mask_exponent": self.mask_exponents}
        grid = {f"{self._prefix}{name}": list(values) for name, values in tried.items() if values is not None}
        for params in ParameterGrid(grid):
            candidate = clone(separator).set_params(**params)
            (candidate.separator if self._holds_waves else candidate)._validate_params()
        return grid

    def _groups_to_split(self, X, groups):
        if groups is not None:
            check_consistent_length(X, groups)
            if get_config()["enable_metadata_routing"]:
                return process_routing(self, "fit", groups=groups).splitter.split.get("groups")
        return groups

    def _scorer(self):
        """Return the scorer, ``None`` for the separator's own, after checking that it has the metric that chooses."""
        scorer = None if self.scoring is None else get_scorer(self.scoring)
        if scorer is None or isinstance(scorer, SeparationScorer):
            self._check_refit(["score"] if scorer is None else np.atleast_1d(scorer.metrics).tolist())
        return scorer

    def _check_refit(self, names):
        if isinstance(self.refit, str) and self.refit not in names:
            raise ValueError(f"refit={self.refit!r} is none of the metrics {names}.")

    def _metric(self, results):
        """Return the name of the metric that chooses, or the first one if a function does."""
        names = [key.removeprefix("rank_test_") for key in results if key.startswith("rank_test_")]
        if names != ["score"]:
            self._check_refit(names)
        return self.refit if self.refit in names else names[0]

    def _choose(self, results):
        for name, means in results.items():
            if name.startswith("mean_test_") and np.isnan(means).any():
                worst = results["params"][int(np.isnan(means).argmax())]
                raise ValueError(f"The scorer gave no number ({name.removeprefix('mean_test_')}) for {worst}.")
        choose = self.refit if callable(self.refit) else lambda r: r[f"rank_test_{self._metric(r)}"].argmin()
        return int(choose(results))

    def _with(self, changes):
        return nested_now(self.separator_, changes)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self._complete().separator)
        tags.input_tags.positive_only = inner.input_tags.positive_only
        tags.transformer_tags.preserves_dtype = inner.transformer_tags.preserves_dtype
        return tags


def _train(task, separator, X, y, rows):
    """Train on some rows, so that a cache has what the search over candidates asks for."""
    with task:
        separator.fit([X[i] for i in rows] if isinstance(X, list) else X[rows], y[rows])

"""How a separator is put together: one source model for all sources or one for each, a start and a critic."""

from __future__ import annotations

import contextlib
import logging

import numpy as np
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted, check_memory

from sklearn_gass._checkpoints import Part, own_checkpoint, training_parameters
from sklearn_gass._random import derive_seed, seed_if_unseeded
from sklearn_gass._validation import BaseComposition, check_same_labels, learned, refuse_class
from sklearn_gass.critics import CRITICS
from sklearn_gass.progress import divided, printing
from sklearn_gass.separation._fitting import (
    continued,
    fingerprint,
    fit_model,
    fit_part,
    fit_within,
    is_background,
    make_problem,
    order_without_labels,
    unfrozen,
)
from sklearn_gass.separation._parameters import leaves
from sklearn_gass.separation._reuse import listed, take_sources
from sklearn_gass.source_models import BackgroundModel, NMFSourceModel, VAESourceModel
from sklearn_gass.starts import STARTS, SourceStart

logger = logging.getLogger(__name__)

CONTRACT = ["fit", "sample", "decoder", "augment"]
"""Methods of a source model that a separator calls."""
_PARTS: dict[str, dict] = {"start": STARTS, "critic": CRITICS}
_N_SAMPLES = 4000  # frames that stand for the training frames of a model fitted elsewhere


class SeparatorComposition(BaseComposition):
    """Base of estimators with the parameters `source_model`, `start` and `critic`."""

    def get_params(self, deep=True):
        """Return the parameters, those of the source models included if `deep`.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of the source models, the start and the critic.

        Returns
        -------
        params : dict
            Parameter names mapped to their values.
        """
        if isinstance(self.source_model, list):
            if deep:
                _refuse_classes(self.source_model)
            return self._get_params("source_model", deep=deep)
        return super().get_params(deep=deep)

    def set_params(self, **params):
        """Set parameters, nested ones by two underscores.

        Parameters
        ----------
        **params : dict
            New values: ``source_model__<name>`` or ``<label>__<name>`` for source models, ``start__<name>`` and
            ``critic__<name>``. A start or critic that was given as a string becomes the object it stands for.

        Returns
        -------
        self : SupervisedSeparator
            The separator itself.
        """
        for part in _PARTS:
            shorthand = params.get(part, getattr(self, part))
            nested = [name for name in params if name.startswith(f"{part}__")]
            if shorthand is None and nested:
                raise ValueError(f"{nested[0]} cannot be set while {part} is None.")
            if isinstance(shorthand, str) and nested:
                params = {part: self._make_part(part, shorthand), **{k: v for k, v in params.items() if k != part}}
                setattr(self, part, params[part])
        if any("__" in name for name in params):
            _refuse_classes(params.get("source_model", self.source_model))
        return self._set_params("source_model", **params)

    def _make_part(self, part, value, seed=None):
        """Return an unfitted start or critic of one's own for an object or its shorthand."""
        if isinstance(value, str) and value not in _PARTS[part]:
            raise ValueError(f"{part} must be one of {sorted(_PARTS[part])} or an object, got {value!r}.")
        made = _PARTS[part][value]() if isinstance(value, str) else clone(value)
        return made if seed is None else seed_if_unseeded(made, seed)

    def _listed_labels(self):
        """Return the labels of a list of models after checking it."""
        items = self.source_model
        if not all(isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) for item in items):
            raise ValueError("source_model must be a source model or a list of (label, source model) with str labels.")
        _refuse_classes(items)
        for label, model in items:
            missing = [name for name in CONTRACT if not hasattr(model, name)]
            if missing:
                raise ValueError(
                    f"The model of source {label!r} must be a source model, but {type(model).__name__} has no "
                    f"method {missing[0]!r}: derive from BaseSourceModel."
                )
        labels = [label for label, _ in items]
        self._validate_names(labels)
        return labels

    def _models_in_order(self):
        """Return an unfitted source model for each of `classes_`."""
        if not isinstance(self.source_model, list):
            model = VAESourceModel() if self.source_model is None else self.source_model
            if is_background(model):
                raise ValueError("A BackgroundModel needs a known source beside it: give a list of (label, model).")
            return [model] * len(self.classes_)
        check_same_labels([str(label) for label in self.classes_], self._listed_labels())
        models = dict(self.source_model)
        return [models[str(label)] for label in self.classes_]

    def _models_by_label(self):
        """Return the fitted source models, none if there are none."""
        fitted = vars(self).get("source_models_", [])
        return dict(zip(vars(self)["classes_"].tolist(), fitted, strict=True)) if fitted else {}

    def _new_models(self, earlier, frames):
        """Return unfitted source models of the separator's own, with what earlier ones by label have learned."""
        models = [clone(model) for model in self._models_in_order()]
        for model, label, own in zip(models, self.classes_.tolist(), frames, strict=True):
            if hasattr(model, "_parameter_constraints"):  # now, and not after other models were trained
                model._validate_params()
            if getattr(model, "checkpoint", None) is not None and not isinstance(model, FrozenEstimator):
                raise ValueError("Set checkpoint of the separator, which then keeps all parts, not of a source model.")
            if own is not None:  # else it learns from mixtures alone
                continued(model, earlier.get(label), self.warm_start)
        self._objective_loss(models)
        check_contexts(models)
        return models

    def _background_label(self):
        """Return the label of the source that is learned from mixtures, or None.

        Raises
        ------
        ValueError
            If there are several of them, or no known source beside it.
        """
        if not isinstance(self.source_model, list):
            return None
        labels = self._listed_labels()
        found = [label for label, model in self.source_model if is_background(model)]
        if len(found) > 1:
            raise ValueError(f"A mixture has one background, but {found} have a BackgroundModel each.")
        if len(found) == len(labels):
            raise ValueError(f"The BackgroundModel of {found[0]!r} needs a known source beside it.")
        return found[0] if found else None

    @property
    def _fewest_labels(self):
        """Number of sources that need recordings at least."""
        return 2 if self._background_label() is None else 1

    def _with_background(self, labels):
        """Return the labels of all sources for those that have recordings."""
        background = self._background_label()
        if background is None or background in map(str, labels):
            return labels
        known = labels.tolist()
        if type(known[0]) in (int, float):  # stay numbers, as if the background had recordings, too
            with contextlib.suppress(ValueError, OverflowError):
                number = type(known[0])(background)
                if str(number) == background and np.isfinite(number):
                    return np.unique(np.array([*known, number], dtype=labels.dtype))
        return np.unique([*map(str, labels), background])

    @classmethod
    def from_fitted(cls, source_models, **params):
        """Put source models together that were fitted before.

        The models stay as they are. A start and a critic are trained all the same, on 4,000 frames that each model
        generates. If sources are taken out of a separator, training begins at its start and critic, is short (1,200
        steps of the start at a first learning rate of 0.002, 100 of the critic), and the frames have no noise of the
        output. Otherwise the default ones take 5,000 steps, longer than training two models. ``start="source",
        critic=None`` trains nothing and separates worse.

        Parameters
        ----------
        source_models : list of (label, fitted source model or separator)
            Two or more models of frames of the same width. Of a separator of frames, the source with that label is
            taken. If sources come out of several ones, training begins at that which gives most of them.
        **params : dict
            Further parameters, also nested ones: ``start__max_iter=4500`` trains for longer, and ``start="mixture"``
            does not begin at another start.

        Returns
        -------
        separator : SupervisedSeparator
            A fitted separator.

        Raises
        ------
        ValueError
            If it is no such list, there are fewer than two models, a label comes twice, the models differ in their
            number of bins, or a separator has no source of that label.
        """
        models, parts = take_sources(listed(source_models))
        separator = cls(models).set_params(**{**parts, **params})
        separator._validate_params()
        labels = separator._listed_labels()
        if len(labels) < 2:
            raise ValueError(f"Separation needs two or more sources, got {len(labels)} class(es): {labels}.")
        separator._background_label()
        order = np.argsort(labels)
        models = [separator.source_model[i][1] for i in order]
        known = [model for model in models if not is_background(model)]
        for model in known:
            check_is_fitted(model)
        seed, n_bins = derive_seed(separator.random_state), known[0].n_features_in_
        models = [m if _is_fitted(m) else fit_model(seed_if_unseeded(clone(m), seed), None, n_bins) for m in models]
        models = [m._without_detector() if isinstance(m, BackgroundModel) else m for m in models]
        names = [model.feature_names_in_ for model in models if hasattr(model, "feature_names_in_")]
        if len(names) == len(models) and all(np.array_equal(names[0], others) for others in names[1:]):
            separator.feature_names_in_ = names[0]
        separator.classes_ = np.asarray(labels)[order]
        # The whole spread of the posteriors: what learns from samples gains by variety. Noise of the output is
        # independent in each bin, which recordings are not, and harms a short training that begins at a good start.
        begins_anew = separator.start is not parts.get("start")
        drawn = {"random_state": seed, "spread": 1.0, "output_noise": begins_anew}
        frames = [None if is_background(m) else m.sample(_N_SAMPLES, **drawn) for m in models]
        identity = separator._identity(frames, models)
        with printing(separator.verbose), own_checkpoint(separator, **identity) as file:
            tasks = divided(separator._part_costs(models, models[0].n_features_in_))
            separator._assemble(models, frames, seed, file, tasks, announce=True)
        return separator

    def _identity(self, data, models):
        """Return what has to be the same for a checkpoint to be of the same training, by name."""
        if self.checkpoint is None:
            return {}
        # a detector learns from separations, so that all parameters have a part in it
        later = set() if self._trains_detector(models) else self._acting() - {"device"}
        own = {name: value for name, value in leaves(self).items() if name not in later}
        earlier = [getattr(self, f"{name}_", None) for name in _PARTS if self._goes_on(name)]
        fitted = [fingerprint(part) for part in [*models, *earlier] if part is not None and learned(unfrozen(part))]
        parameters = [type(self).__name__, training_parameters(own)]
        return {"data": data, "parameters": parameters, "fitted_parts_to_go_on_from": fitted}

    def _trains_detector(self, models):
        """Tell whether one of the unfitted models is a background with a detector."""
        return any(isinstance(m, BackgroundModel) and m.detector is not None and not _is_fitted(m) for m in models)

    def _goes_on(self, part):
        """Tell whether the start or the critic is to train on from an earlier one."""
        return self.warm_start or getattr(getattr(self, part), "warm_start", False)

    def _source_costs(self, models, frames):
        """Return about how many milliseconds the training of each source model takes, by its name."""
        costs = {f"source {label}": 0.0 for label in self.classes_}
        for name, model, own in zip(costs, models, frames, strict=True):
            if own is not None and hasattr(model, "_training_cost") and not isinstance(model, FrozenEstimator):
                costs[name] = model._training_cost(*own.shape)
        return costs

    def _part_costs(self, models, n_bins):
        """Return about how many milliseconds the training of start and critic takes, by name."""
        inner = [unfrozen(model) for model in models]
        costs = dict.fromkeys(_PARTS, 0.0)
        known = [model for model in inner if not is_background(model)]
        if len(known) == 1 or all(isinstance(model, NMFSourceModel) for model in known):
            return costs
        n_weights = sum(model._n_weights(n_bins) for model in inner if hasattr(model, "_n_weights"))
        for name in _PARTS:
            value = getattr(self, name)
            cost = None if value is None else getattr(self._make_part(name, value), "_training_cost", None)
            if cost is not None:
                costs[name] = cost(n_bins, len(models), n_weights)
        return costs

    def _assemble(self, models, frames, seed, file, tasks, *, announce=False):
        """Set the fitted state for fitted models, and train start and critic on clean frames of each source."""
        earlier = {name: getattr(self, f"{name}_", None) for name in _PARTS}
        widths = {model.n_features_in_ for model in models}
        widths.add(getattr(self, "n_features_in_", models[0].n_features_in_))
        if len(widths) > 1:
            raise ValueError(f"The source models differ in their number of bins, or from X: {sorted(widths)}.")
        check_contexts(models)
        self.source_models_, self.n_features_in_ = models, models[0].n_features_in_
        self.n_iter_ = max(model.n_iter_ for model in models)
        self.start_ = self.critic_ = None
        order = self._known_in_order()
        trained_on = [models[i] for i in order], [frames[i] for i in order], self._objective_loss(models), self.device
        if not make_problem(trained_on[0], trained_on[2], torch.float32, self.device).is_linear:
            fit = check_memory(self.memory).cache(fit_part)
            seeds = {"start": seed, "critic": derive_seed(seed)}
            given = {name: getattr(self, name) for name in _PARTS if getattr(self, name) is not None}
            parts = {name: self._make_part(name, value, seeds[name]) for name, value in given.items()}
            if len(order) == 1:  # beside a background, in mixtures that nobody can make for training
                parts = {"start": SourceStart()}
            for name, part in parts.items():
                continued(part, earlier[name], self.warm_start)
                if announce and (n_steps := getattr(part, "max_iter", 0)):
                    logger.info("Training a %s for %d steps.", type(part).__name__, n_steps)
            self.start_ = fit_within(tasks["start"], Part(file, "start"), fit, parts["start"], *trained_on)
            if "critic" in parts:
                arguments = [parts["critic"], *trained_on, self.start_]
                self.critic_ = fit_within(tasks["critic"], Part(file, "critic"), fit, *arguments)
        self._remember_parameters()

    def _known_in_order(self):
        """Return the places of the known sources, in an order that labels have no part in."""
        known = [i for i, model in enumerate(self.source_models_) if not is_background(model)]
        return [known[i] for i in order_without_labels([self.source_models_[i] for i in known])]

    def _objective_loss(self, models):
        losses = {model.beta_loss for model in models}
        if self.beta_loss is None and len(losses) > 1:
            raise ValueError(
                f"The source models have different losses {sorted(losses)}: set beta_loss of the separator."
            )
        return self.beta_loss or losses.pop()


def _refuse_classes(source_model):
    for item in source_model if isinstance(source_model, list) else [source_model]:
        refuse_class("A source model", item[-1] if isinstance(item, tuple) and item else item)


def check_contexts(models):
    """Raise ValueError if some source models explain frames with others around them, and others do not."""
    own = [unfrozen(model) for model in models]
    contexts = [getattr(m, "context_" if hasattr(m, "n_features_in_") else "context", 0) for m in own]
    if len(set(contexts)) > 1:
        kinds = ", ".join(f"{type(m).__name__} with context {c}" for m, c in zip(own, contexts, strict=True))
        raise ValueError(
            "If templates have a context, all sources need an NMFSourceModel with the same context, but these are "
            f"{kinds}."
        )


def _is_fitted(model):
    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    return True

"""The methods of the comparison: what is fitted, and the transform-time settings it is scored at.

A family's source models are fitted once per pair and seed; each of its variants is a row of the table, which changes
start, critic or what takes effect at separation. Settings are the same for all pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import joblib
import reference
from sklearn.base import clone

from sklearn_gass import (
    AudioSeparator,
    DAESourceModel,
    GANSourceModel,
    MixtureCritic,
    MixtureStart,
    NMFSourceModel,
    SupervisedSeparator,
    VAESourceModel,
    WGANSourceModel,
)
from sklearn_gass.paper import PAPER_METHODS, paper_separator
from sklearn_gass.presets import preset


@dataclass(frozen=True)
class Family:
    """A separator and the settings it is scored at.

    Attributes
    ----------
    separator : SupervisedSeparator
        What is fitted, without a seed.
    variants : dict of str to dict
        Parameters of the separator, by the name of the row; ``consistency`` is that of the `AudioSeparator` around it.
    consistency : float
        That of rows which do not say.
    """

    separator: SupervisedSeparator
    variants: dict[str, dict] = field(default_factory=dict)
    consistency: float = AudioSeparator().consistency

    def audio_separator(self, variant, **params):
        """Return the unfitted separator of waveforms of a row, with further parameters of the separator inside."""
        changes = {"consistency": self.consistency, **self.variants[variant]}
        audio = AudioSeparator(clone(self.separator).set_params(**params), consistency=changes.pop("consistency"))
        audio.separator.set_params(**changes)
        return audio


REVISIONS = {"paper": 3, "bounds": 3}  # by the beginning of a family's name; the paper's are of float32
LATEST_REVISION = 5  # of all others
"""Raised when results change though no parameter does: older cells and cached models are not taken then."""
WEIGHTS = (0.0, 1.0, 5.0)  # of the critics, beside the default 2
_HELD = 1e6  # a start weight at which the search stays where it starts
BOUNDS = "bounds"
WITH_BASE = "VAE, base of other voices"
"""The row of ``benchmarks/base/run.py``."""
NETWORKS = {"mask-network": "mask network, one frame", "mask-network-context": "mask network, with context"}
BOUND_EXPONENT = 1  # of the ideal ratio mask


def _neural(name, model):
    """Return a family with the defaults, and what parts of them buy."""
    variants = {
        name: {},
        **{f"{name}, λ = {weight:g}": {"critic_weight": weight} for weight in WEIGHTS},
        f"{name}, own encoder's start, λ = 0": {"start": "source", "critic": None},
        f"{name}, smoothness 0": {"smoothness": 0.0},
        f"{name}, masks without consistency": {"consistency": 0.0},
        f"{name}, start alone": {"start_weight": _HELD, "smoothness": 0.0, "critic_weight": 0.0},
    }
    return Family(SupervisedSeparator(model, start=MixtureStart(), critic=MixtureCritic()), variants)


def _adversarial(name, model):
    """Return a neural family that is also scored with the model's own critic."""
    family = _neural(name, model)
    own = {"start": "source", "critic": "source", "critic_weight": 10.0}
    return Family(family.separator, {**family.variants, f"{name}, own encoder and critic, λ = 10": own})


def _nmf(name, n_components, **params):
    return Family(SupervisedSeparator(NMFSourceModel(n_components, **params)), {f"NMF, {name}": {}})


OURS = {
    "nmf20": _nmf("20 templates", 20),
    "nmf40": _nmf("40 templates", 40),
    "nmf100": _nmf("100 templates", 100),
    "nmf100-context": _nmf("100 templates with context", 100, context=2),
    "nmf40-gamma": _nmf("gamma prior", 40, prior="gamma"),
    "nmf100-gamma-context": _nmf("gamma prior, 100 templates with context", 100, prior="gamma", context=2),
    "wgan": _adversarial("WGAN", WGANSourceModel()),
    "vae": _neural("VAE", VAESourceModel()),
    "dae": _neural("DAE", DAESourceModel()),
    "gan": _adversarial("GAN", GANSourceModel()),
}
PRESETS = {
    f"vae-{name}": Family(SupervisedSeparator(**preset(name)), {f"VAE, preset {name}": {}}) for name in ("fast", "best")
}
ABLATIONS = {
    "wgan-adversarial": Family(
        SupervisedSeparator(
            WGANSourceModel(
                reconstruction_weight=0,
                n_critic=2,
                learning_rate_init=5e-4,
                inversion_max_iter=0,  # separation asks neither its encoder
                critic_max_iter=0,  # nor its critic
            ),
            start=MixtureStart(),
            start_weight=200.0,
            critic=None,
        ),
        {"WGAN, adversarial only": {}},
    ),
}
PAPER = {
    f"paper-{method.lower()}": Family(paper_separator(method), {f"paper's {method}": {}}, consistency=0.0)
    for method in PAPER_METHODS
}
FAMILIES = {**OURS, **PRESETS, **ABLATIONS, **PAPER}
CHOSEN = {"wgan-chosen": ("WGAN, λ chosen on training data", "wgan")}  # the row, and the family whose λ is chosen


@cache
def settings(name):
    """Return a hash of all parameters of a family and its rows, by which its cells are told from those of others."""
    if name in FAMILIES:
        params = FAMILIES[name].separator.get_params().items()
        acting = [(key, v) for key, v in params if key.split("__")[-1] != "base"]  # no family begins at a base
        described = sorted((key, type(v).__name__ if hasattr(v, "get_params") else repr(v)) for key, v in acting)
        described = [described, FAMILIES[name].variants]
    elif name in CHOSEN:
        described = [CHOSEN[name], WEIGHTS, settings(CHOSEN[name][1])]
    else:
        described = BOUND_EXPONENT if name == BOUNDS else reference.SETTINGS[NETWORKS[name]]
    revision = REVISIONS.get(name.rstrip("0123456789").split("-")[0], LATEST_REVISION)
    return joblib.hash([revision, name, described])

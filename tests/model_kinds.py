"""One small fitted estimator of every kind that a model file may hold, made from synthetic voices.

``python tests/model_kinds.py VERSION`` writes a file of each to ``tests/data/models-VERSION``. Files of released
versions are kept for good: the tests load them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedGroupKFold

from sklearn_gass import (
    STFT,
    AudioSeparator,
    BackgroundModel,
    DAESourceModel,
    GANSourceModel,
    MixtureCritic,
    MixtureStart,
    NMFSourceModel,
    PresenceDetector,
    RandomStart,
    SourceCritic,
    SourceStart,
    SupervisedSeparator,
    SupervisedSeparatorCV,
    VAESourceModel,
    WGANSourceModel,
    save_model,
)
from sklearn_gass.datasets import make_voices
from sklearn_gass.scoring import SeparationScorer

DATA = Path(__file__).parent / "data"
SHAPE = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}
ADVERSARY = {"critic_hidden_layer_sizes": 3, "inversion_max_iter": 1, "critic_max_iter": 1, **SHAPE}
MODELS = {
    "nmf": NMFSourceModel(3, max_iter=3, random_state=0),
    "nmf context": NMFSourceModel(3, context=1, max_iter=3, random_state=0),
    "nmf gamma": NMFSourceModel(3, prior="gamma", beta_loss="itakura-saito", max_iter=3, random_state=0),
    "vae": VAESourceModel(2, **SHAPE),
    "dae": DAESourceModel(np.int64(2), latent_weight=np.float32(0.5), **SHAPE),
    "gan": GANSourceModel(2, latent="data", **ADVERSARY),
    "wgan": WGANSourceModel(2, reconstruction_weight=0, **ADVERSARY),
}
TINY_STFT = STFT(n_fft=32, hop_length=16, window=("kaiser", 8.0))
MIXTURE = {"start": MixtureStart(4, max_iter=2), "critic": MixtureCritic(4, max_iter=2, levels=[-3, 3.0])}
DETECTOR = PresenceDetector(4, n_mixtures=4, n_frames=9, max_iter=2)
STARTS = {"source": SourceStart(), "random": RandomStart(random_state=3)}
CRITICS = {"source": SourceCritic(), "none": None}


def separator(model, **params):
    return SupervisedSeparator(model, **{**MIXTURE, "max_iter": 4, "random_state": 0, **params})


def voices():
    """Return waveforms and labels of two synthetic voices."""
    made = make_voices(2, n_utterances=3, duration=0.5, sample_rate=8000, random_state=0)
    return [wave[1000:1600].astype(np.float32) for wave in made.utterances], list(made.speakers)


def frames():
    """Return magnitude frames of the voices, labels, utterances and a mixture."""
    waves, labels = voices()
    cut = [TINY_STFT.analyze(wave)[0][:10] for wave in waves]
    lengths = [len(part) for part in cut]
    return np.concatenate(cut), np.repeat(labels, lengths), np.repeat(np.arange(len(waves)), lengths), cut[0] + cut[-1]


def fit_frames(estimator, labels=None):
    X, y, groups, _ = frames()
    if labels is not None:
        y = np.asarray(labels)[np.unique(y, return_inverse=True)[1]]
    return estimator.fit(X, y, **({"groups": groups} if isinstance(estimator, SupervisedSeparatorCV) else {}))


def mixed():
    X, y, _, _ = frames()
    frozen = FrozenEstimator(clone(MODELS["nmf"]).fit(X[y == "voice0"]))
    return fit_frames(separator([("voice1", MODELS["wgan"]), ("voice0", frozen)]))


def from_fitted():
    X, y, _, _ = frames()
    models = [(label, clone(MODELS["dae"]).fit(X[y == label])) for label in ("voice1", "voice0")]
    return SupervisedSeparator.from_fitted(models, start="source", critic=None, random_state=0)


def with_background(*labels):
    """Return a separator of voice0 and a background, fitted on frames of the labels."""
    X, y, _, _ = frames()
    models = [("voice0", MODELS["vae"]), ("voice1", BackgroundModel(2, max_iter=2, detector=DETECTOR))]
    kept = np.isin(y, labels)
    return SupervisedSeparator(models, max_iter=4, random_state=0).fit(X[kept], y[kept])


def search(inner, **params):
    defaults = {"critic_weights": np.array([0.0, 3.0]), "mask_exponents": [1, np.inf], "random_state": 0}
    return SupervisedSeparatorCV(inner, **{**defaults, **params})


def fit_waves(estimator):
    return estimator.fit(*voices())


def tiny_audio(inner):
    return AudioSeparator(inner, stft=TINY_STFT, sample_rate=8000, random_state=0)


KINDS = {
    **{f"model {name}": lambda model=model: clone(model).fit(frames()[0]) for name, model in MODELS.items()},
    "model background": lambda: BackgroundModel(2, random_state=0).fit(frames()[0]),
    "model frozen": lambda: FrozenEstimator(clone(MODELS["vae"]).fit(frames()[0].astype(float))),
    "separator vae": lambda: fit_frames(separator(MODELS["vae"])),
    "separator wgan": lambda: fit_frames(separator(MODELS["wgan"])),
    **{
        f"separator start {name}": lambda part=part: fit_frames(separator(MODELS["vae"], start=part))
        for name, part in STARTS.items()
    },
    **{
        f"separator critic {name}": lambda part=part: fit_frames(separator(MODELS["gan"], critic=part))
        for name, part in CRITICS.items()
    },
    "separator mixed": mixed,
    "separator from fitted": from_fitted,
    "separator background": lambda: with_background("voice0"),
    "separator background heard": lambda: with_background("voice0", "voice1"),
    "separator int labels": lambda: fit_frames(separator(MODELS["nmf"]), [7, -2]),
    "separator bool labels": lambda: fit_frames(separator(MODELS["nmf"]), [True, False]),
    "separator object labels": lambda: fit_frames(separator(MODELS["nmf"]), np.array(["Ö", "b" * 30], dtype=object)),
    "search": lambda: fit_frames(
        search(separator(MODELS["vae"]), cv=StratifiedGroupKFold(2), scoring=["sdr", "si_sdr"], refit="si_sdr")
    ),
    "search of waves": lambda: fit_waves(
        search(tiny_audio(separator(MODELS["vae"])), scoring=SeparationScorer("si_sdr"))
    ),
    "audio": lambda: fit_waves(tiny_audio(separator(MODELS["vae"]))),
    "audio around search": lambda: fit_waves(tiny_audio(search(separator(MODELS["vae"]), cv=2))),
    "audio from fitted": lambda: AudioSeparator.from_fitted(
        fit_frames(separator(MODELS["nmf"])), stft=TINY_STFT, sample_rate=8000
    ),
    "audio frozen": lambda: FrozenEstimator(fit_waves(tiny_audio(separator(MODELS["nmf"])))),
    "audio around frozen": lambda: AudioSeparator.from_fitted(
        FrozenEstimator(fit_frames(separator(MODELS["nmf"]))), stft=TINY_STFT, sample_rate=8000
    ),
}


def outputs(estimator):
    """Return what a fitted estimator makes of the voices, as a list of arrays."""
    X, _, _, mixture = frames()
    if hasattr(estimator, "sample"):
        found = [estimator.transform(X[:5]), estimator.sample(4, random_state=1), estimator.sample(3)]
        return found + ([estimator.critic_score(X)] if hasattr(estimator, "critic_score") else [])
    if hasattr(estimator, "separate_blocks"):
        waves, _ = voices()
        return [estimator.separate(waves[0] + waves[-1]).sources]
    return [estimator.transform(mixture), estimator.separate(mixture)]


def write(folder):
    """Write a file of each kind, whose card has some numbers that it gives."""
    folder.mkdir(parents=True)
    for name, make in KINDS.items():
        made = make()
        numbers = [array.ravel()[:5].astype(float).tolist() for array in outputs(made)]
        save_model(made, folder / f"{name.replace(' ', '_')}.safetensors", card={"kind": name, "numbers": numbers})


if __name__ == "__main__":
    write(DATA / f"models-{sys.argv[1]}")

"""Generative source separation for scikit-learn."""

from sklearn_gass.audio_io import load_audio, save_audio
from sklearn_gass.critics import BaseCritic, MixtureCritic, SourceCritic
from sklearn_gass.separation import (
    AudioSeparator,
    Explanation,
    Separation,
    SupervisedSeparator,
    SupervisedSeparatorCV,
)
from sklearn_gass.source_models import (
    BaseSourceModel,
    DAESourceModel,
    GANSourceModel,
    NMFSourceModel,
    VAESourceModel,
    WGANSourceModel,
)
from sklearn_gass.starts import BaseStart, MixtureStart, RandomStart, SourceStart
from sklearn_gass.stft import STFT

__version__ = "0.1.0"

__all__ = [
    "STFT",
    "AudioSeparator",
    "BaseCritic",
    "BaseSourceModel",
    "BaseStart",
    "DAESourceModel",
    "Explanation",
    "GANSourceModel",
    "MixtureCritic",
    "MixtureStart",
    "NMFSourceModel",
    "RandomStart",
    "Separation",
    "SourceCritic",
    "SourceStart",
    "SupervisedSeparator",
    "SupervisedSeparatorCV",
    "VAESourceModel",
    "WGANSourceModel",
    "load_audio",
    "save_audio",
]

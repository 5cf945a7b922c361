"""Generative source separation for scikit-learn."""

from sklearn_gass.audio_io import load_audio, save_audio
from sklearn_gass.separation import AudioSeparator, Separation, SupervisedSeparator, SupervisedSeparatorCV
from sklearn_gass.source_models import (
    DAESourceModel,
    GANSourceModel,
    NMFSourceModel,
    VAESourceModel,
    WGANSourceModel,
)
from sklearn_gass.stft import STFT

__version__ = "0.1.0"

__all__ = [
    "STFT",
    "AudioSeparator",
    "DAESourceModel",
    "GANSourceModel",
    "NMFSourceModel",
    "Separation",
    "SupervisedSeparator",
    "SupervisedSeparatorCV",
    "VAESourceModel",
    "WGANSourceModel",
    "load_audio",
    "save_audio",
]

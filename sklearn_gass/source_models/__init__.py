"""Generative models of the magnitude frames of one sound source."""

from sklearn_gass.source_models._background import BackgroundModel
from sklearn_gass.source_models._base import BaseSourceModel
from sklearn_gass.source_models._dae import DAESourceModel
from sklearn_gass.source_models._gan import GANSourceModel
from sklearn_gass.source_models._nmf import NMFSourceModel
from sklearn_gass.source_models._vae import VAESourceModel
from sklearn_gass.source_models._wgan import WGANSourceModel

__all__ = [
    "BackgroundModel",
    "BaseSourceModel",
    "DAESourceModel",
    "GANSourceModel",
    "NMFSourceModel",
    "VAESourceModel",
    "WGANSourceModel",
]

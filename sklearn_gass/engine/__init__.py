"""The latent engine: tensors and frozen decoders in, latents of mixture frames out; it knows no estimators."""

from sklearn_gass.engine._decoder import Decoder, LinearPart, no_energy
from sklearn_gass.engine._inference import Inference, infer
from sklearn_gass.engine._mixtures import CleanSource, MixtureBatches
from sklearn_gass.engine._multiplicative import GammaPrior
from sklearn_gass.engine._problem import Problem

__all__ = [
    "CleanSource",
    "Decoder",
    "GammaPrior",
    "Inference",
    "LinearPart",
    "MixtureBatches",
    "Problem",
    "infer",
    "no_energy",
]

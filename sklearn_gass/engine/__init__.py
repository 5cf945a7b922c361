"""The latent engine: tensors and frozen decoders in, latents of mixture frames out; it knows no estimators."""

import os

import torch

from sklearn_gass.engine._background import Background, JointInference, Memory, infer_with_background, quiet_spectrum
from sklearn_gass.engine._decoder import Decoder, LinearPart, no_energy
from sklearn_gass.engine._inference import SMOOTHING_SWEEPS, Inference, infer
from sklearn_gass.engine._mixtures import CleanSource, MixtureBatches
from sklearn_gass.engine._multiplicative import GammaPrior
from sklearn_gass.engine._presence import given_to_background
from sklearn_gass.engine._problem import Problem

if hasattr(os, "register_at_fork"):
    # a forked process lacks the threads that torch would wait for
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))

__all__ = [
    "SMOOTHING_SWEEPS",
    "Background",
    "CleanSource",
    "Decoder",
    "GammaPrior",
    "Inference",
    "JointInference",
    "LinearPart",
    "Memory",
    "MixtureBatches",
    "Problem",
    "given_to_background",
    "infer",
    "infer_with_background",
    "no_energy",
    "quiet_spectrum",
]

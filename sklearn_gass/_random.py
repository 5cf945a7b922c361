"""Random numbers from explicit generators only, never from torch's global state."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state


def derive_seed(random_state: Any) -> int:
    """Draw one seed from anything scikit-learn accepts as ``random_state``."""
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def torch_generator(random_state: Any, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a torch generator seeded from anything scikit-learn accepts as ``random_state``."""
    return torch.Generator(device=device).manual_seed(derive_seed(random_state))


def seed_if_unseeded(estimator: BaseEstimator, seed: int) -> BaseEstimator:
    """Set `random_state` of an estimator that has the parameter but no value for it, and return the estimator."""
    if estimator.get_params(deep=False).get("random_state", seed) is None:
        estimator.set_params(random_state=seed)
    return estimator


def as_seed(random_state: Any) -> int:
    """Return a number as it is, and draw a seed from anything else that scikit-learn accepts as ``random_state``."""
    return int(random_state) if isinstance(random_state, Integral) else derive_seed(random_state)

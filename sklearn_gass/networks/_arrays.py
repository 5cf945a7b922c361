"""Weights of networks as plain arrays, and the devices that networks live on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

StateDict = dict[str, NDArray[np.float32]]


def check_device(device: str) -> torch.device:
    """Return the torch device of that name.

    Raises
    ------
    ValueError
        If this machine or this build of torch has no such device.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].split(". ")[0].removesuffix(".")
        raise ValueError(f"device {device!r} cannot be used: {reason}.") from error
    return torch.device(device)


def to_arrays(module: nn.Module) -> StateDict:
    """Return the weights as plain arrays by name."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in module.state_dict().items()}


def load_arrays(module: nn.Module, arrays: StateDict) -> None:
    """Load weights into a module."""
    # assigned, since a network that was built to be loaded has no memory to copy into
    module.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()}, assign=True)


def shapes_fit(weights: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    """Tell whether two sets of weights, arrays or tensors by name, have the same names and shapes."""
    return _shapes(weights) == _shapes(others)


def _shapes(weights: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(weight.shape) for name, weight in weights.items()}


def from_arrays(module: nn.Module, arrays: StateDict, dtype: torch.dtype, device: torch.device | str) -> nn.Module:
    """Load weights into a module, freeze it, and move it to a floating type and device."""
    load_arrays(module, arrays)
    return module.to(device=device, dtype=dtype).requires_grad_(False).eval()

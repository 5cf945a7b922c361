"""Products of matrices at the precision that training needs."""

from __future__ import annotations

import contextlib
from functools import cache

import torch


def training_precision(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Return the context of training steps: products in bfloat16 where a processor has instructions for them.

    Weights, their averages and the states of optimisers stay in single precision. On such processors products take
    half the time, and they are most of a step. Elsewhere bfloat16 would be emulated slowly, and nothing changes.

    Parameters
    ----------
    device : torch.device
        Where the networks are.

    Returns
    -------
    context : context manager
        Under which steps are taken.

    References
    ----------
    D. Kalamkar et al., "A Study of BFLOAT16 for Deep Learning Training", 2019, arXiv:1905.12322.
    """
    if device.type == "cpu" and _multiplies_bfloat16():
        # torch's cache of converted weights is one for all threads, whose trainings would meet in it
        return torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False)
    return contextlib.nullcontext()


@cache
def _multiplies_bfloat16() -> bool:
    """Return whether this processor has instructions for products in bfloat16; old versions of torch cannot tell."""
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))

"""Start from the same random latents in every frame."""

from __future__ import annotations

import torch
from typing_extensions import override

from sklearn_gass._random import as_seed
from sklearn_gass._validation import fit_context
from sklearn_gass.starts._base import BaseStart


class RandomStart(BaseStart):
    """Start every frame from the same standard normal latents, as the method's paper does.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Seed of the latents; ``None`` takes that of the separator.

    Attributes
    ----------
    seed_ : int
        The seed that was drawn in `fit`. It makes all separations of a fitted separator start from the same latents.

    Examples
    --------
    >>> from sklearn_gass import RandomStart, SupervisedSeparator
    >>> SupervisedSeparator(start=RandomStart(random_state=0)).start
    RandomStart(random_state=0)
    """

    _parameter_constraints: dict = {"random_state": ["random_state"]}

    def __init__(self, *, random_state=None):
        self.random_state = random_state

    @override
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, problem, sources):
        self.seed_ = as_seed(self.random_state)
        return self

    @override
    def freeze(self, problem):
        latents = torch.randn(problem.n_latents, generator=torch.Generator().manual_seed(self.seed_))
        return lambda frames: latents.to(frames).expand(len(frames), -1)

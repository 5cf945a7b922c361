"""How latents move from frame to frame: a vector autoregression of their normal scores.

The *normal score* of a latent is the standard normal quantile of its rank among the training frames. Scores ``z_t`` of
successive frames follow a vector autoregression of order one, ``z_t = A z_(t-1) + noise``. Together with the
distribution of each latent that is a Gaussian copula, so that drawn latents have the training frames' own distribution,
whatever its form.

References
----------
H. Lütkepohl, "New Introduction to Multiple Time Series Analysis", Springer 2005, chapters 2 and 3.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm, rankdata
from torch import Tensor

_RIDGE = 0.03  # in units of a score's variance


def fit_transition(latents: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fit the autoregression to the latents of successive frames.

    The Yule-Walker equations are solved with a ridge on the covariance, and with autocovariances that are divided by
    the number of all frames. So the autoregression is stationary, whatever the frames are.

    Parameters
    ----------
    latents : ndarray of shape (n_frames, n_components)
        Latents of frames in their order in time.

    Returns
    -------
    transition : ndarray of shape (n_components, n_components)
        The matrix A.
    covariance : ndarray of shape (n_components, n_components)
        Covariance of the scores of one frame, with the ridge.
    """
    n_frames = len(latents)
    scores = norm.ppf((rankdata(latents, axis=0) - 0.5) / n_frames)
    covariance = scores.T @ scores / n_frames + _RIDGE * np.eye(scores.shape[1])
    transition = np.linalg.solve(covariance, scores[:-1].T @ scores[1:] / n_frames).T
    return transition.astype(np.float32), covariance.astype(np.float32)


def noise_covariance(transition: NDArray[np.floating], covariance: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the covariance of the noise that keeps the covariance of the scores as it is."""
    transition, covariance = transition.astype(np.float64), covariance.astype(np.float64)
    return covariance - transition @ covariance @ transition.T


def draw_sequence(
    transition: NDArray[np.floating],
    covariance: NDArray[np.floating],
    latents: NDArray[np.floating],
    n_frames: int,
    generator: torch.Generator,
) -> Tensor:
    """Draw latents of successive frames.

    Parameters
    ----------
    transition, covariance : ndarray of shape (n_components, n_components)
        What `fit_transition` returned.
    latents : ndarray of shape (n_kept, n_components)
        Latents of training frames, in any order, whose distribution each drawn latent gets.
    n_frames : int
        Number of frames to draw.
    generator : torch.Generator
        Source of the noise.

    Returns
    -------
    drawn : Tensor of shape (n_frames, n_components)
        Latents in the floating type of those given.
    """
    noise = torch.randn(n_frames, len(transition), generator=generator, dtype=torch.float64).numpy()
    steps = noise @ np.linalg.cholesky(noise_covariance(transition, covariance)).T
    scores = np.empty_like(steps)
    scores[0] = np.linalg.cholesky(covariance.astype(np.float64)) @ noise[0]
    for t in range(1, n_frames):
        scores[t] = transition @ scores[t - 1] + steps[t]
    places = norm.cdf(scores / np.sqrt(np.diag(covariance))) * (len(latents) - 1)
    below = np.floor(places).astype(np.intp)
    ordered, share = np.sort(latents, axis=0), places - below
    low = np.take_along_axis(ordered, below, axis=0)
    high = np.take_along_axis(ordered, np.minimum(below + 1, len(latents) - 1), axis=0)
    return torch.from_numpy((low + share * (high - low)).astype(latents.dtype))

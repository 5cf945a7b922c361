"""Tell in which frames a known source pauses, when a background that nobody recorded is there as well."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from sklearn_gass.divergences import BETAS, DIVERGENCES
from sklearn_gass.engine._multiplicative import update_activations

_UPDATES = 15  # of the activations when a source is left out
_NEEDED = 0.03  # rise of the divergence without a source, in parts of the frame, if it is present
_STEEPNESS = 8.0  # of the fall of its share where the rise is smaller
_REACH = 2  # frames before and after, over which the rise is averaged
_WAKENING = 1e-3  # of the mean activation, so that templates that were not heard can be


def find_presence(
    frames: Tensor, known: Sequence[Tensor], activations: Tensor, templates: Tensor, beta_loss: str
) -> Tensor:
    """Return how far each known source is needed to explain each frame.

    A source that pauses is left with what the background has not explained. So each source is left out, the activations
    of the background adapt, and the divergence from the frames is compared with what it was.

    Parameters
    ----------
    frames : Tensor of shape (n_frames, n_bins)
        Mixture frames, in their order in time.
    known : sequence of Tensor of shape (n_frames, n_bins)
        What each known source contributes.
    activations : Tensor of shape (n_frames, n_components)
        Activations of the background.
    templates : Tensor of shape (n_components, n_bins)
        Templates of the background.
    beta_loss : str
        Divergence.

    Returns
    -------
    presence : Tensor of shape (n_known, n_frames)
        1 where a source is needed, and close to 0 where the others explain the frame as well.
    """
    divergence, whole = DIVERGENCES[beta_loss], torch.stack(list(known)).sum(0)
    explained = divergence(frames, whole + activations @ templates)
    size = frames.pow(BETAS[beta_loss]).sum(1).clamp_min(torch.finfo(frames.dtype).tiny)
    first = activations + _WAKENING * activations.mean()
    rises = []
    for source in known:
        others, adapted = whole - source, first
        for _ in range(_UPDATES):
            adapted = update_activations(frames, adapted, templates, beta_loss, addend=others)
        rises.append((divergence(frames, others + adapted @ templates) - explained) / size)
    padded = functional.pad(torch.stack(rises)[:, None], (_REACH, _REACH), mode="replicate")
    rise = functional.avg_pool1d(padded, 2 * _REACH + 1, stride=1)[:, 0]
    return torch.exp(_STEEPNESS * ((rise / _NEEDED).clamp(0, 1) - 1))


def given_to_background(estimates: Tensor, shares: Tensor) -> Tensor:
    """Leave known sources a share of their power, and give the rest of it to the background.

    Parameters
    ----------
    estimates : Tensor of shape (n_known + 1, n_frames, n_bins)
        Magnitudes, those of the background last.
    shares : Tensor of shape (n_known, n_frames)
        Shares of the power that known sources keep.

    Returns
    -------
    estimates : Tensor of shape (n_known + 1, n_frames, n_bins)
        Magnitudes with the same sum of squares in each bin.
    """
    *known, background = estimates
    kept = [share.sqrt()[:, None] * source for source, share in zip(known, shares, strict=True)]
    for source, share in zip(known, shares, strict=True):
        # squares of very faint or loud frames would vanish or overflow
        background = torch.hypot(background, (1 - share).sqrt()[:, None] * source)
    return torch.stack([*kept, background])

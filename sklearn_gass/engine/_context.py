"""Frames with their context: rows that hold a frame between an earlier and a later one, and the way back.

References
----------
J. F. Gemmeke, T. Virtanen, A. Hurmalainen, "Exemplar-based sparse representations for noise robust automatic speech
recognition", IEEE Transactions on Audio, Speech, and Language Processing 19(7), 2011: windows of frames that are
explained one by one, and whose estimates are averaged.
"""

from __future__ import annotations

import torch
from torch import Tensor

N_SPANNED = 3
"""Frames in a row with context."""


def with_context(frames: Tensor, context: int) -> Tensor:
    """Return each frame between the frames that are `context` before and after it.

    Parameters
    ----------
    frames : Tensor of shape (n_frames, n_bins)
        Frames in their order in time. Beyond the ends, the first and the last one are repeated.
    context : int
        Distance in frames; 0 returns the frames themselves.

    Returns
    -------
    rows : Tensor of shape (n_frames, 3 * n_bins)
        The earlier frame, the frame and the later one, side by side.
    """
    if not context:
        return frames
    last = len(frames) - 1
    context = min(context, last + 1)
    places = torch.arange(last + 1, device=frames.device)
    return torch.cat([frames[(places - context).clamp(min=0)], frames, frames[(places + context).clamp(max=last)]], 1)


def without_context(rows: Tensor, context: int) -> Tensor:
    """Return each frame as the mean of its estimates in the three rows that hold it.

    Parameters
    ----------
    rows : Tensor of shape (..., n_frames, 3 * n_bins)
        Successive rows as `with_context` makes them.
    context : int
        Distance in frames; 0 returns the rows themselves.

    Returns
    -------
    frames : Tensor of shape (..., n_frames, n_bins)
        Frames, those within `context` of an end being the mean of fewer rows.
    """
    if not context:
        return rows
    before, own, after = rows.chunk(N_SPANNED, dim=-1)
    context = min(context, rows.shape[-2])
    n_others = rows.shape[-2] - context
    total, count = own.clone(), own.new_ones(rows.shape[-2], 1)
    total[..., :n_others, :] += before[..., context:, :]
    total[..., context:, :] += after[..., :n_others, :]
    count[:n_others] += 1
    count[context:] += 1
    return total / count

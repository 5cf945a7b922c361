"""Random variations of training frames."""

from __future__ import annotations

import torch
from torch import Tensor


def warp_frequencies(frames: Tensor, octaves: float, generator: torch.Generator) -> Tensor:
    """Stretch or squeeze the frequency axis of each frame by a random factor.

    That changes pitch and resonances of a voice as another vocal tract would. Above the highest bin the spectrum is
    its own mirror image, as that of sampled sound is.

    Parameters
    ----------
    frames : Tensor of shape (n_frames, n_bins)
        Magnitude frames whose bins are equally spaced from frequency 0 on.
    octaves : float
        Factors are ``2**u`` with u uniform between plus and minus this.
    generator : torch.Generator
        Source of the factors, on the device of the frames.

    Returns
    -------
    warped : Tensor of shape (n_frames, n_bins)
        Frames by linear interpolation.

    References
    ----------
    N. Jaitly, G. Hinton, "Vocal Tract Length Perturbation (VTLP) improves speech recognition", ICML Workshop on Deep
    Learning for Audio, Speech, and Language Processing, 2013.
    """
    last = frames.shape[1] - 1
    if not octaves or not last:
        return frames
    uniform = torch.rand(len(frames), 1, generator=generator, device=frames.device)
    bins = torch.arange(last + 1, device=frames.device) * torch.exp2(octaves * (2 * uniform - 1))
    bins = last - (last - bins).abs()
    below = bins.clamp_(min=0).floor().clamp_(max=last - 1)
    left = below.long()
    return torch.lerp(frames.gather(1, left), frames.gather(1, left + 1), (bins - below).to(frames.dtype))

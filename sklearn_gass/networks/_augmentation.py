"""Random variations of training frames: other vocal tracts, other pitches."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


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
    if not octaves or frames.shape[1] < 2:
        return frames
    return _stretched(frames, _random_octaves(frames, octaves, generator))


def vary_excitation(frames: Tensor, octaves: float, exchange: float, generator: torch.Generator) -> Tensor:
    """Give frames another pitch, or the fine structure of another frame, under their own spectral envelope.

    The logarithm of a magnitude frame is taken for the sum of an envelope, which the resonances of a voice or an
    instrument make, and of the excitation, its fine structure of harmonics and noise.

    Parameters
    ----------
    frames : Tensor of shape (n_frames, n_bins)
        Magnitude frames with a mean of about 1, whose bins are equally spaced from frequency 0 on.
    octaves : float
        The frequency axis of the excitation is stretched by ``2**u`` with u uniform between plus and minus this.
    exchange : float
        Share of frames that get the excitation of another frame, one that is about as harmonic.
    generator : torch.Generator
        Source of random numbers, on the device of the frames.

    Returns
    -------
    varied : Tensor of shape (n_frames, n_bins)
        One variation of each frame. Frames of fewer than 128 bins, which show no harmonics, stay as they are.

    References
    ----------
    G. Fant, "Acoustic Theory of Speech Production", Mouton, 1960: sound as an excitation that is filtered.
    """
    if not (octaves or exchange) or frames.shape[1] < _FEWEST_BINS:
        return frames
    levels = (frames + _FLOOR).log2_()
    envelope = _smooth(levels)
    excitation = levels - envelope
    if exchange:
        excitation = _exchanged(excitation, exchange, generator)
    if octaves:
        excitation = _stretched(excitation, _random_octaves(frames, octaves, generator))
    return (envelope + excitation).exp2_().sub_(_FLOOR).clamp_(min=0)


_FLOOR = 0.01
"""Added to magnitudes before the logarithm, so that gaps between harmonics have a depth."""
_FEWEST_BINS = 128


def _random_octaves(frames: Tensor, most: float, generator: torch.Generator) -> Tensor:
    uniform = torch.rand(len(frames), 1, generator=generator, device=frames.device)
    return most * (2 * uniform - 1)


def _stretched(frames: Tensor, octaves: Tensor) -> Tensor:
    """Return frames whose frequency axes are stretched by as many octaves, by linear interpolation."""
    last = frames.shape[1] - 1
    bins = torch.arange(last + 1, device=frames.device) * torch.exp2(octaves)
    bins = last - (last - bins).abs()
    below = bins.clamp_(min=0).floor().clamp_(max=last - 1)
    left = below.long()
    return torch.lerp(frames.gather(1, left), frames.gather(1, left + 1), (bins - below).to(frames.dtype))


def _smooth(levels: Tensor) -> Tensor:
    """Return moving averages over frequency of moving averages, wider than the distance of harmonics."""
    reach = levels.shape[1] // 68  # 110 Hz at a rate of 16 kHz
    for _ in range(2):
        sums = functional.pad(levels[None], (reach + 1, reach), mode="reflect")[0].cumsum(1)
        width = 2 * reach + 1
        levels = (sums[:, width:] - sums[:, :-width]) / width
    return levels


def _exchanged(excitation: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Give a share of the frames the excitation of a frame whose rank by harmonicity is close to theirs."""
    (n_frames, n_bins), device = excitation.shape, excitation.device
    by_harmonicity = excitation[:, : n_bins // 4].square().mean(1).argsort()
    reach = max(2, n_frames // 10)
    steps = torch.randint(-reach, reach + 1, (n_frames,), generator=generator, device=device)
    ranks = torch.arange(n_frames, device=device)
    others = torch.empty_like(ranks)
    others[by_harmonicity] = by_harmonicity[(ranks + steps).clamp_(0, n_frames - 1)]
    exchanged = torch.rand(n_frames, generator=generator, device=device) < share
    return excitation[torch.where(exchanged, others, ranks)]

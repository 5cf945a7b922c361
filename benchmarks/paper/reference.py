"""Discriminative mask networks for two sources: what a user might take instead of generative models.

Both networks read ``log1p`` of mixture magnitudes and give the mask of the first source; the second has the rest. A
linear layer of 256 units is followed by eight residual blocks (two linear layers, PReLU, dropout 0.1) and a linear
layer with a sigmoid. The network with context also has, before each block, a convolution over frames of width 3, with
dilations 1, 2, 4, 8, 1, 2, 4, 8: it sees 30 frames before and after.

They learn from the same clean recordings as the source models: pieces of consecutive complex frames of recordings
that were resampled to nine speeds (within 0.12 octaves), mixed at levels within 5 dB and with a random phase. The loss
is the error-to-signal ratio of the masked mixture in dB, the mean over pieces and sources. Adam's rate falls linearly
to zero, and gradients are cut at a norm of 5. With 1,000 steps they train about as long as our models do. Masks are
sharpened as those of the separator are, with an exponent of 1.5, and the same consistent Wiener filter follows. That
needs power spectra of the sources: a mask network has to offer masks times the power of the mixture.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

import librosa
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from sklearn_gass import STFT
from sklearn_gass.masks import ratio_masks
from sklearn_gass.networks._precision import training_precision
from sklearn_gass.separation._blockwise import separate_pieces


@dataclass(frozen=True)
class Recipe:
    """How a mask network is built and trained; the same for all pairs."""

    context: bool = False
    n_steps: int = 1000
    n_pieces: int = 6
    piece_length: int = 96
    learning_rate: float = 1e-3
    width: int = 256
    n_blocks: int = 8
    dropout: float = 0.1
    level: float = 5.0
    mask_exponent: float = 1.5
    consistency: float = 20.0


RECIPES = {"mask network, one frame": Recipe(), "mask network, with context": Recipe(context=True)}
SETTINGS = {name: astuple(recipe) for name, recipe in RECIPES.items()}
SPEEDS = np.exp2(np.linspace(-0.12, 0.12, 9))
"""Factors of speed of the training recordings."""


class MaskNetwork(nn.Module):
    """Residual perceptron on frames, or on frames and their neighbours.

    Parameters
    ----------
    n_bins : int
        Width of the frames.
    recipe : Recipe
        Its shape.
    """

    def __init__(self, n_bins, recipe):
        super().__init__()
        self.first, self.last = nn.Linear(n_bins, recipe.width), nn.Linear(recipe.width, n_bins)
        self.blocks = nn.ModuleList(_Block(recipe, 2 ** (i % 4)) for i in range(recipe.n_blocks))

    def forward(self, magnitudes):
        """Return masks of shape (n_pieces, n_frames, n_bins) for magnitudes of that shape."""
        hidden = self.first(torch.log1p(magnitudes))
        for block in self.blocks:
            hidden = hidden + block(hidden)
        return torch.sigmoid(self.last(hidden))


class _Block(nn.Module):
    """What a block adds to its input."""

    def __init__(self, recipe, dilation):
        super().__init__()
        width = recipe.width
        neighbours = {"padding": dilation, "dilation": dilation, "groups": width}
        self.neighbours = nn.Conv1d(width, width, 3, **neighbours) if recipe.context else None
        self.layers = nn.Sequential(
            nn.Linear(width, width), nn.PReLU(), nn.Dropout(recipe.dropout), nn.Linear(width, width)
        )

    def forward(self, hidden):
        if self.neighbours is not None:
            hidden = self.neighbours(hidden.transpose(1, 2)).transpose(1, 2)
        return self.layers(hidden)


class Pieces:
    """Random pieces of the resampled recordings of one source.

    Parameters
    ----------
    waves : list of ndarray of shape (n_samples,)
        Clean recordings.
    length : int
        Frames in a piece.
    """

    def __init__(self, waves, length):
        level, spectra, self.starts, end = root_mean_square(np.concatenate(waves)), [], [], 0
        for wave in waves:
            for speed in SPEEDS:
                slower = librosa.resample(wave / level, orig_sr=1, target_sr=speed) if speed != 1 else wave / level
                spectrum = torch.tensor(np.multiply(*STFT().analyze(slower)))
                spectrum = functional.pad(spectrum, (0, 0, 0, max(0, length - len(spectrum))))
                spectra.append(spectrum)
                self.starts += range(end, end + len(spectrum) - length + 1)
                end += len(spectrum)
        self.spectra, self.starts = torch.cat(spectra), torch.tensor(self.starts)
        self.within = torch.arange(length)

    def draw(self, n_pieces, level, generator):
        """Return complex frames of shape (n_pieces, length, n_bins) at random levels within plus and minus some dB."""
        chosen = self.starts[torch.randint(len(self.starts), (n_pieces,), generator=generator)]
        gain, turn = torch.rand(2, n_pieces, 1, 1, generator=generator)
        factor = torch.polar(10 ** ((2 * gain - 1) * level / 20), 2 * math.pi * turn)
        return self.spectra[chosen[:, None] + self.within] * factor


def root_mean_square(wave):
    """Return the level of a waveform."""
    return float(np.sqrt(np.mean(np.square(wave))))


def energy(frames):
    """Return the energy of each complex piece."""
    return torch.view_as_real(frames).square().sum((1, 2, 3))


def train(network, sources, unit, recipe, generator):
    """Train a mask network in place on pieces of both sources."""
    optimiser = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, fused=True)
    for step in range(recipe.n_steps):
        optimiser.param_groups[0]["lr"] = recipe.learning_rate * (1 - step / recipe.n_steps)
        parts = [source.draw(recipe.n_pieces, recipe.level, generator) / unit for source in sources]
        mixture = parts[0] + parts[1]
        with training_precision(mixture.device):  # as our own networks are trained
            mask = network(mixture.abs()).float()
        ratios = [
            energy(own * mixture - part) / (energy(part) + 1e-6) + 1e-3
            for part, own in zip(parts, (mask, 1 - mask), strict=True)
        ]
        optimiser.zero_grad()
        (10 * torch.log10(torch.stack(ratios))).mean().backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
    network.eval()


def mask_network(example, seed, recipe):
    """Train on the clean utterances of a pair and return a function from a mixture to both estimates."""
    torch.manual_seed(seed)  # of dropout and first weights, which take no generator
    sources = []
    for speaker in example.reference_speakers:
        named = zip(example.train_utterances, example.train_speakers, strict=True)
        sources.append(Pieces([np.float32(wave) for wave, own in named if own == speaker], recipe.piece_length))
    unit = float(torch.cat([source.spectra for source in sources]).abs().mean())
    network = MaskNetwork(STFT().n_bins, recipe)
    train(network, sources, unit, recipe, torch.Generator().manual_seed(seed))
    frames = _MaskingFrames(network, unit, recipe.mask_exponent)

    def separate(mixture):
        pieces = separate_pieces(frames, STFT(), np.float32(mixture), 16000, 2, consistency=recipe.consistency)
        return np.concatenate(list(pieces), axis=1)

    return separate


class _MaskingFrames:
    """A mask network as what separates the frames of a waveform."""

    def __init__(self, network, unit, mask_exponent):
        self.network, self.unit, self.mask_exponent = network, unit, mask_exponent

    def separate(self, magnitudes):
        """Return masked mixtures of shape (2, n_frames, n_bins); a source of the mixture has unit level."""
        with torch.no_grad():
            mask = self.network(torch.tensor(magnitudes / self.unit)[None])[0].numpy()
        return ratio_masks(np.stack([mask, 1 - mask]), self.mask_exponent) * magnitudes

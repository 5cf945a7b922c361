"""A discriminative mask network for two sources: what a user might take instead of generative models.

A multilayer perceptron of two hidden layers of 500 rectified units reads ``log1p`` frames of a mixture and gives the
mask of the first source; the second has the rest. It is trained on the same clean frames, mixed at random levels within
5 dB and with random phases, to bring the masked mixture close to both sources in Kullback-Leibler divergence: by Adam
on batches of 128, the rate falling linearly from 0.001, for as many steps as the separator's own mixture encoder is
trained with half of that batch, and with the random warps of the frequency axis that source models are trained with.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from sklearn_gass import STFT, MixtureStart, VAESourceModel
from sklearn_gass.divergences import kl_divergence
from sklearn_gass.networks import warp_frequencies

WIDTH, BATCH, RATE, LEVEL = 500, 128, 1e-3, 5.0
STEPS, WARP = MixtureStart().max_iter, VAESourceModel().frequency_warp
SETTINGS = STEPS, WIDTH, BATCH, RATE, LEVEL, WARP


def mask_network(example, seed):
    """Train on the clean utterances of a pair and return a function from a mixture to both estimates."""
    stft, generator = STFT(), torch.Generator().manual_seed(seed)
    sources = []
    for speaker in example.reference_speakers:
        own = [w for w, s in zip(example.train_utterances, example.train_speakers, strict=True) if s == speaker]
        sources.append(torch.tensor(np.concatenate([stft.analyze(wave)[0] for wave in own])))
    unit = float(torch.cat(sources).mean())
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Linear(stft.n_bins, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, stft.n_bins)
    )
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE, fused=True)
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
        parts = []
        for frames in sources:
            rows = torch.randint(len(frames), (BATCH,), generator=generator)
            level = 10 ** ((2 * torch.rand(BATCH, 1, generator=generator) - 1) * LEVEL / 20)
            parts.append(warp_frequencies(frames[rows], WARP, generator) / unit * level)
        phase = 2 * torch.pi * torch.rand(parts[0].shape, generator=generator)
        mixture = torch.hypot(parts[0] + parts[1] * torch.cos(phase), parts[1] * torch.sin(phase))
        mask = torch.sigmoid(network(torch.log1p(mixture)))
        loss = kl_divergence(parts[0], mask * mixture) + kl_divergence(parts[1], (1 - mask) * mixture)
        optimiser.zero_grad()
        loss.mean().backward()
        optimiser.step()

    def separate(mixture):
        magnitudes, phase = stft.analyze(mixture)
        with torch.no_grad():
            mask = torch.sigmoid(network(torch.log1p(torch.tensor(magnitudes) / unit))).numpy()
        return stft.synthesize(np.stack([mask, 1 - mask]) * magnitudes, phase, mixture.size)

    return separate

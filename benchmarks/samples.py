"""Test whether a random forest tells generated frames from real ones, and whether they are copies.

Models train on seven utterances of one speaker of the TIMIT sample, or of a synthetic voice without it. The other three
utterances are held out. The table has two measures:

* *Accuracy*: how often a random forest of 200 trees tells up to 500 samples from as many held-out frames, in five
  folds. 0.5 means that it cannot tell them apart. Samples are generated means, and means with output noise. For
  comparison, the first row has real training frames in place of samples.
* *Nearest training frame*: the median distance of samples to the nearest training frame, over log magnitudes. If it is
  far below that of held-out frames, in the second row, samples are copies.

Run ``python benchmarks/samples.py --gallery docs/sample_gallery.jpg``.
"""

from __future__ import annotations

import argparse
import os

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import NearestNeighbors

from sklearn_gass import (
    STFT,
    DAESourceModel,
    GANSourceModel,
    NMFSourceModel,
    VAESourceModel,
    WGANSourceModel,
)
from sklearn_gass.datasets import fetch_timit_sample, make_voices

MODELS = {
    "NMF": NMFSourceModel(random_state=0),
    "VAE": VAESourceModel(random_state=0),
    "DAE": DAESourceModel(random_state=0),
    "GAN": GANSourceModel(random_state=0),
    "WGAN": WGANSourceModel(random_state=0),
}


def load_frames(speaker_number):
    """Return training and held-out frames of one speaker."""
    data = fetch_timit_sample() if os.environ.get("SKLEARN_GASS_DATA") else make_voices(2, random_state=0)
    speaker = sorted(set(data.speakers))[speaker_number]
    waves = [wave for wave, name in zip(data.utterances, data.speakers, strict=True) if name == speaker]
    level = np.std(np.concatenate(waves))
    frames = [STFT().analyze(wave / level)[0] for wave in waves]
    return np.concatenate(frames[:7]), np.concatenate(frames[7:]), speaker


def forest_accuracy(real, other):
    """Return how often a random forest tells the two kinds of frames apart."""
    X = np.concatenate([real, other])
    y = np.repeat([0, 1], [len(real), len(other)])
    return cross_val_score(RandomForestClassifier(200, random_state=0), X, y, cv=5).mean()


def nearest(train, frames):
    """Return the median distance of frames to the nearest training frame."""
    neighbours = NearestNeighbors(n_neighbors=1).fit(np.log1p(train))
    return np.median(neighbours.kneighbors(np.log1p(frames))[0])


def main():
    """Print one row per model."""
    parser = argparse.ArgumentParser(description="Ask a random forest to tell generated frames from real ones.")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--speaker", type=int, default=0, help="number of the speaker, in alphabetical order")
    parser.add_argument("--gallery", help="also draw real and generated frames into this picture")
    options = parser.parse_args()
    torch.set_num_threads(1)
    train, held_out, speaker = load_frames(options.speaker)
    rng = np.random.RandomState(0)
    real = held_out[rng.permutation(len(held_out))[:500]]
    shown = {"real, held out": real}
    print(f"Speaker {speaker}: {len(train)} training frames, {len(real)} held-out frames")
    print("frames                accuracy, means  accuracy, with noise  nearest training frame")
    same = train[rng.permutation(len(train))[: len(real)]]
    print(f"{'real, training':22s}{forest_accuracy(real, same):14.3f}")
    print(f"{'real, held out':22s}{'':38s}{nearest(train, real):20.2f}")
    for name in options.models:
        model = MODELS[name].fit(train)
        means = model.sample(len(real), random_state=1, output_noise=False)
        noisy = model.sample(len(real), random_state=1)
        shown[name] = noisy
        accuracies = forest_accuracy(real, means), forest_accuracy(real, noisy)
        print(f"{name:22s}{accuracies[0]:14.3f}{accuracies[1]:22.3f}{nearest(train, noisy):20.2f}", flush=True)
    if options.gallery:
        draw(shown, options.gallery)


def draw(shown, path):
    """Draw 100 frames of each kind side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.2 * len(shown), 3.2), layout="constrained")
    for axes, (name, frames) in zip(figure.subplots(1, len(shown), sharey=True), shown.items(), strict=True):
        axes.imshow(20 * np.log10(frames[:100].T + 1e-3), origin="lower", aspect="auto", vmin=-40, vmax=40)
        axes.set(title=name, xlabel="frame")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()

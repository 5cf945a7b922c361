"""Time training and separation of the Wasserstein model against the paper's settings, on one thread, in one run.

On the first pair of the TIMIT sample (synthetic voices without it): CPU seconds to train a pair with the defaults and
with the paper's settings, and to separate the test mixture with ours against 2,000 RMSprop steps from random latents on
the same fitted models, with the objective that both reach.

Run ``python benchmarks/cost.py``; it takes some minutes, nearly all of them for the paper's settings.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
import torch
from sklearn.base import clone

from sklearn_gass import AudioSeparator, SupervisedSeparator, WGANSourceModel
from sklearn_gass.datasets import fetch_timit_sample, make_pair, make_voices, timit_pairs
from sklearn_gass.paper import paper_separator


def timed(action):
    """Return CPU seconds and the result."""
    start = time.process_time()
    result = action()
    return time.process_time() - start, result


def main():
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Time the Wasserstein model against the paper's settings.")
    parser.add_argument("--skip-paper-training", action="store_true", help="time separation only")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = fetch_timit_sample() if os.environ.get("SKLEARN_GASS_DATA") else make_voices(2, random_state=0)
    example = make_pair(data, timit_pairs(data)[0])
    seconds = example.mixture.size / data.sample_rate

    ours = AudioSeparator(SupervisedSeparator(WGANSourceModel()), random_state=0)
    our_training, ours = timed(lambda: ours.fit(example.train_utterances, example.train_speakers))
    sources = sum(epoch["dur"] for model in ours.separator_.source_models_ for epoch in model.history_)
    print(f"training a pair, defaults:         {our_training:7.1f} s CPU ({sources:.1f} s of it the source models)")
    if not options.skip_paper_training:
        paper = AudioSeparator(clone(paper_separator("WGAN")), random_state=0)
        paper_training, _ = timed(lambda: paper.fit(example.train_utterances, example.train_speakers))
        print(
            f"training a pair, paper's settings: {paper_training:7.1f} s CPU; ratio {our_training / paper_training:.2f}"
        )

    level = np.std(example.mixture) / np.sqrt(2)
    frames = ours.stft_.analyze(example.mixture / level)[0]
    separator = ours.separator_
    settings = {
        "defaults": {},
        "own encoder's start, no critics": {"start": "source", "critic_weight": 0.0},
        "2,000 RMSprop steps, no critics": {
            "start": "random",
            "critic_weight": 0.0,
            "solver": "rmsprop",
            "max_iter": 2000,
        },
    }
    defaults = separator.get_params(deep=False)
    figures = {}
    for name, params in settings.items():
        separator.set_params(**{key: defaults[key] for key in ("start", "critic_weight", "solver", "max_iter")}, **{})
        separator.set_params(**params)
        elapsed, found = timed(lambda: separator._infer(frames))
        figures[name] = elapsed
        print(
            f"separation, {name:32s} {elapsed:7.2f} s CPU, {elapsed / seconds:.2f} s per second of audio, "
            f"objective {float(found.objective.mean()):8.2f}, steps {found.n_iter}"
        )
    slow = figures["2,000 RMSprop steps, no critics"]
    for name in list(settings)[:2]:
        print(f"{name}: 1/{slow / figures[name]:.0f} of the time of 2,000 RMSprop steps")


if __name__ == "__main__":
    main()

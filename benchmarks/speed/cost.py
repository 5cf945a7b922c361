"""Time training and separation of Wasserstein GANs against the paper's settings, on one thread, in one run.

The first table has CPU seconds to train a pair of speakers, with the defaults and with the paper's settings. The second
one has CPU seconds to separate the test mixture with the same fitted models, and the objective that each optimisation
reaches: ours, and 2,000 RMSprop steps from random latents. The pair is the first one of the TIMIT sample, or of
synthetic voices without ``SKLEARN_GASS_DATA``.

Run ``python benchmarks/speed/cost.py``. It takes some minutes, nearly all of them for training by the paper's settings,
which ``--quick`` leaves out.
"""

from __future__ import annotations

import argparse
import functools
import math
import tempfile

import numpy as np
import torch
from measuring import Table, load_speech, timed
from sklearn.base import clone

from sklearn_gass import STFT, AudioSeparator, SupervisedSeparator, WGANSourceModel
from sklearn_gass.datasets import make_pair, speaker_pairs
from sklearn_gass.engine import Problem
from sklearn_gass.paper import paper_separator

OPTIMISATIONS = {
    "defaults": {},
    "own encoder's start, no critics": {"start": "source", "critic": None},
    "random latents, no critics": {"start": "random", "critic": None, "max_iter": 2000},
    "random latents, 2,000 RMSprop steps, no critics": {
        "start": "random",
        "critic": None,
        "solver": "rmsprop",
        "max_iter": 2000,
    },
}


def training(example, quick, ours):
    """Return the table of what training costs; `ours` has a cache, which then holds what was trained."""
    clean = example.train_utterances, example.train_speakers
    models = clone(ours).set_params(start="source", critic=None)  # learns nothing but the source models
    of_models, _ = timed(lambda: AudioSeparator(models).fit(*clean))
    of_mixtures, _ = timed(lambda: AudioSeparator(ours).fit(*clean))  # finds the source models in the cache
    rows = [["source models", of_models], ["source models, start and critics of separation", of_models + of_mixtures]]
    if not quick:
        paper = AudioSeparator(clone(paper_separator("WGAN")), random_state=0)
        of_paper, _ = timed(lambda: paper.fit(*clean))
        rows = [[*row, f"1/{of_paper / row[1]:.1f}"] for row in rows] + [["the paper's settings", of_paper, "1"]]
    note = (
        "A Wasserstein GAN (WGAN) for each of two speakers, from nine sentences each. The start comes from a mixture "
        "encoder, a network that guesses the latents of both sources. Critics are networks that score how clean an "
        "estimate sounds. Both learn from mixtures of the two speakers."
    )
    columns = ["what is trained", "CPU s", "share of the paper's time"][: len(rows[0])]
    return Table("Training a pair of Wasserstein GANs", note, columns, rows)


def separation(ours, example, sample_rate):
    """Return the table of what separation of the test mixture costs."""
    seconds, figures = example.mixture.size / sample_rate, {}
    frames = STFT().analyze(example.mixture / (np.std(example.mixture) / math.sqrt(2)))[0]
    for name, params in OPTIMISATIONS.items():
        audio = AudioSeparator(clone(ours).set_params(**params))
        models = audio.fit(example.train_utterances, example.train_speakers).separator_.source_models_
        audio.separator_.explain(frames[:100])
        figures[name] = timed(functools.partial(audio.separator_.explain, frames))
    slowest = max(elapsed for elapsed, _ in figures.values())
    problem = Problem([model.decoder() for model in models], models[0].beta_loss, frames.shape[1])
    rows = []
    for name, (elapsed, found) in figures.items():
        latents = [torch.tensor(h) for h in found.latents]
        objective = problem.objective(torch.tensor(frames) / problem.unit, latents, problem.generate(latents))
        rows.append([name, elapsed / seconds, found.n_iter, float(objective.mean()), f"1/{slowest / elapsed:.0f}"])
    note = (
        f"The same fitted models separate {seconds:.1f} s of mixture. The objective is the divergence plus the priors "
        "in all rows. The first row also stays near its start and asks critics; the objective leaves both out."
    )
    columns = ["optimisation", "CPU s per s", "steps", "objective", "share of RMSprop's time"]
    return Table("Separation with Wasserstein GANs", note, columns, rows)


def measure(quick=False):
    """Return the tables."""
    data, _ = load_speech()
    example = make_pair(data, speaker_pairs(data)[0])
    with tempfile.TemporaryDirectory() as folder:
        ours = SupervisedSeparator(WGANSourceModel(), memory=folder, random_state=0)
        return [training(example, quick, ours), separation(ours, example, data.sample_rate)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="do not train by the paper's settings")
    torch.set_num_threads(1)
    for table in measure(parser.parse_args().quick):
        print(table.markdown())

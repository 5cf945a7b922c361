"""Compare training with its arithmetic floor: the time of the matrix products that its steps need.

The script trains each part of a default separator of two voices for a while, notes the shapes and the precision of all
matrix products, forward and backward, and repeats these products alone. What a part takes is the difference of two
trainings, of which one has more steps of this part.

Run ``python benchmarks/speed/training_floor.py``.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np
import torch
from floor import MatrixProducts, Replay
from measuring import Table, load_voices, timed

from sklearn_gass import AudioSeparator, MixtureCritic, MixtureStart, SupervisedSeparator, VAESourceModel

ROUNDS = 5
STEPS = {"source models": ("source_model", 4), "start": ("start", 100), "critics": ("critic", 20)}
"""Parameter and number of further steps of each part, epochs of the source models."""


def trained(**steps):
    """Train a separator whose parts take so many steps, one unless said."""
    X, y, _, sample_rate = load_voices(2)
    parts = {"source_model": VAESourceModel(), "start": MixtureStart(), "critic": MixtureCritic()}
    for name, part in parts.items():
        part.set_params(max_iter=1 + steps.get(name, 0))
    AudioSeparator(SupervisedSeparator(**parts), sample_rate=sample_rate, random_state=0).fit(X, y)


def products(**steps):
    """Return how often each matrix product is made in a training."""
    with MatrixProducts(0, None) as counted:
        trained(**steps)
    return counted.shapes


def distance(name):
    """Return seconds of further steps of a part, and of their products alone; both take turns."""
    parameter, n_steps = STEPS[name]
    shapes = Counter(products(**{parameter: n_steps}))
    shapes.subtract(products())
    replay = Replay(+shapes)
    rounds = []
    for _ in range(ROUNDS):
        longer, short, floor = timed(lambda: trained(**{parameter: n_steps})), timed(trained), timed(replay)
        rounds.append([longer[0] - short[0], floor[0]])
    return np.median(rounds, axis=0) / n_steps


def measure(quick=False):
    """Return the table."""
    defaults = {"source_model": VAESourceModel(), "start": MixtureStart(), "critic": MixtureCritic()}
    rows, totals = [], np.zeros(2)
    for name, (parameter, _) in STEPS.items():
        seconds = distance(name) * defaults[parameter].max_iter
        totals += seconds
        rows.append([name, *map(float, seconds), float(seconds[0] / seconds[1])])
    rows.append(["all", *map(float, totals), float(totals[0] / totals[1])])
    return [
        Table(
            "Distance of training from its arithmetic floor",
            "The floor is the time of the matrix products alone, in their own shapes and in the precision of training "
            f"on this machine. It and training take turns, {ROUNDS} times. CPU seconds of a default training of "
            "two voices, extrapolated from a few steps of each part.",
            ["part", "s measured", "s of floor", "measured / floor"],
            rows,
        )
    ]


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    for table in measure():
        print(table.markdown())

"""Compare separation with its arithmetic floor: the time of the matrix products that its steps need.

The script separates frames and notes the shapes of all matrix products, also those of the forward and backward passes
of decoders and critics. The floor is the time of these products alone. The first floor takes the rate of the machine in
a large product. The second one times the products in their own shapes, which is more lenient. A second table shows
where the time goes, by torch's profiler.

Run ``python benchmarks/speed/floor.py``.
"""

from __future__ import annotations

import argparse
import copy
import functools
import math
import time
from collections import Counter

import numpy as np
import torch
from measuring import Table, fitted, long_mixture, timed
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

ATEN = torch.ops.aten
SECONDS, ROUNDS = 30, 7
SETTINGS = [
    ("NMF", "NMF", {}),
    ("VAE", "VAE", {}),
    ("VAE without critics", "VAE", {"critic_weight": 0.0}),
]
GROUPS = {
    "matrix products": ("addmm", "mm"),
    "logarithms, exponentials and their slopes": ("log", "log1p", "exp", "softplus", "softplus_backward", "sigmoid"),
    "rectifiers and their slopes": ("leaky_relu", "leaky_relu_backward"),
    "sums, products and quotients": (
        *("add", "add_", "sub", "mul", "mul_", "div", "neg", "pow", "sqrt", "addcmul", "addcmul_", "sum", "square"),
        *("linalg_vector_norm", "clamp_min", "clamp_min_", "reciprocal"),
    ),
    "copies and selections": ("cat", "copy_", "index", "index_put_", "where", "clone", "stack", "fill_", "zero_"),
}


class MatrixProducts(TorchDispatchMode):
    """Count matrix products by rows, inner size, columns, and which operands are transposed."""

    def __init__(self, n_bins, generating):
        super().__init__()
        self.shapes = Counter()
        self.n_bins, self.generating = n_bins, generating
        self.n_generated = 0  # frames that decoders made

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Look at an operation, and run it."""
        if func in (ATEN.mm.default, ATEN.addmm.default):
            left, right = args[-2:]
            transposed = tuple(not operand.is_contiguous() for operand in (left, right))
            self.shapes[(len(left), *right.shape, *transposed, left.dtype)] += 1
            if func is self.generating and right.shape[1] == self.n_bins:
                self.n_generated += len(left)
        return func(*args, **(kwargs or {}))


def operand(n_rows, n_columns, transposed, dtype):
    return torch.rand(n_columns, n_rows, dtype=dtype).T if transposed else torch.rand(n_rows, n_columns, dtype=dtype)


class Replay:
    """Repeat the same products with nothing between them; each writes to its own place."""

    def __init__(self, shapes):
        self.products = [
            (
                operand(n_rows, inner, left_transposed, dtype),
                operand(inner, n_columns, right_transposed, dtype),
                torch.empty(n_rows, n_columns, dtype=dtype),
                count,
            )
            for (n_rows, inner, n_columns, left_transposed, right_transposed, dtype), count in shapes.items()
        ]

    def __call__(self):
        """Make all products."""
        for left, right, out, count in self.products:
            for _ in range(count):
                torch.mm(left, right, out=out)


def operations(shape):
    return 2 * shape[0] * shape[1] * shape[2]


def distance(separator, frames, kind):
    """Return the figures of the first table; programs take turns, since other programs slow a machine down."""
    generating, n_parts = (ATEN.mm.default, 1) if kind == "NMF" else (ATEN.addmm.default, len(separator.classes_))
    with MatrixProducts(frames.shape[1], generating) as products:
        most = separator.explain(frames).n_iter
    work = sum(count * operations(shape) for shape, count in products.shapes.items())
    square = (1024, 1024, 1024, False, False, torch.float32)
    n_squares = max(round(work / operations(square)), 1)
    programs = Replay({square: n_squares}), Replay(products.shapes), functools.partial(separator.separate, frames)
    rounds = np.array([[timed(program)[0] for program in programs] for _ in range(ROUNDS)])
    rounds[:, 0] *= work / (n_squares * operations(square))
    evaluations = products.n_generated / n_parts / len(frames)
    ratios = rounds[:, 2:] / rounds[:, :2]
    per_frame = 1e6 * np.median(rounds, axis=0) / len(frames)
    return [most, evaluations, work / len(frames) / 1e6, *per_frame.tolist(), *np.median(ratios, axis=0).tolist()]


def shares(action):
    """Return the share of the time of each group of operations, and the share of all the rest."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        start = time.perf_counter()  # as the profiler does
        action()
        elapsed = time.perf_counter() - start
    own = Counter()
    for event in profiler.key_averages():
        name = event.key.removeprefix("aten::")
        group = next((group for group, names in GROUPS.items() if name in names), None)
        own[group] += event.self_cpu_time_total / 1e6 / elapsed if group else 0
    return [*(own[group] for group in GROUPS), 1 - sum(own[group] for group in GROUPS)]


def measure(quick=False):
    """Return the tables."""
    floors, profiles = [], []
    for name, kind, params in SETTINGS:
        audio = fitted(kind)
        mixture = long_mixture(2, 10 if quick else SECONDS)
        frames = audio.stft_.analyze(mixture / (np.std(mixture) / math.sqrt(2)))[0]
        separator = copy.deepcopy(audio.separator_).set_params(**params)
        floors.append([name, *distance(separator, frames, kind)])
        parts = shares(functools.partial(separator.separate, frames))
        profiles.append([name, *(f"{100 * part:.0f} %" for part in parts)])
    return [
        Table(
            "Distance from the arithmetic floor",
            "The floor is the time of the matrix products alone, as if all else were free. The first floor takes the "
            "rate at which this machine multiplies matrices of 1024 by 1024. The second one takes the products in "
            "their own shapes. Microseconds (µs) are CPU time per frame. Both floors and the separation take turns, "
            f"{ROUNDS} times. Times and ratios are medians. Steps are those of the slowest frame, evaluations the "
            "mean over all frames.",
            [
                *("model", "steps", "evaluations", "Mflop", "µs of floor", "µs of floor, own shapes", "µs measured"),
                *("measured / floor", "measured / floor, own shapes"),
            ],
            floors,
        ),
        Table(
            "Where the time goes",
            "Shares of the time, by torch's profiler. The profiler slows small operations down. The rest is Python, "
            "bookkeeping of gradients, masks and all other operations.",
            ["model", *GROUPS, "the rest"],
            profiles,
        ),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="ten seconds of sound instead of thirty")
    torch.set_num_threads(1)
    for table in measure(parser.parse_args().quick):
        print(table.markdown())

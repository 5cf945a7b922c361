"""Measure how time and memory of separation grow with sources, batch size and components.

Run ``python benchmarks/speed/scaling.py``. Every row is a process of its own.
"""

from __future__ import annotations

import argparse

from measuring import Table, fitted, probe

SECONDS = 60
N_SOURCES = [2, 3, 4, 6]
BATCH_SIZES = [64, 256, 1024, 4096]
N_COMPONENTS = {"NMF": [10, 40, 160], "VAE": [16, 64, 256]}


def row(kind, value, audio, seconds, **options):
    found = probe(audio, seconds, repeats=2, **options)
    taken = found["cpu_seconds"]
    return [kind, value, taken / seconds, 1e6 * taken / found["n_frames"], found["peak_mb"]]


def measure(quick=False):
    """Return the tables."""
    seconds, pick = (10, slice(0, 2)) if quick else (SECONDS, slice(None))
    sources, batches, components = [], [], []
    for kind in ("NMF", "VAE"):
        sources += [row(kind, n, fitted(kind, n), seconds) for n in N_SOURCES[pick]]
        batches += [row(kind, n, fitted(kind), seconds, batch_size=n) for n in BATCH_SIZES[pick]]
        components += [row(kind, n, fitted(kind, 2, n), seconds) for n in N_COMPONENTS[kind][pick]]
    columns = ["CPU s per s", "µs per frame", "peak MB"]
    note = f"Each row separates {seconds} s of mixture. Peak memory includes Python, torch and scikit-learn."
    return [
        Table("Number of sources", note, ["model", "sources", *columns], sources),
        Table("Batch size", f"Two sources. {note}", ["model", "batch_size", *columns], batches),
        Table("Number of components", f"Two sources. {note}", ["model", "n_components", *columns], components),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="short mixtures and fewer rows")
    for table in measure(parser.parse_args().quick):
        print(table.markdown())

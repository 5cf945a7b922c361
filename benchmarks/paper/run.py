"""Score source separation on pairs of speakers of the TIMIT sample, as the method's paper does.

Run ``python benchmarks/paper/run.py`` for everything, seven hours of one core, or with ``--families ours`` for the
library's own methods, an hour and a half of one core or 49 minutes of two with ``--n-jobs 2``, and under five minutes
with ``--pairs 2`` as well; ``--help`` lists the options. Every cell, one family of methods on one pair
with one seed, is kept as a JSON file and not computed again unless its settings change, so the run can be interrupted
and resumed; ``report.py`` makes the tables and the figure of all cells, and ``results.json`` has those behind the
published ones, of several seeds for our own methods (``--seeds``). Source models that several pairs share are
fitted once. The protocol of the pairs is that of ``sklearn_gass.datasets.speaker_pairs``. BSS eval, 512 taps, no
permutation search, mean of both sources, in dB. Nothing is chosen for a pair by looking at its true sources; the
library's defaults were developed on these speakers, though.

``--data`` takes the full TIMIT corpus instead of its sample; keep its cells elsewhere, by ``--cells``. ``--dask`` takes
the address of a scheduler whose workers see the folders of cells and cache.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import time
from pathlib import Path

import joblib
import numpy as np
import torch
from corpus import load_corpus
from joblib import Parallel, delayed
from methods import (
    ABLATIONS,
    BOUND_EXPONENT,
    BOUNDS,
    CHOSEN,
    FAMILIES,
    LATEST_REVISION,
    NETWORKS,
    OURS,
    PAPER,
    PRESETS,
    WEIGHTS,
    settings,
)
from reference import RECIPES, mask_network
from sklearn.base import clone

from sklearn_gass import AudioSeparator, SupervisedSeparatorCV
from sklearn_gass.datasets import fetch_timit_sample, make_pair, speaker_pairs
from sklearn_gass.metrics import bss_eval, ideal_ratio_mask_bound, si_sdr

HERE = Path(__file__).resolve().parent
CELLS, CACHE = HERE / "cells", HERE / "cache" / f"revision{LATEST_REVISION}"


def current_commit():
    """Return the commit that results are of, or nothing outside a clone."""
    found = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=HERE, capture_output=True, text=True)
    return found.stdout.strip()


def score(references, estimates):
    """Return the mean scores of both sources."""
    bss = bss_eval(references, estimates)
    return {
        "sdr": float(np.mean(bss.sdr)),
        "sir": float(np.mean(bss.sir)),
        "sar": float(np.mean(bss.sar)),
        "si_sdr": float(np.mean(si_sdr(references, estimates))),
    }


def separate_and_score(separator, example, fit_seconds):
    """Return the scores of a fitted separator of waveforms on the test mixture, with what it took."""
    start = time.process_time()
    separation = separator.separate(example.mixture)
    seconds = {"fit_seconds": fit_seconds, "separate_seconds": time.process_time() - start}
    estimates = np.stack([separation[speaker] for speaker in example.reference_speakers])
    return {**score(example.references, estimates), **seconds}


def run_bounds(example, seed):
    """Score the mixture itself and the ideal ratio mask."""
    bound = ideal_ratio_mask_bound(example.references, exponent=BOUND_EXPONENT)
    ideal = {name: float(np.mean(getattr(bound, name))) for name in ("sdr", "sir", "sar")}
    mixture = score(example.references, np.stack([example.mixture] * 2))
    return {"mixture": mixture, "ideal ratio mask": ideal}


def run_network(name, example, seed):
    """Score a discriminative network, what a user might take instead."""
    start = time.process_time()
    separate = mask_network(example, seed, RECIPES[name])
    fitted = time.process_time() - start
    start = time.process_time()
    estimates = separate(example.mixture)
    seconds = {"fit_seconds": fitted, "separate_seconds": time.process_time() - start}
    return {name: {**score(example.references, estimates), **seconds}}


def run_family(name, example, seed, cache):
    """Fit a family and score its variants."""
    family = FAMILIES[name]
    rows, fitted = {}, None
    for variant in family.variants:
        start = time.process_time()
        audio = family.audio_separator(variant, memory=cache, random_state=seed)
        audio.fit(example.train_utterances, example.train_speakers)  # what was trained before is in the cache
        fitted = fitted or time.process_time() - start
        rows[variant] = separate_and_score(audio, example, fitted)
    return rows


def run_chosen(name, example, seed, cache):
    """Fit a family with λ chosen on mixtures of its training recordings, and score it."""
    row, family = CHOSEN[name]
    separator = clone(FAMILIES[family].separator).set_params(memory=cache)
    search = SupervisedSeparatorCV(
        AudioSeparator(separator), critic_weights=[*WEIGHTS, separator.critic_weight], scoring="sdr", random_state=seed
    )
    start = time.process_time()
    search.fit(example.train_utterances, example.train_speakers)
    fitted = time.process_time() - start
    return {row: {**separate_and_score(search, example, fitted), "weight": search.critic_weight_}}


def run_cell(name, number, pair, seed, data, cells, cache, commit):
    """Compute one cell unless it is there, with the same settings, whatever commit it is of."""
    path = cells / f"{name}_pair{number:02d}_seed{seed}.json"
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["settings"] == settings(name) and found["pair"] == [pair.first, pair.second]:
            return
    torch.set_num_threads(1)
    example = make_pair(data, pair)
    if name == BOUNDS:
        rows = run_bounds(example, seed)
    elif name in NETWORKS:
        rows = run_network(NETWORKS[name], example, seed)
    elif name in CHOSEN:
        rows = run_chosen(name, example, seed, cache)
    else:
        rows = run_family(name, example, seed, cache)
    cell = {"family": name, "pair": [pair.first, pair.second], "number": number, "seed": seed}
    cell |= {"commit": commit, "settings": settings(name), "rows": rows}
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(cell, indent=1), encoding="utf-8")
    os.replace(partial, path)
    first = next(iter(rows))  # that of the defaults
    print(f"{name:20s} {pair.first} x {pair.second} seed {seed}: {first} {rows[first]['sdr']:.2f} dB", flush=True)


def apart(pairs):
    """Order numbered pairs so that neighbours share no speaker, whose model both might fit at the same time."""
    first, second = (sorted({getattr(pair, side) for _, pair in pairs}) for side in ("first", "second"))
    return sorted(pairs, key=lambda item: (second.index(item[1].second) - first.index(item[1].first)) % len(second))


@contextlib.contextmanager
def on_cluster(address):
    """Send jobs to the workers of a Dask scheduler, if there is one."""
    if address is None:
        yield
        return
    from dask.distributed import Client

    with Client(address) as client, joblib.parallel_config(backend="dask"):
        for module in ("reference.py", "methods.py"):  # in the order of their imports
            client.upload_file(str(HERE / module))
        yield


def main():
    """Run the cells that are asked for and not there yet."""
    parser = argparse.ArgumentParser(description="Score source separation on pairs of speakers of the TIMIT sample.")
    groups = {
        "ours": [*OURS],
        "chosen": [*CHOSEN],
        "presets": [*PRESETS],
        "ablations": [*ABLATIONS],
        "paper": [*PAPER],
        "references": [BOUNDS, *NETWORKS],
    }
    known = [*groups, *(name for names in groups.values() for name in names)]
    wanted = f"families of methods, or groups of them, of {', '.join(known)} (default: all)"
    parser.add_argument("--families", nargs="+", choices=known, default=[*groups], metavar="NAME", help=wanted)
    parser.add_argument("--pairs", type=int, help="this many pairs, spread evenly over all 25 (default: all)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="seeds of the models (default: 0)")
    parser.add_argument("--n-jobs", type=int, default=1, help="cells at a time (default: 1)")
    parser.add_argument("--dask", metavar="ADDRESS", help="scheduler of a cluster that shares this folder")
    parser.add_argument("--data", type=Path, help="folder of the full TIMIT corpus (default: the free sample)")
    parser.add_argument("--cells", type=Path, default=CELLS, help="folder of finished cells")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of fitted source models")
    options = parser.parse_args()
    if options.data and options.cells.resolve() == CELLS:
        parser.error("--data needs --cells, a folder of its own: the default one holds cells of the sample.")
    data = load_corpus(options.data) if options.data else fetch_timit_sample()
    pairs = list(enumerate(speaker_pairs(data)))
    if options.pairs is not None:
        if options.pairs < 1:
            parser.error(f"--pairs must be at least 1, got {options.pairs}")
        pairs = [pairs[i] for i in np.linspace(0, len(pairs) - 1, min(options.pairs, len(pairs))).round().astype(int)]
    options.cells.mkdir(parents=True, exist_ok=True)
    folders, commit = (options.cells.resolve(), str(options.cache.resolve())), current_commit()
    with on_cluster(options.dask):
        Parallel(n_jobs=options.n_jobs)(
            delayed(run_cell)(name, number, pair, seed, data, *folders, commit)
            for seed in options.seeds
            for family in options.families
            for name in groups.get(family, [family])
            for number, pair in apart(pairs)
        )


if __name__ == "__main__":
    main()

"""Compare today's code with the published table: mean scores over the same pairs and seeds.

Run ``python benchmarks/paper/agree.py``. It trains the defaults of some families anew on some pairs, about a minute for
each pair and seed on one core, and prints their mean SDR and SIR beside those of ``results.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed
from methods import FAMILIES, OURS
from run import separate_and_score

from sklearn_gass.datasets import fetch_timit_sample, make_pair, speaker_pairs

PUBLISHED = Path(__file__).parent / "results.json"


def compare(cell, data):
    """Return the published and today's scores of the defaults on one pair with one seed."""
    torch.set_num_threads(1)
    family = FAMILIES[cell["family"]]
    example = make_pair(data, speaker_pairs(data)[cell["number"]])
    defaults = next(iter(family.variants))
    audio = family.audio_separator(defaults, random_state=cell["seed"])
    audio.fit(example.train_utterances, example.train_speakers)
    published, today = cell["rows"][defaults], separate_and_score(audio, example, 0.0)
    named = f"{cell['family']} pair {cell['number']} seed {cell['seed']}"
    print(f"{named}: published {published['sdr']:.2f} dB, today {today['sdr']:.2f} dB", flush=True)
    return [scores[metric] for metric in ("sdr", "sir") for scores in (published, today)]


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description="Compare today's code with the published table.")
    parser.add_argument("--families", nargs="+", choices=[*OURS], default=["vae", "wgan"])
    parser.add_argument("--pairs", type=int, nargs="+", default=[0, 6, 12, 18, 24], help="numbers of pairs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--n-jobs", type=int, default=1, help="pairs at a time")
    options = parser.parse_args()
    data, rows = fetch_timit_sample(), {}
    cells = [
        cell
        for cell in json.loads(PUBLISHED.read_text(encoding="utf-8"))
        if cell["family"] in options.families and cell["number"] in options.pairs and cell["seed"] in options.seeds
    ]
    scores = Parallel(n_jobs=options.n_jobs)(delayed(compare)(cell, data) for cell in cells)
    for cell, values in zip(cells, scores, strict=True):
        rows.setdefault(cell["family"], []).append(values)
    print("\n| family | cells | SDR published | today | SIR published | today |\n|---|---|---|---|---|---|")
    for name, values in rows.items():
        print(f"| {name} | {len(values)} | " + " | ".join(f"{mean:.2f}" for mean in np.mean(values, axis=0)) + " |")


if __name__ == "__main__":
    main()

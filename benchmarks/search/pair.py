"""Measure what one pair of speakers costs: CPU seconds, and bytes that travel to a worker and back.

Run ``python benchmarks/search/pair.py``. It takes the first pair of the TIMIT sample and default models, on one thread.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
import time
from pathlib import Path

import torch
from sklearn.base import clone

from sklearn_gass import AudioSeparator, MixtureStart, NMFSourceModel, SupervisedSeparator, VAESourceModel
from sklearn_gass.datasets import fetch_timit_sample, make_pair, speaker_pairs


def megabytes(thing):
    """Return the size of a pickled object."""
    return len(pickle.dumps(thing)) / 1e6


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description="Measure what one pair of speakers costs.")
    parser.add_argument("--pair", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = fetch_timit_sample()
    example = make_pair(data, speaker_pairs(data)[options.pair])
    seconds = sum(map(len, example.train_utterances)) / data.sample_rate
    sent = megabytes((example.train_utterances, example.train_speakers, example.mixture))
    print(f"{seconds:.0f} s of training sound. {sent:.1f} MB of waveforms travel to the worker.\n")
    print("| source models | CPU s to train | with cached models | to separate | MB fitted | MB separated | MB cache |")
    print("|---|---|---|---|---|---|---|")
    for model in (NMFSourceModel(), VAESourceModel()):
        with tempfile.TemporaryDirectory() as folder:
            audio = AudioSeparator(SupervisedSeparator(model, memory=folder, random_state=0))
            start = time.process_time()
            audio.fit(example.train_utterances, example.train_speakers)
            trained = time.process_time() - start
            cache = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6
            # one step less: the cache has the source models, but not what is learned from their mixtures
            again = clone(audio).set_params(separator__start__max_iter=MixtureStart().max_iter - 1)
            start = time.process_time()
            again.fit(example.train_utterances, example.train_speakers)
            own = time.process_time() - start
        start = time.process_time()
        sources = audio.separate(example.mixture).sources
        separated = time.process_time() - start
        sizes = f"{megabytes(audio):.1f} | {megabytes(sources):.1f} | {cache:.1f}"
        print(f"| {type(model).__name__} | {trained:.1f} | {own:.1f} | {separated:.2f} | {sizes} |", flush=True)


if __name__ == "__main__":
    main()

"""Count fits and measure the time of three searches over λ: a plain grid, a grid with a cache, and one fit per fold.

Run ``python benchmarks/search/cost.py``. All three try the same values on the same folds, made of the training
utterances of one pair of the TIMIT sample. They run one after the other in this process and must get the same scores.
The source model counts its own fits.
"""

from __future__ import annotations

import argparse
import tempfile
import time

import numpy as np
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from sklearn_gass import AudioSeparator, SupervisedSeparator, SupervisedSeparatorCV, VAESourceModel
from sklearn_gass.datasets import fetch_timit_sample, make_pair, speaker_pairs

WEIGHTS = [0.0, 0.5, 1.0, 2.0, 5.0, 10.0]
NAME = "separator__critic_weight"


class CountedVAE(VAESourceModel):
    """Counts its fits."""

    n_fits = 0

    def fit(self, X, y=None):
        """Fit and count."""
        type(self).n_fits += 1
        return super().fit(X, y)


def run(search, example):
    """Return the scores of every value and fold, the number of fits, seconds, and seconds of scoring."""
    CountedVAE.n_fits = 0
    start = time.perf_counter()
    search.fit(example.train_utterances, example.train_speakers)
    seconds = time.perf_counter() - start
    results = search.cv_results_
    scores = np.stack([results[f"split{k}_test_score"] for k in range(search.n_splits_)])
    return scores, CountedVAE.n_fits, seconds, search.n_splits_ * results["mean_score_time"].sum()


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description="Count fits and measure time of a search over λ.")
    parser.add_argument("--epochs", type=int, default=CountedVAE().max_iter, help="epochs of every source model")
    parser.add_argument("--pair", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = fetch_timit_sample()
    example = make_pair(data, speaker_pairs(data)[options.pair])
    audio = AudioSeparator(SupervisedSeparator(CountedVAE(max_iter=options.epochs), random_state=0))
    grid, folds = {NAME: WEIGHTS}, StratifiedKFold(3)
    with tempfile.TemporaryDirectory() as folder:
        cached = clone(audio).set_params(separator__memory=folder)
        searches = {
            "SupervisedSeparatorCV": SupervisedSeparatorCV(audio, critic_weights=WEIGHTS, cv=folds),
            "GridSearchCV with memory": GridSearchCV(cached, grid, cv=folds, error_score="raise"),
            "GridSearchCV": GridSearchCV(audio, grid, cv=folds, error_score="raise"),
        }
        print(f"{len(WEIGHTS)} values of λ, 3 folds, 2 sources, {options.epochs} epochs\n")
        print("| search | source models fitted | seconds | of which scoring |\n|---|---|---|---|")
        found = {}
        for name, search in searches.items():
            found[name] = run(search, example)
            _, fits, seconds, scoring = found[name]
            print(f"| {name} | {fits} | {seconds:.0f} | {scoring:.1f} |", flush=True)
    reference, _, whole, _ = found["GridSearchCV"]
    same = all(np.array_equal(scores, reference) for scores, *_ in found.values())
    share = found["SupervisedSeparatorCV"][2] / whole
    print(f"\nAre all scores identical to the last digit? {'Yes.' if same else 'NO.'}")
    print(f"SupervisedSeparatorCV takes {share:.2f} of the time of the plain grid.")


if __name__ == "__main__":
    main()

"""Time NMFSourceModel against scikit-learn's NMF with multiplicative updates, on one thread.

On the frames of one speaker (real speech where ``SKLEARN_GASS_DATA`` names the folder that holds it, else a synthetic
voice), scikit-learn makes its updates with ``tol=0``, and NMFSourceModel is timed until its divergence is as low as
scikit-learn's final one: the fewest updates that get there are searched for first, from the same unit and in the same
floating type, then both fits are timed in turns and the medians compared. Random starts differ, so each seed is a row
of its own. A ratio below 1 means that ours is faster.

Run ``python benchmarks/speed/nmf_training.py --help`` for the options.
"""

from __future__ import annotations

import argparse
import os
import warnings

import numpy as np
import torch
from measuring import Table, timed
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from sklearn_gass import STFT, NMFSourceModel
from sklearn_gass.datasets import fetch_timit_sample, make_voices
from sklearn_gass.divergences import DIVERGENCES


def load_frames(n_utterances):
    """Return float32 frames of one speaker at mean magnitude one, and a line that says what they are."""
    if os.environ.get("SKLEARN_GASS_DATA"):
        data, kind = fetch_timit_sample(download_if_missing=False), "real speech"
    else:
        data, kind = make_voices(1, n_utterances=10, random_state=0), "a synthetic voice"
    speaker = data.speakers[0]
    waves = [wave for wave, name in zip(data.utterances, data.speakers, strict=True) if name == speaker][:n_utterances]
    frames = np.concatenate([STFT().analyze(wave)[0] for wave in waves])
    return frames / frames.mean(), f"{len(frames)} frames of {frames.shape[1]} bins of {kind} ({speaker})"


def fit_theirs(frames, n_components, beta_loss, n_updates, seed, init):
    model = NMF(
        n_components,
        solver="mu",
        init=init,
        beta_loss=beta_loss,
        max_iter=n_updates,
        tol=0,
        random_state=seed,
    )
    return model.fit_transform(frames) @ model.components_


def fit_ours(frames, n_components, beta_loss, n_updates, seed):
    return NMFSourceModel(n_components, beta_loss=beta_loss, max_iter=n_updates, tol=0, random_state=seed).fit(frames)


def error(frames, reconstruction, beta_loss):
    """Divergence per frame, as `reconstruction_err_` measures it."""
    with torch.no_grad():
        return float(DIVERGENCES[beta_loss](torch.from_numpy(frames), torch.from_numpy(reconstruction)).mean())


def updates_to_reach(target, frames, n_components, beta_loss, seed, most):
    """Return the fewest updates after which ours is no worse than the target, or None if `most` do not suffice."""

    def reaches(n_updates):
        return fit_ours(frames, n_components, beta_loss, n_updates, seed).reconstruction_err_ <= target

    if not reaches(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def compare(frames, n_components, beta_loss, seed, *, n_updates, n_repeats, init):
    """Return one row of the table."""
    target = error(frames, fit_theirs(frames, n_components, beta_loss, n_updates, seed, init), beta_loss)
    needed = updates_to_reach(target, frames, n_components, beta_loss, seed, 2 * n_updates)
    ours, theirs = [], []
    for _ in range(n_repeats):
        theirs.append(timed(lambda: fit_theirs(frames, n_components, beta_loss, n_updates, seed, init))[0])
        ours.append(timed(lambda: fit_ours(frames, n_components, beta_loss, needed or 2 * n_updates, seed))[0])
    reached = needed or f"not in {2 * n_updates}"
    seconds = float(np.median(theirs)), float(np.median(ours))
    return [beta_loss, n_components, seed, target, *seconds, reached, seconds[1] / seconds[0]]


def measure(quick=False, **options):
    """Return the table, with options named as on the command line."""
    options = vars(parse([])) | ({"components": [40], "updates": 50, "repeats": 1} if quick else {}) | options
    frames, description = load_frames(options["utterances"])
    settings = {"n_updates": options["updates"], "n_repeats": options["repeats"], "init": options["init"]}
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        rows = [
            compare(frames, n_components, beta_loss, seed, **settings)
            for beta_loss in options["losses"]
            for n_components in options["components"]
            for seed in options["seeds"]
        ]
    return [
        Table(
            "NMF against scikit-learn's, at equal divergence",
            f"{description}; scikit-learn makes {options['updates']} multiplicative updates, ours as many as it "
            "takes to come as low. Seconds of CPU, medians.",
            [
                *("loss", "templates", "seed", "divergence per frame"),
                *("scikit-learn, s", "ours, s", "our updates", "ours / scikit-learn"),
            ],
            rows,
        )
    ]


def parse(arguments=None):
    """Return the options."""
    parser = argparse.ArgumentParser(description="Time NMFSourceModel against scikit-learn's NMF on one thread.")
    parser.add_argument("--components", type=int, nargs="+", default=[40, 100])
    parser.add_argument("--losses", nargs="+", choices=list(DIVERGENCES), default=list(DIVERGENCES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--updates", type=int, default=200, help="updates of scikit-learn")
    parser.add_argument("--init", help="scikit-learn's start, as its NMF takes it; random serves it well")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--utterances", type=int, default=9, help="utterances of the speaker to train on")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for table in measure(**vars(parse())):
        print(table.markdown())

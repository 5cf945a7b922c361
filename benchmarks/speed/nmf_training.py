"""Time NMFSourceModel against scikit-learn's NMF with multiplicative updates, on one thread.

Both models train on the frames of one speaker: real speech if ``SKLEARN_GASS_DATA`` names its folder, else a synthetic
voice.

1. scikit-learn makes its updates with ``tol=0``. Its final divergence is the target.
2. The script finds the fewest updates after which NMFSourceModel reaches the target, on the same frames and in the same
   floating type.
3. Both fits are timed in turns.

scikit-learn has two usual starts, which end at different divergences, so both are compared. Figures are medians over
seeds. A ratio below 1 means that ours is faster.

Run ``python benchmarks/speed/nmf_training.py --help`` for the options.
"""

from __future__ import annotations

import argparse
import math
import warnings
from functools import partial

import numpy as np
import torch
from measuring import Table, load_speech, timed
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from sklearn_gass import STFT, NMFSourceModel
from sklearn_gass.divergences import DIVERGENCES


def load_frames(n_utterances):
    """Return float32 frames of one speaker with a mean magnitude of one, and a description of them."""
    data, kind = load_speech()
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
    """Return the fewest updates after which ours is no worse than the target; infinity if `most` are too few."""

    def reaches(n_updates):
        return fit_ours(frames, n_components, beta_loss, n_updates, seed).reconstruction_err_ <= target

    if not reaches(most):
        return math.inf
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def compare(frames, n_components, beta_loss, init, *, n_updates, n_repeats, seeds):
    """Return one row of the table."""
    most = 2 * n_updates
    targets, updates, ours, theirs = [], [], [], []
    for seed in seeds:
        their_fit = partial(fit_theirs, frames, n_components, beta_loss, n_updates, seed, init)
        targets.append(error(frames, their_fit(), beta_loss))
        updates.append(updates_to_reach(targets[-1], frames, n_components, beta_loss, seed, most))
        our_fit = partial(fit_ours, frames, n_components, beta_loss, min(updates[-1], most), seed)
        for _ in range(n_repeats):
            theirs.append(timed(their_fit)[0])
            ours.append(timed(our_fit)[0])
    seconds = float(np.median(theirs)), float(np.median(ours))
    reached = np.median(updates)
    written = f"{reached:.0f}" if np.isfinite(reached) else f"not in {most}"
    ratio = seconds[1] / seconds[0] if np.isfinite(reached) else ""
    return [beta_loss, n_components, init, float(np.median(targets)), *seconds, written, ratio]


def measure(quick=False, **options):
    """Return the table, with options named as on the command line."""
    options = vars(parse([])) | ({"components": [40], "updates": 50, "seeds": [0]} if quick else {}) | options
    frames, description = load_frames(options["utterances"])
    settings = {"n_updates": options["updates"], "n_repeats": options["repeats"], "seeds": options["seeds"]}
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        rows = [
            compare(frames, n_components, beta_loss, init, **settings)
            for beta_loss in options["losses"]
            for n_components in options["components"]
            for init in options["inits"]
        ]
    return [
        Table(
            "NMF against scikit-learn's, at equal divergence",
            f"{description}. scikit-learn makes {options['updates']} multiplicative updates. Ours makes as many as it "
            "needs to reach the same divergence. Seconds are CPU time. All numbers are medians over seeds "
            f"{', '.join(map(str, options['seeds']))}.",
            [
                *("loss", "templates", "scikit-learn's start", "its divergence per frame"),
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
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--updates", type=int, default=200, help="updates of scikit-learn")
    parser.add_argument("--inits", nargs="+", default=["nndsvda", "random"], help="scikit-learn's starts")
    parser.add_argument("--repeats", type=int, default=1, help="fits to time for each seed")
    parser.add_argument("--utterances", type=int, default=9, help="utterances of the speaker to train on")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for table in measure(**vars(parse())):
        print(table.markdown())

"""Compare a GPU with one core, for training and separation of variational autoencoders; skip where there is no GPU.

Run ``python benchmarks/speed/accelerator.py --device cuda``.
"""

from __future__ import annotations

import argparse
import copy
import time

import numpy as np
import torch
from measuring import SPARE_TRAINING, Table, load_voices, long_mixture

from sklearn_gass import AudioSeparator, SupervisedSeparator, VAESourceModel
from sklearn_gass.networks import check_device


def elapsed(action):
    """Return seconds of the clock, and the result; actions end with arrays on the CPU, so the device is done."""
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def row(device, epochs, seconds):
    """Return seconds of training, and of separation per second of sound; a first, short run is not counted."""
    X, y, _, sample_rate = load_voices(2)
    model = VAESourceModel(max_iter=epochs, device=device)
    separator = SupervisedSeparator(model, device=device, **SPARE_TRAINING)
    audio = AudioSeparator(separator, sample_rate=sample_rate, random_state=0)
    mixture = long_mixture(2, seconds)
    copy.deepcopy(audio).fit(X[:2] + X[-2:], y[:2] + y[-2:]).separate(mixture[:sample_rate])
    training, audio = elapsed(lambda: audio.fit(X, y))
    separation, _ = elapsed(lambda: audio.separate(mixture))
    return [device, training, separation / seconds]


def measure(quick=False, device="cuda"):
    """Return the table, without rows if there is no such device."""
    title = f"One core against {device}"
    try:
        check_device(device)
    except ValueError as reason:
        return [Table(title, f"Skipped: {reason}", [], [])]
    epochs, seconds = (5, 10) if quick else (60, 60)
    rows = [row(name, epochs, seconds) for name in ("cpu", device)]
    rows.append([f"cpu / {device}", *np.divide(rows[0][1:], rows[1][1:]).tolist()])
    note = (
        f"Variational autoencoders of two speakers, trained for {epochs} epochs, separate {seconds} s of mixture. "
        "Seconds are those of the clock."
    )
    return [Table(title, note, ["device", "training, s", "separation, s per s"], rows)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="as torch names it")
    parser.add_argument("--quick", action="store_true", help="little training and a short mixture")
    torch.set_num_threads(1)
    options = parser.parse_args()
    for table in measure(options.quick, options.device):
        print(table.markdown())

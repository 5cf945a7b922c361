"""Kill a training at random moments and count how often it goes on to the same weights.

A separator of small source models trains with a checkpoint in a process of its own, which gets ``kill -9`` after a
random time. Then another process trains, which has to go on from what the checkpoint holds. After four kills a process
is left to finish. *Equal* are trainings whose weights are, to the last bit, those of one that nobody has disturbed. The
script ends with 1 unless all are equal. It needs ``fork``, so it runs on Linux and macOS.

Run ``python benchmarks/robustness/kills.py``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from counts import record

from sklearn_gass import MixtureCritic, MixtureStart, SupervisedSeparator, VAESourceModel, WGANSourceModel

KILLS_EACH = 4  # before a training is left to finish


def make_separator(checkpoint: str | None) -> SupervisedSeparator:
    """Return a separator with a checkpoint after every epoch."""
    small = {"n_components": 4, "hidden_layer_sizes": (32,), "batch_size": 32}
    voice = WGANSourceModel(**small, critic_hidden_layer_sizes=(16,), max_iter=15, critic_max_iter=5)
    noise = VAESourceModel(**small, max_iter=15, weight_average=0.9, early_stopping=True)
    return SupervisedSeparator(
        [("noise", noise), ("voice", voice)],
        start=MixtureStart((32,), max_iter=150),
        critic=MixtureCritic((16,), max_iter=200),
        checkpoint=checkpoint,
        checkpoint_every=0.0,
        random_state=0,
    )


def train(checkpoint: str | None) -> str:
    """Train, and return a checksum of all weights."""
    rng = np.random.default_rng(0)
    torch.set_num_threads(1)
    frames = rng.gamma(0.5, size=(400, 33)).astype(np.float32)
    separator = make_separator(checkpoint)
    separator.fit(frames, np.repeat(["noise", "voice"], 200))
    digest = hashlib.sha256()
    for part in [*separator.source_models_, separator.start_, separator.critic_]:
        for name, weight in sorted(part.weights_.items()):
            digest.update(name.encode() + weight.tobytes())
    return digest.hexdigest()


def start(checkpoint: Path) -> tuple[int, int]:
    """Start a training in a process of its own, whose imports are done; return its number and where it will print."""
    read, write = os.pipe()
    number = os.fork()
    if number:
        os.close(write)
        return number, read
    try:
        os.write(write, train(os.fspath(checkpoint)).encode())
    finally:
        os._exit(0)


def finish(number: int, read: int) -> tuple[str, int]:
    """Wait for a training; return its checksum, empty if it was killed, and how it ended."""
    with os.fdopen(read) as file:
        checksum = file.read()
    return checksum, os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def one(folder: Path, expected: str, longest: float, rng: random.Random) -> dict[str, int]:
    """Kill a training some times, let it finish, and return what happened."""
    checkpoint = folder / "training.safetensors"
    outcome = {"kills": 0, "equal": 0}
    for _ in range(KILLS_EACH):
        number, read = start(checkpoint)
        time.sleep(rng.uniform(0, longest))
        os.kill(number, signal.SIGKILL)
        outcome["kills"] += finish(number, read)[1] == -signal.SIGKILL
    outcome["equal"] = int(finish(*start(checkpoint))[0] == expected)
    assert all(path == checkpoint or path.suffix == ".part" for path in folder.iterdir())
    return outcome


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--json", type=Path, help="file to write the counts to, beside those of other scripts")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    train(None)  # imports whatever is still missing
    begin = time.monotonic()
    expected = train(None)
    longest = (time.monotonic() - begin) / 2
    rng, total, n = random.Random(0), {"kills": 0, "equal": 0}, 0
    while total["kills"] < arguments.kills:
        with tempfile.TemporaryDirectory() as name:
            outcome = one(Path(name), expected, longest, rng)
        n += 1
        total = {key: total[key] + outcome[key] for key in total}
        print(f"{n} trainings: {total}", flush=True)
    counts: dict[str, Any] = {**total, "trainings": n, "not equal": n - total["equal"]}
    record(arguments.json, "kills", counts)
    return int(counts["not equal"] > 0)


if __name__ == "__main__":
    sys.exit(main())

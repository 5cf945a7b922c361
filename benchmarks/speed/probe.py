"""Separate a long mixture in a process of its own and print CPU seconds, frames and peak memory as JSON.

Other scripts of this folder start it, because the peak memory of a process never falls again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import pickle
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
from measuring import long_mixture


class InPieces:
    """Separate piece by piece, as the library does; in between separate a short mixture, for comparison."""

    def __init__(self, beside=None):
        self.beside = beside
        self.seconds_beside = []

    def __call__(self, audio, mixture, write):
        """Separate; return CPU seconds, without those spent on the short mixture."""
        taken, start = 0.0, time.process_time()
        for number, piece in enumerate(audio.separate_blocks(mixture)):
            write(piece)
            if self.beside is not None and number % 8 == 7:
                taken, start = taken + time.process_time() - start, time.process_time()
                for _ in audio.separate_blocks(self.beside):
                    pass
                self.seconds_beside.append(time.process_time() - start)
                start = time.process_time()
        return taken + time.process_time() - start


def at_once(audio, mixture, write):
    """Separate all frames at once, without blocks; return CPU seconds."""
    start = time.process_time()
    level = float(np.std(mixture, dtype=np.float64)) / math.sqrt(len(audio.classes_))
    magnitudes, phase = audio.stft_.analyze(mixture / level)
    write(audio.stft_.synthesize(audio.separator_.separate(magnitudes), phase, mixture.size) * level)
    return time.process_time() - start


def peak_mb():
    """Return the largest resident size so far, in 10^6 bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent had before this program was started in its place
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def main():
    """Print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="pickled separator of waveforms")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--whole", action="store_true", help="all frames at once")
    parser.add_argument("--beside", type=float, help="separate a mixture of so many seconds now and then, in between")
    parser.add_argument("--output", type=Path, help="write samples here, float32, those of all sources side by side")
    parser.add_argument(
        "--repeats", type=int, default=1, help="take the median time of so many runs, after a short one"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    audio = pickle.loads(options.model.read_bytes())
    mixture = long_mixture(len(audio.classes_), options.seconds)
    beside = mixture[: round(options.beside * audio.sample_rate)].copy() if options.beside else None
    separate = at_once if options.whole else InPieces(beside)
    (at_once if options.whole else InPieces())(audio, mixture[:4000], len)  # what is imported when first needed
    with options.output.open("wb") if options.output else contextlib.nullcontext() as file:

        def write(piece):
            if file is not None:
                np.ascontiguousarray(piece.T).tofile(file)

        times = []
        for _ in range(options.repeats):
            times.append(separate(audio, mixture, write))
            if file is not None and len(times) < options.repeats:
                file.seek(0)
    n_frames = audio.stft_.n_frames(mixture.size)
    found = {"cpu_seconds": float(np.median(times)), "n_frames": n_frames, "peak_mb": peak_mb()}
    if beside is not None:
        found["us_per_frame_beside"] = 1e6 * np.mean(separate.seconds_beside) / audio.stft_.n_frames(beside.size)
    print(json.dumps(found))


if __name__ == "__main__":
    main()

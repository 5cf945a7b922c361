"""Separate a long mixture in a process of its own and print CPU seconds, frames and peak memory as JSON.

Other scripts of this folder start it, since the peak of a process never falls again.
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


def in_pieces(audio, mixture, write):
    """Separate as the library does, piece by piece."""
    for piece in audio.separate_blocks(mixture):
        write(piece)


def at_once(audio, mixture, write):
    """Separate all frames at once, with nothing that knows of blocks."""
    level = float(np.std(mixture, dtype=np.float64)) / math.sqrt(len(audio.classes_))
    magnitudes, phase = audio.stft_.analyze(mixture / level)
    write(audio.stft_.synthesize(audio.separator_.separate(magnitudes), phase, mixture.size) * level)


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
    parser.add_argument("--output", type=Path, help="write samples here, float32, those of all sources side by side")
    parser.add_argument("--repeats", type=int, default=1, help="take the median time of so many runs, after one more")
    options = parser.parse_args()
    torch.set_num_threads(1)
    audio = pickle.loads(options.model.read_bytes())
    mixture = long_mixture(len(audio.classes_), options.seconds)
    separate = at_once if options.whole else in_pieces
    separate(audio, mixture[:4000], len)  # what is imported when first needed
    with options.output.open("wb") if options.output else contextlib.nullcontext() as file:

        def write(piece):
            if file is not None:
                np.ascontiguousarray(piece.T).tofile(file)

        times = []
        for _ in range(options.repeats):
            start = time.process_time()
            separate(audio, mixture, write)
            times.append(time.process_time() - start)
            if file is not None and len(times) < options.repeats:
                file.seek(0)
    n_frames = audio.stft_.n_frames(mixture.size)
    print(json.dumps({"cpu_seconds": float(np.median(times)), "n_frames": n_frames, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()

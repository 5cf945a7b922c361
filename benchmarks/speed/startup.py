"""Measure the time of imports, each in a process of its own, and the size of stored models.

Run ``python benchmarks/speed/startup.py`` with the extra ``benchmarks`` installed.
"""

from __future__ import annotations

import argparse
import pickle
import subprocess
import sys
import time

import numpy as np
from measuring import Table, fitted

BASE = "import torch, sklearn.base, sklearn.utils"
PROGRAMS = {
    "python": "pass",
    "torch and scikit-learn": BASE,
    "the same, then sklearn_gass": f"{BASE}; import sklearn_gass",
    "sklearn-gass --help": "import sys; sys.argv = ['sklearn-gass', '--help']; import sklearn_gass.cli as c; c.main()",
}
TIMED_IMPORT = f"{BASE}; import time; t = time.perf_counter(); import sklearn_gass; print(time.perf_counter() - t)"


def run(program):
    """Return what a program prints, and its seconds."""
    start = time.perf_counter()
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return result.stdout, time.perf_counter() - start


def imports(n_runs):
    """Return the table of start-up times; rows take turns, so a busy machine slows all of them."""
    times = {name: [] for name in PROGRAMS}
    alone = []
    for _ in range(n_runs):
        for name, program in PROGRAMS.items():
            times[name].append(run(program)[1])
        alone.append(float(run(TIMED_IMPORT)[0]))
    rows = [[name, float(np.median(seconds)), float(min(seconds))] for name, seconds in times.items()]
    rows.append(["import sklearn_gass, on top of torch and scikit-learn", float(np.median(alone)), min(alone)])
    note = f"Each program starts {n_runs} times, in a fresh process."
    return Table("Start-up", note, ["program", "median s", "shortest s"], rows)


def sizes():
    """Return the table of sizes."""
    from safetensors.numpy import save  # no other part of the benchmarks needs it

    rows = []
    for kind in ("NMF", "VAE"):
        audio = fitted(kind)
        model = audio.separator_.source_models_[0]
        parts = {"source model": model, "separator of two sources": audio.separator_, "separator of waveforms": audio}
        for name, part in parts.items():
            arrays = []
            head = pickle.dumps(part, protocol=5, buffer_callback=arrays.append)
            size = len(head) + sum(array.raw().nbytes for array in arrays)
            tensors = save({str(i): np.frombuffer(array.raw(), np.uint8) for i, array in enumerate(arrays)})
            rows.append([f"{kind}, {name}", size / 1e6, len(tensors) / 1e6])
    note = "Models of default size, for frames of 513 bins. MB are 10^6 bytes. A safetensors file has only the arrays."
    return Table("Size of models", note, ["what", "pickle, MB", "safetensors, MB"], rows)


def measure(quick=False):
    """Return the tables."""
    return [sizes(), imports(2 if quick else 7)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="start each program twice only")
    for table in measure(parser.parse_args().quick):
        print(table.markdown())

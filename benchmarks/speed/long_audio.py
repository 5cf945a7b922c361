"""Separate up to an hour of speech and noise; measure time, peak memory, and whether the numbers stay the same.

Every row is a process of its own. It makes the mixture, separates it piece by piece (``separate_blocks``) and writes
the sources to a file. Peak memory is that of the whole process, with imports and mixture. In the last row of a model
the separator also gets all frames of the same mixture at once, and the two results are compared.

Run ``python benchmarks/speed/long_audio.py``. ``--quick`` stops at a minute.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from measuring import WITH_BACKGROUND, Table, fitted, probe

SHORT = 10
SECONDS = [1, SHORT, 60, 600, 3600]
QUICK = SECONDS[:3]


def largest_difference(path, other):
    """Return the largest difference of the samples in two files, and the largest sample."""
    difference = peak = 0.0
    with path.open("rb") as file, other.open("rb") as other_file:
        while (samples := np.fromfile(file, np.float32, 2**22)).size:
            others = np.fromfile(other_file, np.float32, 2**22)
            difference = max(difference, float(np.abs(samples - others).max()))
            peak = max(peak, float(np.abs(samples).max()))
    return difference, peak


def rows_of(kind, lengths):
    """Return a row for each length."""
    audio, rows = fitted(kind), []
    with tempfile.TemporaryDirectory() as folder:
        pieces, whole = Path(folder, "pieces"), Path(folder, "whole")
        for seconds in lengths:
            beside = SHORT if seconds > SHORT * 20 else None
            found = probe(audio, seconds, output=pieces, repeats=5 if seconds <= 60 else 1, beside=beside)
            per_frame = 1e6 * found["cpu_seconds"] / found["n_frames"]
            growth = per_frame / found["us_per_frame_beside"] if beside else ""
            row = [kind, seconds, found["cpu_seconds"] / seconds, per_frame, growth, found["peak_mb"], "", ""]
            if seconds == lengths[-1] and kind != WITH_BACKGROUND:  # whose blocks go on from each other
                row[-2] = probe(audio, seconds, output=whole, whole=True)["peak_mb"]
                row[-1] = "{:.1g} (peak {:.2g})".format(*largest_difference(pieces, whole))
            rows.append(row)
    return rows


def measure(quick=False):
    """Return the table."""
    rows = [row for kind in ("NMF", "VAE", WITH_BACKGROUND) for row in rows_of(kind, QUICK if quick else SECONDS)]
    return [
        Table(
            "Length",
            "Two sources, separated piece by piece with the default settings. Every row is a process of its own, which "
            "holds the mixture and writes the sources to a file. Peak memory includes Python, torch and scikit-learn. "
            f"*Against {SHORT} s* is the time per frame divided by that of a mixture of {SHORT} s, which is separated "
            "again and again in between, since other programs slow a machine down. *At once* means that the separator "
            "gets all frames at once and makes the same batches of them. *Difference* is the largest difference of a "
            "sample between the two ways.",
            [
                *("model", "seconds", "CPU s per s", "µs per frame", f"against {SHORT} s"),
                *("peak MB", "peak MB at once", "difference"),
            ],
            rows,
        )
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="stop at a minute")
    for table in measure(parser.parse_args().quick):
        print(table.markdown())

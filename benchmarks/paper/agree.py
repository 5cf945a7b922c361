"""Compare cells with the published ones, to see whether today's code separates as well as that of the table.

Run ``python benchmarks/paper/run.py --families vae wgan --pairs 5 --seeds 0 1 2 --cells CELLS --cache CACHE``, then
``python benchmarks/paper/agree.py CELLS``. It prints, for each row that both have, the mean SDR and SIR over the same
pairs and seeds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

PUBLISHED = Path(__file__).parent / "results.json"


def rows_of(cells):
    """Return scores by row, pair and seed."""
    return {(name, cell["number"], cell["seed"]): row for cell in cells for name, row in cell["rows"].items()}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description="Compare cells with the published ones.")
    parser.add_argument("cells", type=Path, help="folder of cells that run.py made")
    folder = parser.parse_args().cells
    today = rows_of(json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json")))
    published = rows_of(json.loads(PUBLISHED.read_text(encoding="utf-8")))
    common = sorted(today.keys() & published.keys())
    print("| row | cells | SDR published | today | SIR published | today |\n|---|---|---|---|---|---|")
    for name in dict.fromkeys(name for name, *_ in common):
        keys = [key for key in common if key[0] == name]
        means = [np.mean([cells[key][m] for key in keys]) for m in ("sdr", "sir") for cells in (published, today)]
        print(f"| {name} | {len(keys)} | " + " | ".join(f"{mean:.2f}" for mean in means) + " |")


if __name__ == "__main__":
    main()

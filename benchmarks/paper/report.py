"""Make the table of the comparison from the cells that ``run.py`` left.

Run ``python benchmarks/paper/report.py``: writes ``results.json`` with every cell, ``docs/paper_table.md`` and, with
``--readme``, the table between the figure marks of the README.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BASELINE = "NMF, 100 templates"
MARKS = "<!-- figures: begin -->", "<!-- figures: end -->"


def load_cells():
    """Return all cells, those kept in the repository and those run since."""
    kept = HERE / "results.json"
    cells = json.loads(kept.read_text()) if kept.exists() else []
    cells += [json.loads(path.read_text()) for path in sorted((HERE / "cells").glob("*.json"))]
    unique = {(cell["family"], cell["number"], cell["seed"]): cell for cell in cells}
    return [unique[key] for key in sorted(unique)]


def by_row(cells):
    """Return, for each row of the table, scores by pair, each the mean over seeds."""
    rows = {}
    for cell in cells:
        for name, scores in cell["rows"].items():
            rows.setdefault(name, {}).setdefault(cell["number"], []).append(scores)
    return {
        name: {pair: {key: np.mean([s[key] for s in seeds]) for key in seeds[0]} for pair, seeds in pairs.items()}
        for name, pairs in rows.items()
    }


def table_row(name, pairs, baseline):
    """Return one line: means, median, wins and a bootstrap interval of the gain over the baseline on the same pairs."""
    values = {key: [scores[key] for scores in pairs.values()] for key in next(iter(pairs.values()))}
    cells = [f"{np.mean(values[key]):.2f}" if key in values else "" for key in ("sdr", "sir", "sar", "si_sdr")]
    cells.append(f"{np.median(values['sdr']):.2f}")
    gains = np.array([scores["sdr"] - baseline[pair]["sdr"] for pair, scores in pairs.items() if pair in baseline])
    if name == BASELINE or not len(gains):
        cells += ["", ""]
    else:
        draws = np.random.RandomState(0).choice(gains, (10_000, len(gains))).mean(1)
        low, high = np.percentile(draws, [2.5, 97.5])
        p_value = binomtest(int((gains > 0).sum()), len(gains)).pvalue
        wins = f"{(gains > 0).sum()} of {len(gains)} (p = {p_value:.1g})"
        cells += [f"{np.mean(gains):+.2f} [{low:+.2f}, {high:+.2f}]", wins]
    cells.append(f"{np.median(values['separate_seconds']):.2f}" if "separate_seconds" in values else "")
    cells.append(str(len(pairs)))
    return f"| {name} | " + " | ".join(cells) + " |"


def make_table(rows, baseline=None):
    """Return the Markdown table, best mean SDR first."""
    baseline = rows.get(BASELINE, {}) if baseline is None else baseline
    header = [
        "method", "SDR", "SIR", "SAR", "SI-SDR", "median SDR", "gain over NMF-100 [95 %]", "ahead of NMF-100",
        "CPU s per mixture", "pairs",
    ]  # fmt: skip
    order = sorted(rows, key=lambda name: -np.mean([scores["sdr"] for scores in rows[name].values()]))
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    return "\n".join([*lines, *(table_row(name, rows[name], baseline) for name in order)])


def main():
    """Write the results, the table and, if asked, the README."""
    parser = argparse.ArgumentParser(description="Make the table of the comparison from its cells.")
    parser.add_argument("--readme", action="store_true", help="also put the main rows into the README")
    options = parser.parse_args()
    cells = load_cells()
    (HERE / "results.json").write_text(json.dumps(cells, indent=0) + "\n")
    rows = by_row(cells)
    seeds = sorted({cell["seed"] for cell in cells})
    intro = (
        f"Means over the pairs of the TIMIT sample in dB, seeds {', '.join(map(str, seeds))}; made by "
        "`benchmarks/paper/run.py` and `benchmarks/paper/report.py`.\n\n"
    )
    most = max(map(len, rows.values()))
    complete = {name: pairs for name, pairs in rows.items() if len(pairs) == most}
    partial = {name: pairs for name, pairs in rows.items() if len(pairs) < most}
    table = make_table(complete)
    if partial:
        table += "\n\nRun on some of the pairs only; compare by the gain, which is over the same pairs:\n\n"
        table += make_table(partial, rows[BASELINE])
    (ROOT / "docs" / "paper_table.md").write_text("# The paper's table\n\n" + intro + table + "\n")
    print(table)
    if options.readme:
        main_rows = {name: pairs for name, pairs in complete.items() if "encoder" not in name}
        readme = ROOT / "README.md"
        before, rest = readme.read_text().split(MARKS[0])
        after = rest.split(MARKS[1])[1]
        readme.write_text(f"{before}{MARKS[0]}\n{intro}{make_table(main_rows)}\n{MARKS[1]}{after}")


if __name__ == "__main__":
    main()

"""The file in which the scripts of this folder gather their counts, and the table that is made of it.

Run ``python benchmarks/robustness/counts.py docs/trust_counts.json docs/trust_table.md`` once all have run with
``--json docs/trust_counts.json``.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import sklearn
import torch

import sklearn_gass


def record(path: Path | None, name: str, counts: dict[str, Any]) -> None:
    """Add the counts of a script to a file of counts, if one is given, and print them."""
    print(json.dumps({name: counts}))
    if path is None:
        return
    everything = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    everything[name] = counts
    versions = {
        "sklearn_gass": sklearn_gass.__version__,
        "scikit-learn": sklearn.__version__,
        "torch": torch.__version__,
    }
    everything["versions"] = {"Python": platform.python_version(), **versions}
    path.write_text(json.dumps(everything, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def rows(counts: dict[str, Any]) -> list[tuple[str, int, str, int]]:
    """Return the rows of the table: fault, how many, what came of them, how many went wrong."""
    table = []
    for kind, found in counts.get("model files", {}).items():
        outcome = ", ".join(f"{found[name]} {name}" for name in ("refused", "equal", "another") if found[name])
        table.append((f"model file: {kind}", found["files"], outcome, found["wrong"]))
    if kills := counts.get("kills"):
        outcome = f"{kills['trainings']} trainings finished later, {kills['equal']} with equal weights"
        table.append(("`kill -9` during training", kills["kills"], outcome, kills["not equal"]))
    for kind, found in counts.get("full disk", {}).items():
        texts = {"named": "errors that name the file", "old kept": "times old files stayed"}
        texts["made again"] = "times training gave the same numbers later"
        outcome = ", ".join(f"{found[name]} {text}" for name, text in texts.items() if found[name])
        table.append((f"disk full while writing: {kind}", found["events"], outcome, found["wrong"]))
    for kind, found in counts.get("fuzz", {}).items():
        outcome = f"{found['seconds'] / 60:.0f} CPU minutes, guided by coverage"
        table.append((f"fuzzer: {kind}", found["inputs"], outcome, found["wrong"]))
    return table


def table(counts: dict[str, Any]) -> str:
    """Return the table as Markdown."""
    lines = ["| fault | tried | what came of it | wrong |", "| --- | --- | --- | --- |"]
    lines += [f"| {fault} | {n:,} | {outcome} | {wrong} |" for fault, n, outcome, wrong in rows(counts)]
    versions = ", ".join(f"{name} {version}" for name, version in counts["versions"].items())
    return "\n".join([*lines, "", f"Versions: {versions}."]) + "\n"


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("counts", type=Path)
    parser.add_argument("table", type=Path)
    arguments = parser.parse_args()
    arguments.table.write_text(table(json.loads(arguments.counts.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()

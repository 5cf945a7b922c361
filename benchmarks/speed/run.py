"""Measure speed and memory of everything, and write the tables to docs/speed_table.md.

Run ``python benchmarks/speed/run.py``. It takes some twenty minutes on one core. ``--parts`` measures some parts anew
and keeps the others as they are in ``results.json`` beside this script. ``--quick`` takes a subset of some minutes and
only prints. Each part is a script of its own, which says how it measures. Numbers that are compared were measured side
by side, in one run.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from functools import partial

import accelerator
import cost
import floor
import long_audio
import nmf_training
import scaling
import startup
import torch
import training_floor
from measuring import HERE, Table, machine

PARTS = {
    "nmf_training": nmf_training.measure,
    "cost": cost.measure,
    "floor": floor.measure,
    "training_floor": training_floor.measure,
    "long_audio": long_audio.measure,
    "scaling": scaling.measure,
    "startup": startup.measure,
    "accelerator": accelerator.measure,
}
RESULTS = HERE / "results.json"
PAGE = HERE.parent.parent / "docs" / "speed_table.md"
LEAD = """`benchmarks/speed/run.py` measured these tables on speech of the TIMIT sample. *CPU s per s* means CPU seconds
per second of sound. Only speed matters here, so neural models are trained for a fraction of their epochs and steps.
The models of `cost.py` are the exception: they are trained by the defaults."""


def section(name, part):
    """Return the tables of one part as Markdown."""
    head = f"## {name}.py\n\nMeasured by `benchmarks/speed/{name}.py` on {part['machine']}.\n"
    return "\n".join([head, *(Table(**table).markdown() for table in part["tables"])])


def write(name, part):
    """Put a part into the JSON file, keep the other parts, and write the page anew."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    results[name] = part
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    lead = f"# Speed tables\n\n{LEAD}\n"
    sections = (section(name, results[name]) for name in PARTS if name in results)
    PAGE.write_text("\n".join([lead, *sections]), encoding="utf-8")


def main():
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), help="default: all")
    parser.add_argument("--quick", action="store_true", help="a subset of some minutes, printed and not written")
    parser.add_argument("--device", default="cuda", help="what to compare one core with; skipped if it is not there")
    options = parser.parse_args()
    if not (options.quick or os.environ.get("SKLEARN_GASS_DATA")):
        parser.error("The tables are those of real speech: set SKLEARN_GASS_DATA, or print some by --quick.")
    torch.set_num_threads(1)
    measures = PARTS | {"accelerator": partial(accelerator.measure, device=options.device)}
    for name in options.parts:
        start = time.perf_counter()
        tables = measures[name](options.quick)
        part = {"machine": machine(), "tables": [table.plain() for table in tables]}
        print(section(name, part), f"({time.perf_counter() - start:.0f} s)\n", sep="\n", flush=True)
        if not options.quick:
            write(name, part)


if __name__ == "__main__":
    main()

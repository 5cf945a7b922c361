"""``sklearn-gass info``: say what a model file holds."""

from __future__ import annotations

import argparse
import json
from typing import Any

from sklearn_gass.cli._console import Console, text_table
from sklearn_gass.cli._model_files import describe


def run(args: argparse.Namespace, console: Console) -> None:
    """Print sources, sizes, versions and card."""
    description = describe(args.model)
    console.report(description)
    console.result(str(args.model), *(f"  {name:<12}  {value}" for name, value in _facts(description).items()))
    rows = {str(source["label"]): _cells(source) for source in description["sources"]}
    console.result("", *text_table(rows, ["model", "frames", "seconds"]))
    if description["card"] is not None:
        console.result("", "Card", *_card_lines(description["card"]))


def _facts(description: dict[str, Any]) -> dict[str, str]:
    facts = {"class": description["class"], "size": f"{description['size']:,} bytes"}
    if description["sample_rate"] is not None:
        facts["sample rate"] = f"{description['sample_rate']} Hz"
        facts["frames"] = f"{description['n_fft']} samples, {description['n_bins']} bins"
        facts["consistency"] = f"{description['consistency']:g}"
    else:
        facts["frames"] = f"{description['n_bins']} bins"
    versions = ", ".join(f"{library} {version}" for library, version in description["versions"].items())
    return facts | {"format": str(description["format"]), "written by": versions}


def _cells(source: dict[str, Any]) -> list[str]:
    frames, seconds = source["n_frames"], source["seconds"]
    return [
        source["model"],
        "not known" if frames is None else str(frames),
        "not known" if seconds is None else f"{seconds:.1f}",
    ]


def _card_lines(card: Any) -> list[str]:
    if isinstance(card, dict):
        items = {key: value if isinstance(value, str) else json.dumps(value) for key, value in card.items()}
        return [f"  {key}: {value}" for key, value in items.items()]
    text = card if isinstance(card, str) else json.dumps(card, indent=2)
    return [f"  {line}" for line in text.splitlines()]

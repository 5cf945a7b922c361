"""Values of options, read from the text of the command line."""

from __future__ import annotations

import argparse
import ast
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def path(text: str) -> Path:
    """Return a path."""
    # shells expand ~ at the start of a word only, which the path in LABEL=PATH is not
    return Path(os.path.expanduser(text))


def label_and_path(text: str) -> tuple[str, Path]:
    """Return the two sides of ``LABEL=PATH``."""
    label, name = _two_sides(text, "LABEL=PATH")
    return label, path(name)


def card_entry(text: str) -> tuple[str, str]:
    """Return the two sides of ``KEY=TEXT``."""
    return _two_sides(text, "KEY=TEXT")


def setting(text: str) -> tuple[str, Any]:
    """Return name and value of ``NAME=VALUE``; the value is a Python literal, ``inf``, or else the text itself."""
    name, value = _two_sides(text, "NAME=VALUE")
    if value == "inf":
        return name, math.inf
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return name, value


def positive_int(text: str) -> int:
    """Return an integer of at least 1."""
    # int() takes at most 4300 digits
    if not (text.isdecimal() and len(text) < 20 and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def seed(text: str) -> int:
    """Return an integer that random generators take."""
    if not (text.isdecimal() and len(text) < 20 and int(text) < 2**32):
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer from 0 to {2**32 - 1}")
    return int(text)


def number_above(
    minimum: float, *, included: bool, finite: bool = False, most: float = math.inf
) -> Callable[[str], float]:
    """Return a function that reads a number above `minimum`, or from it on, and up to `most`."""
    kind = "finite number" if finite else "number"
    limits = f"{'from' if included else 'above'} {minimum:g}" + ("" if math.isinf(most) else f" to {most:.0f}")

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (minimum < value <= most or (included and value == minimum)) or (finite and math.isinf(value)):
            raise argparse.ArgumentTypeError(f"{text!r} is not a {kind} {limits}")
        return value

    return parse


def _two_sides(text: str, form: str) -> tuple[str, str]:
    left, separator, right = text.partition("=")
    if not (left and separator and right):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form {form}")
    return left, right

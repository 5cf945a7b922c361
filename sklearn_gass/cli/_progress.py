"""How far a command is: a bar on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from sklearn_gass.cli._signals import signals
from sklearn_gass.cli._streams import visible

EVERY = 10.0  # seconds between two lines off a terminal


class ProgressDisplay:
    """Steps of a command, and what the library tells of the training inside one.

    Parameters
    ----------
    total : float
        Expected cost of all steps, in any unit.
    quiet : bool
        Whether to show nothing.
    notice : callable
        Prints a line, off a terminal.
    """

    def __init__(self, total: float, quiet: bool, notice: Callable[[str], None]) -> None:
        from tqdm import tqdm

        self._total, self._quiet, self._notice = total, quiet, notice
        # disable=None leaves the bar out unless its file is a terminal
        self.bar: Any = tqdm(
            total=total,
            disable=True if quiet else None,
            leave=False,
            file=sys.stderr,
            bar_format="{l_bar}{bar:30}| [{elapsed}<{remaining}]",
        )
        self._description, self._begun, self._cost = "", 0.0, 0.0
        self._last = time.monotonic()

    def begin(self, description: str, cost: float = 1.0) -> None:
        """Show that a step begins, and that the one before is done."""
        signals.check()
        self._begun += self._cost
        self._description, self._cost = visible(description), cost
        self._show(self._description, self._begun)

    def training(self, progress: Any) -> None:
        """Show what the library tells while something trains in this step."""
        signals.check()
        about = f", epoch {progress.epoch} of {progress.n_epochs}" if progress.n_epochs else ""
        part = ", ".join(filter(None, [progress.part, progress.phase]))
        left = "" if progress.seconds_left is None else f", {progress.seconds_left:.0f} s left"
        line = f"{self._description}: {visible(part)}{about}"
        self._show(line, self._begun + progress.share * self._cost, left if self.bar.disable else "")

    def close(self) -> None:
        """Take the bar off the screen."""
        self.bar.close()

    def _show(self, text: str, done: float, left: str = "") -> None:
        if not self.bar.disable:
            self.bar.n = min(done, self._total)
            self.bar.set_description(text)
            return
        now = time.monotonic()
        if not self._quiet and now - self._last >= EVERY:
            self._last = now
            self._notice(f"{text} ({min(1.0, done / self._total):.0%}{left})")

"""Signals that end the program: Ctrl-C, SIGTERM, SIGHUP, and Ctrl-Break on Windows."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

PROGRAM = "sklearn-gass"

_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


class Signals:
    """What a signal does: end the process at once before and after all work, raise KeyboardInterrupt in between.

    A process that has not been taken over keeps its own handlers.

    Attributes
    ----------
    received : int
        Number of the last signal, 0 before any.
    """

    def __init__(self) -> None:
        self.received = 0
        self._working = True
        self._held = False
        self._taken: list[signal.Signals] = []

    def take_over(self) -> None:
        """Handle all signals that are not ignored, as those of a process started with ``nohup`` or ``&`` are."""
        self._working = False
        self._taken = [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]
        self._replace(self._handle)
        sys.unraisablehook = self._report_unraisable

    def begin_work(self) -> None:
        """Let signals raise KeyboardInterrupt from now on, since there may be something to clean up."""
        self._working = True

    def end_work(self) -> None:
        """Ignore signals from now on: what can be told of the end is being told."""
        self._replace(signal.SIG_IGN)

    def release(self) -> None:
        """Let signals end the process at once from now on: nothing is left to be done."""
        self._working = False
        self._replace(self._handle)

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal was kept back, or some library has swallowed its exception."""
        if self.received:
            raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep signals back until the block has ended."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self.check()

    @contextmanager
    def let_through(self) -> Iterator[None]:
        """Let signals act in this part of a block that holds them."""
        self._held = False
        try:
            self.check()
            yield
        finally:
            self._held = True

    def _replace(self, action: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
        for number in self._taken:
            signal.signal(number, action)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        is_first, self.received = not self.received, number
        if not self._working:
            if is_first:
                with suppress(OSError):
                    os.write(2, f"{PROGRAM}: error: {ending(number)}.\n".encode())
            os._exit(128 + number)
        if not self._held:
            # by a call, since a training loop takes what a raise statement throws for a callback's wish to stop early
            signal.default_int_handler(number, frame)

    def _report_unraisable(self, unraisable: sys.UnraisableHookArgs) -> None:
        # where C calls Python, as to read a file, an exception cannot pass: the next `check` raises it again
        if not (self.received and issubclass(unraisable.exc_type, KeyboardInterrupt)):
            sys.__unraisablehook__(unraisable)


def ending(number: int) -> str:
    """Return the word for what a signal did."""
    return "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"


signals = Signals()

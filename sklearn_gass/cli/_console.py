"""What a command says: results on standard output, all else on standard error."""

from __future__ import annotations

import json
import logging
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sklearn_gass.cli._progress import ProgressDisplay
from sklearn_gass.cli._signals import PROGRAM
from sklearn_gass.cli._streams import one_line, silence, visible, write_line
from sklearn_gass.progress import on_progress


class CommandError(Exception):
    """A problem that the user can mend, stated in one sentence."""


@contextmanager
def stated(what: str = "", kinds: tuple[type[Exception], ...] = (OSError, ValueError)) -> Iterator[None]:
    """Turn errors, by default those by which the library refuses its input, into a `CommandError` headed by `what`."""
    try:
        yield
    except kinds as error:
        text = reason(error)
        raise CommandError(f"{what}: {text}" if what else text) from error


def reason(error: Exception) -> str:
    """Return what an error says, without the number of an operating system's error."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


class Console:
    """The two streams of a command. All that is printed is made visible: no file name can steer a terminal.

    A stream that cannot be written stops no work; `finish` tells at the end that results could not be printed.

    Parameters
    ----------
    quiet : bool, default=False
        Whether to leave out notices and progress bars; results and errors are always printed.
    as_json : bool, default=False
        Whether results are for programs: what `report` is given goes to standard output, and nothing else.
    """

    def __init__(self, quiet: bool = False, as_json: bool = False) -> None:
        self.quiet = quiet
        self.as_json = as_json
        self._bar: Any = None
        self._failure: Exception | None = None

    def result(self, *lines: str) -> None:
        """Print lines of what was asked for, unless programs are to read it."""
        if not self.as_json:
            self._without_bar(lambda: self._print(*lines))

    def report(self, content: Mapping[str, Any]) -> None:
        """Print results as JSON if that was asked for; numbers that JSON lacks become null."""
        if self.as_json:
            text = json.dumps(_finite(content), indent=2, allow_nan=False)
            self._without_bar(lambda: self._print(*text.splitlines()))

    def notice(self, text: str) -> None:
        """Tell something worth knowing."""
        if not self.quiet:
            self._without_bar(lambda: self.complain(text))

    def error(self, text: str) -> None:
        """State what went wrong."""
        self.complain(f"{PROGRAM}: error: {one_line(text)}")

    def complain(self, *lines: str) -> None:
        """Print lines on standard error, if that can be written."""
        try:
            for line in lines:
                write_line(sys.stderr, line)
        except (OSError, ValueError):
            silence(sys.stderr)

    def finish(self) -> int:
        """Empty both streams and return the exit status: 1 if results could not be printed."""
        self._print()
        # who closed a pipe wants no more, and no word about it either
        if self._failure is not None and not isinstance(self._failure, BrokenPipeError):
            self.error(f"Standard output cannot be written: {reason(self._failure)}.")
        try:
            sys.stderr.flush()
        except (OSError, ValueError):
            silence(sys.stderr)
        return int(self._failure is not None)

    @contextmanager
    def progress(self, total: float) -> Iterator[Callable[..., None]]:
        """Yield a function to be called as each step begins, with a description and the expected cost, by default 1.

        What the library trains in a step moves the bar within it. Off a terminal a line is printed every ten seconds.

        Parameters
        ----------
        total : float
            Expected cost of all steps.
        """
        display = ProgressDisplay(total, self.quiet, self.notice)
        self._bar = display.bar
        try:
            with on_progress(display.training):
                yield display.begin
        finally:
            self._bar = None
            display.close()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Show what the library logs, and the warnings of all libraries, as notices."""
        logger = logging.getLogger("sklearn_gass")
        handler, level = _NoticeHandler(self), logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            with warnings.catch_warnings():
                warnings.showwarning = lambda message, *_, **__: self.notice(one_line(str(message)))
                yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)

    def _print(self, *lines: str) -> None:
        """Print lines and all that is held back; after a failure, nothing more."""
        if self._failure is not None:
            return
        try:
            for line in lines:
                write_line(sys.stdout, line)
            sys.stdout.flush()
        except (OSError, ValueError) as error:
            self._failure = error
            silence(sys.stdout)

    def _without_bar(self, say: Callable[[], None]) -> None:
        """Print while the bar is off the screen."""
        if self._bar is None or self._bar.disable:
            say()
            return
        self._bar.clear()
        say()
        self._bar.refresh()


class _NoticeHandler(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.notice(record.getMessage())


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def text_table(rows: Mapping[str, Sequence[str]], columns: Sequence[str]) -> list[str]:
    """Return lines with row names on the left and right-aligned cells."""
    lines = [("", columns), *((visible(name), cells) for name, cells in rows.items())]
    first = max(len(name) for name, _ in lines)
    widths = [max(len(cells[i]) for _, cells in lines) for i in range(len(columns))]
    return [
        "  ".join([name.ljust(first), *(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))]).rstrip()
        for name, cells in lines
    ]

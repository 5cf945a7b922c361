"""What a command says: results on standard output, all else on standard error."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

PROGRAM = "sklearn-gass"


class CommandError(Exception):
    """A problem that the user can mend, stated in one sentence."""


@contextmanager
def stated(what: str = "") -> Iterator[None]:
    """Turn the errors by which the library refuses its input into a `CommandError`, headed by what it was about."""
    try:
        yield
    except (OSError, ValueError) as error:
        text = str(error)
        if isinstance(error, OSError) and error.strerror:
            text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        raise CommandError(f"{what}: {text}" if what else text) from error


class Console:
    """The two streams of a command.

    Parameters
    ----------
    quiet : bool, default=False
        Whether to leave out notices and progress bars; results and errors are always printed.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._bar: Any = None

    def result(self, text: str = "") -> None:
        """Print a line of what was asked for."""
        self._without_bar(lambda: print(text, flush=True))

    def notice(self, text: str) -> None:
        """Tell something worth knowing."""
        if not self.quiet:
            self._without_bar(lambda: print(text, file=sys.stderr, flush=True))

    def error(self, text: str) -> None:
        """State what went wrong."""
        print(f"{PROGRAM}: error: {' '.join(text.split())}", file=sys.stderr, flush=True)

    @contextmanager
    def progress(self, n_steps: int) -> Iterator[Callable[[str], None]]:
        """Yield a function to be called with a description as each of `n_steps` begins; drawn on a terminal only."""
        from tqdm import tqdm

        # disable=None leaves the bar out unless its file is a terminal
        bar = tqdm(
            total=n_steps,
            disable=True if self.quiet else None,
            leave=False,
            file=sys.stderr,
            bar_format="{l_bar}{bar:30}| {n_fmt}/{total_fmt} [{elapsed}]",
        )
        started = False

        def begin(description: str) -> None:
            nonlocal started
            bar.update(int(started))
            bar.set_description(description)
            started = True

        self._bar = bar
        try:
            yield begin
        finally:
            self._bar = None
            bar.close()

    @contextmanager
    def logging(self) -> Iterator[None]:
        """Show what the library logs as notices."""
        logger = logging.getLogger("sklearn_gass")
        handler, level = _NoticeHandler(self), logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)

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


def text_table(rows: Mapping[str, Sequence[str]], columns: Sequence[str]) -> str:
    """Return lines with row names on the left and right-aligned cells."""
    first = max(map(len, rows), default=0)
    widths = [max(len(column), *(len(cells[i]) for cells in rows.values())) for i, column in enumerate(columns)]
    lines = [("", columns), *rows.items()]
    return "\n".join(
        "  ".join([name.ljust(first), *(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))]).rstrip()
        for name, cells in lines
    )

"""Dispatch, and how a command ends."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Sequence
from importlib import import_module

from sklearn_gass.cli._arguments import parse_arguments
from sklearn_gass.cli._console import CommandError, Console, reason
from sklearn_gass.cli._memory import is_out_of_memory
from sklearn_gass.cli._signals import ending, signals
from sklearn_gass.cli._streams import open_missing_streams


def run_command(argv: Sequence[str] | None) -> int:
    """Run a command and return the exit status; help, version and wrong usage end with SystemExit."""
    open_missing_streams()
    console = Console()
    try:
        args = parse_arguments(argv, console)
    except SystemExit as stop:
        unprinted = console.finish()
        raise SystemExit(stop.code or unprinted) from None
    console.quiet, console.as_json = args.quiet, args.json
    status = max(_run(args, console), console.finish())
    signals.release()
    return status


def _run(args: argparse.Namespace, console: Console) -> int:
    """Return the exit status of a command after stating what went wrong, if anything did."""
    try:
        with console.listening():
            command = import_module(f"sklearn_gass.cli._{args.command.replace('-', '_')}")
            signals.begin_work()
            command.run(args, console)
            signals.check()
            signals.end_work()
    except BaseException as error:
        signals.end_work()
        # libraries turn the KeyboardInterrupt of a signal into errors of their own
        if signals.received or isinstance(error, KeyboardInterrupt):
            number = signals.received or signal.SIGINT
            console.error(f"{ending(number)}; what was unfinished has been removed.")
            return 128 + number
        text = _sentence(error)
        if text is None:
            raise
        console.error(text)
        return 1
    return 0


def _sentence(error: BaseException) -> str | None:
    """Return what to tell about an error; None for one that no user can mend."""
    if is_out_of_memory(error):
        return (
            "Too little memory. Shorter files, fewer training files, or a lower --sample-rate need less; "
            "so does closing other programs."
        )
    if isinstance(error, CommandError):
        return str(error)
    if isinstance(error, OSError):
        return reason(error)
    if isinstance(error, ImportError):
        return f"A library cannot be loaded ({error}). All that is needed: pip install 'sklearn_gass[cli]'"
    return None

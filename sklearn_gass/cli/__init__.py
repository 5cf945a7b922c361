# PYTHON_ARGCOMPLETE_OK
"""The command line ``sklearn-gass``: train, separate, and what goes with them."""

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str or None, default=None
        Arguments. ``None`` takes those of the process, whose signals the program then handles, too: Ctrl-C, SIGTERM and
        SIGHUP end it with one line and leave nothing unfinished.

    Returns
    -------
    status : int
        0 if all went well, 1 after a problem that was stated on standard error, 128 and the number of the signal after
        an interruption (130 for Ctrl-C, 143 for SIGTERM). Help, version and wrong usage end with SystemExit; its
        status is 0 or 2.
    """
    # signals come first: all other imports take time, in which Ctrl-C may be pressed
    try:
        from sklearn_gass.cli._signals import signals
    except KeyboardInterrupt:  # pragma: no cover, since it takes a signal in these few milliseconds
        if argv is not None:
            raise
        print("sklearn-gass: error: interrupted.", file=sys.stderr)
        return 130

    if argv is None:
        signals.take_over()
    from sklearn_gass.cli._main import run_command

    return run_command(argv)

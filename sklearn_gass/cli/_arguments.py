"""Arguments of all commands; nothing here loads the libraries beneath, which take seconds."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sklearn_gass import __version__
from sklearn_gass.cli._console import Console
from sklearn_gass.cli._options import COMMANDS
from sklearn_gass.cli._signals import PROGRAM


def parse_arguments(argv: Sequence[str] | None, console: Console) -> argparse.Namespace:
    """Return the arguments of a command, with its name as ``command``; help and wrong usage end with SystemExit."""
    parser_class = _parser_class(console)
    parser = parser_class(prog=PROGRAM, description="Separate sound sources with generative models.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    common = parser_class(add_help=False)
    common.add_argument("-q", "--quiet", action="store_true", help="no progress bars, no notices")
    common.add_argument(
        "--json", action="store_true", help="print one JSON object for programs, all else on standard error"
    )
    for name, (text, add_options) in COMMANDS.items():
        description = f"{text[0].upper()}{text[1:]}."
        add_options(commands.add_parser(name, help=text, description=description, parents=[common]))
    _complete(parser)
    args, rest = parser.parse_known_args(argv)
    return _with_rest(args, rest, commands.choices[args.command])


def _parser_class(console: Console) -> type[argparse.ArgumentParser]:
    """Return a parser that prints as commands do: argparse would steer terminals, and hide that nothing is printed."""

    class Parser(argparse.ArgumentParser):
        def _print_message(self, message: str, file: Any = None) -> None:
            say = console.result if file is sys.stdout else console.complain
            say(*message.splitlines())

    return Parser


def _complete(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks for completions; it sets this variable, and the process ends here."""
    if "_ARGCOMPLETE" in os.environ:
        with suppress(ImportError):
            import argcomplete

            argcomplete.autocomplete(parser)


def _with_rest(args: argparse.Namespace, rest: list[str], parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Add files that stand behind options, which argparse does not know what to do with, and check them together."""
    name, parse = getattr(args, "several", ("", None))
    if rest and (parse is None or any(text.startswith("-") for text in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if parse is None:
        return args
    try:
        more = [parse(text) for text in rest]
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    setattr(args, name, [*getattr(args, name), *getattr(args, "taken", []), *more])
    problem = args.check(args)
    if problem:
        parser.error(problem)
    return args

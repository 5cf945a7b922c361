"""Arguments of all commands; nothing here loads the libraries beneath, which take seconds."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sklearn_gass import __version__
from sklearn_gass.cli._console import Console
from sklearn_gass.cli._models import MODELS
from sklearn_gass.cli._signals import PROGRAM


def parse_arguments(argv: Sequence[str] | None, console: Console) -> argparse.Namespace:
    """Return the arguments of a command, with its name as ``command``; help and wrong usage end with SystemExit."""
    parser_class = _parser_class(console)
    parser = parser_class(prog=PROGRAM, description="Separate sound sources with generative models.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    common = parser_class(add_help=False)
    common.add_argument("-q", "--quiet", action="store_true", help="no progress bars, no notices")
    for name, (text, add_arguments) in _COMMANDS.items():
        description = f"{text[0].upper()}{text[1:]}."
        add_arguments(commands.add_parser(name, help=text, description=description, parents=[common]))
    return parser.parse_args(argv)


def _parser_class(console: Console) -> type[argparse.ArgumentParser]:
    """Return a parser that prints as commands do: argparse would steer terminals, and hide that nothing is printed."""

    class Parser(argparse.ArgumentParser):
        def _print_message(self, message: str, file: Any = None) -> None:
            say = console.result if file is sys.stdout else console.complain
            say(*message.splitlines())

    return Parser


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", metavar="DIR", type=_path, default=Path("separated/demo"), help="default: %(default)s"
    )
    parser.add_argument(
        "--data",
        choices=["auto", "timit", "voices"],
        default="auto",
        help="real speech (timit), synthetic voices, or real speech if it can be had (auto, the default)",
    )
    parser.add_argument("--no-download", action="store_true", help="use real speech only if it is on this machine")
    _add_seed(parser)


def _add_separate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("mixtures", metavar="MIXTURE", type=_path, nargs="+", help="sound files to separate")
    parser.add_argument(
        "--train",
        metavar="LABEL=FOLDER",
        type=_label_and_path,
        action="append",
        required=True,
        help="name of a source and a folder or file of clean recordings of it; give two sources or more, "
        "and a source as often as it has folders",
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", type=_path, default=Path("separated"), help="default: %(default)s"
    )
    parser.add_argument("--model", choices=sorted(MODELS), default="vae", help="source model (default: %(default)s)")
    parser.add_argument(
        "--n-components",
        metavar="N",
        type=_positive_int,
        help="latent size, templates of an NMF (default: the model's)",
    )
    parser.add_argument(
        "--mask-exponent",
        metavar="P",
        type=_number_above(0, included=False),
        default=2.0,
        help="power of the estimates in the masks (default: %(default)g)",
    )
    parser.add_argument(
        "--critic-weight",
        metavar="W",
        type=_number_above(0, included=True),
        help="weight of the critics, which prefer estimates without leakage (default: the separator's)",
    )
    parser.add_argument(
        "--sample-rate",
        metavar="HZ",
        type=_positive_int,
        help="rate at which to train and separate (default: that of the training files)",
    )
    _add_seed(parser)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    for name, text in (("references", "true sources"), ("estimates", "separated sources, with the same labels")):
        parser.add_argument(
            f"--{name}", metavar="LABEL=FILE", type=_label_and_path, nargs="+", required=True, help=text
        )
    parser.add_argument("--mixture", metavar="FILE", type=_path, help="mixture, to tell the gain of separating it")
    parser.add_argument("--json", action="store_true", help="print JSON (infinite ratios are null)")


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", metavar="MODEL", type=_path, nargs="*", help="model files to load at the start")
    parser.add_argument("--port", metavar="N", type=_positive_int, help="port of the page (default: 7860, or the next)")


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed", metavar="N", type=_seed, default=0, help="seed of all randomness (default: %(default)s)"
    )


def _label_and_path(text: str) -> tuple[str, Path]:
    label, separator, path = text.partition("=")
    if not (label and separator and path):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form LABEL=PATH")
    return label, _path(path)


def _path(text: str) -> Path:
    # shells expand ~ at the start of a word only, which the path in LABEL=PATH is not
    return Path(os.path.expanduser(text))


def _positive_int(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def _seed(text: str) -> int:
    if not (text.isdecimal() and int(text) < 2**32):
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer from 0 to {2**32 - 1}")
    return int(text)


def _number_above(minimum: float, *, included: bool) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (value > minimum or (included and value == minimum)):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number {'from' if included else 'above'} {minimum:g}")
        return value

    return parse


# Each command is a module `_name` with a function `run(args, console)`, imported once it is called for.
_COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "demo": ("separate two voices, score and show the result", _add_demo),
    "separate": ("train on folders of clean recordings, separate files", _add_separate),
    "serve": ("show a page in the browser to train, separate and listen", _add_serve),
    "evaluate": ("compare separated files with the true sources", _add_evaluate),
}

"""Options of each command; nothing here loads the libraries beneath, which take seconds."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sklearn_gass.cli import _values as values
from sklearn_gass.cli._models import MODELS, NEURAL, PRESETS

_WEIGHT = values.number_above(0, included=True, finite=True)
_EXPONENT = values.number_above(0, included=False)
_CONSISTENCY = values.number_above(0, included=True, most=1e6)
_SPEED = values.number_above(0.5, included=True, most=2)


def add_demo(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``demo``."""
    _add_folder(parser, "separated/demo")
    parser.add_argument(
        "--data",
        choices=["auto", "timit", "voices"],
        default="auto",
        help="real speech (timit), synthetic voices, or real speech if it can be had (auto, the default)",
    )
    parser.add_argument("--no-download", action="store_true", help="use real speech only if it is on this machine")
    _add_seed(parser)


def add_train(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``train``."""
    _add_sources(parser)
    _add_model_file(parser, "model file to write, by custom with the suffix .safetensors", required=True)
    _add_models(parser, "source model, for all sources or for one", "[LABEL=]MODEL")
    parser.add_argument(
        "--background",
        metavar="N",
        type=values.positive_int,
        help="add a source 'background' that needs no recordings: N templates of it are learned from each mixture, so "
        "that one source with recordings is enough; templates begin at recordings given as background=FOLDER",
    )
    parser.add_argument(
        "--base",
        metavar="FILE",
        type=values.path,
        help="model file that training begins at, which train-base has written: it takes less time",
    )
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        help="how long to train: fast takes a third of the default's time, best more than twice as long",
    )
    parser.add_argument(
        "--checkpoint",
        metavar="FILE",
        type=values.path,
        help="file that keeps the state of training, from which the same command goes on if it was cut short",
    )
    _add_training(parser)


def add_train_base(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``train-base``."""
    parser.add_argument(
        "voices", metavar="FOLDER", type=values.path, help="folder with a folder of clean recordings of each voice"
    )
    _add_model_file(parser, "model file to write, by custom with the suffix .safetensors", required=True)
    parser.add_argument(
        "--model", choices=sorted(NEURAL), default="vae", help="source model of all voices (default: %(default)s)"
    )
    parser.add_argument(
        "--speeds",
        metavar="S",
        type=_SPEED,
        nargs="*",
        help="train on copies at these speeds, too, as on further voices; no number: no copies (default: 0.9 1.1)",
    )
    _add_training(parser)


def add_separate(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``separate``."""
    parser.add_argument(
        "mixtures",
        metavar="FILE",
        type=values.path,
        nargs="+",
        help="the model file, then sound files and folders of them to separate; with --train, sound files only",
    )
    parser.set_defaults(several=("mixtures", values.path), check=_check_separate)
    _add_folder(parser, "separated")
    parser.add_argument(
        "--critic-weight",
        metavar="W",
        type=_WEIGHT,
        help="weight of the critics, which prefer estimates without leakage (default: the separator's)",
    )
    parser.add_argument(
        "--mask-exponent",
        metavar="P",
        type=_EXPONENT,
        help="power of the estimates in the masks (default: the separator's)",
    )
    parser.add_argument(
        "--consistency",
        metavar="C",
        type=_CONSISTENCY,
        help="how strongly neighbouring frames of each source must agree, by a filter after the masks; 0 is no filter "
        "(default: the separator's)",
    )
    parser.add_argument("--format", choices=["wav", "flac", "ogg"], default="wav", help="default: %(default)s")
    parser.add_argument(
        "--stereo", action="store_true", help="keep all channels: each is separated by what the average of them needs"
    )
    parser.add_argument("--no-report", action="store_true", help="write sound files only, no picture and no page")
    parser.add_argument(
        "--jobs", metavar="N", type=values.positive_int, default=1, help="files separated at a time (default: 1)"
    )
    parser.add_argument(
        "--strict", action="store_true", help="end with an error at the first file that cannot be separated"
    )
    _add_device(parser, "where to separate, as torch names it (default: where it was trained)")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--skip-existing", action="store_true", help="leave out files whose results exist")
    existing.add_argument("--overwrite", action="store_true", help="replace results that exist")
    once = parser.add_argument_group("to train and separate in one go, without a model file")
    once.add_argument(
        "--train",
        metavar="LABEL=FOLDER",
        type=values.label_and_path,
        action="append",
        help="name of a source and a folder or file of clean recordings of it; give two sources or more, "
        "and a source as often as it has folders",
    )
    once.add_argument("--model", choices=sorted(MODELS), help="source model (default: vae)")
    once.add_argument(
        "--n-components",
        metavar="N",
        type=values.positive_int,
        help="latent size, templates of an NMF (default: the model's)",
    )
    _add_sample_rate(once, "rate at which to train and separate (default: that of the training files)")
    once.add_argument("--seed", metavar="N", type=values.seed, help="seed of all randomness (default: 0)")


def add_search(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``search``."""
    _add_sources(parser)
    _add_model_file(parser, "model file to write the best separator to, trained on everything", required=False)
    _add_models(parser, "source models to compare", "MODEL")
    for name, text, default, number in (
        ("critic-weights", "weights of the critics to try", [0.0, 1.0, 2.0, 5.0, 10.0], _WEIGHT),
        ("mask-exponents", "powers of the estimates in the masks to try", [1.0, 2.0], _EXPONENT),
    ):
        shown = " ".join(f"{value:g}" for value in default)
        parser.add_argument(
            f"--{name}", metavar="W", type=number, nargs="+", default=default, help=f"{text} (default: {shown})"
        )
    parser.add_argument(
        "--scoring",
        choices=["sdr", "sir", "sar", "si_sdr"],
        default="si_sdr",
        help="what to choose by, in mixtures of held-out recordings (default: %(default)s)",
    )
    parser.add_argument("--folds", metavar="N", type=values.positive_int, help="folds (default: up to 3)")
    parser.add_argument("--jobs", metavar="N", type=values.positive_int, help="folds trained at a time (default: 1)")
    _add_training(parser)


def add_info(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``info``."""
    parser.add_argument("model", metavar="FILE", type=values.path, help="model file")


def add_sample(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``sample``."""
    parser.add_argument("model", metavar="FILE", type=values.path, help="model file")
    _add_folder(parser, "samples")
    parser.add_argument(
        "--seconds",
        metavar="S",
        type=values.number_above(0, included=False, finite=True),
        default=2.0,
        help="length of the sound (default: %(default)g)",
    )
    _add_sample_rate(parser, "rate of the sound, for a file that holds a source model or a separator of frames")
    parser.add_argument("--overwrite", action="store_true", help="replace results that exist")
    _add_seed(parser)


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``evaluate``."""
    for name, text in (("references", "true sources"), ("estimates", "separated sources, with the same labels")):
        parser.add_argument(
            f"--{name}", metavar="LABEL=FILE", type=values.label_and_path, nargs="+", required=True, help=text
        )
    parser.add_argument(
        "--mixture", metavar="FILE", type=values.path, help="mixture, to tell the gain of separating it"
    )


def add_serve(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``serve``."""
    parser.add_argument("models", metavar="MODEL", type=values.path, nargs="*", help="model files to load at the start")
    parser.add_argument(
        "--port", metavar="N", type=values.positive_int, help="port of the page (default: 7860, or the next free one)"
    )


def _add_folder(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "-o", "--output", metavar="DIR", type=values.path, default=Path(default), help="default: %(default)s"
    )


def _add_model_file(parser: argparse.ArgumentParser, text: str, *, required: bool) -> None:
    parser.add_argument("-o", "--output", metavar="FILE", type=values.path, required=required, help=text)
    parser.add_argument("--overwrite", action="store_true", help="replace the model file if it exists")
    parser.add_argument(
        "--card",
        metavar="KEY=TEXT",
        type=values.card_entry,
        action="append",
        default=[],
        help="what to keep in the file for those who get it, such as licence=CC0; may be repeated",
    )


def _add_models(parser: argparse.ArgumentParser, text: str, metavar: str) -> None:
    option: Any = parser.add_argument(
        "--model",
        metavar=metavar,
        nargs="+",
        action=_ModelAction,
        default=[],
        help=f"{text}: {', '.join(sorted(MODELS))} (default: vae)",
    )
    option.completer = lambda **_: sorted(MODELS)


def _add_sources(parser: argparse.ArgumentParser) -> None:
    # options may stand between sources, so argparse cannot count them: `parse_arguments` does
    parser.add_argument(
        "sources",
        metavar="LABEL=PATH",
        type=values.label_and_path,
        nargs="*",
        default=[],
        help="name of a source and a folder or file of clean recordings of it; give two sources or more, "
        "and a source as often as it has folders",
    )
    parser.set_defaults(several=("sources", values.label_and_path), taken=[], check=_check_sources)


def _check_sources(args: argparse.Namespace) -> str:
    return "" if args.sources else "the following arguments are required: LABEL=PATH"


def _check_separate(args: argparse.Namespace) -> str:
    """Return what is wrong with the choice between a model file and training."""
    if args.train is not None:
        return ""
    if len(args.mixtures) < 2:
        return "give a model file and then files to separate, or train by --train LABEL=FOLDER"
    for name in ("model", "n_components", "sample_rate", "seed"):
        if getattr(args, name) is not None:
            return f"--{name.replace('_', '-')} belongs to training: give it to sklearn-gass train, or with --train"
    return ""


def _add_training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        dest="settings",
        type=values.setting,
        action="append",
        default=[],
        help="any parameter of the separator, such as critic__max_iter=200, source_model__n_components=30 or "
        "stft__n_fft=2048; may be repeated",
    )
    _add_device(parser, "where to train, as torch names it (default: cpu)")
    _add_sample_rate(parser, "rate at which to train (default: that of the training files)")
    parser.add_argument("--strict", action="store_true", help="end with an error at the first file that is damaged")
    _add_seed(parser)


def _add_device(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--device", metavar="NAME", help=text)


def _add_sample_rate(parser: argparse._ActionsContainer, text: str) -> None:
    parser.add_argument("--sample-rate", metavar="HZ", type=values.positive_int, help=text)


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed", metavar="N", type=values.seed, default=0, help="seed of all randomness (default: %(default)s)"
    )


class _ModelAction(argparse.Action):
    """Collect ``MODEL`` and ``LABEL=MODEL``, and leave behind what are sources: ``--model vae anna=recordings``."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        texts: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        models, taken = list(getattr(namespace, self.dest)), list(namespace.taken)
        for text in texts or ():
            label, separator, name = text.rpartition("=")
            if name in MODELS and bool(label) == bool(separator):
                models.append((label or None, name))
            elif separator and os.path.exists(os.path.expanduser(text.partition("=")[2])):
                taken.append(values.label_and_path(text))
            else:
                known = ", ".join(sorted(MODELS))
                raise argparse.ArgumentError(self, f"{name!r} is no source model (choose from {known})")
        setattr(namespace, self.dest, models)
        namespace.taken = taken


# Each command is a module `_name`, with _ for -, and a function `run(args, console)`, imported once it is called for.
COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "demo": ("separate two voices, score and show the result", add_demo),
    "train": ("train on folders of clean recordings, write a model file", add_train),
    "train-base": ("train on folders of other voices, write a base that train begins at", add_train_base),
    "search": ("choose critic weight, mask exponent and model by cross-validation", add_search),
    "separate": ("separate files with a model file, or train and separate in one go", add_separate),
    "info": ("say what a model file holds", add_info),
    "sample": ("let source models draw frames, as a picture and as sound", add_sample),
    "evaluate": ("compare separated files with the true sources", add_evaluate),
    "serve": ("show a page in the browser to train, separate and listen", add_serve),
}

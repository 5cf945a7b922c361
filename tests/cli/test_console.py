"""What all commands share: arguments, models, and what they say where."""

import io
import logging
import sys

import pytest

from cli.commands import listing
from sklearn_gass.cli import main
from sklearn_gass.cli._console import Console
from sklearn_gass.cli._models import MODELS, make_source_model


@pytest.mark.parametrize(
    "command",
    [
        "",
        "unknown",
        "separate",
        "separate mix.wav",
        "separate mix.wav --train low",
        "separate mix.wav --train =low",
        "separate mix.wav --train low=",
        "separate mix.wav --train a=low --train b=high --model magic",
        "separate mix.wav --train a=low --train b=high --n-components 0",
        "separate mix.wav --train a=low --train b=high --mask-exponent 0",
        "separate mix.wav --train a=low --train b=high --mask-exponent nan",
        "separate mix.wav --train a=low --train b=high --critic-weight -1",
        "separate mix.wav --train a=low --train b=high --critic-weight x",
        "separate mix.wav --train a=low --train b=high --sample-rate 8k",
        "separate mix.wav --train a=low --train b=high --seed -1",
        "separate m.safetensors mix.wav --seed 1",
        "separate m.safetensors mix.wav --model nmf",
        "separate m.safetensors mix.wav --jobs 0",
        "separate m.safetensors mix.wav --format mp3",
        "separate m.safetensors mix.wav --critic-weight inf",
        "separate m.safetensors mix.wav --consistency -1",
        "separate m.safetensors mix.wav --consistency nan",
        "separate mix.wav --train a=low --train b=high --consistency 1e7",
        "separate m.safetensors mix.wav --skip-existing --overwrite",
        "separate m.safetensors -o out mix.wav --magic",
        "train a=low b=high",
        "train -o m.safetensors",
        "train a=low b -o m.safetensors",
        "train a=low b=high -o m.safetensors --model magic",
        "train a=low b=high -o m.safetensors --model a=magic",
        "train a=low b=high -o m.safetensors --set max_iter",
        "train a=low -o m.safetensors b",
        "search a=low b=high --critic-weights x",
        "info",
        "info a b",
        "sample m.safetensors --seconds 0",
        "sample m.safetensors --seconds inf",
        "evaluate --references a=low.wav b=high.wav",
        "demo --data tapes",
    ],
)
def test_wrong_usage_ends_with_status_2(files, capsys, command):
    before = listing(files)
    with pytest.raises(SystemExit) as stop:
        main(command.split())
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("usage: sklearn-gass")
    assert listing(files) == before


def test_models_of_the_table_exist_and_keep_their_defaults():
    for name, class_name in MODELS.items():
        model = make_source_model(name, n_components=None)
        assert type(model).__name__ == class_name
        assert model.get_params() == type(model)().get_params()
        assert make_source_model(name, n_components=7).n_components == 7


@pytest.mark.parametrize("command", [[], ["demo"], ["separate"], ["evaluate"]])
def test_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {' '.join(['sklearn-gass', *command])}")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "quiet", "shown"), [(Terminal, False, True), (Terminal, True, False), (io.StringIO, False, False)]
)
def test_progress_is_drawn_on_a_terminal_only(monkeypatch, stream, quiet, shown):
    monkeypatch.setattr(sys, "stderr", stream())
    with Console(quiet=quiet).progress(2) as begin:
        begin("Reading")
        begin("Training")
    assert ("Training" in sys.stderr.getvalue()) is shown


def test_notices_and_results_do_not_tear_the_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", Terminal())
    console = Console()
    with console.progress(1) as begin:
        begin("Training")
        console.notice("a notice")
        console.result("a result")
    assert "\ra notice\n" in sys.stderr.getvalue()
    assert capsys.readouterr().out == "a result\n"


def test_what_the_library_logs_becomes_a_notice(capsys):
    logger = logging.getLogger("sklearn_gass.datasets")
    for quiet, shown in ((False, "downloading 22 MB\n"), (True, "")):
        with Console(quiet=quiet).listening():
            logger.info("downloading %d MB", 22)
        assert capsys.readouterr().err == shown
    assert logging.getLogger("sklearn_gass").handlers == []

"""Every command of the guide and of README runs, in its order, on short voices."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pages import PAGES, commands_of, text_of

from cli.commands import RATE
from cli.test_demo import cheap_demo  # noqa: F401
from sklearn_gass import load_audio, save_audio
from sklearn_gass.cli import _demo as demo
from sklearn_gass.cli import _plan as plan
from sklearn_gass.cli import _train_base as train_base
from sklearn_gass.cli import main
from sklearn_gass.cli._models import make_source_model
from sklearn_gass.cli._options import COMMANDS

PAGE = "docs/guide/command_line.rst"


def commands(page):
    """Return the commands of this program on a page, each as a list of words; `serve` does not end, and has a test."""
    words = [shlex.split(command) for command in commands_of(page)]
    return [arguments for name, *arguments in words if name == "sklearn-gass" and arguments[0] != "serve"]


@pytest.fixture
def short_training(monkeypatch):
    """Train for a few steps wherever the command does not say how many."""

    def make_short(name, **parameters):
        return make_source_model(name, max_iter=2, **parameters)

    made = plan.SupervisedSeparator

    def separator(*arguments, **parameters):
        separator = made(*arguments, **parameters)
        parts = [part for part in ("start", "critic") if getattr(separator, part) is not None]
        return separator.set_params(**{f"{part}__max_iter": 2 for part in parts})

    monkeypatch.setattr(plan, "make_source_model", make_short)
    monkeypatch.setattr(plan, "SupervisedSeparator", separator)
    monkeypatch.setattr(train_base, "BASE_PARAMS", {})


@pytest.fixture
def recordings(files, cheap_demo, monkeypatch):  # noqa: F811
    """The files that the page speaks of; nothing is downloaded."""

    def fail(**options):
        raise OSError("No network.")

    monkeypatch.setattr(demo, "fetch_timit_sample", fail)
    os.mkdir("recordings")
    for label, source in (("anna", "low"), ("ben", "high")):
        shutil.move(source, f"recordings/{label}")
        shutil.move(f"{source}.wav", f"{label}.wav")
    shutil.copytree("recordings", "voices")
    os.mkdir("mixtures")
    wave, _ = load_audio("mix.wav")
    save_audio("concert.wav", np.stack([wave, wave[::-1]]), RATE)
    shutil.copy("mix.wav", "mixtures/other.wav")
    shutil.move("mix.wav", "mixture.wav")
    return files


def test_the_page_has_every_command():
    used = {words[0] for words in commands(PAGE)}
    assert used == set(COMMANDS) - {"serve"}
    assert {name for name in COMMANDS if f"\n``{name}``  " in text_of(PAGE)} == set(COMMANDS)


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_every_command_runs(page, recordings, short_training, quick_picture, capsys):
    for words in commands(page):
        assert main(words) == 0, (words, capsys.readouterr())
    assert Path("separated/mixture/anna.wav").is_file()
    if page == PAGE:
        assert {path.name for path in Path("separated").iterdir()} >= {"demo", "mixture", "other", "concert"}
        assert Path("separated/concert/anna.flac").is_file()


def test_the_shell_learns_to_complete():
    (command,) = (command for command in commands_of(PAGE) if command.startswith("eval "))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    shown = subprocess.run(
        ["bash", "-c", f"{command} && complete -p sklearn-gass"],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "sklearn-gass" in shown.stdout

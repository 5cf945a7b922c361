"""Every command of the guide runs, in its order, on short voices."""

import os
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from cli.commands import RATE
from cli.test_demo import cheap_demo  # noqa: F401
from sklearn_gass import load_audio, save_audio
from sklearn_gass.cli import _demo as demo
from sklearn_gass.cli import _plan as plan
from sklearn_gass.cli import _train_base as train_base
from sklearn_gass.cli import main
from sklearn_gass.cli._models import make_source_model
from sklearn_gass.cli._options import COMMANDS

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "command_line.rst").read_text(encoding="utf-8")


def commands():
    """Return the commands of this program on the page, each as a list of words."""
    blocks = re.findall(r"^\.\. code-block:: sh\n\n((?:    .*\n)+)", GUIDE, re.MULTILINE)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.split()[0] == "sklearn-gass"]


@pytest.fixture
def short_training(monkeypatch):
    """Train for a few steps wherever the command does not say how many."""

    def make_short(name, **parameters):
        return make_source_model(name, max_iter=2, **parameters)

    made = plan.SupervisedSeparator

    def separator(*arguments, **parameters):
        return made(*arguments, **parameters).set_params(start__max_iter=2, critic__max_iter=2)

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
    used = {words[0] for words in commands()}
    assert used == set(COMMANDS) - {"serve"}  # which does not end; the tests of the page run it
    assert {name for name in COMMANDS if f"\n``{name}``  " in GUIDE} == set(COMMANDS)


def test_every_command_runs(recordings, short_training, quick_picture, capsys):
    for words in commands():
        assert main(words) == 0, (words, capsys.readouterr())
    assert {path.name for path in Path("separated").iterdir()} >= {"demo", "mixture", "other", "concert"}
    assert Path("separated/concert/anna.flac").is_file()

"""Input that commands refuse in one sentence, without leaving anything."""

import os

import numpy as np
import pytest

from cli.commands import RATE, assert_fails, listing
from sklearn_gass import save_audio


def break_files(folder):
    (folder / "empty").mkdir()
    (folder / "garbage").mkdir()
    (folder / "garbage" / "x.wav").write_bytes(b"no sound at all" * 99)
    (folder / "silent").mkdir()
    save_audio(folder / "silent" / "x.wav", np.zeros(4000), RATE)
    (folder / "cut.wav").write_bytes((folder / "mix.wav").read_bytes()[:-100])
    (folder / "high" / "MIX.wav").write_bytes((folder / "mix.wav").read_bytes())
    os.mkfifo(folder / "pipe.wav")
    (folder / "out" / "mix").mkdir(parents=True)
    (folder / "out" / "mix" / "low.wav").write_bytes((folder / "low.wav").read_bytes())


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("separate mix.wav --train low=nowhere --train high=high", "The folder nowhere does not exist."),
        ("separate mix.wav --train low=empty --train high=high", "The folder empty holds no sound files (.3gp, "),
        (
            "separate mix.wav --train low=garbage --train high=high",
            "No file of 'low' can be read. Audio file garbage/x.wav is",
        ),
        (
            "separate mix.wav --train low=silent --train high=high",
            "All recordings of 'low' are silent.",
        ),
        ("separate mix.wav --train low=garbage/x.wav --train high=high", "Audio file garbage/x.wav is"),
        ("separate mix.wav --train a=low --train a=high", "needs two or more sources, but --train names only 'a'."),
        ("separate mix.wav --train a=low --train A=high", "The labels 'a' and 'A' would be the same name of a file."),
        ("separate mix.wav --train a=low --train b=. --train c=high", "would train both 'a' and 'b'."),
        ("separate pipe.wav --train a=low --train b=high", "The mixture pipe.wav is a pipe or device, which cannot be"),
        ("separate mix.wav --train a=low", "Separation needs two or more sources, but --train names only 'a'."),
        (
            "separate mix.wav --train a/b=low --train c=high",
            "The label 'a/b' cannot be the name of a file because of",
        ),
        ("separate mix.wav --train ..=low --train c=high", "The label '..' cannot be the name of a file."),
        ("separate mix.wav --train ...=low --train c=high", "The label '...' cannot be the name of a file."),
        ("separate mix.wav --train .b=low --train c=high", "The label '.b' cannot be the name of a file."),
        ("separate mix.wav --train b.=low --train c=high", "The label 'b.' cannot be the name of a file."),
        (f"separate mix.wav --train {'b' * 201}=low --train c=high", "is too long for the name of a file."),
        (
            "separate mix.wav --train NUL.x=low --train c=high",
            "cannot be the name of a file: to Windows it is",
        ),
        ("separate mix.wav --train mixture=low --train c=high", "The label 'mixture' is kept for the mixture itself."),
        ("separate nothing.wav --train a=low --train b=high", "The mixture nothing.wav does not exist."),
        ("separate low --train a=low --train b=high", "The mixture low is a folder."),
        ("separate cut.wav --train a=low --train b=high", "Audio file cut.wav is truncated"),
        ("separate mix.wav high/MIX.wav --train a=low --train b=high", "would both be written to "),
        ("separate mix.wav --train a=low --train b=high --output mix.wav", "Cannot write to the folder mix.wav: "),
        ("separate mix.wav --train a=low --train b=high --output mix.wav/x", "Cannot write to the folder mix.wav/x: "),
        ("separate mix.wav --train low=out --train b=high --output out", "would overwrite the input out/mix/low.wav"),
        ("evaluate --references a=low.wav b=high.wav --estimates a=low.wav c=high.wav", "must have the same labels"),
        ("evaluate --references a=low.wav --estimates a=low.wav", "--references names only 'a'."),
        ("evaluate --references a=low.wav a=high.wav --estimates a=low.wav", "'a' comes twice in --references."),
        ("evaluate --references a=low.wav b=no.wav --estimates a=low.wav b=low.wav", "no.wav does not exist."),
        ("evaluate --references a=low.wav b=cut.wav --estimates a=low.wav b=low.wav", "cut.wav is truncated"),
        (
            "evaluate --references a=low.wav b=high.wav --estimates a=silent/x.wav b=low.wav",
            "silent/x.wav is silent, and no ratio is defined for silence.",
        ),
        ("demo --data voices --output mix.wav/x", "Cannot write to the folder mix.wav/x: "),
    ],
)
def test_bad_input_gets_one_sentence_and_leaves_nothing(files, capsys, command, sentence):
    break_files(files)
    before = listing(files)
    out = assert_fails(command.split(), capsys, sentence.replace("/", os.sep) if "Cannot" in sentence else sentence)
    assert out == ""
    assert listing(files) == before

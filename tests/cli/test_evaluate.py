"""``sklearn-gass evaluate``."""

import json

import numpy as np
import pytest

from cli.commands import EVALUATE, RATE, assert_fails
from sklearn_gass import load_audio, save_audio
from sklearn_gass.cli import main
from sklearn_gass.metrics import bss_eval, si_sdr


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"rate": 16000}, "low.wav has 8000 Hz, but mix.wav has 16000 Hz: all files must have one sample rate."),
        ({"n_samples": 3999}, "low.wav has 4000 samples, but mix.wav has 3999: all files must be equally long."),
    ],
)
def test_evaluate_refuses_files_that_do_not_fit(files, capsys, change, sentence):
    wave, rate = load_audio("mix.wav")
    save_audio("mix.wav", wave[: change.get("n_samples")], change.get("rate", rate))
    assert_fails(EVALUATE, capsys, sentence)


def test_evaluate_prints_the_scores_of_the_library(files, capsys):
    assert main([*EVALUATE, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    references = np.stack([load_audio(f"{name}.wav")[0] for name in ("low", "high")])
    estimates = np.stack([load_audio(f"{name}.wav")[0] for name in ("mix", "high")])
    sdr, sir, sar = bss_eval(references, estimates)
    ratio = si_sdr(references, estimates)
    low = {"sdr": sdr[0], "sir": sir[0], "sar": sar[0], "si_sdr": ratio[0]}
    assert result["unit"] == "dB"
    assert list(result["sources"]) == ["low", "high"]
    assert result["sources"]["low"] == pytest.approx(low)
    assert result["sources"]["high"]["si_sdr"] is None, "the estimate is the reference: infinite"
    assert result["mean"]["sdr"] == pytest.approx(sdr.mean())


def test_evaluate_tells_the_gain_over_the_mixture(files, capsys):
    assert main([*EVALUATE, "--mixture", "mix.wav", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["sources"]["low"]
    gains = [row["sdr_gain"], row["sir_gain"], row["si_sdr_gain"]]
    assert gains == pytest.approx([0, 0, 0], abs=1e-9), "the estimate of low is the mixture itself"


def test_evaluate_prints_a_table(files, capsys):
    assert main([*EVALUATE, "--mixture", "mix.wav"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == "SDR SIR SAR SI-SDR SDR gain SIR gain SI-SDR gain".split()
    assert [row.split()[0] for row in rows] == ["low", "high", "mean"]
    assert rows[0].split()[-3:] == ["0.0", "0.0", "0.0"]
    assert len({len(line) for line in (head, *rows)}) == 1, "columns are aligned"


def test_one_file_for_two_references_is_refused(files, capsys):
    argv = "evaluate --references a=low.wav b=./low.wav --estimates a=low.wav b=mix.wav".split()
    assert_fails(argv, capsys, "The references low.wav and low.wav are the same sound.")
    save_audio("copy.flac", load_audio("low.wav")[0], RATE)
    argv = "evaluate --references a=low.wav b=high.wav c=copy.flac --estimates a=low.wav b=mix.wav c=mix.wav".split()
    assert_fails(argv, capsys, "The references low.wav and copy.flac are the same sound.")


def test_infinite_ratios_are_printed_like_huge_ones(files, capsys):
    """A perfect estimate has an infinite SI-SDR, and an SDR that rounding errors keep finite."""
    argv = "evaluate --references a=low.wav b=high.wav --estimates a=low.wav b=high.wav --mixture mix.wav".split()
    assert main(argv) == 0
    rows = [line.split()[1:] for line in capsys.readouterr().out.splitlines()[1:]]
    assert {cell for row in rows for cell in row} == {">99"}
    assert main([*argv, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sources"]["a"]["si_sdr"] is None


def test_labels_steer_no_terminal(files, capsys):
    argv = ["evaluate", "--references", "a\x1b[31m=low.wav", "b\nc=high.wav"]
    assert main([*argv, "--estimates", *argv[2:]]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows[1:]] == [r"a\x1b[31m", r"b\nc", "mean"]
    assert len({len(row) for row in rows}) == 1, "columns are aligned"
    assert main([*argv, "--estimates", *argv[2:], "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["sources"]) == ["a\x1b[31m", "b\nc"]


def test_channels_of_opposite_polarity_do_not_cancel(files, capsys):
    wave, _ = load_audio("low.wav")
    save_audio("low.wav", np.stack([wave, -wave]), RATE)
    assert main(EVALUATE) == 0
    said = "low.wav has 2 channels, which cancel each other out when averaged: the loudest one was taken.\n"
    assert capsys.readouterr().err == said

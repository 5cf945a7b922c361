"""``sklearn-gass evaluate``."""

import json

import numpy as np
import pytest
from commands import EVALUATE, assert_fails

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

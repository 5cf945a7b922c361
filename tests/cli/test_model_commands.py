"""``sklearn-gass info``, ``sample`` and ``search``, and completion of arguments."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from cli.commands import PNG_SIGNATURE, RATE, assert_fails, listing
from sklearn_gass import NMFSourceModel, describe_model, load_audio, load_model, save_model
from sklearn_gass.cli import main
from sklearn_gass.persistence import _models

SEARCH = (
    "search low=low high=high --model nmf --set source_model__n_components=3 --set source_model__max_iter=10".split()
)


# info


def test_info_tells_what_is_in_a_file(model, capsys):
    assert main(["info", model]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    facts = ("AudioSeparator", "8000 Hz", "NMFSourceModel", "licence: CC0", "scikit-learn", "bytes", "consistency   20")
    for words in facts:
        assert words in out
    assert [line.split()[0] for line in out.splitlines() if "NMFSourceModel" in line] == ["high", "low"]


def test_info_loads_no_arrays(model, capsys, monkeypatch):
    monkeypatch.setattr(_models, "read_arrays", None)
    assert main(["info", model]) == 0


def test_info_as_json_is_the_description(model, capsys):
    assert main(["info", model, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == describe_model(model)


@pytest.mark.parametrize(("card", "shown"), [("one\ntwo", ["  one", "  two"]), (["a", 1], ["  [", '    "a",'])])
def test_cards_of_any_form(files, capsys, card, shown):
    save_model(NMFSourceModel(2, max_iter=2).fit(np.ones((5, 4))), "m", card=card)
    assert main(["info", "m"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[lines.index("Card") + 1 :][: len(shown)] == shown


def test_a_card_steers_no_terminal(files, capsys):
    save_model(NMFSourceModel(2, max_iter=2).fit(np.ones((5, 4))), "m", card={"\x1b[31m": "\x1b[2J"})
    assert main(["info", "m"]) == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("mix.wav", "it is no model file"), ("nothing", "There is no model file"), ("low", "low is a folder")],
)
def test_info_refuses_other_files(files, capsys, name, sentence):
    assert_fails(["info", name], capsys, sentence)


# sample


def test_sample_writes_sound_and_a_picture(model, files, capsys):
    assert main(["sample", model, "--seconds", "0.5", "-o", "drawn"]) == 0
    names = ["high.wav", "low.wav", "spectrogram.png", "index.html"]
    assert capsys.readouterr().out.splitlines() == [os.path.join("drawn", name) for name in names]
    assert (files / "drawn" / "spectrogram.png").read_bytes().startswith(PNG_SIGNATURE)
    waves = [load_audio(f"drawn/{label}.wav") for label in ("high", "low")]
    assert {(wave.size, rate) for wave, rate in waves} == {(RATE // 2, RATE)}
    assert max(np.abs(wave).max() for wave, _ in waves) == pytest.approx(0.9, abs=1e-3)
    # each sounds like its source: the spectra of the two differ as those of the recordings do
    drawn, clean = [wave for wave, _ in waves], [load_audio(f"{label}.wav")[0] for label in ("high", "low")]
    spectra = [[np.abs(np.fft.rfft(wave)) ** 2 for wave in kind] for kind in (drawn, clean)]
    bands = np.log(np.add.reduceat(spectra, np.arange(0, 2000, 125), axis=-1))
    assert np.corrcoef(bands[0, 0] - bands[0, 1], bands[1, 0] - bands[1, 1])[0, 1] > 0.5


def test_sample_depends_on_the_seed_only_and_replaces_nothing(model, capsys, quick_picture):
    def drawn(*options):
        assert main(["sample", model, "--seconds", "0.1", "--overwrite", *options]) == 0
        return load_audio("samples/low.wav")[0]

    first = drawn()
    np.testing.assert_array_equal(drawn(), first)
    assert np.any(drawn("--seed", "1") != first)
    capsys.readouterr()
    assert_fails(["sample", model], capsys, "Results exist, samples/high.wav")


def test_sample_of_a_source_model_needs_a_rate(files, capsys):
    rng = np.random.default_rng(0)
    save_model(NMFSourceModel(2, max_iter=5).fit(rng.random((20, 65))), "m")
    assert_fails(["sample", "m"], capsys, "whose sample rate is not known: give --sample-rate.")
    assert main(["sample", "m", "--sample-rate", "8000", "--seconds", "0.2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert list(result["sources"]) == ["sample"]
    assert load_audio(result["sources"]["sample"])[1] == 8000


def test_sample_refuses_another_rate(model, capsys):
    assert_fails(["sample", model, "--sample-rate", "44100"], capsys, "holds a model of 8000 Hz")


# search


def test_search_prints_candidates_and_keeps_the_best(files, capsys):
    argv = [*SEARCH, "--mask-exponents", "1", "2", "3", "--folds", "2", "-o", "best.safetensors"]
    assert main(argv) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == "model critic weight mask exponent si_sdr in dB std".split()
    rows = [line.split() for line in lines[1:4]]
    assert [row[0] for row in rows] == ["1.", "2.", "3."]
    scores = [float(row[4]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    exponent = rows[0][3]
    assert lines[-2:] == [f"Best: nmf, critic weight 0, mask exponent {exponent}.", "best.safetensors"]
    assert err.startswith("Searching on low (2 files, 1 s), high (2 files, 1 s).")
    assert load_model("best.safetensors").separator_.mask_exponent == float(exponent)
    assert "mask exponent" in describe_model("best.safetensors")["card"]["chosen by search"]
    assert main(["separate", "best.safetensors", "mix.wav", "--no-report"]) == 0


def test_search_compares_models(files, capsys):
    cheap = "--model nmf vae --set source_model__max_iter=1 --set start__max_iter=1 --set critic__max_iter=1".split()
    argv = [*SEARCH[:3], *cheap, "--critic-weights", "0", "2", "--mask-exponents", "2", "--folds", "2", "--json"]
    before = listing(files)
    assert main(argv) == 0
    result = json.loads(capsys.readouterr().out)
    assert sorted((row["model"], row["critic_weight"]) for row in result["candidates"]) == [
        ("nmf", 0.0),
        ("vae", 0.0),
        ("vae", 2.0),
    ]
    assert (result["model"], result["n_folds"]) == (None, 2)
    assert listing(files) == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--folds 5", "Training: "),
        ("--model low=vae", "search compares source models for all sources"),
        ("--set magic=1", "there is no parameter 'magic'"),
        ("-o mix.wav", "The model file mix.wav exists"),
    ],
)
def test_search_refuses(files, capsys, arguments, sentence):
    before = listing(files)
    notices = "Searching on low (2 files, 1 s), high (2 files, 1 s).\n" if "folds" in arguments else ""
    assert_fails([*SEARCH, *arguments.split()], capsys, sentence, notices=notices)
    assert listing(files) == before


# completion


def test_shells_are_told_what_may_follow(tmp_path):
    pytest.importorskip("argcomplete")
    line = "sklearn-gass train --model v"
    request = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "|", "COMP_LINE": line, "COMP_POINT": str(len(line))}
    command = ["bash", "-c", '"$0" -m sklearn_gass 8>answer 9>/dev/null', sys.executable]
    subprocess.run(command, env=os.environ | request, cwd=tmp_path, check=True)
    assert (tmp_path / "answer").read_text().strip() == "vae"

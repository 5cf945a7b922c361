"""``sklearn-gass demo``."""

import json
import os

import numpy as np
import pytest
from test_display import assert_self_contained

from cli.commands import PNG_SIGNATURE, RATE, assert_fails, listing
from sklearn_gass import NMFSourceModel, SupervisedSeparator, load_audio
from sklearn_gass.cli import _demo as demo
from sklearn_gass.cli import main
from sklearn_gass.datasets import make_voices

TIMIT = os.environ.get("SKLEARN_GASS_DATA", "")


@pytest.fixture
def cheap_demo(tmp_path, monkeypatch):
    """A demo of two cheap models on short voices, in a folder of its own and without any TIMIT sample."""

    def make_short_voices(n_voices, random_state):
        return make_voices(n_voices, n_utterances=3, duration=0.5, sample_rate=RATE, random_state=random_state)

    def cheap_models(seed):
        model = NMFSourceModel(n_components=4, max_iter=20)
        return {
            "NMF": SupervisedSeparator(model, random_state=seed),
            "other NMF": SupervisedSeparator(model, mask_exponent=1),
        }

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "demo_models", cheap_models)
    monkeypatch.setattr(demo, "make_voices", make_short_voices)
    monkeypatch.delenv("SKLEARN_GASS_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "data"))
    return tmp_path


def scores_in(out):
    """Return the rows of the printed table."""
    lines = out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.split() == ["SDR", "SIR", "SAR"])
    rows = [line.rsplit(maxsplit=3) for line in lines[start + 1 : lines.index("", start)]]
    return {name: [float(cell.lstrip(">")) for cell in cells] for name, *cells in rows}


def test_demo_scores_models_side_by_side_and_writes_all(cheap_demo, capsys):
    assert main(["demo", "--data", "voices"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "Speech: synthetic voices; voice1 (female) and voice0 (male), 2 utterances each to train on" in out
    scores = scores_in(out)
    assert list(scores) == ["mixture", "NMF", "other NMF", "ideal ratio mask"]
    assert scores["mixture"][0] < scores["NMF"][0] < scores["ideal ratio mask"][0]
    assert scores["mixture"][1] < scores["NMF"][1] < scores["ideal ratio mask"][1]

    folder = cheap_demo / "separated" / "demo"
    wave_names = ["mixture", *(f"voice{i}-{kind}" for kind in ("true", "nmf", "other-nmf") for i in (1, 0))]
    names = [*(f"{name}.wav" for name in wave_names), "spectrogram.png", "index.html"]
    assert listing(folder) == sorted(names)
    assert [line.strip() for line in out.splitlines()[-len(names) :]] == [
        os.path.join("separated", "demo", name) for name in names
    ]
    waves = {name: load_audio(folder / f"{name}.wav")[0] for name in wave_names}
    assert {wave.shape for wave in waves.values()} == {(RATE // 2,)}
    assert max(np.abs(wave).max() for wave in waves.values()) == pytest.approx(0.9, abs=1e-3)
    for kind in ("true", "nmf", "other-nmf"):
        np.testing.assert_allclose(waves[f"voice0-{kind}"] + waves[f"voice1-{kind}"], waves["mixture"], atol=2 / 32768)
    assert (folder / "spectrogram.png").read_bytes().startswith(PNG_SIGNATURE)
    page = assert_self_contained((folder / "index.html").read_text(encoding="utf-8"))
    assert len(page.all("audio")) == len(wave_names)
    assert "ideal ratio mask" in page.texts


def test_demo_says_why_the_voices_are_synthetic(cheap_demo, capsys, quick_picture):
    assert main(["demo", "--no-download"]) == 0
    out = capsys.readouterr().out
    assert "Why not real speech: the TIMIT sample is not on this machine, and --no-download was given." in out


def test_demo_as_json(cheap_demo, capsys, quick_picture):
    assert main(["demo", "--data", "voices", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert list(result["scores"]) == ["mixture", "NMF", "other NMF", "ideal ratio mask"]
    assert set(result["training_seconds"]) == {"NMF", "other NMF"}
    assert all(os.path.isfile(path) for path in result["files"])


def test_demo_says_that_the_download_failed(cheap_demo, capsys, monkeypatch, quick_picture):
    def fail(**options):
        assert options["download_if_missing"]
        raise OSError("Could not download it: no network")

    monkeypatch.setattr(demo, "fetch_timit_sample", fail)
    assert main(["demo"]) == 0
    reason = "Why not real speech: the TIMIT sample cannot be had. Could not download it: no network"
    assert reason in capsys.readouterr().out.splitlines()


def test_demo_without_the_speech_asked_for(cheap_demo, capsys):
    before = listing(cheap_demo)
    out = assert_fails(["demo", "--data", "timit", "--no-download"], capsys, "The TIMIT sample is not on this machine")
    assert out == ""
    assert [name for name in listing(cheap_demo) if name != "data"] == before, "scikit-learn makes its data folder"


@pytest.mark.skipif(not TIMIT, reason="SKLEARN_GASS_DATA names no folder with the TIMIT sample")
def test_demo_on_real_speech(cheap_demo, capsys, monkeypatch):
    monkeypatch.setenv("SKLEARN_GASS_DATA", TIMIT)
    assert main(["demo", "--output", "here"]) == 0
    out = capsys.readouterr().out
    assert "Speech: real, TIMIT sample; faem0 (female) and madc0 (male), 9 utterances each to train on" in out
    scores = scores_in(out)
    assert scores["mixture"][0] + 2 < scores["NMF"][0] < scores["ideal ratio mask"][0]
    page = assert_self_contained((cheap_demo / "here" / "index.html").read_text(encoding="utf-8"))
    assert any("Linguistic Data Consortium" in text for text in page.texts)

"""The code of the guide runs."""

import importlib
import re
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import SkipTestWarning

from sklearn_gass import base_models, save_audio
from sklearn_gass.datasets import make_voices
from sklearn_gass.metrics import si_sdr

GUIDE = Path(__file__).parents[1] / "docs" / "guide"


def code_blocks(page):
    """Return the Python code of a page in one piece."""
    text = (GUIDE / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^\.\. (?:code-block:: python|run::)\n\n((?:    .*\n|\n)+)", text, re.MULTILINE)
    return "\n".join(map(textwrap.dedent, blocks))


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """What the page on extending defines and makes, as the module of a user."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "extending_page.py").write_text(code_blocks("extending.rst"), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)  # of the check that needs SCIPY_ARRAY_API
        patch.syspath_prepend(str(folder))
        yield vars(importlib.import_module("extending_page"))


def test_a_source_model_of_one_s_own_separates(extended):
    references, mixture = extended["references"], extended["mixture"]
    separated = si_sdr(references, np.asarray(extended["audio"].separate(mixture))).mean()
    assert separated > si_sdr(references, np.stack([mixture] * 2)).mean() + 1


def test_a_start_a_critic_and_a_mask_of_one_s_own_take_part(extended):
    voices, mixture = extended["voices"], extended["mixture"]
    np.testing.assert_allclose(voices.sources.sum(0), mixture, atol=1e-4)
    assert not np.allclose(voices.sources, extended["audio"].separate(mixture).sources, atol=1e-2)


def test_models_are_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page: dict = {}
    exec(code_blocks("keeping.rst"), page)
    assert page["separation"].labels.tolist() == page["audio"].classes_.tolist()
    assert page["description"]["card"]["licence"] == "CC0"


def test_a_voice_comes_out_of_an_unknown_background():
    page: dict = {}
    exec(code_blocks("background.rst"), page)
    reference, mixture = page["references"][:1], page["mixture"]
    before = si_sdr(reference, mixture[None])[0]
    for audio in (page["audio"], page["again"]):
        assert si_sdr(reference, audio.separate(mixture)["anna"][None])[0] > before + 5
    unheard = si_sdr(reference, page["separation"]["anna"][None])[0]
    assert si_sdr(reference, page["better"]["anna"][None])[0] > unheard


def test_getting_started_separates_and_saves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page: dict = {}
    exec(code_blocks("getting_started.rst"), page)
    before = si_sdr(page["true_voices"], [page["mixture"]] * 2)
    assert (si_sdr(page["true_voices"], page["voices"].sources) > before + 3).all()
    assert sorted(path.name for path in Path("separated").iterdir()) == ["voice0.wav", "voice1.wav"]


@pytest.mark.parametrize("page", ["choosing.rst", "tuning.rst", "../index.rst"])
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(code_blocks(page), {})


def test_a_base_is_trained_and_begun_at(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    steps = {"source_model": 1, "start": 1, "critic": 1}
    monkeypatch.setattr(base_models, "BASE_PARAMS", {f"{part}__max_iter": n for part, n in steps.items()})
    monkeypatch.setattr(base_models, "SHORT", {part: {"max_iter": n} for part, n in steps.items()})
    made = make_voices(4, n_utterances=1, duration=0.5, random_state=0)
    page = {"utterances": made.utterances[:2], "voices": made.speakers[:2]}
    page |= {"own_utterances": made.utterances[2:], "own_voices": made.speakers[2:], "X": np.ones((3, 513))}
    exec(code_blocks("base_models.rst"), page)
    for part in (page["model"], page["audio"].separator_.start_, page["audio"].separator_.critic_):
        assert part.distance_from_base_ > 0
    assert page["grid"]["source_model__base"][1].estimator is page["other_model"]


def test_recordings_are_read_by_the_folders_of_their_sources(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("anna", "ben"):
        folder = tmp_path / "recordings" / name
        folder.mkdir(parents=True)
        save_audio(folder / "monday.wav", np.sin(np.arange(4000)), 8000)
    page: dict = {}
    exec(code_blocks("recordings.rst"), page)
    assert page["y"] == ["anna", "ben"]
    assert [len(wave) for wave in page["X"]] == [8000, 8000], "at the rate that was asked for"


def test_parameters_of_a_critic_of_one_s_own_nest(extended):
    assert extended["separator"].critic.threshold == 0.2

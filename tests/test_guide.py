"""The code of the guide, of the start page and of README runs, all of it."""

import importlib
import re
import subprocess
import warnings
from contextlib import contextmanager
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from pages import PAGES, ROOT, blocks, blocks_without_language, commands_of, languages, python_of, text_of
from sklearn.exceptions import SkipTestWarning

from sklearn_gass import STFT, AudioSeparator, NMFSourceModel, SupervisedSeparator, base_models, datasets, save_audio
from sklearn_gass.datasets import make_voices
from sklearn_gass.metrics import si_sdr
from sklearn_gass.separation import _reuse

# Commands of the pages that no test runs, by their beginnings, and why. Commands of the program itself are run by
# cli/test_guide.py.
NOT_RUN = {
    "python3 -m venv .venv": "`.ci/run` makes environments, by the commands of README",
    ". .venv/bin/activate": "it is the second part of that command",
    "pip install ": "it needs a network; `.ci/run` installs the extras",
    "sklearn-gass serve": "it does not end; tests/browser runs it",
    "CUDA_VISIBLE_DEVICES=": "it needs a cluster with GPUs",
    "python benchmarks/robustness/": "they take half an hour",
    "for target in ": "it is a loop over one of these",
    "done": "it is the end of this loop",
}


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """What the page on extending defines and makes, as the module of a user."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "extending_page.py").write_text(python_of("docs/guide/extending.rst"), encoding="utf-8")
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
    Path("mixtures").mkdir()
    save_audio("mixtures/first call.wav", np.sin(np.arange(16000)), 16000)
    page: dict = {}
    exec(python_of("docs/guide/keeping.rst"), page)
    assert len(list(Path("separated/first call").iterdir())) == 2
    assert page["separation"].labels.tolist() == page["audio"].classes_.tolist()
    assert page["description"]["card"]["licence"] == "CC0"


def test_a_voice_comes_out_of_an_unknown_background():
    page: dict = {}
    exec(python_of("docs/guide/background.rst"), page)
    reference, mixture = page["references"][:1], page["mixture"]
    before = si_sdr(reference, mixture[None])[0]
    for audio in (page["audio"], page["again"]):
        assert si_sdr(reference, audio.separate(mixture)["anna"][None])[0] > before + 5
    unheard = si_sdr(reference, page["separation"]["anna"][None])[0]
    assert si_sdr(reference, page["better"]["anna"][None])[0] > unheard


def test_getting_started_separates_and_saves(tmp_path, monkeypatch, quick_defaults):
    monkeypatch.chdir(tmp_path)
    page: dict = {}
    exec(python_of("docs/guide/getting_started.rst"), page)
    before = si_sdr(page["true_voices"], [page["mixture"]] * 2)
    assert (si_sdr(page["true_voices"], page["voices"].sources) > before + 3).all()
    assert sorted(path.name for path in Path("separated").iterdir()) == ["voice0.wav", "voice1.wav"]


@pytest.mark.parametrize("page", ["docs/guide/choosing.rst", "docs/guide/sequences.rst", "docs/index.rst"])
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(python_of(page), {})


def test_a_base_is_trained_and_begun_at(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    steps = {"source_model": 1, "start": 1, "critic": 1}
    monkeypatch.setattr(base_models, "BASE_PARAMS", {f"{part}__max_iter": n for part, n in steps.items()})
    monkeypatch.setattr(base_models, "SHORT", {part: {"max_iter": n} for part, n in steps.items()})
    made = make_voices(4, n_utterances=1, duration=0.5, random_state=0)
    page = {"utterances": made.utterances[:2], "voices": made.speakers[:2]}
    page |= {"own_utterances": made.utterances[2:], "own_voices": made.speakers[2:], "X": np.ones((3, 513))}
    exec(python_of("docs/guide/base_models.rst"), page)
    for part in (page["model"], page["audio"].separator_.start_, page["audio"].separator_.critic_):
        assert part.distance_from_base_ > 0
    assert page["grid"]["source_model__base"][1].estimator is page["other_model"]


@pytest.fixture
def given(short_voices, tmp_path, monkeypatch, quick_defaults):
    """What pages take for granted: data of the reader. Models train for a few steps."""
    monkeypatch.chdir(tmp_path)
    utterances, speakers = short_voices.utterances, np.repeat(["anna", "ben"], 3)
    n_samples = min(map(len, utterances))
    parts = [STFT().analyze(wave)[0].astype(np.float64) for wave in utterances]
    rows = [len(part) for part in parts]
    yield {
        "__name__": "__main__",
        "utterances": utterances,
        "speakers": speakers,
        "mixture": utterances[0][:n_samples] + utterances[3][:n_samples],
        "frames": np.concatenate(parts),
        "speaker_of_frame": np.repeat(speakers, rows),
        "utterance_of_frame": np.repeat(np.arange(len(rows)), rows),
    }
    plt.close("all")


def test_separating_waveforms_and_frames(given, monkeypatch):
    monkeypatch.setattr(_reuse, "SHORT", {"start": {"max_iter": 2}, "critic": {"max_iter": 2}})
    given |= {"X": given["frames"], "y": given["speaker_of_frame"], "X_mixture": given["frames"][:20]}
    given["carlas"] = [wave[::-1] for wave in given["utterances"][:2]]
    exec(python_of("docs/guide/separating.rst"), given)
    assert given["three"].separate(given["mixture"]).labels.tolist() == ["anna", "ben", "carla"]
    assert given["two"].separate(given["mixture"]).labels.tolist() == ["anna", "carla"]
    assert len(list(Path("separated").iterdir())) == 2
    np.testing.assert_allclose(given["X_mixture"], given["frames"][:20])
    assert given["masks"].shape == (2, 20, 513)


def test_tuning_by_every_search(given, monkeypatch):
    optuna = pytest.importorskip("optuna")
    optuna.logging.disable_default_handler()
    optimize = optuna.study.Study.optimize
    monkeypatch.setattr(optuna.study.Study, "optimize", lambda study, goal, n_trials: optimize(study, goal, 2))
    exec(python_of("docs/guide/tuning.rst"), given)
    assert len(given["study"].trials) == 2
    assert {"mean_test_sar", "mean_test_si_sdr_improvement"} <= set(given["search"].cv_results_)


def test_methods_parts_have_parameters(given):
    exec(python_of("docs/guide/method.rst"), given)
    assert given["separator"].start.max_iter == 6000 and given["separator"].critic.hidden_layer_sizes == (512, 512)


def test_sources_are_written_as_they_come(given):
    audio = AudioSeparator(SupervisedSeparator(NMFSourceModel(3, max_iter=3), max_iter=3))
    given["audio"] = audio.fit(given["utterances"], given["speakers"])
    exec(python_of("docs/guide/performance.rst"), given)
    assert Path("voices.wav").stat().st_size > 2 * 2 * len(given["mixture"])


def test_training_goes_on_and_tells_how_far_it_is(given, capsys):
    exec(python_of("docs/guide/trust.rst"), given)
    assert Path("training.safetensors").is_file()
    assert "100%" in capsys.readouterr().out


def test_recordings_come_from_folders_and_from_a_corpus(given, short_voices, monkeypatch):
    monkeypatch.setattr(datasets, "fetch_timit_sample", lambda: short_voices)
    for name in ("anna", "ben"):
        (Path("recordings") / name).mkdir(parents=True)
        save_audio(f"recordings/{name}/monday.wav", np.sin(np.arange(4000)), 8000)
    exec(python_of("docs/guide/recordings.rst"), given)
    assert given["y"] == ["anna", "ben"]
    assert [len(wave) for wave in given["X"]] == [8000, 8000], "at the rate that was asked for"
    assert set(given["voices"].labels) == set(short_voices.speakers)


def test_many_pairs_on_a_cluster(given, monkeypatch):
    distributed = pytest.importorskip("distributed")
    dask_client = pytest.importorskip("dask.distributed")

    @contextmanager
    def local_client(address):
        """Stand in for the client of a scheduler elsewhere."""
        options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
        with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
            yield client

    monkeypatch.setattr(dask_client, "Client", local_client)
    given["X"], given["y"] = given["utterances"], given["speakers"]
    given["audio"] = AudioSeparator(SupervisedSeparator(NMFSourceModel(3, max_iter=3), max_iter=3, random_state=0))
    given["grid"] = {"separator__mask_exponent": [1, 2]}
    given["RESULTS"], given["CACHE"], given["pairs"] = Path.cwd(), None, [tuple(sorted(set(given["speakers"])))]
    voices, names, mixture = given["utterances"], given["speakers"], given["mixture"]
    references = np.stack([voices[0][: len(mixture)], voices[3][: len(mixture)]])
    given["read_pair"] = lambda first, second: (voices, names, mixture, references)
    exec(python_of("docs/guide/scale_out.rst"), given)
    assert len(list(Path.cwd().glob("*.json"))) == 1
    assert given["separator"].device == "cuda"


def test_every_block_of_code_is_run_by_a_test():
    here = Path(__file__).read_text(encoding="utf-8")
    readme = Path(__file__).with_name("test_readme.py").read_text(encoding="utf-8")
    for page in PAGES:
        assert blocks_without_language(page) == [], page
        assert languages(page) <= {"python", "sh"}, page
        if blocks(page, "python"):
            assert page in here or page in readme, f"no test runs {page}"


def test_commands_that_no_test_runs_are_few_and_listed():
    commands = [command for page in PAGES for command in commands_of(page)]
    run_elsewhere = ("sklearn-gass ", "eval ")
    for command in commands:
        assert command.startswith((*NOT_RUN, *run_elsewhere)), command
    for beginning in NOT_RUN:
        assert any(command.startswith(beginning) for command in commands), f"nothing begins with {beginning}"


@pytest.mark.parametrize("page", PAGES)
def test_commands_are_shell_and_name_files_and_extras_that_exist(page):
    for block in blocks(page, "sh"):
        subprocess.run(["bash", "-n", "-c", block], check=True)
    extras = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("[project.optional-dependencies]")[2]
    for command in commands_of(page):
        for name in re.findall(r"pip install .*?\[(\w+)\]", command):
            assert re.search(rf"^{name} = \[", extras, re.MULTILINE), command
    scripts = re.findall(r"\bpython ((?:benchmarks|docs|tests)/\S+?\.py)", text_of(page))
    assert [script for script in scripts if not (ROOT / script).is_file()] == []


def test_the_guide_installs_as_readme_does():
    demo = next(command for command in commands_of("README.md") if command.endswith("sklearn-gass demo"))
    assert demo.removesuffix(" && sklearn-gass demo") == " && ".join(commands_of("docs/guide/getting_started.rst"))


def test_parameters_of_a_critic_of_one_s_own_nest(extended):
    assert extended["separator"].critic.threshold == 0.2

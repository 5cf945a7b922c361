"""``sklearn-gass train-base`` and ``train --base``."""

import json
import os
import shutil

import pytest

from cli.commands import RATE, assert_fails, listing
from sklearn_gass import describe_model, load_model, save_audio
from sklearn_gass.base_models import POOLS, SHORT
from sklearn_gass.cli import main
from sklearn_gass.datasets import make_voices

CHEAP = "--set start__max_iter=2 --set critic__max_iter=2 --set source_model__max_iter=2".split()
SMALL = ["--set", "source_model__hidden_layer_sizes=(8,)"]
TRAIN = "train low=low high=high -o m.safetensors".split()


@pytest.fixture(scope="module")
def base_file(tmp_path_factory):
    """A base of three voices, not to be changed."""
    folder = tmp_path_factory.mktemp("base")
    voices = make_voices(3, n_utterances=1, duration=0.5, sample_rate=RATE, random_state=1)
    for wave, speaker in zip(voices.utterances, voices.speakers, strict=True):
        (folder / "voices" / speaker).mkdir(parents=True)
        save_audio(folder / "voices" / speaker / "1.wav", wave, RATE)
    argv = ["train-base", str(folder / "voices"), "-o", str(folder / "base.safetensors"), "--card", "licence=CC0"]
    assert main([*argv, *CHEAP, *SMALL]) == 0
    return folder / "base.safetensors"


@pytest.fixture
def base(files, base_file):
    """The base and the voices that it was trained on, beside the training folders."""
    shutil.copytree(base_file.parent / "voices", "voices")
    shutil.copy(base_file, "base.safetensors")
    return "base.safetensors"


def test_a_base_is_written(base_file):
    description = describe_model(base_file)
    assert (description["class"], description["sample_rate"]) == ("AudioSeparator", RATE)
    assert [source["label"] for source in description["sources"]] == list(POOLS)
    trained_on = "voice0 (1 file, 0 s), voice1 (1 file, 0 s), voice2 (1 file, 0 s)"
    assert description["card"] == {"base trained on": trained_on, "licence": "CC0"}


def test_speeds_are_those_of_python(base, base_file):
    argv = ["train-base", "voices", "--sample-rate", str(RATE), *CHEAP, *SMALL, "-o"]
    for name, speeds in (("default", ["--speeds", "0.9", "1.1"]), ("none", ["--speeds"])):
        assert main([*argv, f"{name}.safetensors", *speeds]) == 0
    distances = [distance(load_model(base_file), load_model(f"{name}.safetensors")) for name in ("default", "none")]
    assert distances[0] == 0 < distances[1]


@pytest.mark.parametrize("speed", ["0", "2.5", "fast"])
def test_what_is_no_speed_gets_one_sentence(capsys, speed):
    with pytest.raises(SystemExit):
        main(["train-base", "voices", "-o", "b.safetensors", "--speeds", speed])
    assert f"'{speed}' is not a number from 0.5 to 2" in capsys.readouterr().err


def distance(*bases):
    """Return how far the weights of the source models of two bases are apart."""
    first, second = (base.separator_.source_models_[0].estimator.weights_ for base in bases)
    return max(abs(first[name] - second[name]).max() for name in first)


def test_training_begins_at_it(base, capsys):
    assert main([*TRAIN, "--base", base, *CHEAP, *SMALL]) == 0
    separator = load_model("m.safetensors").separator_
    for part in (*separator.source_models_, separator.start_, separator.critic_):
        assert 0 < part.distance_from_base_ < 0.5
    assert describe_model("m.safetensors")["card"]["begun at"] == "base.safetensors"


def test_training_is_shorter_unless_it_is_set(base):
    assert main([*TRAIN, "--base", base, "--set", "start__max_iter=3", "--set", "critic__max_iter=3"]) == 0
    separator = load_model("m.safetensors").separator_
    assert separator.source_models_[0].max_iter == SHORT["source_model"]["max_iter"]
    assert (separator.start_.max_iter, separator.critic_.max_iter) == (3, 3)


def test_a_background_beside_it(base):
    argv = "train low=low -o m.safetensors --background 3 --base".split()
    assert main([*argv, base, "--set", "source_model__max_iter=2"]) == 0
    assert load_model("m.safetensors").separator_.source_models_[1].distance_from_base_ > 0


def test_one_model_of_another_class(base):
    assert main([*TRAIN, "--base", base, "--model", "low=nmf", *CHEAP[:4], "--set", "high__max_iter=2"]) == 0
    high, low = load_model("m.safetensors").separator_.source_models_
    assert high.distance_from_base_ > 0 and type(low).__name__ == "NMFSourceModel"


def test_any_model_file_of_networks_is_a_base(base):
    assert main([*TRAIN, "--base", base, *CHEAP]) == 0
    again = "train low=low high=high -o n.safetensors --base m.safetensors".split()
    assert main([*again, *CHEAP]) == 0


def test_json_for_programs(base, capsys):
    assert main(["train-base", "voices", "-o", "b.safetensors", "--json", *CHEAP, *SMALL]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["n_files"] == {"voice0": 1, "voice1": 1, "voice2": 1}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--base nowhere", "no model file"),
        ("--base low", "low is a folder, not a model file."),
        ("--base low.wav", "Cannot load model low.wav"),
        ("--base voices.safetensors", "NMFSourceModel cannot be a base: it has no networks"),
        ("--base base.safetensors --model nmf", "The base has a VAESourceModel, but --model names nmf: leave --model"),
        (
            "--base base.safetensors --sample-rate 16000",
            "The base was trained at 8000 Hz, but the recordings have 16000",
        ),
        (
            "--base base.safetensors --set source_model__n_components=3",
            "Training: The base of this VAESourceModel has n_components 64, but 3 is asked for: both must be the same.",
        ),
    ],
)
def test_what_is_no_base_for_it_gets_one_sentence(files, base, model, capsys, arguments, sentence):
    before = listing(files)
    notices = "Training on low (2 files, 1 s), high (2 files, 1 s).\n" if sentence.startswith("Training") else ""
    assert_fails([*TRAIN, *arguments.split()], capsys, sentence, notices=notices)
    assert listing(files) == before


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("nowhere", "The folder nowhere does not exist."),
        ("low.wav", "low.wav is no folder"),
        ("low/day 1", "The folder low/day 1 has no folder for each of two voices or more"),
    ],
)
def test_what_is_no_folder_of_voices_gets_one_sentence(files, capsys, folder, sentence):
    assert_fails(["train-base", folder, "-o", "b.safetensors"], capsys, sentence)


def test_only_networks_make_a_base(files, capsys):
    with pytest.raises(SystemExit):
        main("train-base voices -o b.safetensors --model nmf".split())
    assert "invalid choice: 'nmf'" in capsys.readouterr().err


def test_a_voice_without_recordings_is_an_error(base, capsys):
    os.mkdir("voices/empty")
    assert_fails(
        ["train-base", "voices", "-o", "b.safetensors"], capsys, "The folder voices/empty holds no sound files"
    )


def test_hidden_folders_are_no_voices(base):
    for name in (".hidden", "@eaDir"):
        shutil.copytree("voices/voice0", f"voices/{name}")
    assert main(["train-base", "voices", "-o", "b.safetensors", *CHEAP, *SMALL]) == 0

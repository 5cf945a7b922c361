"""``sklearn-gass train``: what it writes, what may be set, and what it refuses."""

import json
import os
import shutil

import numpy as np
import pytest

from cli.commands import RATE, TRAIN, TRAINED, assert_fails, listing
from sklearn_gass import AudioSeparator, VAESourceModel, describe_model, load_audio, load_model, save_audio
from sklearn_gass.cli import _train as train
from sklearn_gass.cli import main

CHEAP = "--set start__max_iter=2 --set critic__max_iter=2".split()


def test_a_model_file_is_written(files, capsys):
    assert main([*TRAIN, "-o", "models/voices.safetensors", "--card", "licence=CC0"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == (os.path.join("models", "voices.safetensors") + "\n", TRAINED)
    assert listing(files / "models") == ["voices.safetensors"]
    description = describe_model("models/voices.safetensors")
    assert (description["class"], description["sample_rate"]) == ("AudioSeparator", RATE)
    assert {source["label"]: source["model"] for source in description["sources"]} == {
        "high": "NMFSourceModel",
        "low": "NMFSourceModel",
    }
    assert description["card"] == {"trained on": "low (2 files, 1 s), high (2 files, 1 s)", "licence": "CC0"}


def test_it_is_what_separate_would_train(files, quick_picture):
    """One model for both ways: training apart changes no sample."""
    assert main([*TRAIN, "-o", "voices.safetensors", "--seed", "3"]) == 0
    assert main(["separate", "voices.safetensors", "mix.wav", "-o", "apart"]) == 0
    once = "separate mix.wav --train low=low --train high=high --model nmf --n-components 3 --seed 3 -o once"
    assert main(once.split()) == 0
    for label in ("low", "high"):
        waves = [load_audio(f"{folder}/mix/{label}.wav")[0] for folder in ("apart", "once")]
        np.testing.assert_array_equal(*waves)


def test_sources_may_stand_anywhere(files):
    argv = "train low=low --model nmf high=high -o m.safetensors low=low.wav --quiet --set max_iter=5".split()
    assert main(argv) == 0
    assert describe_model("m.safetensors")["card"]["trained on"] == "low (3 files, 2 s), high (2 files, 1 s)"


def test_parameters_of_all_parts_can_be_set(files):
    settings = {
        "source_model__hidden_layer_sizes": "(8,)",
        "source_model__max_iter": "2",
        "critic": "source",
        "start__max_iter": "3",
        "mask_exponent": "inf",
        "consistency": "5",
        "critic_weight": "0.5",
        "beta_loss": "kullback-leibler",
        "stft__n_fft": "128",
        "stft__hop_length": "None",
    }
    argv = [f"--set={name}={value}" for name, value in settings.items()]
    assert main(["train", "low=low", "high=high", "-o", "m.safetensors", "--model", "wgan", *argv]) == 0
    audio = load_model("m.safetensors")
    separator = audio.separator_
    assert separator.source_model.hidden_layer_sizes == (8,)
    assert (separator.start.max_iter, separator.critic, separator.mask_exponent) == (3, "source", np.inf)
    assert (separator.critic_weight, separator.beta_loss) == (0.5, "kullback-leibler")
    assert (audio.stft_.n_fft, audio.stft_.hop_length, audio.consistency) == (128, None, 5)


def test_a_preset_sets_the_length_of_training_unless_that_is_set(files):
    argv = "train low=low high=high -o m.safetensors --preset fast --set source_model__max_iter=1".split()
    assert main([*argv, "--set", "start__max_iter=3"]) == 0
    separator = load_model("m.safetensors").separator_
    assert (separator.source_model.max_iter, separator.start.max_iter, separator.critic) == (1, 3, None)


def test_a_preset_is_not_for_a_base(files, capsys):
    argv = "train low=low high=high -o m.safetensors --preset fast --base none.safetensors".split()
    assert_fails(argv, capsys, "--preset and --base")


def test_each_source_may_have_a_model_of_its_own(files):
    models = "--model low=vae high=nmf --set low__max_iter=1 --set high__n_components=2".split()
    assert main(["train", "low=low", "high=high", "-o", "m.safetensors", *models, *CHEAP]) == 0
    high, low = load_model("m.safetensors").separator_.source_models_
    assert isinstance(low, VAESourceModel) and low.max_iter == 1
    assert high.n_components == 2


def test_a_model_for_all_but_one(files):
    models = "--model nmf low=vae --set low__max_iter=1".split()
    assert main(["train", "low=low", "high=high", "-o", "m.safetensors", *models, *CHEAP]) == 0
    kinds = {source["label"]: source["model"] for source in describe_model("m.safetensors")["sources"]}
    assert kinds == {"low": "VAESourceModel", "high": "NMFSourceModel"}


def test_json_for_programs(files, capsys):
    (files / "low" / "bad.wav").write_bytes(b"no sound")
    assert main([*TRAIN, "-o", "m.safetensors", "--json"]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert (result["model"], result["n_files"]) == ("m.safetensors", {"low": 2, "high": 2})
    assert [skipped["path"] for skipped in result["skipped"]] == [os.path.join("low", "bad.wav")]
    assert err.startswith("Training on")


def test_damaged_files_are_skipped_unless_strict(files, capsys):
    (files / "low" / "bad.wav").write_bytes(b"no sound")
    assert main([*TRAIN, "-o", "m.safetensors"]) == 0
    assert "Skipped 1 file: low/bad.wav (is damaged" in capsys.readouterr().err
    assert_fails([*TRAIN, "-o", "n.safetensors", "--strict"], capsys, "Audio file low/bad.wav is damaged")
    assert not (files / "n.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--set magic=1", "there is no parameter 'magic'. Parameters: "),
        ("--set n_components=3", "there is no parameter 'n_components'. Near names: source_model__n_components."),
        ("--set critic__maxiter=3", "there is no parameter 'critic__maxiter'. Near names: critic__max_iter"),
        ("--set stft__nfft=3", "there is no parameter 'stft__nfft'. Near names: stft__n_fft"),
        ("--set low__max_iter=3", "there is no parameter 'low__max_iter'. Near names: "),
        ("--set max_iter=0", "--set: The 'max_iter' parameter of SupervisedSeparator must be an int"),
        ("--set critic__max_iter=x", "--set: The 'max_iter' parameter of MixtureCritic must be an int"),
        ("--set source_model__n_components=0", "--set: The 'n_components' parameter of NMFSourceModel must be"),
        ("--set source_model=vae", "--set: The 'source_model' parameter of SupervisedSeparator must be"),
        ("--set stft__hop_length=9999", "--set: An STFT with n_fft="),
        ("--set critic=None --set critic__max_iter=3", "critic__max_iter cannot be set while critic is None."),
        ("--set max_iter=3 --set max_iter=4", "--set gives max_iter twice."),
        ("--card a=b --card a=c", "--card gives a twice."),
        ("--model vae", "--model names nmf and vae, both for all sources"),
        ("--model noise=vae", "--model names the source 'noise', but the sources are low, high."),
        ("--device magic", "device 'magic'"),
        ("low=low.wav mixture=mix.wav", "The label 'mixture' is kept for the mixture itself."),
        ("a/b=low.wav", "The label 'a/b' cannot be the name of a file"),
        ("other=nowhere", "The folder nowhere does not exist."),
    ],
)
def test_bad_input_gets_one_sentence_before_anything_is_read(files, capsys, arguments, sentence):
    before = listing(files)
    assert_fails([*TRAIN[:5], "-o", "m.safetensors", *arguments.split()], capsys, sentence)
    assert listing(files) == before


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("low", "The model file low is a folder."),
        ("low.wav/m", "Cannot write to the folder low.wav"),
        ("voices.safetensors", "The model file voices.safetensors exists: choose another --output, or replace it by"),
    ],
)
def test_nothing_is_replaced_unasked(files, capsys, output, sentence):
    (files / "voices.safetensors").write_text("precious")
    assert_fails([*TRAIN, "-o", output], capsys, sentence)
    assert (files / "voices.safetensors").read_text() == "precious"


def test_a_file_is_replaced_on_request_and_no_recording(files, capsys):
    (files / "m").write_text("old")
    assert main([*TRAIN, "-o", "m", "--overwrite"]) == 0
    assert describe_model("m")["sample_rate"] == RATE
    recording = os.path.join("low", "day 1", "0.wav")
    capsys.readouterr()
    assert_fails([*TRAIN, "-o", recording, "--overwrite"], capsys, "is one of the training files")
    os.symlink(recording, "link")
    assert_fails([*TRAIN, "-o", "link", "--overwrite"], capsys, "is one of the training files")
    load_audio(recording)


def test_a_file_that_came_meanwhile_stays(files, capsys, monkeypatch):
    fit = AudioSeparator.fit

    def fit_beside_another(self, X, y):
        (files / "m.safetensors").write_text("of another program")
        (files / "m-2.safetensors").write_text("of a third")
        return fit(self, X, y)

    monkeypatch.setattr(AudioSeparator, "fit", fit_beside_another)
    assert main([*TRAIN, "-o", "m.safetensors"]) == 0
    assert capsys.readouterr().out == "m-3.safetensors\n"
    assert (files / "m.safetensors").read_text() == "of another program"
    assert describe_model("m-3.safetensors")["sample_rate"] == RATE


def test_a_full_disk_leaves_the_old_file(files, capsys, monkeypatch):
    def fill(*arguments, **options):
        raise OSError(28, "No space left on device", "m.safetensors")

    (files / "m.safetensors").write_text("old")
    monkeypatch.setattr(train, "save_model", fill)
    argv = [*TRAIN, "-o", "m.safetensors", "--overwrite"]
    before = listing(files)
    assert_fails(argv, capsys, "No space left on device", notices=TRAINED)
    assert listing(files) == before
    assert (files / "m.safetensors").read_text() == "old"


def test_odd_names(files, capsys):
    """Blanks, equals signs and letters of all scripts in folders, labels and the model file."""
    shutil.copytree("low", "a = b")
    save_audio("høj ü.wav", load_audio("high.wav")[0], RATE)
    argv = ["train", "frau müller=a = b", "絆=høj ü.wav", "--model", "nmf", "-o", "my models/v 1.0 = x", "--quiet"]
    assert main(argv) == 0
    assert main(["separate", "my models/v 1.0 = x", "mix.wav", "-o", "out put", "--no-report", "--quiet"]) == 0
    assert listing(files / "out put") == ["mix", "mix/frau müller.wav", "mix/絆.wav"]


def test_one_known_source_and_a_background(files, capsys):
    settings = "--background 2 --set source_model__max_iter=2".split()
    assert main(["train", "low=low", "--model", "nmf", *settings, "-o", "low.safetensors"]) == 0
    assert main(["separate", "low.safetensors", "mix.wav", "--no-report", "-o", "out"]) == 0
    assert listing(files / "out" / "mix") == ["background.wav", "low.wav"]
    capsys.readouterr()
    assert main(["sample", "low.safetensors", "--seconds", "0.2", "-o", "drawn"]) == 0
    assert "background is learned from each mixture" in capsys.readouterr().err
    assert "low.wav" in listing(files / "drawn")


def test_a_detector_beside_a_background(files, capsys):
    train = ["train", "low=low", "--model", "nmf", *"--background 2 --set background__detector=presence".split()]
    small = "n_mixtures=4 n_frames=20 hidden_layer_sizes=4 max_iter=1".split()
    settings = [part for setting in small for part in ("--set", f"background__detector__{setting}")]
    assert main([*train, *settings, "-o", "low.safetensors"]) == 0
    background, _ = load_model("low.safetensors").separator_.source_models_
    assert background.detector_.n_frames == 20
    assert main(["separate", "low.safetensors", "mix.wav", "--no-report", "-o", "out"]) == 0
    assert listing(files / "out" / "mix") == ["background.wav", "low.wav"]
    capsys.readouterr()
    assert_fails([*train[:-2], *settings, "-o", "b.safetensors"], capsys, "there is no parameter 'background__detector")


def test_a_checkpoint_is_no_model(files, capsys):
    same = [*TRAIN, "-o", "a.safetensors", "--checkpoint", "a.safetensors"]
    assert_fails(same, capsys, "cannot be the same file")
    assert main([*TRAIN, "-o", "a.safetensors"]) == 0
    capsys.readouterr()
    assert_fails(
        [*TRAIN, "-o", "b.safetensors", "--checkpoint", "a.safetensors"],
        capsys,
        "holds a model and no training",
        notices=TRAINED,
    )


def test_recordings_of_the_background_are_where_it_begins(files):
    argv = ["train", "low=low", "background=high", *"--background 2 --model nmf -o a.safetensors".split()]
    assert main(argv) == 0
    audio = load_model("a.safetensors")
    assert audio.classes_.tolist() == ["background", "low"]
    assert type(audio.separator_.source_models_[0]).__name__ == "BackgroundModel"
    assert audio.separator_.source_models_[0].components_.shape[0] == 2


def test_a_background_needs_a_known_source(files, capsys):
    argv = ["train", "background=low", "--background", "2", "-o", "a.safetensors"]
    assert_fails(argv, capsys, "There are recordings of the background only")

"""``sklearn-gass separate`` with a model file: many files, formats, channels, and nothing lost."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from test_display import assert_self_contained

from cli.commands import RATE, assert_fails, listing
from sklearn_gass import (
    AudioSeparator,
    NMFSourceModel,
    SupervisedSeparator,
    SupervisedSeparatorCV,
    load_audio,
    load_model,
    save_audio,
    save_model,
)
from sklearn_gass.audio_io import audio_info
from sklearn_gass.cli import _batch as batch
from sklearn_gass.cli import main

pytestmark = pytest.mark.usefixtures("quick_picture")
NAMES = ["high.wav", "index.html", "low.wav", "spectrogram.png"]


def separated(folder, *labels):
    return [load_audio(f"{folder}/{label}.wav")[0] for label in labels or ("high", "low")]


def test_a_model_file_separates(model, files, capsys):
    assert main(["separate", model, "mix.wav"]) == 0
    out, err = capsys.readouterr()
    names = ["high.wav", "low.wav", "spectrogram.png", "index.html"]
    assert (out.splitlines(), err) == ([os.path.join("separated", "mix", name) for name in names], "")
    assert listing(files / "separated" / "mix") == sorted(names)
    mixture, _ = load_audio("mix.wav")
    np.testing.assert_allclose(sum(separated("separated/mix")), mixture, atol=2 / 32768)
    page = assert_self_contained((files / "separated" / "mix" / "index.html").read_text(encoding="utf-8"))
    assert "Model: voices.safetensors. Source model: NMFSourceModel." in page.texts


def test_another_process_separates_bit_for_bit(model, trained, files):
    """From the command line and from Python, as the original does."""
    wave, rate = load_audio("mix.wav")
    expected = trained.separate(wave, rate).sources
    save_audio("float.wav", wave, rate, subtype="FLOAT")
    run = {"capture_output": True, "text": True, "check": True}
    command = [sys.executable, "-m", "sklearn_gass", "separate", model, "float.wav", "--no-report"]
    done = subprocess.run(command, **run)
    assert len(done.stdout.splitlines()) == 2 and done.stderr == ""
    np.testing.assert_array_equal(separated("separated/float"), expected)
    script = (
        "import numpy as np, sklearn_gass as sg\n"
        f"np.save('sources.npy', sg.load_model({model!r}).separate(*sg.load_audio('float.wav')).sources)"
    )
    subprocess.run([sys.executable, "-c", script], **run)
    np.testing.assert_array_equal(np.load("sources.npy"), expected)


def test_nothing_is_trained(model, monkeypatch):
    def fail(*arguments, **options):
        raise AssertionError("trained")

    monkeypatch.setattr(AudioSeparator, "fit", fail)
    monkeypatch.setattr(SupervisedSeparator, "fit", fail)
    for number in range(3):
        assert main(["separate", model, "mix.wav", "-o", f"out{number}"]) == 0


def test_folders_of_mixtures(model, files, capsys):
    wave, _ = load_audio("mix.wav")
    for name in ("set/x.wav", "set/x.flac", "set/deep er/ü.wav", "set/.hidden.wav", "set/notes.txt", "set/y.shn"):
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith((".txt", ".shn")):
            (files / name).touch()
        else:
            save_audio(name, wave, RATE)
    argv = ["separate", model, "set", "mix.wav", "set/x.wav", "--no-report", "-o", "set/out"]
    assert main(argv) == 0
    assert (
        capsys.readouterr().err == "Skipped 2 files: set/.hidden.wav (hidden), set/y.shn (.shn files are not read).\n"
    )
    folders = [os.path.dirname(name) for name in listing(files / "set" / "out") if name.endswith("low.wav")]
    assert folders == ["deep er/ü", "mix", "x.flac", "x.wav"]
    # results are not taken for mixtures, and what is done is not done again
    assert main([*argv, "--skip-existing"]) == 0
    assert "4 files left out: results exist." in capsys.readouterr().err


def test_results_are_never_replaced_unasked(model, files, capsys):
    argv = ["separate", model, "mix.wav", "low.wav"]
    assert main([*argv[:3], "--mask-exponent", "1"]) == 0
    first = separated("separated/mix")
    before = listing(files)
    capsys.readouterr()
    assert_fails(argv, capsys, "Results exist, separated/mix/high.wav, separated/mix/low.wav, separated/mix/spectro")
    assert_fails(
        argv, capsys, " and 1 more: choose another --output, leave them by --skip-existing, or replace them by"
    )
    assert listing(files) == before
    assert main([*argv, "--skip-existing"]) == 0
    np.testing.assert_array_equal(separated("separated/mix"), first)
    assert listing(files / "separated" / "low") == NAMES
    assert main([*argv, "--overwrite"]) == 0
    assert np.any(separated("separated/mix")[0] != first[0])


def test_other_files_of_the_same_name_are_results_too(model, files, capsys):
    (files / "separated" / "mix").mkdir(parents=True)
    (files / "separated" / "mix" / "low.wav").write_text("mine")
    for options in ([], ["--skip-existing"]):
        assert_fails(["separate", model, "mix.wav", *options], capsys, "Results exist, separated/mix/low.wav:")
    assert (files / "separated" / "mix" / "low.wav").read_text() == "mine"
    assert main(["separate", model, "mix.wav", "--format", "flac", "--no-report"]) == 0
    assert listing(files / "separated" / "mix") == ["high.flac", "low.flac", "low.wav"]


def test_inputs_are_not_overwritten(model, files, capsys):
    (files / "out" / "mix").mkdir(parents=True)
    os.rename("low.wav", "out/mix/low.wav")
    argv = ["separate", model, "out/mix/low.wav", "mix.wav", "-o", "out", "--overwrite"]
    assert_fails(argv, capsys, "The result would overwrite the input out/mix/low.wav")


def break_some(files):
    (files / "cut.wav").write_bytes((files / "mix.wav").read_bytes()[:-100])
    (files / "none.wav").write_bytes(b"")


def test_damaged_files_are_named_and_counted(model, files, capsys):
    break_some(files)
    assert main(["separate", model, "cut.wav", "mix.wav", "none.wav", "low.wav", "--quiet"]) == 0
    err = capsys.readouterr().err.splitlines()
    assert err[0].startswith("sklearn-gass: error: Audio file cut.wav is truncated")
    assert err[1:] == [
        "sklearn-gass: error: Audio file none.wav is empty.",
        "sklearn-gass: error: 2 of 4 files could not be separated.",
    ]
    assert listing(files / "separated") == ["low", *(f"low/{n}" for n in NAMES), "mix", *(f"mix/{n}" for n in NAMES)]


def test_strict_ends_at_the_first_damaged_file(model, files, capsys):
    break_some(files)
    argv = ["separate", model, "mix.wav", "cut.wav", "low.wav", "--strict"]
    assert "separated/mix/low.wav" in assert_fails(argv, capsys, "Audio file cut.wav is truncated")
    assert listing(files / "separated") == ["mix", *(f"mix/{name}" for name in NAMES)]


def test_if_nothing_can_be_separated_the_status_is_1_and_nothing_is_left(model, files, capsys):
    break_some(files)
    before = listing(files)
    assert main(["separate", model, "cut.wav", "none.wav"]) == 1
    assert capsys.readouterr().err.endswith("sklearn-gass: error: 2 of 2 files could not be separated.\n")
    assert listing(files) == before


def test_json_for_programs(model, files, capsys):
    break_some(files)
    assert main(["separate", model, "cut.wav", "mix.wav", "--json"]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert [entry["mixture"] for entry in result["separated"]] == ["mix.wav"]
    for path in result["separated"][0]["sources"].values():
        load_audio(path)
    assert result["failed"][0]["mixture"] == "cut.wav" and "truncated" in result["failed"][0]["reason"]
    assert (result["existing"], result["skipped"]) == ([], [])
    assert "error" in err


def test_several_at_a_time_give_the_same(model, files):
    break_some(files)
    wave, _ = load_audio("mix.wav")
    save_audio("other.wav", wave[::-1].copy(), RATE)
    mixtures = ["mix.wav", "cut.wav", "other.wav"]
    assert main(["separate", model, *mixtures, "-o", "one"]) == 0
    assert main(["separate", model, *mixtures, "-o", "two", "--jobs", "2"]) == 0
    assert listing(files / "one") == listing(files / "two")
    for name in ("mix", "other"):
        np.testing.assert_array_equal(separated(f"one/{name}"), separated(f"two/{name}"))


def test_a_lost_process_is_a_sentence(model, files, capsys, monkeypatch):
    monkeypatch.setattr(batch, "separate_file", os._exit)
    monkeypatch.setattr(batch, "delayed", lambda function: lambda *arguments: (os._exit, (1,), {}))
    before = listing(files)
    assert_fails(["separate", model, "mix.wav", "low.wav", "--jobs", "2"], capsys, "give fewer --jobs")
    assert listing(files) == before


@pytest.mark.parametrize(("suffix", "subtype"), [("flac", "PCM_16"), ("ogg", "VORBIS"), ("wav", "PCM_16")])
def test_formats(model, suffix, subtype):
    assert main(["separate", model, "mix.wav", "--format", suffix, "--no-report"]) == 0
    infos = [audio_info(f"separated/mix/{label}.{suffix}") for label in ("low", "high")]
    assert infos == [(RATE, 1, subtype)] * 2


def test_peaks_that_a_format_would_clip_are_refused(model, capsys):
    save_audio("loud.wav", 5 * load_audio("mix.wav")[0], RATE)
    assert_fails(
        ["separate", model, "loud.wav", "mix.wav", "--format", "flac", "--strict"],
        capsys,
        "loud.wav, source high: wave",
    )


def test_stereo_keeps_channels_that_sum_to_those_of_the_mixture(model, files, capsys):
    left, _ = load_audio("mix.wav")
    right = 0.3 * left[::-1] + 0.2 * load_audio("high.wav")[0]
    stereo = np.stack([left, right])
    save_audio("stereo.wav", stereo, 2 * RATE)
    assert main(["separate", model, "stereo.wav", "--stereo"]) == 0
    assert "channels" not in capsys.readouterr().err
    sources = [load_audio(f"separated/stereo/{label}.wav", mono=False)[0] for label in ("low", "high")]
    assert sources[0].shape == stereo.shape
    # what resampling to the model's rate and back leaves
    save_audio("mono.wav", stereo.mean(axis=0), 2 * RATE)
    assert main(["separate", model, "mono.wav", "--stereo"]) == 0
    for stereo_source, mono_source in zip(sources, separated("separated/mono", "low", "high"), strict=True):
        np.testing.assert_allclose(stereo_source.mean(axis=0), mono_source, atol=2e-3)


def test_stereo_of_opposite_polarity(model):
    wave, _ = load_audio("mix.wav")
    save_audio("stereo.wav", np.stack([wave, -wave]), RATE)
    assert main(["separate", model, "stereo.wav", "--stereo"]) == 0
    left, right = load_audio("separated/stereo/low.wav", mono=False)[0]
    np.testing.assert_array_equal(left, -right)
    assert np.abs(left).max() > 0.05


def test_averaged_channels_and_other_rates_are_told_together(model, capsys):
    wave, _ = load_audio("mix.wav")
    for number in range(2):
        save_audio(f"s{number}.wav", np.stack([wave, 0.5 * wave]), 2 * RATE)
    assert main(["separate", model, "s0.wav", "s1.wav"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "s0.wav and 1 more have several channels, which were averaged.",
        "s0.wav has 16000 Hz, and 1 more have other rates, too: they are separated at 8000 Hz and brought back, which "
        "loses all above 4000 Hz.",
    ]


def test_parameters_act_whatever_is_around_the_separator(files, voices, trained):
    waves, labels = [voices.utterances[i] for i in (0, 1, 3, 4)], ["low", "low", "high", "high"]
    model = NMFSourceModel(3, max_iter=10)
    frames = SupervisedSeparatorCV(
        SupervisedSeparator(model), critic_weights=[0], mask_exponents=[1, 3], cv=2, random_state=0
    )
    waveforms = SupervisedSeparatorCV(
        AudioSeparator(SupervisedSeparator(model), sample_rate=RATE),
        critic_weights=[0],
        mask_exponents=[1, 3],
        cv=2,
        random_state=0,
    )
    for number, estimator in enumerate((trained, AudioSeparator(frames, sample_rate=RATE), waveforms)):
        fitted = estimator if estimator is trained else estimator.fit(waves, labels)
        save_model(fitted, f"{number}.safetensors")
        # 2 is what the separator was made with, though the search has chosen another
        for exponent in ("2", "inf"):
            argv = ["separate", f"{number}.safetensors", "mix.wav", "--mask-exponent", exponent, "--no-report"]
            assert main([*argv, "-o", f"{number}/{exponent}"]) == 0
        assert np.any(separated(f"{number}/2/mix")[0] != separated(f"{number}/inf/mix")[0])
        argv = ["separate", f"{number}.safetensors", "mix.wav", "--mask-exponent", "2", "--no-report"]
        assert main([*argv, "--consistency", "0", "-o", f"{number}/masks"]) == 0
        direct = load_model(f"{number}.safetensors")
        inner = direct
        while hasattr(inner, "separator_"):
            inner = inner.separator_
        inner.set_params(mask_exponent=2.0)
        pieces = np.concatenate(list(direct.separate_blocks(load_audio("mix.wav")[0])), axis=1)
        np.testing.assert_allclose(separated(f"{number}/2/mix"), pieces, atol=2 / 32768)
        around = direct if isinstance(direct, AudioSeparator) else direct.separator_
        around.set_params(consistency=0)
        masked = np.concatenate(list(direct.separate_blocks(load_audio("mix.wav")[0])), axis=1)
        np.testing.assert_allclose(separated(f"{number}/masks/mix"), masked, atol=2 / 32768)
        assert np.any(masked != pieces)


def test_parameters_act_on_a_frozen_separator(files, trained):
    """As `AudioSeparator.from_fitted` may hold one."""
    audio = AudioSeparator.from_fitted(FrozenEstimator(trained.separator_), stft=trained.stft_, sample_rate=RATE)
    save_model(audio, "frozen.safetensors")
    argv = ["separate", "frozen.safetensors", "mix.wav", "--no-report"]
    assert main([*argv, "--mask-exponent", "1", "-o", "soft"]) == 0
    assert main([*argv, "-o", "plain"]) == 0
    assert np.any(separated("soft/mix")[0] != separated("plain/mix")[0])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("mix.wav low.wav", "Cannot load model mix.wav: it is no model file."),
        ("nothing.safetensors mix.wav", "There is no model file"),
        ("low mix.wav", "low is a folder, not a model file."),
        ("cut.safetensors mix.wav", "Cannot load model cut.safetensors: "),
        ("source.safetensors mix.wav", "holds a NMFSourceModel, which separates frames, not sound"),
        ("evil.safetensors mix.wav", "The label '../../evil' cannot be the name of a file"),
        ("voices.safetensors nothing.wav", "The mixture nothing.wav does not exist."),
        ("voices.safetensors empty", "The folder empty holds no sound files"),
        ("voices.safetensors pipe.wav", "The mixture pipe.wav is a pipe or device"),
        ("voices.safetensors mix.wav high/mix.wav", "would both be written to"),
        ("voices.safetensors mix.wav -o low.wav", "Cannot write to the folder low.wav"),
        ("voices.safetensors mix.wav --device magic", "device 'magic'"),
    ],
)
def test_bad_input_gets_one_sentence_and_leaves_nothing(model, files, capsys, voices, arguments, sentence):
    (files / "empty").mkdir()
    os.mkfifo("pipe.wav")
    (files / "high" / "mix.wav").write_bytes((files / "mix.wav").read_bytes())
    (files / "cut.safetensors").write_bytes((files / model).read_bytes()[:-100])
    save_model(NMFSourceModel(2, max_iter=2).fit(np.ones((5, 4))), "source.safetensors")
    separator = SupervisedSeparator(NMFSourceModel(2, max_iter=2))
    evil = AudioSeparator(separator, sample_rate=RATE).fit(voices.utterances[:2], ["../../evil", "b"])
    save_model(evil, "evil.safetensors")
    before = listing(files)
    assert assert_fails(["separate", *arguments.split()], capsys, sentence) == ""
    assert listing(files) == before

"""``sklearn-gass separate``: what it writes, and what it refuses."""

import errno
import os
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from test_display import assert_self_contained, decode_player

from cli.commands import PNG_SIGNATURE, RATE, SEPARATE, TRAINED, assert_fails, listing
from sklearn_gass import AudioSeparator, load_audio, save_audio
from sklearn_gass.audio_io import audio_info
from sklearn_gass.cli import _sources as sources
from sklearn_gass.cli import main
from sklearn_gass.cli._outputs import folder_name


def test_separate_writes_sources_that_sum_to_the_mixture(files, capsys):
    assert main(SEPARATE) == 0
    out, err = capsys.readouterr()
    written = ["high.wav", "low.wav", "spectrogram.png", "index.html"]
    assert out.splitlines() == [os.path.join("separated", "mix", name) for name in written]
    assert err == TRAINED
    assert listing(files / "separated") == ["mix", *sorted(f"mix/{name}" for name in written)]
    mixture, _ = load_audio("mix.wav")
    sources = []
    for label in ("high", "low"):
        wave, rate = load_audio(files / "separated" / "mix" / f"{label}.wav")
        assert (rate, wave.shape) == (RATE, mixture.shape)
        sources.append(wave)
    np.testing.assert_allclose(np.sum(sources, axis=0), mixture, atol=2 / 32768)
    assert np.abs(sources[0] - sources[1]).max() > 0.05


def test_separate_writes_a_picture_and_a_self_contained_page(files):
    assert main([*SEPARATE, "--output", "here/and there"]) == 0
    folder = files / "here" / "and there" / "mix"
    assert (folder / "spectrogram.png").read_bytes().startswith(PNG_SIGNATURE)
    page = assert_self_contained((folder / "index.html").read_text(encoding="utf-8"))
    assert "mix.wav, separated" in page.texts
    assert "Source model: nmf. Trained on low (2 files, 1 s), high (2 files, 1 s)." in page.texts
    players = page.all("audio")
    assert [player["aria-label"] for player in players] == [f"Listen to {x}" for x in ("mixture", "high", "low")]
    assert {(len(decode_player(player)[0]), decode_player(player)[1]) for player in players} == {(RATE // 2, RATE)}


def test_separate_depends_on_the_seed_and_on_options_only(files, quick_picture):
    def separate(*options):
        assert main([*SEPARATE, *options]) == 0
        return load_audio("separated/mix/low.wav")[0]

    first = separate()
    np.testing.assert_array_equal(separate(), first)
    others = ["--seed=1", "--mask-exponent=1", "--mask-exponent=inf", "--consistency=0", "--n-components=5"]
    for option in others:
        assert np.any(separate(option) != first), option


def test_separate_several_mixtures_and_three_sources(files, quick_picture):
    save_audio("noise.flac", np.random.RandomState(0).uniform(-0.1, 0.1, 3001), RATE)
    argv = ["separate", "mix.wav", "noise.flac", "--train", "noise=noise.flac", *SEPARATE[2:], "--quiet"]
    assert main(argv) == 0
    for name, n_samples in (("mix", RATE // 2), ("noise", 3001)):
        for label in ("high", "low", "noise"):
            wave, _ = load_audio(files / "separated" / name / f"{label}.wav")
            assert wave.shape == (n_samples,)


@pytest.mark.parametrize(("rate", "loss"), [(16000, ", which loses all above 4000 Hz"), (6000, "")])
def test_mixture_of_another_rate_keeps_rate_and_length(files, capsys, quick_picture, rate, loss):
    save_audio("other.wav", np.random.RandomState(0).uniform(-0.1, 0.1, 3333), rate)
    assert main(["separate", "other.wav", *SEPARATE[2:]]) == 0
    err = capsys.readouterr().err
    assert err == f"other.wav has {rate} Hz: it is separated at 8000 Hz and brought back{loss}.\n{TRAINED}"
    for label in ("high", "low"):
        wave, written_rate = load_audio(f"separated/other/{label}.wav")
        assert (wave.shape, written_rate) == ((3333,), rate)


def test_training_files_of_other_rates_need_the_option(files, capsys, quick_picture):
    save_audio("high/more.wav", np.random.RandomState(0).uniform(-0.1, 0.1, 6000), 16000)
    first, other = os.path.join("low", "day 1", "0.wav"), os.path.join("high", "more.wav")
    message = f"({first}: 8000 Hz, {other}: 16000 Hz): convert all with --sample-rate 8000."
    assert_fails(SEPARATE, capsys, message)
    assert main([*SEPARATE, "--sample-rate", "8000"]) == 0
    assert capsys.readouterr().err == TRAINED.replace("high (2 files, 1 s)", "high (3 files, 1 s)")


def test_stereo_is_averaged_and_said(files, capsys, quick_picture):
    mono, _ = load_audio("mix.wav")
    assert main([*SEPARATE, "-o", "mono"]) == 0
    save_audio("mix.wav", np.stack([1.5 * mono, 0.5 * mono]), RATE)
    capsys.readouterr()
    assert main([*SEPARATE, "-o", "stereo"]) == 0
    assert capsys.readouterr().err == f"mix.wav has 2 channels, which were averaged.\n{TRAINED}"
    waves = [load_audio(f"{folder}/mix/low.wav")[0] for folder in ("mono", "stereo")]
    np.testing.assert_allclose(*waves, atol=1e-3)


def test_silence_gives_silence(files, quick_picture):
    save_audio("mix.wav", np.zeros(2000), RATE)
    assert main(SEPARATE) == 0
    for label in ("high", "low"):
        np.testing.assert_array_equal(load_audio(f"separated/mix/{label}.wav")[0], np.zeros(2000))


def test_weight_of_a_missing_critic_is_said(files, capsys, quick_picture):
    assert main([*SEPARATE, "--critic-weight", "1"]) == 0
    said = "--critic-weight has no effect: NMF alone is separated without critics."
    assert capsys.readouterr().err == f"{said}\n{TRAINED}"
    assert main([*SEPARATE, "--critic-weight", "1", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_without_matplotlib_there_is_no_picture(files, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.delitem(sys.modules, "sklearn_gass.display._figure", raising=False)
    assert main(SEPARATE) == 0
    assert capsys.readouterr().err.startswith(
        f"{TRAINED}No picture is written. Spectrograms need matplotlib: pip install"
    )
    assert listing(files / "separated" / "mix") == ["high.wav", "index.html", "low.wav"]
    page = assert_self_contained((files / "separated" / "mix" / "index.html").read_text(encoding="utf-8"))
    assert len(page.all("audio")) == 3


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("...wav", "wav"),
        ("..wav", "wav"),
        (".wav", "wav"),
        ("....flac", "flac"),
        (".hidden.wav", "hidden"),
        ("end. .wav", "end"),
        ("a.b.wav", "a.b"),
        ("no suffix", "no suffix"),
        ("...", "mixture"),
    ],
)
def test_no_name_of_a_mixture_leads_out_of_the_output_folder(name, folder):
    assert folder_name(Path("some/where") / name) == folder


def test_results_stay_in_the_output_folder(files, quick_picture):
    os.rename("mix.wav", "...wav")
    (files / "site").mkdir()
    (files / "site" / "index.html").write_text("precious")
    assert main(["separate", "...wav", *SEPARATE[2:], "-o", "site/out"]) == 0
    assert (files / "site" / "index.html").read_text() == "precious"
    assert listing(files / "site")[:3] == ["index.html", "out", "out/wav"]


def test_names_that_are_not_utf_8(files, capsys):
    """The file is separated, and what is shown of its name steers nothing and can be encoded."""
    name = os.fsdecode(b"caf\xe9 \x1b[31m.wav")
    os.rename("mix.wav", name)
    assert main(["separate", name, *SEPARATE[2:]]) == 0
    folder = files / "separated" / name.removesuffix(".wav")
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == os.path.join("separated", r"caf\xe9 \x1b[31m", "high.wav")
    assert err == TRAINED
    page = assert_self_contained((folder / "index.html").read_text(encoding="utf-8"))
    assert r"caf\xe9 \x1b[31m.wav, separated" in page.texts


def test_labels_and_folders_that_are_not_utf_8(files, capsys):
    label = os.fsdecode(b"caf\xe9")
    os.rename("low", label)
    argv = ["separate", "mix.wav", "--train", f"{label}={label}", "--train", "high=high", *SEPARATE[6:]]
    assert main([*argv, "-o", label]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == os.path.join(r"caf\xe9", "mix", r"caf\xe9.wav")
    assert err == TRAINED.replace("low", r"caf\xe9")
    folder = files / label / "mix"
    assert (folder / f"{label}.wav").is_file()
    page = assert_self_contained((folder / "index.html").read_text(encoding="utf-8"))
    assert r"caf\xe9" in page.texts


def test_a_rate_that_cannot_be_converted_is_a_sentence(files, capsys):
    save_audio("slow.wav", np.random.RandomState(0).uniform(-0.1, 0.1, 100), 5)
    before = listing(files)
    assert main(["separate", "slow.wav", *SEPARATE[2:], "--quiet"]) == 1
    assert capsys.readouterr().err.startswith(
        "sklearn-gass: error: slow.wav: Sample rates can be converted by a factor"
    )
    assert listing(files) == before


@pytest.mark.parametrize(("balance", "taken"), [(-1.0, 0), (-0.9, 0), (-1.1, 1)])
def test_channels_of_opposite_polarity_do_not_cancel(files, capsys, quick_picture, balance, taken):
    mono, _ = load_audio("mix.wav")
    save_audio("mix.wav", np.stack([mono, balance * mono]), RATE)
    assert main(SEPARATE) == 0
    said = "mix.wav has 2 channels, which cancel each other out when averaged: the loudest one was taken.\n"
    assert capsys.readouterr().err == said + TRAINED
    total = sum(load_audio(f"separated/mix/{label}.wav")[0] for label in ("low", "high"))
    np.testing.assert_allclose(total, [mono, -1.1 * mono][taken], atol=2 / 32768)


def test_a_silent_channel_cancels_nothing(files, capsys, quick_picture):
    mono, _ = load_audio("mix.wav")
    save_audio("mix.wav", np.stack([mono, 0 * mono]), RATE)
    assert main(SEPARATE) == 0
    assert capsys.readouterr().err == f"mix.wav has 2 channels, which were averaged.\n{TRAINED}"


@pytest.mark.parametrize(
    ("subtype", "gain", "written"),
    [
        ("PCM_16", 1, "PCM_16"),
        ("PCM_24", 1, "PCM_24"),
        ("PCM_32", 1, "PCM_32"),
        ("FLOAT", 1, "FLOAT"),
        ("PCM_24", 0.01, "PCM_24"),
        ("FLOAT", 1e-5, "FLOAT"),
        ("FLOAT", 10, "FLOAT"),
    ],
)
def test_sources_have_the_encoding_of_the_mixture_or_a_finer_one(files, quick_picture, subtype, gain, written):
    mixture = load_audio("mix.wav")[0] * np.float32(gain)
    save_audio("mix.wav", mixture, RATE, subtype=subtype)
    assert main(SEPARATE) == 0
    paths = [f"separated/mix/{label}.wav" for label in ("low", "high")]
    assert {audio_info(path).subtype for path in paths} == {written}
    total = sum(load_audio(path)[0].astype(float) for path in paths)
    np.testing.assert_allclose(total, load_audio("mix.wav")[0], atol=gain * 1e-4)


def test_the_page_shows_the_beginning_of_long_recordings(files, monkeypatch):
    monkeypatch.setattr(sources, "SHOWN_SECONDS", 0.25)
    assert main(SEPARATE) == 0
    page = assert_self_contained((files / "separated" / "mix" / "index.html").read_text(encoding="utf-8"))
    assert {len(decode_player(player)[0]) for player in page.all("audio")} == {RATE // 4}
    assert any(text.startswith("Shown: the first 0.25 s of 0.5 s.") for text in page.texts)
    assert len(load_audio("separated/mix/low.wav")[0]) == RATE // 2


class Echo:
    """A separator of many sources whose every source is the mixture."""

    def __init__(self, n_sources):
        self.classes_ = np.arange(n_sources)

    def separate_blocks(self, mixture):
        for begin in range(0, mixture.size, 1000):
            yield np.stack([mixture[begin : begin + 1000]] * len(self.classes_))


@pytest.mark.parametrize("rate", [RATE, 2 * RATE])
def test_memory_does_not_grow_with_the_number_of_sources(tmp_path, monkeypatch, rate):
    monkeypatch.setattr(sources, "SHOWN_SECONDS", 0.1)
    path = tmp_path / "mix.wav"
    save_audio(path, np.random.RandomState(0).uniform(-0.5, 0.5, 500_000), rate)

    def peak(n_sources):
        tracemalloc.start()
        sources.write_sources(sources.Trained(Echo(n_sources), RATE, ""), path, tmp_path)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(1)
    assert peak(8) < 1.05 * peak(1)


@pytest.mark.parametrize("failing", [1, 2])
def test_full_disk_leaves_nothing(files, capsys, monkeypatch, failing):
    calls = []

    def write_some(path, *arguments, **options):
        calls.append(path)
        if len(calls) == failing:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        save_audio(path, *arguments, **options)

    monkeypatch.setattr(sources, "save_audio", write_some)
    before = listing(files)
    sentence = f"Cannot write to the folder {os.path.join('separated', 'mix')}: No space left on device.\n"
    assert_fails(SEPARATE, capsys, sentence, notices=TRAINED)
    assert len(calls) == failing
    assert listing(files) == before


@pytest.mark.parametrize("where", ["fit", "separate_blocks"])
def test_interruption_leaves_nothing_new_and_keeps_the_old(files, capsys, monkeypatch, where):
    (files / "separated" / "mix").mkdir(parents=True)
    (files / "separated" / "mix" / "low.wav").write_text("old")

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(AudioSeparator, where, interrupt)
    before = listing(files)
    assert_fails(SEPARATE, capsys, "interrupted", status=130, notices=TRAINED)
    assert listing(files) == before
    assert (files / "separated" / "mix" / "low.wav").read_text() == "old"

"""The command line, run in-process on tiny synthetic voices."""

import errno
import io
import json
import os
import runpy
import sys

import numpy as np
import pytest
from test_display import PNG_SIGNATURE, assert_self_contained, decode_player

import sklearn_gass
from sklearn_gass import AudioSeparator, NMFSourceModel, SupervisedSeparator, load_audio, save_audio
from sklearn_gass.cli import _demo as demo
from sklearn_gass.cli import _report as report
from sklearn_gass.cli import main
from sklearn_gass.cli._console import Console
from sklearn_gass.cli._models import MODELS, make_source_model
from sklearn_gass.datasets import make_mixture, make_voices
from sklearn_gass.metrics import bss_eval, si_sdr

RATE = 8000
TIMIT = os.environ.get("SKLEARN_GASS_DATA", "")


@pytest.fixture(scope="session")
def voices():
    return make_voices(2, n_utterances=3, duration=0.5, sample_rate=RATE, random_state=0)


@pytest.fixture
def files(tmp_path, voices, monkeypatch):
    """Two training folders, two references and their mixture, relative to the current folder."""
    monkeypatch.chdir(tmp_path)
    for label, first in (("low", 0), ("high", 3)):
        folder = tmp_path / label / "day 1"
        folder.mkdir(parents=True)
        for number in (0, 1):
            save_audio(folder / f"{number}.wav", voices.utterances[first + number], RATE)
    mixture, references = make_mixture([voices.utterances[2], voices.utterances[5]])
    gain = 0.5 / np.abs(mixture).max()
    save_audio("mix.wav", mixture * gain, RATE)
    for label, reference in zip(("low", "high"), references, strict=True):
        save_audio(f"{label}.wav", reference * gain, RATE)
    return tmp_path


@pytest.fixture
def quick_picture(monkeypatch):
    """Leave out drawing where the picture does not matter, since it takes longer than all the rest."""
    monkeypatch.setattr(report, "spectrograms_png", lambda waves, sample_rate: PNG_SIGNATURE)


SEPARATE = "separate mix.wav --train low=low --train high=high --model nmf --n-components 3".split()
EVALUATE = "evaluate --references low=low.wav high=high.wav --estimates high=high.wav low=mix.wav".split()


def listing(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def assert_fails(argv, capsys, sentence, status=1):
    """Run a command that must fail with one line on standard error and nothing else."""
    assert main(argv) == status
    out, err = capsys.readouterr()
    assert err.startswith("sklearn-gass: error: ")
    assert err.count("\n") == 1 and err.endswith("\n")
    assert sentence in err
    return out


# separate


def test_separate_writes_sources_that_sum_to_the_mixture(files, capsys):
    assert main(SEPARATE) == 0
    out, err = capsys.readouterr()
    written = ["high.wav", "low.wav", "spectrogram.png", "index.html"]
    assert out.splitlines() == [os.path.join("separated", "mix", name) for name in written]
    assert err == ""
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
    for options in (("--seed", "1"), ("--mask-exponent", "1"), ("--mask-exponent", "inf"), ("--n-components", "5")):
        assert np.any(separate(*options) != first), options


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
    assert err == f"other.wav has {rate} Hz: it is separated at 8000 Hz and brought back{loss}.\n"
    for label in ("high", "low"):
        wave, written_rate = load_audio(f"separated/other/{label}.wav")
        assert (wave.shape, written_rate) == ((3333,), rate)


def test_training_files_of_other_rates_need_the_option(files, capsys, quick_picture):
    save_audio("high/more.wav", np.random.RandomState(0).uniform(-0.1, 0.1, 6000), 16000)
    first, other = os.path.join("low", "day 1", "0.wav"), os.path.join("high", "more.wav")
    message = f"({first}: 8000 Hz, {other}: 16000 Hz): convert all with --sample-rate 8000."
    assert_fails(SEPARATE, capsys, message)
    assert main([*SEPARATE, "--sample-rate", "8000"]) == 0
    assert capsys.readouterr().err == ""


def test_stereo_is_averaged_and_said(files, capsys, quick_picture):
    mono, _ = load_audio("mix.wav")
    assert main([*SEPARATE, "-o", "mono"]) == 0
    save_audio("mix.wav", np.stack([1.5 * mono, 0.5 * mono]), RATE)
    capsys.readouterr()
    assert main([*SEPARATE, "-o", "stereo"]) == 0
    assert capsys.readouterr().err == "mix.wav has 2 channels, which were averaged.\n"
    waves = [load_audio(f"{folder}/mix/low.wav")[0] for folder in ("mono", "stereo")]
    np.testing.assert_allclose(*waves, atol=1e-3)


def test_silence_gives_silence(files, quick_picture):
    save_audio("mix.wav", np.zeros(2000), RATE)
    assert main(SEPARATE) == 0
    for label in ("high", "low"):
        np.testing.assert_array_equal(load_audio(f"separated/mix/{label}.wav")[0], np.zeros(2000))


def test_weight_of_a_missing_critic_is_said(files, capsys, quick_picture):
    assert main([*SEPARATE, "--critic-weight", "1"]) == 0
    assert capsys.readouterr().err == "--critic-weight has no effect: NMF alone is separated without critics.\n"
    assert main([*SEPARATE, "--critic-weight", "1", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_without_matplotlib_there_is_no_picture(files, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(SEPARATE) == 0
    assert capsys.readouterr().err.startswith("No picture is written. Spectrograms need matplotlib: pip install")
    assert listing(files / "separated" / "mix") == ["high.wav", "index.html", "low.wav"]
    page = assert_self_contained((files / "separated" / "mix" / "index.html").read_text(encoding="utf-8"))
    assert len(page.all("audio")) == 3


def break_files(folder):
    (folder / "empty").mkdir()
    (folder / "garbage").mkdir()
    (folder / "garbage" / "x.wav").write_bytes(b"no sound at all" * 99)
    (folder / "silent").mkdir()
    save_audio(folder / "silent" / "x.wav", np.zeros(4000), RATE)
    (folder / "cut.wav").write_bytes((folder / "mix.wav").read_bytes()[:-100])
    (folder / "high" / "MIX.wav").write_bytes((folder / "mix.wav").read_bytes())
    (folder / "out" / "mix").mkdir(parents=True)
    (folder / "out" / "mix" / "low.wav").write_bytes((folder / "low.wav").read_bytes())


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("separate mix.wav --train low=nowhere --train high=high", "The folder nowhere does not exist."),
        ("separate mix.wav --train low=empty --train high=high", "The folder empty holds no sound files (.aif, "),
        ("separate mix.wav --train low=garbage --train high=high", "is damaged or no sound file"),
        (
            "separate mix.wav --train low=silent --train high=high",
            "All recordings of 'low' are silent.",
        ),
        ("separate mix.wav --train a=low --train a=high", "The label 'a' comes twice in --train."),
        ("separate mix.wav --train a=low --train A=high", "The label 'A' comes twice in --train."),
        ("separate mix.wav --train a=low", "Separation needs two or more sources, but --train names only 'a'."),
        ("separate mix.wav --train a/b=low --train c=high", "The label 'a/b' cannot be the name of a file because of"),
        ("separate mix.wav --train ..=low --train c=high", "The label '..' cannot be the name of a file."),
        ("separate mix.wav --train mixture=low --train c=high", "The label 'mixture' is kept for the mixture itself."),
        ("separate nothing.wav --train a=low --train b=high", "The mixture nothing.wav does not exist."),
        ("separate low --train a=low --train b=high", "The mixture low is a folder."),
        ("separate cut.wav --train a=low --train b=high", "Audio file cut.wav is truncated"),
        ("separate mix.wav high/MIX.wav --train a=low --train b=high", "would both be written to "),
        ("separate mix.wav --train a=low --train b=high --output mix.wav", "Cannot write to the folder mix.wav: "),
        ("separate mix.wav --train a=low --train b=high --output mix.wav/x", "Cannot write to the folder mix.wav/x: "),
        ("separate mix.wav --train low=out --train b=high --output out", "would overwrite the input out/mix/low.wav"),
        ("evaluate --references a=low.wav b=high.wav --estimates a=low.wav c=high.wav", "must have the same labels"),
        ("evaluate --references a=low.wav --estimates a=low.wav", "--references names only 'a'."),
        ("evaluate --references a=low.wav a=high.wav --estimates a=low.wav", "'a' comes twice in --references."),
        ("evaluate --references a=low.wav b=no.wav --estimates a=low.wav b=low.wav", "no.wav does not exist."),
        ("evaluate --references a=low.wav b=cut.wav --estimates a=low.wav b=low.wav", "cut.wav is truncated"),
        (
            "evaluate --references a=low.wav b=high.wav --estimates a=silent/x.wav b=low.wav",
            "silent/x.wav is silent, and no ratio is defined for silence.",
        ),
        ("demo --data voices --output mix.wav/x", "Cannot write to the folder mix.wav/x: "),
    ],
)
def test_bad_input_gets_one_sentence_and_leaves_nothing(files, capsys, command, sentence):
    break_files(files)
    before = listing(files)
    out = assert_fails(command.split(), capsys, sentence.replace("/", os.sep) if "Cannot" in sentence else sentence)
    assert out == ""
    assert listing(files) == before


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


@pytest.mark.parametrize(
    "command",
    [
        "",
        "unknown",
        "separate",
        "separate mix.wav",
        "separate mix.wav --train low",
        "separate mix.wav --train =low",
        "separate mix.wav --train low=",
        "separate mix.wav --train a=low --train b=high --model magic",
        "separate mix.wav --train a=low --train b=high --n-components 0",
        "separate mix.wav --train a=low --train b=high --mask-exponent 0",
        "separate mix.wav --train a=low --train b=high --mask-exponent nan",
        "separate mix.wav --train a=low --train b=high --critic-weight -1",
        "separate mix.wav --train a=low --train b=high --critic-weight x",
        "separate mix.wav --train a=low --train b=high --sample-rate 8k",
        "separate mix.wav --train a=low --train b=high --seed -1",
        "evaluate --references a=low.wav b=high.wav",
        "demo --data tapes",
    ],
)
def test_wrong_usage_ends_with_status_2(files, capsys, command):
    before = listing(files)
    with pytest.raises(SystemExit) as stop:
        main(command.split())
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("usage: sklearn-gass")
    assert listing(files) == before


def test_full_disk_leaves_nothing(files, capsys, monkeypatch):
    calls = []

    def write_once(path, wave, sample_rate):
        calls.append(path)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        save_audio(path, wave, sample_rate)

    monkeypatch.setattr(report, "save_audio", write_once)
    before = listing(files)
    assert_fails(
        SEPARATE, capsys, f"Cannot write to the folder {os.path.join('separated', 'mix')}: No space left on device"
    )
    assert len(calls) == 2
    assert listing(files) == before


def test_interruption_leaves_nothing_new_and_keeps_the_old(files, capsys, monkeypatch):
    (files / "separated").mkdir()
    (files / "separated" / "mine.txt").write_text("old")

    def interrupt(self, X, y):
        raise KeyboardInterrupt

    monkeypatch.setattr(AudioSeparator, "fit", interrupt)
    before = listing(files)
    assert_fails(SEPARATE, capsys, "interrupted", status=130)
    assert listing(files) == before


# evaluate


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


# demo


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


# what all commands share


def test_models_of_the_table_exist_and_keep_their_defaults():
    for name, class_name in MODELS.items():
        model = make_source_model(name, n_components=None)
        assert type(model).__name__ == class_name
        assert model.get_params() == type(model)().get_params()
        assert make_source_model(name, n_components=7).n_components == 7


@pytest.mark.parametrize("command", [[], ["demo"], ["separate"], ["evaluate"]])
def test_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {' '.join(['sklearn-gass', *command])}")


def test_module_runs_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["-m", "--version"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("sklearn_gass", run_name="__main__")
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"sklearn-gass {sklearn_gass.__version__}\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "quiet", "shown"), [(Terminal, False, True), (Terminal, True, False), (io.StringIO, False, False)]
)
def test_progress_is_drawn_on_a_terminal_only(monkeypatch, stream, quiet, shown):
    monkeypatch.setattr(sys, "stderr", stream())
    with Console(quiet=quiet).progress(2) as begin:
        begin("Reading")
        begin("Training")
    assert ("Training" in sys.stderr.getvalue()) is shown


def test_notices_and_results_do_not_tear_the_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", Terminal())
    console = Console()
    with console.progress(1) as begin:
        begin("Training")
        console.notice("a notice")
        console.result("a result")
    assert "\ra notice\n" in sys.stderr.getvalue()
    assert capsys.readouterr().out == "a result\n"


def test_what_the_library_logs_becomes_a_notice(capsys):
    import logging

    logger = logging.getLogger("sklearn_gass.datasets")
    for quiet, shown in ((False, "downloading 22 MB\n"), (True, "")):
        with Console(quiet=quiet).logging():
            logger.info("downloading %d MB", 22)
        assert capsys.readouterr().err == shown
    assert logging.getLogger("sklearn_gass").handlers == []

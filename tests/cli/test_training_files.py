"""Which files are trained on, and what is said about the others."""

import os
import shutil
import stat
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cli.commands import RATE, SEPARATE, TRAINED, assert_fails
from sklearn_gass import load_audio, save_audio
from sklearn_gass.audio_io import AUDIO_SUFFIXES
from sklearn_gass.cli import _training_files as training_files
from sklearn_gass.cli import main
from sklearn_gass.cli._console import CommandError
from sklearn_gass.cli._training_files import TrainingFiles


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch("a/0.wav", "b/0.wav")
    return tmp_path


def touch(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def find(a=("a",), b=("b",), mixtures=(), output="separated"):
    """Return the files of source "a", and what is said about those that were skipped."""
    sources = {"a": list(map(Path, a)), "b": list(map(Path, b))}
    files = TrainingFiles(sources, list(map(Path, mixtures)), Path(output))
    return [file.path.as_posix() for file in files.by_label["a"]], files.describe_skipped()


def test_all_sound_files_below_a_folder_are_taken(folder):
    names = [f"a/{i}{suffix}" for i, suffix in enumerate(sorted(AUDIO_SUFFIXES))]
    touch(*names, "a/deep/er/LOUD.WAV", "a/notes.txt", "a/0.TextGrid", "a/noise")
    assert find() == (sorted(["a/0.wav", *names, "a/deep/er/LOUD.WAV"]), "")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a/.git/annex/x.wav", "a/.git/annex/y.flac"], "Skipped 2 files: a/.git (hidden, 2 files)."),
        (["a/.ipynb_checkpoints/x.wav"], "Skipped 1 file: a/.ipynb_checkpoints (hidden)."),
        (["a/._0.wav"], "Skipped 1 file: a/._0.wav (hidden)."),
        (["a/.Trash-1000/files/x.wav"], "Skipped 1 file: a/.Trash-1000 (wastebasket)."),
        (["a/$RECYCLE.BIN/x.wav"], "Skipped 1 file: a/$RECYCLE.BIN (wastebasket)."),
        (["a/day/@eaDir/x.wav"], "Skipped 1 file: a/day/@eaDir (wastebasket)."),
        (["a/__MACOSX/x.wav"], "Skipped 1 file: a/__MACOSX (wastebasket)."),
        (
            ["a/x.shn", "a/y.AC3"],
            "Skipped 2 files: a/x.shn (.shn files are not read), a/y.AC3 (.AC3 files are not read).",
        ),
        (["a/.git/config", "a/.cache/x.txt", "a/.DS_Store"], ""),
    ],
)
def test_hidden_and_foreign_files_are_skipped_and_named(folder, names, said):
    touch(*names)
    assert find() == (["a/0.wav"], said)


def test_only_some_of_many_skipped_files_are_named(folder):
    touch(*(f"a/.{i}.wav" for i in range(9)))
    said = find()[1]
    assert said.startswith("Skipped 9 files: a/.0.wav (hidden), ")
    assert said.endswith("a/.4.wav (hidden), and 4 more.")


def test_what_the_user_names_is_taken(folder):
    touch("a/.hidden/1.wav", "a/.hidden/.2.wav", "mix.wav")
    assert find(a=["a/.hidden"])[0] == ["a/.hidden/1.wav"]
    assert find(a=["a/.hidden/.2.wav", "mix.wav"], mixtures=["mix.wav"])[0] == ["a/.hidden/.2.wav", "mix.wav"]


def test_windows_hides_files_by_an_attribute(folder, monkeypatch):
    touch("a/1.wav")
    lstat = Path.lstat

    def lstat_of_windows(path):
        hidden = stat.FILE_ATTRIBUTE_HIDDEN if path.name == "1.wav" else 0
        return SimpleNamespace(st_file_attributes=hidden, st_mode=lstat(path).st_mode)

    monkeypatch.setattr(Path, "lstat", lstat_of_windows)
    assert find() == (["a/0.wav"], "Skipped 1 file: a/1.wav (hidden).")


def test_links_are_followed_and_no_file_counts_twice(folder):
    touch("elsewhere/1.wav", "elsewhere/sub/2.wav")
    os.symlink(folder / "elsewhere", "a/linked")
    os.symlink(folder / "elsewhere", "a/linked again")
    os.symlink(".", "elsewhere/cycle")
    os.symlink(folder / "a", "a/myself")
    os.symlink(folder / "a" / "0.wav", "a/same.wav")
    os.link("a/0.wav", "a/same too.wav")
    everything = ["a/0.wav", "a/linked/1.wav", "a/linked/sub/2.wav"]
    assert find() == (everything, "")
    assert find(a=["a", "a/0.wav", "elsewhere/sub", "a"]) == (everything, "")


@pytest.mark.parametrize("target", ["nowhere", "broken.wav"])
def test_links_that_lead_nowhere_are_named(folder, target):
    os.symlink(target, "a/broken.wav")
    assert find() == (["a/0.wav"], "Skipped 1 file: a/broken.wav (a link that leads nowhere).")


def test_pipes_are_no_training_data(folder):
    os.mkfifo("a/pipe.wav")
    assert find() == (["a/0.wav"], "Skipped 1 file: a/pipe.wav (no regular file).")


@pytest.mark.skipif(os.geteuid() == 0, reason="root opens every folder")
def test_folders_that_cannot_be_opened_are_named(folder):
    touch("a/secret/1.wav")
    os.chmod("a/secret", 0)
    try:
        assert find() == (["a/0.wav"], "Skipped: a/secret (cannot be opened: Permission denied).")
    finally:
        os.chmod("a/secret", 0o700)


def test_mixtures_are_no_clean_recordings(folder):
    touch("a/mix.wav")
    os.symlink("a/mix.wav", "link.wav")
    said = "Skipped 1 file: a/mix.wav (to be separated)."
    assert find(mixtures=["a/mix.wav"]) == (["a/0.wav"], said)
    assert find(mixtures=["link.wav"]) == (["a/0.wav"], said)


def test_the_folder_for_results_is_no_training_data(folder):
    touch("a/out/mix/a.wav", "a/out/b.wav")
    assert find(output="a/out") == (["a/0.wav"], "Skipped 2 files: a/out (the folder for results, 2 files).")
    assert find(output="a/../a/out")[0] == ["a/0.wav"]
    assert find(a=["a/out"], output="a/out")[0] == ["a/out/b.wav", "a/out/mix/a.wav"], "the user has named it"
    assert find(output=".")[0] == ["a/0.wav", "a/out/b.wav", "a/out/mix/a.wav"]


@pytest.mark.parametrize(
    ("paths", "sentence"),
    [
        (["nowhere"], "The folder nowhere does not exist."),
        (["a", "empty"], "The folder empty holds no sound files (.3gp, .aac, "),
        (["rubbish"], "Skipped 1 file: rubbish/.trashes (wastebasket)."),
        (["a", "a/pipe.wav"], "a/pipe.wav is neither a folder nor a regular file."),
        (["."], "would train both 'a' and 'b'."),
        (["x" * 300], "File name too long"),
    ],
)
def test_paths_that_give_nothing_are_refused(folder, paths, sentence):
    touch("empty/notes.txt", "rubbish/.trashes/x.wav")
    os.mkfifo("a/pipe.wav")
    with pytest.raises(CommandError) as refusal:
        find(a=paths)
    assert sentence in str(refusal.value)


def test_file_systems_without_file_numbers(folder, monkeypatch):
    touch("a/1.wav", "a/sub/2.wav")
    os.symlink("a/1.wav", "b/1.wav")
    path_stat = Path.stat

    def stat_without_number(path, **options):
        info = path_stat(path, **options)
        return SimpleNamespace(st_dev=info.st_dev, st_ino=0, st_mode=info.st_mode)

    monkeypatch.setattr(Path, "stat", stat_without_number)
    assert find()[0] == ["a/0.wav", "a/1.wav", "a/sub/2.wav"]


# with real sound


def test_a_source_may_have_several_folders_and_files(files, capsys, quick_picture):
    shutil.move("low/day 1/1.wav", "1.wav")
    assert main([*SEPARATE, "--train", "low=1.wav"]) == 0
    assert capsys.readouterr().err == TRAINED
    together = load_audio("separated/mix/low.wav")[0]
    shutil.move("1.wav", "low/day 1/1.wav")
    assert main(SEPARATE) == 0
    np.testing.assert_array_equal(load_audio("separated/mix/low.wav")[0], together)


def test_files_that_cannot_be_read_are_skipped_and_named_first(files, capsys, quick_picture):
    whole = Path("low/day 1/0.wav").read_bytes()
    Path("low/cut.wav").write_bytes(whole[:-100])
    Path("low/empty.wav").touch()
    Path("low/day 1/.hidden.wav").write_bytes(whole)
    assert main(SEPARATE) == 0
    said = capsys.readouterr().err
    assert said.startswith(f"{TRAINED.strip()} Skipped 3 files: ")
    reasons = said.partition(" Skipped 3 files: ")[2]
    assert reasons.startswith("low/empty.wav (is empty), low/cut.wav (is truncated")
    assert reasons.endswith("low/day 1/.hidden.wav (hidden).\n")
    assert main([*SEPARATE, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_a_file_that_is_named_must_be_readable(files, capsys):
    Path("cut.wav").write_bytes(Path("low/day 1/0.wav").read_bytes()[:-100])
    assert_fails([*SEPARATE, "--train", "low=cut.wav"], capsys, "Audio file cut.wav is truncated")


def test_results_of_an_earlier_run_are_no_clean_recordings(files, capsys, quick_picture):
    assert main([*SEPARATE, "-o", "low/first"]) == 0
    expected = load_audio("low/first/mix/low.wav")[0]
    assert main([*SEPARATE, "-o", "low/second"]) == 0
    said = f"{TRAINED.strip()} Skipped 2 files: low/first/mix (results of an earlier run, 2 files).\n"
    assert capsys.readouterr().err == TRAINED + said
    np.testing.assert_array_equal(load_audio("low/second/mix/low.wav")[0], expected)
    sentence = "The folder low/first/mix holds results of an earlier run"
    assert_fails([*SEPARATE, "--train", "low=low/first/mix"], capsys, sentence)


def test_a_page_of_another_program_is_no_mark_of_results(files, capsys, quick_picture):
    Path("low/index.html").write_text("<html><head></head>sklearn-gass</html>", encoding="utf-8")
    assert main(SEPARATE) == 0
    assert capsys.readouterr().err == TRAINED


def test_names_of_wastebaskets_are_in_lower_case():
    assert all(name == name.lower() for name in training_files._WASTEBASKETS)


def test_paths_begin_at_home(files, capsys, monkeypatch, quick_picture):
    monkeypatch.setenv("HOME", str(files))
    argv = "separate ~/mix.wav --train low=~/low --train high=~/high --model nmf --n-components 3 -o ~/out".split()
    assert main(argv) == 0
    assert Path("out/mix/low.wav").is_file()
    wave = load_audio("mix.wav")[0]
    save_audio("both.wav", np.stack([wave, wave]), RATE)
    assert main("evaluate --references a=~/low.wav b=~/high.wav --estimates a=~/low.wav b=~/both.wav".split()) == 0

"""Commands that several tests run, and what holds for all that fail."""

from test_display import PNG_SIGNATURE

from sklearn_gass.cli import main

__all__ = ["EVALUATE", "PNG_SIGNATURE", "RATE", "SEPARATE", "TRAIN", "TRAINED", "assert_fails", "listing"]

RATE = 8000
SEPARATE = "separate mix.wav --train low=low --train high=high --model nmf --n-components 3".split()
EVALUATE = "evaluate --references low=low.wav high=high.wav --estimates high=high.wav low=mix.wav".split()
TRAIN = "train low=low high=high --model nmf --set source_model__n_components=3".split()
TRAINED = "Training on low (2 files, 1 s), high (2 files, 1 s).\n"


def listing(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def assert_fails(argv, capsys, sentence, status=1, notices=""):
    """Run a command that must fail with one line on standard error, behind notices, and return what it printed."""
    assert main(argv) == status
    out, err = capsys.readouterr()
    assert err.startswith(f"{notices}sklearn-gass: error: ")
    err = err.removeprefix(notices)
    assert err.count("\n") == 1 and err.endswith("\n")
    assert sentence in err
    return out

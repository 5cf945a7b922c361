"""Scripts that try faults: the corpus of the fuzzer is replayed, and the table says what was counted."""

import importlib
import json
import random
from pathlib import Path

import pytest

from sklearn_gass import save_model

ROOT = Path(__file__).parents[1]
SEEDS = Path(__file__).parent / "data" / "fuzz"


@pytest.fixture
def script(monkeypatch):
    """Return a function that imports a script."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks" / "robustness"))
    return importlib.import_module


@pytest.mark.parametrize("path", sorted(SEEDS.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_files_of_the_fuzzer_end_well(script, path, tmp_path):
    """Each is read, or refused by a documented error, as are its halves."""
    fuzz = script("fuzz")
    content = path.read_bytes()
    for data in (content, content[: len(content) // 2], content[len(content) // 2 :]):
        fuzz.TARGETS[path.parent.name](data, tmp_path)


def test_seeds_reach_every_target(script):
    assert {path.parent.name for path in SEEDS.glob("*/*")} == set(script("fuzz").TARGETS)


def test_an_undocumented_error_is_noticed(script, tmp_path, monkeypatch):
    fuzz = script("fuzz")

    def fail(*args):
        raise ValueError("anything else")

    monkeypatch.setattr(fuzz, "load_model", fail)
    with pytest.raises(AssertionError, match="anything else"):
        fuzz.TARGETS["model"](b"", tmp_path)


def test_counts_are_gathered_and_become_a_table(script, tmp_path, capsys):
    counts = script("counts")
    path = tmp_path / "counts.json"
    counts.record(path, "kills", {"kills": 1200, "trainings": 3, "equal": 2, "not equal": 1})
    found = {"events": 10, "named": 9, "old kept": 8, "made again": 0, "wrong": 1}
    counts.record(path, "full disk", {"sound": found})
    table = counts.table(json.loads(path.read_text()))
    assert "| `kill -9` during training | 1,200 | 3 trainings finished later, 2 with equal weights | 1 |" in table
    assert (
        "| disk full while writing: sound | 10 | 9 errors that name the file, 8 times old files stayed | 1 |" in table
    )
    assert '"not equal": 1' in capsys.readouterr().out


def test_the_page_has_the_table_of_the_counts(script):
    counts = json.loads((ROOT / "docs" / "trust_counts.json").read_text(encoding="utf-8"))
    assert (ROOT / "docs" / "trust_table.md").read_text(encoding="utf-8") == script("counts").table(counts)
    assert {"kills", "full disk", "model files", "fuzz"} <= set(counts)
    assert not [row for row in script("counts").rows(counts) if row[3]]


@pytest.mark.parametrize("kind", ["sound", "model", "checkpoint", "cache", "page of pictures"])
@pytest.mark.filterwarnings("ignore:Unable to cache to disk")
def test_one_event_of_a_full_disk(script, kind, tmp_path):
    full_disk = script("full_disk")
    outcome = full_disk.event(kind, tmp_path, 300, 0)
    assert outcome["wrong"] == 0, outcome


@pytest.mark.parametrize("damage", ["flips", "truncations", "edits"])
def test_damaged_model_files_are_refused_or_sound(script, damage, tmp_path):
    model_files, path = script("model_files"), tmp_path / "model.safetensors"
    estimator = model_files.make_small()
    save_model(estimator, path, card="a card")
    damaged = getattr(model_files, damage)(path.read_bytes(), 150, random.Random(1))
    expected = model_files.fingerprint(estimator)
    outcomes = model_files.count(damaged, path, model_files.Guard(path), expected, damage == "edits")
    assert outcomes["files"] == 150
    assert outcomes["wrong"] == 0

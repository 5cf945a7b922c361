"""The tables of the comparison: which cells they are made of, and what they say of them."""

import importlib
import json
from pathlib import Path

import pytest

PAPER = Path(__file__).parent.parent / "benchmarks" / "paper"


@pytest.fixture
def report(monkeypatch):
    """Return the module that makes the tables."""
    monkeypatch.syspath_prepend(str(PAPER))
    return importlib.import_module("report")


def write_cell(folder, report, *, number=0, seed=0, sdr=5.0, family="nmf100", row="NMF, 100 templates", settings=None):
    scores = {"sdr": sdr, "sir": 8.0, "sar": 9.0, "si_sdr": 4.0, "fit_seconds": 1.0 + seed, "separate_seconds": 0.1}
    cell = {"family": family, "pair": [f"f{number}", f"m{number}"], "number": number, "seed": seed}
    cell |= {"settings": settings or report.settings(family), "rows": {row: scores}}
    (folder / f"{family}_{number}_{seed}.json").write_text(json.dumps(cell))


def test_means_are_over_seeds_and_times_of_the_slowest(report, tmp_path):
    write_cell(tmp_path, report, seed=0, sdr=5.0)
    write_cell(tmp_path, report, seed=1, sdr=7.0)
    ((name, pairs),) = report.by_row(report.load_cells(tmp_path)).items()
    assert name == "NMF, 100 templates"
    assert pairs["f0", "m0"]["sdr"] == 6.0
    assert pairs["f0", "m0"]["fit_seconds"] == 2.0
    assert pairs["f0", "m0"]["seeds"] == 2


def test_cells_of_other_settings_are_left_out(report, tmp_path, capsys):
    write_cell(tmp_path, report, number=0)
    write_cell(tmp_path, report, number=1, settings="of before")
    assert [cell["number"] for cell in report.load_cells(tmp_path)] == [0]
    assert "settings have changed: cells of nmf100 (seed 0)" in capsys.readouterr().err


def test_seeds_that_lack_pairs_are_left_out(report, tmp_path, capsys):
    for number in range(3):
        write_cell(tmp_path, report, number=number, seed=0)
    write_cell(tmp_path, report, number=0, seed=1, sdr=50.0)
    assert {cell["seed"] for cell in report.load_cells(tmp_path)} == {0}
    assert "nmf100 (seed 1)" in capsys.readouterr().err


def test_no_cells_is_an_error(report, tmp_path):
    with pytest.raises(SystemExit, match=r"run\.py makes them"):
        report.load_cells(tmp_path)


def test_wins_count_no_ties(report):
    assert report.wins({"a": 1.0, "b": 2.0, "c": 0.0, "d": -1.0}) == "2 of 4 (p = 1)"
    assert report.wins({"a": 0.0}) == "0 of 1"


def test_interval_of_equal_gains_is_a_point(report):
    gains = {(first, second): 0.5 for first in "abc" for second in "xyz"}
    assert report.interval(gains) == "+0.50 [+0.50, +0.50]"


def test_oracle_takes_the_best_weight_of_each_pair(report):
    rows = {
        "VAE": {("a", "x"): {"sdr": 3.0}, ("b", "x"): {"sdr": 1.0}},
        "VAE, λ = 0": {("a", "x"): {"sdr": 2.0}, ("b", "x"): {"sdr": 4.0}},
    }
    report.add_oracles(rows)
    best = rows["VAE" + report.ORACLE]
    assert [best[pair]["sdr"] for pair in sorted(best)] == [3.0, 4.0]


def test_choice_is_compared_within_the_same_fitted_models(report):
    scores = {"VAE": 5.0, "VAE, λ = 0": 3.0, "VAE, λ = 1": 4.0}
    fixed = {name: {"sdr": sdr, "sir": sdr, "sar": sdr} for name, sdr in scores.items()}
    choices = [("vae", 0, fixed), ("vae", 1, fixed), ("chosen", 0, {"choice": {"sdr": 50.0, "weight": 1.0}})]
    cells = [{"family": f, "number": n, "seed": 0, "pair": [f"f{n}", "m"], "rows": rows} for f, n, rows in choices]
    (cell,) = report.at_chosen_weight(cells, "chosen", "choice", "vae", "VAE")
    assert cell["number"] == 0
    assert cell["rows"] == fixed | {"choice": fixed["VAE, λ = 1"]}


def test_text_outside_the_marks_stays(report):
    begin, end = report.MARKS
    assert report.between_marks(f"before\n{begin}\nold\n{end}\nafter", "new") == f"before\n{begin}\nnew\n{end}\nafter"
    with pytest.raises(SystemExit, match="once each"):
        report.between_marks("nothing", "new")


def test_settings_change_with_parameters_alone(report, monkeypatch):
    import methods
    import sklearn

    names = [*methods.FAMILIES, *methods.CHOSEN, methods.BOUNDS, methods.NETWORK]
    hashes = [methods.settings(name) for name in names]
    assert len(set(hashes)) == len(names)
    with sklearn.config_context(print_changed_only=False):
        methods.settings.cache_clear()
        assert [methods.settings(name) for name in names] == hashes
    monkeypatch.setattr(methods, "REVISION", methods.REVISION + 1)
    methods.settings.cache_clear()
    assert set(map(methods.settings, names)).isdisjoint(hashes)
    methods.settings.cache_clear()

"""The tables of the comparison: which cells they are made of, and what they say of them."""

import importlib
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

PAPER = Path(__file__).parent.parent / "benchmarks" / "paper"
BASE = PAPER.parent / "base"


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


def test_seeds_of_other_pairs_are_left_out(report, tmp_path, capsys):
    for seed, numbers in ((0, (0, 12)), (1, (0, 24))):
        for number in numbers:
            write_cell(tmp_path, report, number=number, seed=seed)
    assert {cell["seed"] for cell in report.load_cells(tmp_path)} == {0}
    assert "nmf100 (seed 1)" in capsys.readouterr().err


def test_cells_of_before_do_not_hide_those_kept(report, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "HERE", tmp_path)
    monkeypatch.setattr(report, "WITH_A_BASE", tmp_path / "none.json")
    (tmp_path / "cells").mkdir()
    write_cell(tmp_path, report)
    (kept,) = tmp_path.glob("*.json")
    (tmp_path / "results.json").write_text(json.dumps([json.loads(kept.read_text())]))
    write_cell(tmp_path / "cells", report, sdr=50.0, settings="of before")
    write_cell(tmp_path / "cells", report, family="of before", settings="of before")
    (cell,) = report.load_cells()
    assert cell["rows"]["NMF, 100 templates"]["sdr"] == 5.0


def test_no_cells_is_an_error(report, tmp_path):
    with pytest.raises(SystemExit, match=r"run\.py makes them"):
        report.load_cells(tmp_path)


def test_wins_count_no_ties(report):
    assert report.wins({"a": 1.0, "b": 2.0, "c": 0.0, "d": -1.0}) == "2 of 4, 1 equal (p = 1)"
    assert report.wins({"a": 0.0}) == "0 of 1, 1 equal"


def test_interval_of_equal_gains_is_a_point(report):
    gains = {(first, second): 0.5 for first in "abc" for second in "xyz"}
    assert report.interval(gains) == "+0.50 [+0.50, +0.50]"


def test_interval_of_unequal_gains_has_the_mean_inside(report):
    gains = {(first, second): "abc".index(first) - 1.0 for first in "abc" for second in "xyz"}
    mean, low, high = map(float, re.findall(r"[+-]?[\d.]+", report.interval(gains)))
    assert (mean, low, high) == (0.0, -1.0, 1.0)  # speakers of the first kind are drawn again, all gains with them


def test_a_difference_of_nearly_zero_has_no_sign(report):
    assert [report.signed(value) for value in (0.004, -0.004, 0.006, -0.006)] == ["0.00", "0.00", "+0.01", "-0.01"]


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

    names = [*methods.FAMILIES, *methods.CHOSEN, methods.BOUNDS, *methods.NETWORKS]
    hashes = [methods.settings(name) for name in names]
    assert len(set(hashes)) == len(names)
    with sklearn.config_context(print_changed_only=False):
        methods.settings.cache_clear()
        assert [methods.settings(name) for name in names] == hashes
    family = methods.FAMILIES["nmf20"]
    other = methods.Family(sklearn.clone(family.separator).set_params(source_model__max_iter=21), family.variants)
    monkeypatch.setitem(methods.FAMILIES, "nmf20", other)
    methods.settings.cache_clear()
    changed = [name for name, before in zip(names, hashes, strict=True) if methods.settings(name) != before]
    assert changed == ["nmf20"]
    monkeypatch.setattr(methods, "LATEST_REVISION", methods.LATEST_REVISION + 1)
    methods.settings.cache_clear()
    older = {name for name in names if name.startswith(tuple(methods.REVISIONS))} - {"nmf20"}
    changed = {name for name, before in zip(names, hashes, strict=True) if methods.settings(name) != before}
    assert changed == set(names) - older
    methods.settings.cache_clear()


def test_published_tables_are_those_of_the_published_cells(report, tmp_path, monkeypatch):
    root = report.ROOT
    shutil.copy(report.HERE / "results.json", tmp_path)
    monkeypatch.setattr(report, "HERE", tmp_path)  # without cells that were not published
    cells = report.load_cells()
    rows = report.by_row(cells)
    report.add_oracles(rows)
    page = (root / "docs" / "paper_table.md").read_text(encoding="utf-8")
    for section in report.make_sections(cells, rows):
        assert section in page
    readme = (root / "README.md").read_text(encoding="utf-8")
    most = max(map(len, rows.values()))
    main_rows = {name: pairs for name, pairs in rows.items() if len(pairs) == most and report.is_main(name)}
    assert report.make_readme_body(main_rows, most) in readme


def test_published_curve_is_that_of_the_published_cells(report):
    curve = importlib.import_module("time_curve")
    page = (report.ROOT / "docs" / "time_curve.md").read_text(encoding="utf-8")
    assert curve.make_page(curve.load()) == page


def test_methods_are_compared_at_equal_times(report):
    curve = importlib.import_module("time_curve")
    cells = {
        (method, scale, pair, 0): {"fit_seconds": 20 * (i + 1) ** 2 * (1 + pair), "sdr": 10 + i + pair}
        for method in curve.METHODS
        for i, scale in enumerate(curve.scales(method))
        for pair in (0, 1)
    }
    # pair 0 has 11 dB after 80 s; pair 1 has 11 dB after 40 s and 12 dB after 160, so 11.5 after the root of both
    found = curve.sdr_after(cells, "VAE", 80)
    np.testing.assert_allclose([found[0, 0], found[1, 0]], [11, 11.5])
    assert not curve.sdr_after(cells, "VAE", 30), "pair 1 has no shorter training"
    assert not curve.sdr_after(cells, "VAE", 1e4)
    assert curve.comparison(cells)[2].endswith("|  |")
    assert curve.comparison(cells)[4].endswith("| 0.00 [0.00, 0.00] |")


def test_methods_are_compared_by_common_seeds(report):
    curve = importlib.import_module("time_curve")
    cells = {
        (method, scale, pair, seed): {"fit_seconds": 10 * 4**i, "sdr": 10.0 + 5 * seed}
        for method in curve.METHODS
        for i, scale in enumerate(curve.scales(method))
        for pair in (0, 6)
        for seed in ((0, 1) if method == "VAE" else (0,))
    }
    assert curve.comparison(cells)[2] == "| 30 | 1 | 10.00 | 10.00 | 10.00 | 0.00 [0.00, 0.00] |"


def test_points_of_a_curve_have_the_same_pairs(report):
    curve = importlib.import_module("time_curve")
    cell = {"fit_seconds": 10.0, "sdr": 10.0}
    cells = {("VAE", 0.2, pair, 0): cell for pair in (0, 6)} | {("VAE", 0.4, 0, 0): cell, ("VAE", 0.2, 0, 1): cell}
    ((seconds, sdr, n_seeds),) = curve.points(cells, "VAE")
    assert (seconds, sdr, n_seeds) == (10.0, {0: 10.0, 6: 10.0}, 1)


@pytest.fixture
def learning_curve(report, monkeypatch):
    """Return the module that makes the page about little sound."""
    # last, since the modules of the paper's comparison have another run.py
    monkeypatch.setattr(sys, "path", [*sys.path, str(BASE)])
    return importlib.import_module("learning_curve")


def test_published_learning_curve_is_that_of_the_published_cells(report, learning_curve):
    page = (report.ROOT / "docs" / "learning_curve.md").read_text(encoding="utf-8")
    assert learning_curve.make_page(learning_curve.published() | learning_curve.load()) == page


def test_lengths_of_sound_are_compared_by_common_seeds(learning_curve):
    nmf, vae, based = learning_curve.METHODS
    cells = {
        (pair, seed, 3.0, method): {"sdr": 10.0 + (method == based) + 5 * seed, "fit_seconds": 60.0}
        for pair in learning_curve.PAIRS
        for seed, method in ((0, nmf), (0, vae), (0, based), (1, vae))
    }
    assert learning_curve.table(cells)[2:] == [
        "| 3 | 10.00 | 10.00 | 11.00 | +1.00 [+1.00, +1.00] | 10.00, 10.00, 11.00 | 60, 60, 60 | 1 |"
    ]
    del cells[6, 0, 3.0, based]
    assert learning_curve.table(cells)[2:] == ["| 3 | 10.00 | 10.00 |  |  | 10.00, 10.00 | 60, 60 | 1 |"]


def test_readme_table_names_the_best_generative_model(report):
    scores = {"sir": 8.0, "sar": 9.0, "fit_seconds": 1.0, "separate_seconds": 0.1}
    sdr = {"mixture": 0.0, "VAE": 5.0, "GAN": 6.0, "ideal ratio mask": 14.0}
    sdr |= {report.DEFAULT_NMF: 3.0, report.MASK_NETWORK: 7.0}
    rows = {name: {("f", "m"): scores | {"sdr": value}} for name, value in sdr.items()}
    del rows["mixture"]["f", "m"]["fit_seconds"]
    lines = report.make_readme_table(rows).splitlines()[2:]
    assert [line.split("|")[1].strip() for line in lines] == [
        "mixture, not separated", "NMF", "GAN, the best generative model", "mask network",
        "ideal mask, from the true sources",
    ]  # fmt: skip
    assert lines[0].split("|")[5].strip() == "", "nothing is trained for the mixture"
    assert "6.00" in lines[2]


def test_corpus_has_every_sentence_once(report, tmp_path):
    load_corpus = importlib.import_module("corpus").load_corpus
    for speaker in ("FAAA0", "MBBB0"):
        folder = tmp_path / "TRAIN" / "DR1" / speaker
        folder.mkdir(parents=True)
        for name in ("SA1.WAV", "SA1.WAV.wav", "SX9.wav"):
            soundfile.write(folder / name, np.zeros(160), 16000, format="WAV")
    data = load_corpus(tmp_path)
    assert data.groups.tolist() == ["faaa0/sa1", "faaa0/sx9", "mbbb0/sa1", "mbbb0/sx9"]
    assert data.sample_rate == 16000

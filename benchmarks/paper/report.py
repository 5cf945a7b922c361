"""Make tables and figure of the comparison from the cells that ``run.py`` left.

Run ``python benchmarks/paper/report.py``: writes ``results.json`` with every cell, ``docs/paper_table.md``, the figure
beside it and, with ``--readme``, the table between the figure marks of the README. ``--cells`` takes the cells of
another folder, such as those of another corpus, and only prints.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from methods import settings
from scipy.stats import binomtest

from sklearn_gass import SupervisedSeparator

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BASELINE = "NMF, 100 templates"
FIGURE = "paper_figure.svg"
METRICS = ("sdr", "sir", "sar")
DEFAULT_WEIGHT = SupervisedSeparator().critic_weight
WEIGHT, ORACLE = ", λ = ", ", oracle λ (picked by the true sources)"
ASIDE = "own encoder"  # in the names of rows that the main table leaves out
MARKS = "<!-- figures: begin -->", "<!-- figures: end -->"


def load_cells(folder=None):
    """Return all cells of a folder, or those kept in the repository and those run since, if made as methods are now."""
    kept = HERE / "results.json"
    cells = json.loads(kept.read_text()) if kept.exists() and folder is None else []
    cells += [json.loads(path.read_text()) for path in sorted((folder or HERE / "cells").glob("*.json"))]
    unique = {(cell["family"], cell["number"], cell["seed"]): cell for cell in cells}
    current = {key: cell for key, cell in unique.items() if cell["settings"] == settings(cell["family"])}
    if stale := sorted({family for family, *_ in unique.keys() - current.keys()}):
        print(f"Left out, since their parameters have changed: cells of {', '.join(stale)}.", file=sys.stderr)
    if not current:
        raise SystemExit("There are no cells to report: run.py makes them.")
    return [current[key] for key in sorted(current)]


def by_row(cells):
    """Return, for each row of the table, scores by pair of speakers, each the mean over seeds."""
    rows = {}
    for cell in cells:
        for name, scores in cell["rows"].items():
            rows.setdefault(name, {}).setdefault(tuple(cell["pair"]), []).append(scores)
    merge = {"fit_seconds": max}  # the longest fit is one that found nothing in the cache
    return {
        name: {
            pair: {key: merge.get(key, np.mean)([scores[key] for scores in seeds]) for key in seeds[0]}
            for pair, seeds in pairs.items()
        }
        for name, pairs in rows.items()
    }


def seed_table(cells):
    """Return the table of the SDR that each seed has, for the main rows with several seeds."""
    seeds = sorted({cell["seed"] for cell in cells})
    by_seed = {seed: by_row(cell for cell in cells if cell["seed"] == seed) for seed in seeds}
    lines = ["| method | " + " | ".join(f"seed {seed}" for seed in by_seed) + " |", "|---" * (len(by_seed) + 1) + "|"]
    for name in filter(is_main, by_row(cells)):
        means = [
            f"{np.mean([scores['sdr'] for scores in rows[name].values()]):.2f}" if name in rows else ""
            for rows in by_seed.values()
        ]
        if sum(map(bool, means)) > 1:
            lines.append(f"| {name} | " + " | ".join(means) + " |")
    return "\n".join(lines)


def is_main(name):
    """Tell whether the main table has a row."""
    return WEIGHT not in name and ASIDE not in name


def add_oracles(rows):
    """Add, for each model with several values of λ, the best of them for each pair, which nobody could choose."""
    for name in [name for name in rows if f"{name}{WEIGHT}0" in rows]:
        tried = [pairs for other, pairs in rows.items() if other == name or other.startswith(name + WEIGHT)]
        common = set.intersection(*(set(pairs) for pairs in tried))
        rows[name + ORACLE] = {pair: max((t[pair] for t in tried), key=lambda s: s["sdr"]) for pair in sorted(common)}


def table_row(name, pairs, baseline):
    """Return one line: means, median, wins and a bootstrap interval of the gain over the baseline on the same pairs."""
    values = {key: [scores[key] for scores in pairs.values()] for key in next(iter(pairs.values()))}
    cells = [f"{np.mean(values[key]):.2f}" if key in values else "" for key in ("sdr", "sir", "sar", "si_sdr")]
    cells.append(f"{np.median(values['sdr']):.2f}")
    gains = {pair: scores["sdr"] - baseline[pair]["sdr"] for pair, scores in pairs.items() if pair in baseline}
    cells += ["", ""] if name == BASELINE or not gains else [interval(gains), wins(gains)]
    cells.append(f"{max(values['fit_seconds']):.0f}" if "fit_seconds" in values else "")
    cells.append(f"{np.median(values['separate_seconds']):.2f}" if "separate_seconds" in values else "")
    cells.append(str(len(pairs)))
    return f"| {name} | " + " | ".join(cells) + " |"


def wins(gains):
    """Return how many gains are above zero, and the sign test's probability of as uneven a number by chance."""
    above = sum(gain > 0 for gain in gains.values())
    return f"{above} of {len(gains)} (p = {binomtest(above, len(gains)).pvalue:.1g})"


def interval(gains):
    """Return the mean and its bootstrap interval: speakers are drawn again, and with them all of their pairs."""
    rng, weights = np.random.RandomState(0), np.ones((10_000, len(gains)))
    for speakers in zip(*gains, strict=True):
        names, places = np.unique(speakers, return_inverse=True)
        weights *= rng.multinomial(len(names), np.full(len(names), 1 / len(names)), len(weights))[:, places]
    drawn = weights[weights.any(axis=1)]
    values = np.array(list(gains.values()))
    low, high = np.percentile(drawn @ values / drawn.sum(1), [2.5, 97.5])
    return f"{values.mean():+.2f} [{low:+.2f}, {high:+.2f}]"


def weight_table(rows):
    """Return the table of what λ adds to the same fitted models at λ = 0."""
    lines = ["| method | SDR [95 %] | ahead | SIR | SAR |", "|---" * 5 + "|"]
    for name in sorted(name for name in rows if f"{name}{WEIGHT}0" in rows):
        without = rows[f"{name}{WEIGHT}0"]
        for other, pairs in rows.items():
            if other == name or (other.startswith(name + WEIGHT) and pairs is not without):
                gain = {key: {i: pairs[i][key] - without[i][key] for i in pairs} for key in METRICS}
                sir, sar = (np.mean(list(gain[key].values())) for key in ("sir", "sar"))
                label = f"{name}{WEIGHT}{DEFAULT_WEIGHT:g}, the default" if other == name else other
                lines.append(f"| {label} | {interval(gain['sdr'])} | {wins(gain['sdr'])} | {sir:+.2f} | {sar:+.2f} |")
    return "\n".join(lines)


def make_table(rows, baseline=None):
    """Return the Markdown table, best mean SDR first."""
    baseline = rows.get(BASELINE, {}) if baseline is None else baseline
    header = [
        "method", "SDR", "SIR", "SAR", "SI-SDR", "median SDR", "gain over NMF-100 [95 %]", "ahead of NMF-100",
        "CPU s per fit", "CPU s per mixture", "pairs",
    ]  # fmt: skip
    order = sorted(rows, key=lambda name: -np.mean([scores["sdr"] for scores in rows[name].values()]))
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    return "\n".join([*lines, *(table_row(name, rows[name], baseline) for name in order)])


def draw(rows):
    """Draw the distribution over the pairs of SDR, SIR and SAR, best mean SDR on top."""
    import matplotlib
    from matplotlib.figure import Figure

    order = sorted(rows, key=lambda name: np.mean([scores["sdr"] for scores in rows[name].values()]))
    figure = Figure(figsize=(9, 1 + 0.28 * len(order)), layout="constrained")
    for axes, metric in zip(figure.subplots(1, 3, sharey=True), METRICS, strict=True):
        values = [[scores[metric] for scores in rows[name].values()] for name in order]
        axes.violinplot(values, orientation="horizontal", showmeans=True, showextrema=False, widths=0.9, points=40)
        axes.set(xlabel=f"{metric.upper()} / dB", yticks=range(1, len(order) + 1), yticklabels=order)
        axes.grid(axis="x", alpha=0.3)
    with matplotlib.rc_context({"svg.hashsalt": FIGURE, "svg.fonttype": "none"}):
        figure.savefig(ROOT / "docs" / FIGURE, metadata={"Date": None})


def main():
    """Write results, tables, figure and, if asked, the README."""
    parser = argparse.ArgumentParser(description="Make the table of the comparison from its cells.")
    parser.add_argument("--readme", action="store_true", help="also put the main rows into the README")
    parser.add_argument("--cells", type=Path, help="print the table of this folder and write nothing")
    options = parser.parse_args()
    cells = load_cells(options.cells)
    rows = by_row(cells)
    add_oracles(rows)
    most = max(map(len, rows.values()))
    complete = {name: pairs for name, pairs in rows.items() if len(pairs) == most}
    partial = {name: pairs for name, pairs in rows.items() if len(pairs) < most}
    main_rows = {name: pairs for name, pairs in complete.items() if is_main(name)}
    tables = [make_table(complete)]
    if any(name.endswith(f"{WEIGHT}0") for name in rows):
        tables.append(f"## What λ adds\n\nTo the same fitted models at λ = 0:\n\n{weight_table(rows)}")
    if len({cell["seed"] for cell in cells}) > 1:
        tables.append(f"## Seed by seed\n\nMean SDR in dB:\n\n{seed_table(cells)}")
    if partial:
        note = "## Some of the pairs only\n\nCompare by the gain, which is over the same pairs.\n\n"
        tables.append(note + make_table(partial, rows.get(BASELINE, {})))
    print("\n\n".join(tables))
    if options.cells:
        return
    (HERE / "results.json").write_text(json.dumps(cells, indent=0) + "\n")
    picture = {name: pairs for name, pairs in main_rows.items() if name != "mixture" and ORACLE not in name}
    draw(picture)
    intro = (
        f"Means over {most} pairs of the TIMIT sample in dB, by BSS eval and SI-SDR; made by `benchmarks/paper/run.py` "
        "and `benchmarks/paper/report.py`.\n"
    )
    caption = f"![Distribution of SDR, SIR and SAR over the pairs, by method]({{}}{FIGURE})\n\n"
    seeds = {}
    for cell in cells:
        seeds.setdefault(cell["family"], set()).add(cell["seed"])
    several = sorted(family for family, own in seeds.items() if len(own) > 1)
    if several:
        intro += f"Scores of {', '.join(several)} are means of {max(map(len, seeds.values()))} seeds, others of one.\n"
    intro += (
        "The defaults of this library, which have a model's plain name here, were developed on these speakers, by such "
        "scores, and are those of all pairs; nothing is chosen for a single pair but by the oracle. So were the "
        "settings of the WGAN that has the adversarial objective alone, which are its own. The paper's methods have "
        "its architectures and schedule, not its data. The gain over NMF-100 has a bootstrap interval over speakers; "
        "the sign test takes pairs as independent, which those of ten speakers are not. CPU s per fit is that of a "
        "pair of which no source model was in the cache, on a machine that others used too: read it roughly.\n"
    )
    page = f"# The paper's table\n\n{intro}\n" + "\n\n".join([tables[0], caption.format("").strip(), *tables[1:]])
    (ROOT / "docs" / "paper_table.md").write_text(page + "\n")
    if options.readme:
        readme = ROOT / "README.md"
        before, rest = readme.read_text().split(MARKS[0])
        after = rest.split(MARKS[1])[1]
        body = f"{intro}\n{make_table(main_rows)}\n\n{caption.format('docs/').strip()}"
        readme.write_text(f"{before}{MARKS[0]}\n{body}\n{MARKS[1]}{after}")


if __name__ == "__main__":
    main()

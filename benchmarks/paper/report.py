"""Make the tables and the figure of the comparison from the cells that ``run.py`` left.

Run ``python benchmarks/paper/report.py``. It writes ``results.json`` with every cell, ``docs/paper_table.md`` and the
figure beside it. With ``--readme`` it also writes five rows between the figure marks of the README. With ``--cells`` it
takes the cells of another folder, such as those of another corpus, and only prints.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from figure import METRICS, draw
from methods import BOUND_EXPONENT, BOUNDS, CHOSEN, FAMILIES, NETWORKS, OURS, WITH_BASE, settings
from scipy.stats import binomtest

from sklearn_gass import NMFSourceModel, SupervisedSeparator
from sklearn_gass.display import format_decibel

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
WITH_A_BASE = HERE.parent / "base" / "results.json"
KNOWN = {*FAMILIES, *CHOSEN, BOUNDS, *NETWORKS}
BASELINE, DEFAULT_NMF = "NMF, 100 templates", f"NMF, {NMFSourceModel().n_components} templates"
BASE_FAMILY = "vae-base"
MASK_NETWORK, IDEAL = NETWORKS["mask-network"], "ideal ratio mask"
TIMES = {"fit_seconds": max, "separate_seconds": np.median}  # the slowest pair; the median pair
FIGURE = "paper_figure.svg"
DEFAULT_WEIGHT = SupervisedSeparator().critic_weight
WEIGHT, ORACLE = ", λ = ", ", oracle λ (picked by the true sources)"
GAIN_HEADER = "| method | SDR [95 %] | ahead | SIR | SAR |", "|---" * 5 + "|"
ASIDE = "own encoder"  # in the names of rows that the main table leaves out
MARKS = "<!-- figures: begin -->", "<!-- figures: end -->"


def load_cells(folder=None):
    """Return the cells of a folder, or of the repository and of runs since; only those with today's settings.

    Those with a base, of ``benchmarks/base``, come with the repository's own, whatever their settings are.
    """
    kept = HERE / "results.json"
    cells = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() and folder is None else []
    files = sorted((folder or HERE / "cells").glob("*.json"))
    cells += [json.loads(path.read_text(encoding="utf-8")) for path in files]
    keyed = [((cell["family"], cell["number"], cell["seed"]), cell) for cell in cells]
    current = {key: cell for key, cell in keyed if key[0] in KNOWN and cell["settings"] == settings(key[0])}
    leave_out({key for key, _ in keyed} - current.keys(), "since their settings have changed")
    if folder is None:
        current |= base_cells({cell["number"]: cell["pair"] for cell in current.values()})
    # all seeds of a mean must have the same pairs
    pairs: dict[tuple, set] = {}
    for family, number, seed in sorted(current, key=lambda key: key[2]):
        pairs.setdefault((family, seed), set()).add(number)
    most = {family: max((p for (f, _), p in pairs.items() if f == family), key=len) for family, _ in pairs}
    whole = {key: cell for key, cell in current.items() if pairs[key[0], key[2]] == most[key[0]]}
    leave_out(current.keys() - whole.keys(), "since another seed has more or other pairs")
    if not whole:
        raise SystemExit("There are no cells to report: run.py makes them.")
    return [whole[key] for key in sorted(whole)]


def base_cells(speakers):
    """Return the cells of training that begins at a base, on all recordings, as cells of this table."""
    found = json.loads(WITH_A_BASE.read_text(encoding="utf-8")) if WITH_A_BASE.exists() else []
    names = (*METRICS, "si_sdr", "fit_seconds")
    return {
        (BASE_FAMILY, cell["pair"], cell["seed"]): {
            "family": BASE_FAMILY,
            "pair": speakers[cell["pair"]],
            "number": cell["pair"],
            "seed": cell["seed"],
            "rows": {WITH_BASE: {name: cell[name] for name in names}},
        }
        for cell in found
        if cell["method"] == WITH_BASE and not cell["seconds"] and cell["pair"] in speakers
    }


def leave_out(keys, reason):
    """Say which cells are left out."""
    if keys:
        named = sorted({f"{family} (seed {seed})" for family, _, seed in keys})
        print(f"Left out, {reason}: cells of {', '.join(named)}.", file=sys.stderr)


def by_row(cells):
    """Return, for each row of the table, the scores of each pair as means over seeds, and the number of seeds."""
    rows = {}
    for cell in cells:
        for name, scores in cell["rows"].items():
            rows.setdefault(name, {}).setdefault(tuple(cell["pair"]), []).append(scores)
    merge = {"fit_seconds": max}  # the longest fit found nothing in the cache
    return {
        name: {
            pair: {key: merge.get(key, np.mean)([s[key] for s in seeds]) for key in seeds[0]} | {"seeds": len(seeds)}
            for pair, seeds in pairs.items()
        }
        for name, pairs in rows.items()
    }


def seed_table(cells):
    """Return a table with the SDR of each seed, for the main rows with several seeds."""
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
    """Add the best λ of each pair, for each model with several values of λ; only the true sources tell which it is."""
    for name in [name for name in rows if f"{name}{WEIGHT}0" in rows]:
        tried = [pairs for other, pairs in rows.items() if other == name or other.startswith(name + WEIGHT)]
        common = set.intersection(*(set(pairs) for pairs in tried))
        rows[name + ORACLE] = {pair: max((t[pair] for t in tried), key=lambda s: s["sdr"]) for pair in sorted(common)}


def table_row(name, pairs, baseline):
    """Return one line: means, median, wins and a bootstrap interval of the gain over the baseline on the same pairs."""
    values = {key: [scores[key] for scores in pairs.values()] for key in next(iter(pairs.values()))}
    cells = [decibels(np.mean(values[key])) if key in values else "" for key in ("sdr", "sir", "sar", "si_sdr")]
    cells.append(f"{np.median(values['sdr']):.2f}")
    gains = {pair: scores["sdr"] - baseline[pair]["sdr"] for pair, scores in pairs.items() if pair in baseline}
    cells += ["", ""] if name == BASELINE or not gains else [interval(gains), wins(gains)]
    cells.append(seconds(max(values["fit_seconds"])) if "fit_seconds" in values else "")
    cells.append(seconds(np.median(values["separate_seconds"])) if "separate_seconds" in values else "")
    cells += [str(len(pairs)), str(max(values["seeds"]))]
    return f"| {name} | " + " | ".join(cells) + " |"


def decibels(value):
    """Return a number of decibels with two decimals; beyond 99 dB written as the library does."""
    return f"{value:.2f}" if abs(value) <= 99 else format_decibel(value)


def seconds(value):
    """Return a number of seconds with two digits or more."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def wins(gains):
    """Return how many gains are above zero, and how likely such an uneven number is by chance (sign test)."""
    above, below = (sum(sign * gain > 0 for gain in gains.values()) for sign in (1, -1))
    equal = f", {len(gains) - above - below} equal" if above + below < len(gains) else ""
    chance = f" (p = {binomtest(above, above + below).pvalue:.1g})" if above + below else ""
    return f"{above} of {len(gains)}{equal}{chance}"


def interval(gains):
    """Return the mean and its bootstrap interval; each draw takes speakers, with all of their pairs."""
    rng, weights = np.random.RandomState(0), np.ones((10_000, len(gains)))
    for speakers in zip(*gains, strict=True):
        names, places = np.unique(speakers, return_inverse=True)
        weights *= rng.multinomial(len(names), np.full(len(names), 1 / len(names)), len(weights))[:, places]
    drawn = weights[weights.any(axis=1)]
    values = np.array(list(gains.values()))
    low, high = np.percentile(drawn @ values / drawn.sum(1), [2.5, 97.5])
    return f"{signed(values.mean())} [{signed(low)}, {signed(high)}]"


def signed(value):
    """Return a difference with two decimals, and with its sign unless both decimals are zero."""
    return f"{value:+.2f}" if round(float(value), 2) else "0.00"


def weight_table(rows):
    """Return the table of what λ adds to the same fitted models at λ = 0."""
    lines = [*GAIN_HEADER]
    for name in sorted(name for name in rows if f"{name}{WEIGHT}0" in rows):
        without = rows[f"{name}{WEIGHT}0"]
        for other, pairs in rows.items():
            if other == name or (other.startswith(name + WEIGHT) and pairs is not without):
                lines.append(gain_row(default_label(name) if other == name else other, pairs, without))
    return "\n".join(lines)


def choice_table(cells):
    """Return the table of what a λ chosen for each pair adds to λ = 0, beside the default and the oracle."""
    lines = [*GAIN_HEADER]
    for family, (chosen, of) in CHOSEN.items():
        model = next(iter(FAMILIES[of].variants))
        rows = by_row(at_chosen_weight(cells, family, chosen, of, model))
        if rows:
            add_oracles(rows)
            for name in (chosen, model, model + ORACLE):
                label = default_label(name) if name == model else name
                lines.append(gain_row(label, rows[name], rows[f"{model}{WEIGHT}0"]))
    return "\n".join(lines)


def at_chosen_weight(cells, family, chosen, of, model):
    """Yield cells of fixed values of λ, with one more row: the same fitted model at the chosen λ."""
    fixed = {(cell["number"], cell["seed"]): cell for cell in cells if cell["family"] == of}
    for choice in (cell for cell in cells if cell["family"] == family):
        cell = fixed.get((choice["number"], choice["seed"]))
        if cell is not None:
            weight = choice["rows"][chosen]["weight"]
            row = model if weight == DEFAULT_WEIGHT else f"{model}{WEIGHT}{weight:g}"
            yield cell | {"rows": cell["rows"] | {chosen: cell["rows"][row]}}


def default_label(model):
    """Return the name that tables of λ give to the row with a model's plain name."""
    return f"{model}{WEIGHT}{DEFAULT_WEIGHT:g}, the default"


def gain_row(label, pairs, without):
    """Return one line: the gain of SDR with its interval and wins, and those of SIR and SAR."""
    gain = {key: {i: pairs[i][key] - without[i][key] for i in pairs} for key in METRICS}
    sir, sar = (signed(np.mean(list(gain[key].values()))) for key in ("sir", "sar"))
    ahead = "" if ORACLE in label else wins(gain["sdr"])  # an oracle is never behind
    return f"| {label} | {interval(gain['sdr'])} | {ahead} | {sir} | {sar} |"


def make_table(rows, baseline=None):
    """Return the Markdown table, best mean SDR first."""
    baseline = rows.get(BASELINE, {}) if baseline is None else baseline
    header = [
        "method", "SDR", "SIR", "SAR", "SI-SDR", "median SDR", "gain over NMF-100 [95 %]", "ahead of NMF-100",
        "CPU s per fit", "CPU s per mixture", "pairs", "seeds",
    ]  # fmt: skip
    order = sorted(rows, key=lambda name: -np.mean([scores["sdr"] for scores in rows[name].values()]))
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    return "\n".join([*lines, *(table_row(name, rows[name], baseline) for name in order)])


def introduction(cells, n_pairs):
    """Return the lines above the table."""
    more = [cell for cell in cells if cell["seed"]]
    families, seeds = (" ".join(sorted({str(cell[key]) for cell in more})) for key in ("family", "seed"))
    again = f" (then with\n`--families {families} --seeds {seeds}`)" if more else ""
    exponent = SupervisedSeparator().mask_exponent
    return f"""Scores are in dB, by BSS eval and SI-SDR, as means over {n_pairs} pairs of the TIMIT sample.
`python benchmarks/paper/run.py`{again} and
`python benchmarks/paper/report.py --readme` made them. The last column is the number of seeds: a row with 1 uses
seed 0, a row with 3 uses seeds 0, 1 and 2.

- A model's plain name stands for the defaults of this library. These defaults were developed on these speakers, by such
  scores. So were the settings of the row *adversarial only*. All settings are the same for all pairs.
- Neural models were trained before loud frames came more often into the mixtures that start and critics learn from.
  With that, the VAE has 12.73 dB instead of 12.67 (seed 0, all pairs).
- λ weighs the critics, networks that score how clean an estimate of a source sounds.
- *Start alone* makes masks of what the mixture encoder guesses, without any optimisation of latents. With
  *smoothness 0* every frame is explained on its own.
- Only the rows that say oracle choose anything by a pair's true sources.
- *Presets* are those of `sklearn_gass.presets`.
- Training of the row *base of other voices* begins at a model of the other eight speakers, which no other row knows:
  see [How much clean sound is needed](learning_curve.md). Its seconds are without those of the base.
- The paper's methods have the paper's architectures and schedule, but not its data.
- The ideal ratio mask has exponent {BOUND_EXPONENT}, and all generative models have masks of exponent {exponent:g}.
  Masks of the mask networks have exponent 1.5. They train for 1,000 steps.
- Generative models and mask networks end with a consistent Wiener filter, as `AudioSeparator` does by default. Rows of
  the paper's methods, of the ideal ratio mask and those that say *masks without consistency* do not.
- The row of the chosen λ was trained separately, with other random numbers than the rows of fixed values.
- Rows with one seed are compared with the mean of NMF-100 over its seeds.
- The interval of the gain over NMF-100 comes from a bootstrap over speakers. With only five and five speakers it is
  optimistic. The sign test treats pairs as independent, but pairs that share a speaker are not.
- CPU s per fit is the time of the slowest pair, for which every source model had to be trained. It includes training
  that only some rows of a model use. The machine had other work, too.
"""


def between_marks(text, body):
    """Return the text with a new body between the figure marks."""
    if [text.count(mark) for mark in MARKS] != [1, 1]:
        raise SystemExit(f"README.md must have {MARKS[0]} and {MARKS[1]} once each.")
    before, rest = text.split(MARKS[0])
    return f"{before}{MARKS[0]}\n{body}\n{MARKS[1]}{rest.split(MARKS[1])[1]}"


def make_sections(cells, rows):
    """Return all tables as Markdown; all but the first have a heading."""
    most = max(map(len, rows.values()))
    partial = {name: pairs for name, pairs in rows.items() if len(pairs) < most}
    whole = {name: pairs for name, pairs in rows.items() if name not in partial}
    sections = [make_table({name: pairs for name, pairs in whole.items() if WEIGHT not in name or ASIDE in name})]
    if any(name.endswith(f"{WEIGHT}0") for name in rows):
        sections.append(f"## What λ adds\n\nGain over the same fitted models at λ = 0:\n\n{weight_table(rows)}")
    if any(cell["family"] in CHOSEN for cell in cells):
        note = "Gain over the same fitted models at λ = 0, on the seeds for which λ was chosen:"
        sections.append(f"## λ chosen on training data\n\n{note}\n\n{choice_table(cells)}")
    if len({cell["seed"] for cell in cells}) > 1:
        sections.append(f"## Seed by seed\n\nMean SDR in dB:\n\n{seed_table(cells)}")
    if partial:
        note = "## Some of the pairs only\n\nCompare these rows by the gain, which is over the same pairs.\n\n"
        sections.append(note + make_table(partial, rows.get(BASELINE, {})))
    return sections


def make_readme_table(rows):
    """Return a table of five rows: mixture, NMF, the best generative model, the mask network and the ideal mask."""
    neural = [next(iter(family.variants)) for name, family in OURS.items() if not name.startswith("nmf")]
    means = {name: np.mean([scores["sdr"] for scores in rows[name].values()]) for name in neural if name in rows}
    named = {"mixture": "mixture, not separated", DEFAULT_NMF: "NMF"}
    if means:
        best = max(means, key=means.__getitem__)
        named[best] = f"{best}, the best generative model" if len(means) > 1 else best
    named |= {MASK_NETWORK: "mask network", IDEAL: "ideal mask, from the true sources"}
    lines = ["| method | SDR | SIR | SAR | CPU s to train | CPU s to separate |", "|---" * 6 + "|"]
    for name, label in named.items():
        if name not in rows:
            continue
        values = {key: [scores.get(key) for scores in rows[name].values()] for key in (*METRICS, *TIMES)}
        cells = [decibels(np.mean(values[key])) for key in METRICS]
        cells += [seconds(merge(values[key])) if None not in values[key] else "" for key, merge in TIMES.items()]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def make_readme_body(rows, n_pairs):
    """Return what stands between the figure marks of the README."""
    return f"""Means over {n_pairs} pairs of a female and a male speaker of the TIMIT sample, at equal levels, with nine
training sentences of each speaker. Scores are in dB, by BSS eval.

{make_readme_table(rows)}

[The whole table](docs/paper_table.md) has more models, the paper's settings, intervals and footnotes.
`python benchmarks/paper/report.py --readme` makes both."""


def publish(cells, rows, sections, readme):
    """Write results, page and figure and, if asked to, five rows into the README."""
    own = [cell for cell in cells if cell["family"] != BASE_FAMILY]
    (HERE / "results.json").write_text(json.dumps(own, indent=0) + "\n", encoding="utf-8")
    most = max(map(len, rows.values()))
    main_rows = {name: pairs for name, pairs in rows.items() if len(pairs) == most and is_main(name)}
    drawn = {name: pairs for name, pairs in main_rows.items() if name != "mixture" and ORACLE not in name}
    draw(drawn, ROOT / "docs" / FIGURE)
    caption = f"""![Distribution of SDR, SIR and SAR over the pairs, by method]({FIGURE})

Each dot is a pair of speakers, as the mean over both sources and all seeds. The black line is the median of the pairs;
the table has their means."""
    page = "\n\n".join([f"# The paper's table\n\n{introduction(cells, most)}\n{sections[0]}", caption, *sections[1:]])
    (ROOT / "docs" / "paper_table.md").write_text(page + "\n", encoding="utf-8")
    if readme:
        path = ROOT / "README.md"
        body = make_readme_body(main_rows, most)
        path.write_text(between_marks(path.read_text(encoding="utf-8"), body), encoding="utf-8")


def main():
    """Print the tables and write what is kept."""
    parser = argparse.ArgumentParser(description="Make the table of the comparison from its cells.")
    parser.add_argument("--readme", action="store_true", help="also put five rows into the README")
    parser.add_argument("--cells", type=Path, help="print the table of this folder and write nothing")
    options = parser.parse_args()
    cells = load_cells(options.cells)
    rows = by_row(cells)
    add_oracles(rows)
    sections = make_sections(cells, rows)
    print("\n\n".join(sections))
    if not options.cells:
        publish(cells, rows, sections, options.readme)


if __name__ == "__main__":
    main()

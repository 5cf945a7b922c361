"""
The paper's figure
==================

The comparison of models keeps the scores of every pair of speakers in one file. Here the figure is drawn from it:
each dot is a pair, each violin their distribution, each black line their median.
"""

# %%
# The scores
# ----------
#
# ``benchmarks/paper/run.py`` made the file. An entry is one pair, one seed and one fitted model, with a row for each
# setting at separation.

import json
from pathlib import Path

import numpy as np

ROOT = next(folder for folder in Path.cwd().resolve().parents if (folder / "benchmarks").is_dir())
cells = json.loads((ROOT / "benchmarks" / "paper" / "results.json").read_text(encoding="utf-8"))
rows = {}
for cell in cells:
    for name, scores in cell["rows"].items():
        rows.setdefault(name, {}).setdefault(tuple(cell["pair"]), []).append(scores["sdr"])

# %%
# The figure
# ----------

import matplotlib.pyplot as plt

PLAIN = ("mixture", "NMF, 40 templates", "DAE", "WGAN", "GAN", "VAE", "discriminative mask network", "ideal ratio mask")
shown = [name for name in rows if name in PLAIN or name.startswith("paper's")]
shown.sort(key=lambda name: np.mean([np.mean(seeds) for seeds in rows[name].values()]))
values = [[np.mean(seeds) for seeds in rows[name].values()] for name in shown]

figure, axes = plt.subplots(figsize=(8, 6), layout="constrained")
violins = axes.violinplot(values, orientation="horizontal", showmedians=True, showextrema=False, widths=0.9)
violins["cmedians"].set_color("black")
for place, (name, own, body) in enumerate(zip(shown, values, violins["bodies"], strict=True), 1):
    colour = "#D55E00" if name.startswith("paper's") else "#0072B2"
    body.set(facecolor=colour, alpha=0.35)
    axes.plot(own, place + np.linspace(-0.25, 0.25, len(own)), ".", color=colour, markersize=4)
axes.set(
    xlabel="SDR in dB",
    yticks=range(1, len(shown) + 1),
    yticklabels=shown,
    title="blue: ours; orange: the paper's settings; black: medians",
)
axes.grid(axis="x", alpha=0.3)
plt.show()

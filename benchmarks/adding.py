"""Measure what it costs to add a third voice to a fitted pair, against training all three together.

``SKLEARN_GASS_DATA=path OMP_NUM_THREADS=1 python benchmarks/adding.py`` runs five triples of voices of the TIMIT sample
with two seeds, in about 45 minutes of an idle core. Of each voice eight sentences train and two are held out, which
make four mixtures of three voices at 0 dB. Every voice has one source model for each seed, in whatever separator it is,
so that only start and critic differ. ``--steps 500 1500`` tries numbers of steps of the start; without it there are as
many as by default.

Fitted separators are kept as model files in ``adding_models``, and results in ``adding.json`` as they come, so that a
run can be interrupted: what is there is not computed again. Delete both after a change of the library. ``--report``
prints what is there. Scores are means of the SDR of BSS eval over voices and mixtures, in dB. Seconds are CPU seconds
of one thread that `AudioSeparator.from_fitted` takes; a busy machine has more of them than a quiet one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator

from sklearn_gass import AudioSeparator, BackgroundModel, SupervisedSeparator, VAESourceModel, load_model, save_model
from sklearn_gass.datasets import fetch_timit_sample, make_mixture
from sklearn_gass.metrics import bss_eval
from sklearn_gass.separation._reuse import SHORT

HERE = Path(__file__).resolve().parent
RESULTS, MODELS = HERE / "adding.json", HERE / "adding_models"
TRIPLES = (  # the third voice is added to the pair of the first two
    ("faem0", "madc0", "falk0"),
    ("faem0", "madc0", "maeb0"),
    ("faem0", "madc0", "falr0"),
    ("ftlg0", "marc0", "mbgt0"),
    ("ftlg0", "marc0", "fvmh0"),
)
SEEDS = (0, 1)
N_HELD_OUT = 2  # sentences of each voice


def sentences(data, voice):
    """Return the training sentences of a voice, and those that are held out."""
    own = [data.utterances[i] for i in np.flatnonzero(data.speakers == voice)]
    return own[:-N_HELD_OUT], own[-N_HELD_OUT:]


def kept(name, make):
    """Return the fitted separator in the file of that name, which is made if it is not there."""
    path = MODELS / f"{name}.safetensors"
    if not path.exists():
        MODELS.mkdir(exist_ok=True)
        save_model(make(), path)
    return load_model(path)


def one_voice(data, voice, seed):
    """Return a separator that knows one voice, whose source model is that of the voice everywhere."""
    models = [(voice, VAESourceModel()), ("rest", BackgroundModel())]
    training, _ = sentences(data, voice)
    audio = AudioSeparator(SupervisedSeparator(models), consistency=0, random_state=seed)
    return kept(f"{voice}_{seed}", lambda: audio.fit(training, [voice] * len(training)))


def trained_together(data, voices, seed):
    """Return a separator of some voices, whose start and critics have learned from recordings of all."""
    voices = sorted(voices)
    known = {voice: one_voice(data, voice, seed).separator_ for voice in voices}
    models = [(v, FrozenEstimator(known[v].source_models_[known[v].classes_.tolist().index(v)])) for v in voices]
    training = [(wave, voice) for voice in voices for wave in sentences(data, voice)[0]]
    audio = AudioSeparator(SupervisedSeparator(models), consistency=0, random_state=seed)
    return kept(f"{'-'.join(voices)}_{seed}", lambda: audio.fit(*map(list, zip(*training, strict=True))))


def mean_sdr(separator, data, voices):
    """Return the mean SDR over voices and held-out mixtures in dB."""
    held_out, scores = [sentences(data, voice)[1] for voice in voices], []
    for i in range(N_HELD_OUT):
        for j in range(N_HELD_OUT):
            chosen = (i, j, (i + j) % N_HELD_OUT)
            mixture, references = make_mixture([own[n] for own, n in zip(held_out, chosen, strict=True)])
            separation = separator.separate(mixture.astype(np.float32))
            scores.append(bss_eval(references, np.stack([separation[voice] for voice in voices])).sdr.mean())
    return float(np.mean(scores))


def added(data, voices, seed, steps):
    """Return the pair of the first two voices with the third one added, and the CPU seconds that it took."""
    pair, third = trained_together(data, voices[:2], seed), one_voice(data, voices[2], seed)
    begin = time.process_time()
    fitted = [(voices[0], pair), (voices[1], pair), (voices[2], third)]
    settings = {"consistency": 0, "random_state": seed, "separator__start__max_iter": steps}
    separator = AudioSeparator.from_fitted(fitted, **settings)
    return separator, time.process_time() - begin


def load():
    """Return the rows that are there, by voices, seed and steps; those of training together have no steps."""
    rows = json.loads(RESULTS.read_text(encoding="utf-8"))["rows"] if RESULTS.exists() else []
    return {(tuple(row["voices"]), row["seed"], row["steps"]): row for row in rows}


def keep(rows, key, sdr, seconds):
    """Add a row, and write all of them beside the commit that the last one is of."""
    rows[key] = dict(zip(("voices", "seed", "steps"), key, strict=True)) | {"sdr": sdr, "seconds": seconds}
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=True)
    lines = json.dumps({"commit": commit.stdout.strip(), "rows": list(rows.values())}).replace("}, {", "},\n {")
    RESULTS.write_text(lines + "\n", encoding="utf-8")
    print(*key, f"{sdr:.2f} dB", flush=True)


def report(rows):
    """Print a table for each number of steps, and its mean."""
    for steps in sorted({key[2] for key in rows if key[2]}):
        cells = sorted(key[:2] for key in rows if key[2] == steps and (*key[:2], 0) in rows)
        table = np.array(
            [[rows[*cell, 0]["sdr"], rows[*cell, steps]["sdr"], rows[*cell, steps]["seconds"]] for cell in cells]
        )
        print(f"\n{steps} steps of the start:\n\n| voices | seed | together | added | difference | CPU s |")
        print("| --- | --- | --- | --- | --- | --- |")
        for (voices, seed), (together, sdr, seconds) in zip(cells, table, strict=True):
            print(
                f"| {', '.join(voices)} | {seed} | {together:.2f} | {sdr:.2f} | {sdr - together:+.2f} | {seconds:.1f} |"
            )
        together, sdr, seconds = table.mean(axis=0)
        print(f"| mean | | {together:.2f} | {sdr:.2f} | {sdr - together:+.2f} | {seconds:.1f} |")


def main():
    """Compute what is missing, and print all there is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", action="store_true", help="print the results that are kept")
    parser.add_argument("--steps", type=int, nargs="+", default=[SHORT["start"]["max_iter"]], help="steps of the start")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = load()
    data = None if options.report else fetch_timit_sample()
    for seed in SEEDS:
        for voices in TRIPLES if data else ():
            if (voices, seed, 0) not in rows:
                together = trained_together(data, voices, seed)
                keep(rows, (voices, seed, 0), mean_sdr(together, data, voices), None)
            for steps in options.steps:
                if (voices, seed, steps) not in rows:
                    separator, seconds = added(data, voices, seed, steps)
                    keep(rows, (voices, seed, steps), mean_sdr(separator, data, voices), seconds)
    report(rows)


if __name__ == "__main__":
    main()

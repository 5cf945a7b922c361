"""Score one known voice in unknown backgrounds, and print the table of the guide.

``SKLEARN_GASS_DATA=path python benchmarks/background/run.py`` takes about half an hour of one core. Each of the ten
voices of the TIMIT sample is known by nine sentences; the tenth is mixed with seven backgrounds at three levels, and
separated by a variational autoencoder of eight latents and by NMF, each with a `BackgroundModel` of as many templates.
The autoencoder is scored with a detector, with averages over four searches, and with both, too. All scores are
improvements of the voice's SI-SDR over the mixture, in dB. The results are kept in ``results.json`` as they come, so
that a run can be interrupted: what is there is not scored again, and ``--report`` prints it. Delete the file and the
folder ``models`` after a change of the library. With ``noisereduce`` or ``pyrnnoise`` installed, these are scored, too;
they know no voice.

``--templates 4 8 16 32`` compares numbers of templates at 0 dB instead.
"""

from __future__ import annotations

import argparse
import copy
import json
import subprocess
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from corpus import BACKGROUNDS, LEVELS, make_test, split
from others import available
from scipy.stats import ttest_rel
from sklearn.frozen import FrozenEstimator

from sklearn_gass import (
    AudioSeparator,
    BackgroundModel,
    NMFSourceModel,
    SupervisedSeparator,
    VAESourceModel,
    load_model,
    save_model,
)
from sklearn_gass.datasets import fetch_timit_sample
from sklearn_gass.masks import ideal_ratio_masks
from sklearn_gass.metrics import si_sdr
from sklearn_gass.separation._blockwise import clean_frames
from sklearn_gass.stft import STFT

HERE = Path(__file__).resolve().parent
RESULTS, MODELS = HERE / "results.json", HERE / "models"
FAMILIES = {"VAE": VAESourceModel(8, random_state=0), "NMF": NMFSourceModel(random_state=0)}
BOUND = "ideal ratio mask"
STEADY = ("noise", "machine", "rain", "melody")


def fitted_model(data, speaker, family):
    """Return the model of a voice, from its file if there is one."""
    path = MODELS / f"{speaker}.{family.lower()}.safetensors"
    if not path.exists():
        training, _ = split(data, speaker)
        codes = np.zeros(len(training), dtype=int)
        frames, *_ = clean_frames(training, codes, [speaker], STFT(), data.sample_rate)
        MODELS.mkdir(exist_ok=True)
        save_model(FAMILIES[family].fit(frames), path)
    return load_model(path)


def with_detector(data, speaker):
    """Return a separator of waveforms with a detector and the default templates, from its file if there is one."""
    path = MODELS / f"{speaker}.detector.safetensors"
    if not path.exists():
        training, _ = split(data, speaker)
        background = BackgroundModel(detector="presence", random_state=0)
        models = [("voice", FrozenEstimator(fitted_model(data, speaker, "VAE"))), ("background", background)]
        audio = AudioSeparator(SupervisedSeparator(models), random_state=0)
        save_model(audio.fit(training, ["voice"] * len(training)), path)
    return load_model(path)


def improvement(estimate, mixture, references):
    """Return by how many dB the estimate is nearer to the voice than the mixture is."""
    return float(improvements(references[:1], np.asarray(estimate)[None], mixture)[0])


def improvements(references, estimates, mixture):
    """Return by how many dB each estimate is nearer to its reference than the mixture is."""
    return si_sdr(references, estimates) - si_sdr(references, np.stack([mixture] * len(references)))


def separators(data, speaker, n_templates):
    """Return a separator of waveforms for each family and number of templates, by name."""
    made = {}
    for family in FAMILIES:
        model = fitted_model(data, speaker, family)
        for n in n_templates:
            pair = [("voice", model), ("background", BackgroundModel(n, random_state=0))]
            made[family, n] = AudioSeparator.from_fitted(pair, random_state=0)
    return made


def run_speaker(data, speaker, n_templates, level, done=()):
    """Return a row for each mixture of a voice at a level and each method that is not done."""
    made, n = separators(data, speaker, n_templates), BackgroundModel().n_components
    if n_templates == [n]:
        detecting, several = with_detector(data, speaker), {"separator__n_init": 4}
        made["VAE, detector", n] = detecting
        made["VAE, n_init=4", n] = copy.deepcopy(made["VAE", n]).set_params(**several)
        made["VAE, both", n] = copy.deepcopy(detecting).set_params(**several)
    rows = []
    for kind in BACKGROUNDS:
        mixture, references = make_test(data, speaker, kind, level)
        scored = {(BOUND, 0): (ideal_bound(mixture, references), 0.0)}
        for method, separator in made.items():
            if (kind, *method) in done:
                continue
            begin = time.process_time()
            estimate = separator.separate(mixture)["voice"]
            scored[method] = improvement(estimate, mixture, references), time.process_time() - begin
        for name, reduce_noise in available().items():
            scored[name, 0] = improvement(reduce_noise(mixture, data.sample_rate), mixture, references), 0.0
        scored = {method: score for method, score in scored.items() if (kind, *method) not in done}
        rows += [[speaker, kind, level, *method, *map(partial(round, ndigits=3), s)] for method, s in scored.items()]
    return rows


def ideal_bound(mixture, references):
    """Return the improvement by the Wiener mask of the true sources."""
    stft = STFT()
    mask = ideal_ratio_masks(np.stack([stft.analyze(reference)[0] for reference in references]))[0]
    magnitudes, phase = stft.analyze(mixture)
    return improvement(stft.synthesize(mask * magnitudes, phase, mixture.size), mixture, references)


def report(rows):
    """Print means over voices as tables in reStructuredText, and the paired tests."""
    methods = sorted({(r[3], r[4]) for r in rows}, key=lambda m: (m[0] not in FAMILIES, m[0] != "VAE", m))
    for level in sorted({r[2] for r in rows}):
        n_voices = len({r[0] for r in rows if r[2] == level})
        print(f"\nVoice at {level:+g} dB, improvement in dB, mean over {n_voices} voices:\n")
        print_table(methods, [r for r in rows if r[2] == level])
    print("\nVAE minus NMF, over all voices, backgrounds and levels:")
    for n in sorted({r[4] for r in rows if r[3] == "VAE"}):
        pairs = [[r[5] for r in rows if r[3:5] == [family, n]] for family in FAMILIES]
        difference, p = np.subtract(*pairs), ttest_rel(*pairs).pvalue
        print(f"{n:3d} templates: {difference.mean():.2f} dB, paired t-test p = {p:.1e}, {len(difference)} pairs")
    for n in sorted({r[4] for r in rows if r[3] == "VAE, detector"}):
        print("\nAgainst the VAE alone, over the same:")
        for other in ("VAE, detector", "VAE, n_init=4", "VAE, both"):
            alone, more = [[r[5] for r in sorted(rows) if r[3:5] == [name, n]] for name in ("VAE", other)]
            difference, p = np.subtract(more, alone), ttest_rel(more, alone).pvalue
            print(f"{other}: {difference.mean():+.2f} dB, p = {p:.1e}, worse by more than 1 dB in", end=" ")
            print(f"{(difference < -1).sum()} and better in {(difference > 1).sum()} of {len(difference)}")
    for family in sorted({r[3] for r in rows if r[4]}):
        print(f"{family}: {np.median([r[6] for r in rows if r[3] == family]):.2f} s of CPU to separate a mixture")


def print_table(methods, rows):
    """Print the mean of each method and background."""
    names = [f"{family}, {n} templates" if n else family for family, n in methods]
    width = max(map(len, names))
    line = " ".join(["=" * width] + ["=" * 10] * (len(BACKGROUNDS) + 1))
    print(
        line, f"{'method':{width}s} " + " ".join(f"{column:10s}" for column in (*BACKGROUNDS, "steady")), line, sep="\n"
    )
    for name, method in zip(names, methods, strict=True):
        own = [r for r in rows if (r[3], r[4]) == method]
        groups = [*([kind] for kind in BACKGROUNDS), STEADY]
        means = [np.mean([r[5] for r in own if r[1] in kinds]) for kinds in groups]
        print(f"{name:{width}s}", *(f"{value:<10.1f}" for value in means))
    print(line)


def main():
    """Score what is asked for, or print what was scored before."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", action="store_true", help="print the results that are kept")
    parser.add_argument("--templates", type=int, nargs="+", help="compare numbers of templates at 0 dB")
    parser.add_argument("--speakers", type=int, help="this many voices (default: all ten)")
    options = parser.parse_args()
    if options.report:
        report(json.loads(RESULTS.read_text(encoding="utf-8"))["rows"])
        return
    torch.set_num_threads(1)
    data = fetch_timit_sample()
    n_templates = options.templates or [BackgroundModel().n_components]
    rows = [] if options.templates or not RESULTS.exists() else json.loads(RESULTS.read_text(encoding="utf-8"))["rows"]
    for level in (0.0,) if options.templates else LEVELS:
        for speaker in np.unique(data.speakers)[:: max(1, 10 // (options.speakers or 10))]:
            done = {(row[1], row[3], row[4]) for row in rows if row[0] == speaker and row[2] == level}
            rows += run_speaker(data, speaker, n_templates, level, done)
            print(f"{speaker} {level:+g} dB", flush=True)
            if not options.templates:
                keep(rows)
    report(rows)


def keep(rows):
    """Write results beside the commit that they are of."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=True)
    lines = json.dumps({"commit": commit.stdout.strip(), "rows": rows}).replace("], [", "],\n [")
    RESULTS.write_text(lines + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

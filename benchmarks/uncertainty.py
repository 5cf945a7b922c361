"""Print how well the spread of a separation tells its errors, on held-out mixtures of the TIMIT sample.

Run as ``python benchmarks/uncertainty.py``; set ``SKLEARN_GASS_DATA`` to a folder that has the sample, or let it
download. Trained separators are kept in ``benchmarks/uncertainty_models`` and used again.

For each pair of speakers: the share of true magnitudes inside the 90 % interval, in bins where one source or the other
is estimated louder and in all; the rank correlation of standard deviation and error; and the mean width of the
interval, in magnitudes of the mixture. Bins count in which the mixture is at most 60 dB below its loudest bin. All
others are silent.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from sklearn_gass import (
    AudioSeparator,
    DAESourceModel,
    GANSourceModel,
    NMFSourceModel,
    SupervisedSeparator,
    VAESourceModel,
    WGANSourceModel,
    load_model,
    save_model,
)
from sklearn_gass.datasets import fetch_timit_sample, make_pair, speaker_pairs

MODELS = {
    "VAE": VAESourceModel,
    "DAE": DAESourceModel,
    "GAN": GANSourceModel,
    "WGAN": WGANSourceModel,
    "NMF": NMFSourceModel,
}
SILENT = 1e-3  # of the loudest bin


def trained(example, name, quick, path):
    """Return the separator of a pair, from its file if there is one."""
    if path.exists():
        return load_model(path)
    separator = SupervisedSeparator(MODELS[name]())
    if quick and name != "NMF":
        separator.set_params(source_model__max_iter=20, start__max_iter=1000)
    audio = AudioSeparator(separator, random_state=0).fit(example.train_utterances, example.train_speakers)
    path.parent.mkdir(exist_ok=True)
    save_model(audio, path)
    return audio


def measure(audio, example, n_samples):
    """Return shares inside the interval, rank correlation and width for a test mixture."""
    separation = audio.separate(example.mixture, n_samples=n_samples)
    order = [example.reference_speakers.tolist().index(label) for label in separation.labels]
    spectra = [audio.stft_.analyze(wave)[0] for wave in (example.mixture, *example.references[order], *separation)]
    mixture, true, found = spectra[0], np.stack(spectra[1:3]), np.stack(spectra[3:])
    heard, spread = mixture > SILENT * mixture.max(), separation.spread
    inside = (spread.lower <= true) & (true <= spread.upper)
    louder = found > mixture / 2
    errors = np.abs(found - true)
    return {
        "louder": np.mean(inside[louder & heard]),
        "softer": np.mean(inside[~louder & heard]),
        "all": np.mean(inside[:, heard]),
        "rank": np.mean([spearmanr(spread.std[k][heard], errors[k][heard]).statistic for k in range(2)]),
        "width": np.mean(((spread.upper - spread.lower) / np.maximum(mixture, 1e-12))[:, heard]),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, nargs="*", default=[0, 6, 12])
    parser.add_argument("--models", nargs="*", choices=MODELS, default=["VAE"])
    parser.add_argument("--quick", action="store_true", help="20 epochs, and a start of 1,000 steps")
    parser.add_argument("--n-samples", type=int, default=100)
    args = parser.parse_args()
    data, folder = fetch_timit_sample(), Path(__file__).parent / "uncertainty_models"
    print("| model | pair | louder source | softer source | both | rank correlation | width |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in args.models:
        for number in args.pairs:
            pair = speaker_pairs(data)[number]
            file = folder / f"{name}{'_quick' * args.quick}_{pair.first}_{pair.second}.safetensors"
            example = make_pair(data, pair)
            row = measure(trained(example, name, args.quick, file), example, args.n_samples)
            shares = " | ".join(f"{100 * row[key]:.0f} %" for key in ("louder", "softer", "all"))
            print(f"| {name} | {number} | {shares} | {row['rank']:.2f} | {row['width']:.2f} |", flush=True)


if __name__ == "__main__":
    main()

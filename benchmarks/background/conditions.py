"""Measure pauses, unlike levels, and two known voices beside an unknown background.

``SKLEARN_GASS_DATA=path python benchmarks/background/conditions.py`` trains variational autoencoders for pairs of
voices of the TIMIT sample, and prints four tables:

* how far the estimate of a known voice lies below the mixture while the voice pauses, beside another known voice and
  beside unknown backgrounds, there without and with a detector;
* what two known voices of unlike levels are separated to;
* what they are separated to beside an unknown background;
* what a separation costs with a background, in multiples of one with two known voices.

Separators are kept in ``models/``.
"""

from __future__ import annotations

import argparse
import copy
import time

import numpy as np
import torch
from corpus import BACKGROUNDS, background, split
from run import MODELS, improvements, separators, with_detector

from sklearn_gass import AudioSeparator, BackgroundModel, load_model, save_model
from sklearn_gass.datasets import fetch_timit_sample, make_mixture
from sklearn_gass.metrics import si_sdr

PAIRS = [("faem0", "madc0"), ("falk0", "maeb0")]  # numbers 0 and 6 of the paper's benchmark
LEVELS = (-20.0, -10.0, 0.0, 10.0, 20.0)
EDGE = 1024  # samples after the moment when a voice stops that are not counted


def fitted_pair(data, pair):
    """Return the separator of a pair of voices, from its file if there is one."""
    path = MODELS / f"{'_'.join(pair)}.safetensors"
    if not path.exists():
        training = [(sentence, name) for name in pair for sentence in split(data, name)[0]]
        audio = AudioSeparator(random_state=0).fit(*map(list, zip(*training, strict=True)))
        MODELS.mkdir(exist_ok=True)
        save_model(audio, path)
    return load_model(path).set_params(consistency=AudioSeparator().consistency)  # also where a file of before has none


def leakage(audio, sounds, pausing):
    """Return the level of an estimate while its source pauses, and the mean improvement before, in dB."""
    half = min(map(len, sounds)) // 2
    references = np.stack([sound[: 2 * half] / sound[: 2 * half].std() for sound in sounds])
    references[pausing, half:] = 0
    mixture = references.sum(0).astype(np.float32)
    sources = audio.separate(mixture).sources
    pause = slice(half + EDGE, None)
    ratio = np.square(sources[pausing, pause]).sum() / np.square(mixture[pause]).sum()
    before = improvements(references[:, :half], sources[:, :half], mixture[:half])
    return [10 * np.log10(max(ratio, 1e-12)), before.mean()]


def report_pauses(data, made, tests):
    """Print how much is heard of voices that pause."""
    print("\nLevel of a voice's estimate while it pauses, against the mixture, and SI-SDR improvement before, in dB")
    for pair, audio in made.items():
        for pausing in (0, 1):
            print(f"{pair[pausing]} beside known {pair[1 - pausing]}:", *rounded(leakage(audio, tests[pair], pausing)))
    n_templates, found = BackgroundModel().n_components, {kind: [] for kind in BACKGROUNDS}
    for speaker in np.unique(data.speakers):
        audio, voice = separators(data, speaker, [n_templates])["VAE", n_templates], split(data, speaker)[1]
        detecting = with_detector(data, speaker)
        for kind in BACKGROUNDS:  # in the order of the labels, "background" and "voice"
            sounds = [background(data, speaker, kind, len(voice)), voice]
            values = [*leakage(audio, sounds, 1), *leakage(detecting, sounds, 1)]
            found[kind].append(values)
            print(f"{speaker} beside unknown {kind}, without and with a detector:", *rounded(values))
    for kind, values in found.items():
        print(f"mean over all voices beside unknown {kind}:", *rounded(np.mean(values, axis=0)))


def report_levels(made, tests):
    """Print what two known voices of unlike levels are separated to."""
    print("\nLevel of the first voice against the second in dB; SI-SDR of both; improvement of both, in dB")
    for level in LEVELS:
        rows = []
        for pair, audio in made.items():
            mixture, references = make_mixture(tests[pair], snr=level)
            sources = audio.separate(mixture.astype(np.float32)).sources
            rows.append([*si_sdr(references, sources), *improvements(references, sources, mixture)])
        print(f"{level:+4.0f}:", *rounded(np.mean(rows, axis=0)))


def report_two_known(data, made, tests):
    """Print what two known voices are separated to beside an unknown background, with and without a model of it."""
    print("\nTwo known voices and an unknown background, all equally loud; mean SI-SDR improvement of the voices in dB")
    print("background: with a BackgroundModel; the same with masks alone; without; times as long as without")
    rows = {kind: [] for kind in BACKGROUNDS}
    for pair, audio in made.items():
        models = [*((name, audio) for name in pair), ("unknown", BackgroundModel())]
        three = AudioSeparator.from_fitted(models, random_state=0)
        masks_alone = copy.copy(three).set_params(consistency=0)
        for kind, found in rows.items():
            length = min(map(len, tests[pair]))
            sounds = [*(test[:length] for test in tests[pair]), background(data, pair[0], kind, length)]
            references = np.stack([sound / sound.std() for sound in sounds])
            mixture = references.sum(0).astype(np.float32)
            scores, seconds = [], []
            for separator in (three, masks_alone, audio):
                begin = time.process_time()
                sources = separator.separate(mixture)
                seconds.append(time.process_time() - begin)
                voices = np.stack([sources[name] for name in pair])
                scores.append(improvements(references[:2], voices, mixture).mean())
            found.append([*scores, seconds[0] / seconds[2]])
    for kind, found in rows.items():
        print(f"{kind}:", *rounded(np.mean(found, axis=0)))


def report_cost(data, made, tests):
    """Print the CPU seconds of separating a test mixture, and of one known voice beside a background."""
    print("\nCPU seconds to separate: two known voices; one known voice and a background; the ratio")
    n_templates = BackgroundModel().n_components
    for pair, audio in made.items():
        one = separators(data, pair[0], [n_templates])["VAE", n_templates]
        mixture = make_mixture(tests[pair])[0].astype(np.float32)
        seconds = []
        for _ in range(5):
            for separator in (audio, one):
                begin = time.process_time()
                separator.separate(mixture)
                seconds.append(time.process_time() - begin)
        two, beside = np.median(seconds[::2]), np.median(seconds[1::2])
        print(f"{pair[0]}, {len(mixture) / data.sample_rate:.1f} s:", *rounded([two, beside, beside / two]))


def rounded(values):
    """Return numbers as texts."""
    return [f"{value:7.2f}" for value in values]


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=len(PAIRS), help="this many pairs")
    parser.add_argument("--pauses", action="store_true", help="the first table only")
    options = parser.parse_args()
    pairs = PAIRS[: options.pairs]
    torch.set_num_threads(1)
    data = fetch_timit_sample()
    tests = {pair: [split(data, name)[1] for name in pair] for pair in pairs}
    made = {pair: fitted_pair(data, pair) for pair in pairs}
    report_pauses(data, made, tests)
    if options.pauses:
        return
    report_levels(made, tests)
    report_cost(data, made, tests)
    report_two_known(data, made, tests)


if __name__ == "__main__":
    main()

"""Measure what is heard of a voice while it pauses, and how well voices of unlike levels are separated.

``SKLEARN_GASS_DATA=path python benchmarks/background/absent.py`` trains variational autoencoders for voices of the
TIMIT sample, and prints three tables. In the first, one of two known voices stops in the middle: how far its estimate
lies below the mixture after that. The second is the same of one known voice in unknown backgrounds. In the last, two
known voices have unlike levels: the SI-SDR of each, and its improvement. Separators are kept in ``models/``.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from corpus import BACKGROUNDS, background, split
from run import MODELS, separators

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
    return load_model(path)


def leakage(audio, sounds, pausing):
    """Return the level of an estimate while its source pauses, and the improvement of both before, in dB."""
    half = min(map(len, sounds)) // 2
    references = np.stack([sound[: 2 * half] / sound[: 2 * half].std() for sound in sounds])
    references[pausing, half:] = 0
    mixture = references.sum(0).astype(np.float32)
    sources = audio.separate(mixture).sources
    pause = slice(half + EDGE, None)
    ratio = np.square(sources[pausing, pause]).sum() / np.square(mixture[pause]).sum()
    own, unseparated = references[:, :half], np.stack([mixture[:half]] * 2)
    return 10 * np.log10(max(ratio, 1e-12)), (si_sdr(own, sources[:, :half]) - si_sdr(own, unseparated)).mean()


def unlike(audio, voices, level):
    """Return the SI-SDR of two voices, the first at a level against the other, and how much it has improved."""
    mixture, references = make_mixture(voices, snr=level)
    scores = si_sdr(references, audio.separate(mixture.astype(np.float32)).sources)
    return [*scores, *(scores - si_sdr(references, np.stack([mixture] * 2)))]


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=len(PAIRS), help="this many pairs")
    pairs = PAIRS[: parser.parse_args().pairs]
    torch.set_num_threads(1)
    data, n_templates = fetch_timit_sample(), BackgroundModel().n_components
    tests = {pair: [split(data, name)[1] for name in pair] for pair in pairs}
    made = {pair: fitted_pair(data, pair) for pair in pairs}
    print("level of a source's estimate while it pauses, and SI-SDR improvement of both sources before, in dB")
    for pair in pairs:
        for pausing in (0, 1):
            values = leakage(made[pair], tests[pair], pausing)
            print(f"{pair[pausing]} beside {pair[1 - pausing]}:", *(f"{value:6.1f}" for value in values))
    for speaker in [pair[0] for pair in pairs]:
        audio, voice = separators(data, speaker, [n_templates])["VAE", n_templates], split(data, speaker)[1]
        for kind in BACKGROUNDS:  # in the order of the labels, "background" and "voice"
            values = leakage(audio, [background(data, speaker, kind, len(voice)), voice], 1)
            print(f"{speaker} beside unknown {kind}:", *(f"{value:6.1f}" for value in values))
    print("\nlevel of the first voice against the second; SI-SDR of both; improvement of both, in dB")
    for level in LEVELS:
        rows = [unlike(made[pair], tests[pair], level) for pair in pairs]
        print(f"{level:+6.0f}", *(f"{value:7.1f}" for value in np.mean(rows, axis=0)))


if __name__ == "__main__":
    main()

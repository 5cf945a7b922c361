"""Print what the mask exponent and the number of NMF templates do, over the 25 pairs of the TIMIT sample.

Run as ``python benchmarks/masks.py``; set ``SKLEARN_GASS_DATA`` to a folder that has the sample, or let it download.
Means of BSS eval over both sources, then over the pairs, in dB.
"""

import argparse

import numpy as np
from joblib import Parallel, delayed

from sklearn_gass import AudioSeparator, NMFSourceModel, SupervisedSeparator
from sklearn_gass.datasets import fetch_timit_sample, make_pair, speaker_pairs
from sklearn_gass.metrics import bss_eval, ideal_ratio_mask_bound

EXPONENTS = (1, 2)


def score_pair(example, templates):
    """Return mean SDR, SIR and SAR by row and exponent."""
    scores = {}
    for exponent in EXPONENTS:
        bound = ideal_ratio_mask_bound(example.references, exponent=exponent)
        scores["ideal ratio mask", exponent] = np.mean(bound, axis=1)
    for n_components in templates:
        separator = SupervisedSeparator(NMFSourceModel(n_components), random_state=0)
        audio = AudioSeparator(separator).fit(example.train_utterances, example.train_speakers)
        for exponent in EXPONENTS:
            audio.separator_.set_params(mask_exponent=exponent)
            separation = audio.separate(example.mixture)
            estimates = np.stack([separation[speaker] for speaker in example.reference_speakers])
            score = bss_eval(example.references, estimates)
            scores[f"NMF, {n_components} templates", exponent] = np.mean(score, axis=1)
    return scores


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--templates", type=int, nargs="*", default=[100, 40, 20])
    parser.add_argument("--n-jobs", type=int, default=1)
    args = parser.parse_args()
    data = fetch_timit_sample()
    examples = [make_pair(data, pair) for pair in speaker_pairs(data)]
    results = Parallel(n_jobs=args.n_jobs)(delayed(score_pair)(example, args.templates) for example in examples)
    print(f"{len(results)} pairs\n\n| | mask exponent | SDR | SIR | SAR |\n| --- | --- | --- | --- | --- |")
    for name, exponent in results[0]:
        sdr, sir, sar = np.mean([scores[name, exponent] for scores in results], axis=0)
        print(f"| {name} | {exponent} | {sdr:.1f} | {sir:.1f} | {sar:.1f} |")


if __name__ == "__main__":
    main()

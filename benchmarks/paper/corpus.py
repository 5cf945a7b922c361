"""The full TIMIT corpus (LDC93S1), for those who have it, as the same kind of data set as its free sample.

The corpus has ten sentences by each of 630 speakers in folders like ``TRAIN/DR1/FCJF0``; names may be in upper or lower
case. A fixed random draw takes five female and five male speakers of it, which make 25 pairs.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import soundfile
from sklearn.utils import Bunch

SPEAKER = re.compile(r"[fm][a-z]{2,3}\d")


def load_corpus(folder, n_speakers=5, seed=0):
    """Return the sentences of some speakers of each sex.

    Parameters
    ----------
    folder : path-like
        Folder that holds the corpus, at any depth.
    n_speakers : int, default=5
        Speakers of each sex; fewer are taken if there are not as many.
    seed : int, default=0
        Seed of the draw.

    Returns
    -------
    data : Bunch
        `utterances`, `speakers`, `sexes`, `groups` and `sample_rate`, as ``fetch_timit_sample`` gives them.

    Raises
    ------
    OSError
        If there are no recordings of a female and a male speaker.
    """
    recordings: dict[str, dict[str, Path]] = {}
    for path in sorted(Path(folder).rglob("*")):
        speaker = path.parent.name.lower().split("-")[-1]
        if path.suffix.lower() == ".wav" and SPEAKER.fullmatch(speaker):
            # some copies hold a sentence twice, as SA1.WAV and SA1.WAV.wav
            recordings.setdefault(speaker, {}).setdefault(path.name.split(".")[0].lower(), path)
    rng, chosen = np.random.RandomState(seed), []
    for sex in "fm":
        names = sorted(name for name in recordings if name[0] == sex)
        if not names:
            raise OSError(f"{folder} holds no TIMIT recordings of a speaker whose name begins with {sex!r}.")
        chosen += rng.permutation(names)[:n_speakers].tolist()
    files = [(name, sentence, path) for name in sorted(chosen) for sentence, path in recordings[name].items()]
    return Bunch(
        utterances=[soundfile.read(path, dtype="float32")[0] for *_, path in files],
        speakers=np.array([name for name, *_ in files]),
        sexes=np.array([name[0] for name, *_ in files]),
        groups=np.array([f"{name}/{sentence}" for name, sentence, _ in files]),
        sample_rate=soundfile.info(files[0][-1]).samplerate,
    )

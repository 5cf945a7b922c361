"""What the scripts of this folder share: data, fitted separators, timing, tables."""

from __future__ import annotations

import functools
import json
import os
import pickle
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from sklearn_gass import (
    AudioSeparator,
    BackgroundModel,
    MixtureCritic,
    MixtureStart,
    NMFSourceModel,
    SupervisedSeparator,
    VAESourceModel,
)
from sklearn_gass.datasets import fetch_timit_sample, make_voices

HERE = Path(__file__).parent
WITH_BACKGROUND = "VAE, background"
"""One known voice beside a background that is learned from the mixture."""
SPARE_TRAINING = {"start": MixtureStart(max_iter=150), "critic": MixtureCritic(max_iter=50)}


@dataclass(frozen=True)
class Table:
    """Rows of figures with a title, and a note that explains them."""

    title: str
    note: str
    columns: list[str]
    rows: list[list]

    def markdown(self):
        """Return it as a section of a page."""
        if not self.rows:
            return f"### {self.title}\n\n{self.note}\n"
        lines = [self.columns, ["---"] * len(self.columns), *([_written(cell) for cell in row] for row in self.rows)]
        return f"### {self.title}\n\n{self.note}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"

    def plain(self):
        """Return it as plain lists, for JSON."""
        return asdict(self)


def _written(cell):
    if isinstance(cell, float):
        return f"{cell:.3g}" if abs(cell) < 1000 else f"{cell:.0f}"
    return str(cell)


def timed(action):
    """Return CPU seconds and the result."""
    start = time.process_time()
    result = action()
    return time.process_time() - start, result


def machine():
    """Return a line that names the machine and the versions."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = names[0] if names else name
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, torch {torch.__version__.split('+')[0]}"
    return f"{name}, one thread; {versions}"


def load_speech(n_speakers=2):
    """Return real speech if ``SKLEARN_GASS_DATA`` names its folder, else synthetic voices, and the name of the kind."""
    if os.environ.get("SKLEARN_GASS_DATA"):
        return fetch_timit_sample(download_if_missing=False), "real speech"
    return make_voices(n_speakers, random_state=0), "synthetic voices"


@functools.cache
def load_voices(n_sources):
    """Return training utterances and labels of some speakers, a mixture of one more of each, and the sample rate."""
    data, _ = load_speech(n_sources)
    speakers = sorted(set(data.speakers))[:n_sources]
    groups = {
        speaker: [w for w, s in zip(data.utterances, data.speakers, strict=True) if s == speaker]
        for speaker in speakers
    }
    X = [wave / np.std(np.concatenate(group)) for group in groups.values() for wave in group[:-1]]
    y = [speaker for speaker, group in groups.items() for _ in group[:-1]]
    length = min(len(group[-1]) for group in groups.values())
    mixture = sum(group[-1][:length] / np.std(group[-1]) for group in groups.values())
    return X, y, (0.05 * mixture).astype(np.float32), data.sample_rate


@functools.cache
def fitted(kind, n_sources=2, n_components=None):
    """Return a fitted separator of waveforms; neural models train briefly, since only their speed matters here."""
    if kind == WITH_BACKGROUND:
        known = fitted("VAE", n_sources)
        models = [(known.classes_[0], known), ("background", BackgroundModel())]
        return AudioSeparator.from_fitted(models, random_state=0)
    model = NMFSourceModel() if kind == "NMF" else VAESourceModel(max_iter=15)
    if n_components is not None:
        model.set_params(n_components=n_components)
    X, y, _, sample_rate = load_voices(n_sources)
    audio = AudioSeparator(SupervisedSeparator(model, **SPARE_TRAINING), sample_rate=sample_rate, random_state=0)
    return audio.fit(X, y)


def long_mixture(n_sources, seconds):
    """Return a float32 mixture of any length: one mixture repeated, with noise so that no frame comes twice."""
    _, _, mixture, sample_rate = load_voices(n_sources)
    wave = np.resize(mixture, round(seconds * sample_rate))
    rng = np.random.default_rng(0)
    for begin in range(0, wave.size, 2**20):
        part = wave[begin : begin + 2**20]
        part += 0.002 * rng.standard_normal(part.size, dtype=np.float32)
    return wave


def probe(audio, seconds, *, whole=False, batch_size=None, output=None, repeats=1, beside=None):
    """Run probe.py in a fresh process; return CPU seconds, frames, and peak memory in MB (10^6 bytes)."""
    audio = audio if batch_size is None else _with_batch_size(audio, batch_size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.pickle")
        path.write_bytes(pickle.dumps(audio))
        command = [sys.executable, str(HERE / "probe.py"), str(path), str(seconds), "--repeats", str(repeats)]
        command += ["--whole"] * whole + (["--output", str(output)] if output else [])
        command += ["--beside", str(beside)] if beside else []
        result = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(result.stdout)


def _with_batch_size(audio, batch_size):
    other = pickle.loads(pickle.dumps(audio))
    other.separator_.set_params(batch_size=batch_size)
    return other

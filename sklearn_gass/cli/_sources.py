"""Separate a file into files, with one whole waveform in memory at a time."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gass import AudioSeparator
from sklearn_gass.audio_io import audio_info, resample, save_audio
from sklearn_gass.cli._console import stated
from sklearn_gass.cli._recordings import read_recording

SHOWN_SECONDS = 300.0

# Encodings of mixtures that sources keep, and the peaks that each holds well; others are chosen by what is in a source
_KEPT = {"PCM_24": (0.01, 1.0), "PCM_32": (0.01, 1.0), "FLOAT": (0.0, math.inf)}


class Written(NamedTuple):
    """What was written, and the beginning of it to show.

    Attributes
    ----------
    names : list of str
        Files.
    shown : dict of str to ndarray
        The first five minutes of the mixture and of each source, by name.
    sample_rate : int
        Samples per second.
    notes : list of str
        What to say about it on the page.
    """

    names: list[str]
    shown: dict[str, NDArray[np.floating]]
    sample_rate: int
    notes: list[str]


def write_sources(audio: AudioSeparator, mixture: Path, folder: Path) -> Written:
    """Separate a file of any sample rate; the sources have its rate and its length.

    Parameters
    ----------
    audio : AudioSeparator
        What separates.
    mixture : Path
        File to separate.
    folder : Path
        Where to write ``<label>.wav``.

    Returns
    -------
    written : Written
        Names and beginnings.
    """
    labels = [str(label) for label in audio.classes_]
    names = [f"{label}.wav" for label in labels]
    with stated():
        own = audio_info(mixture).subtype
    with ExitStack() as stack:
        parts = [stack.enter_context(tempfile.TemporaryFile(dir=folder)) for _ in labels]
        beginning, n_samples, rate = _separate(audio, mixture, parts)
        shown = {"mixture": beginning}
        for label, name, part in zip(labels, names, parts, strict=True):
            source = resample(_read(part, beginning.dtype), audio.sample_rate, rate)[:n_samples]
            save_audio(folder / name, source, rate, subtype=_subtype(own, source))
            shown[label] = source[: beginning.size].copy()
            del source  # before the next one is read
    is_cut = beginning.size < n_samples
    note = f"Shown: the first {beginning.size / rate:g} s of {n_samples / rate:g} s. The files hold all of the sound."
    return Written(names, shown, rate, [note] if is_cut else [])


def _separate(
    audio: AudioSeparator, mixture: Path, parts: Sequence[IO[bytes]]
) -> tuple[NDArray[np.floating], int, int]:
    """Write the sources, at the rate of the separator, as they come.

    Returns
    -------
    beginning : ndarray
        Of the mixture, to show.
    n_samples : int
        Length of the mixture.
    sample_rate : int
        Rate of the mixture.
    """
    recording = read_recording(mixture)
    n_samples, rate = recording.wave.size, recording.sample_rate
    beginning = recording.wave[: math.ceil(SHOWN_SECONDS * rate)].copy()
    with stated(str(mixture), (ValueError,)):
        wave = resample(recording.wave, rate, audio.sample_rate)
        del recording  # lets its waveform go, if the rate was another
        for piece in audio.separate_blocks(wave):
            for part, source in zip(parts, piece, strict=True):
                part.write(source.astype(beginning.dtype, copy=False).tobytes())
    return beginning, n_samples, rate


def _read(part: IO[bytes], dtype: np.dtype[Any]) -> NDArray[np.floating]:
    part.seek(0)
    return np.frombuffer(part.read(), dtype)


def _subtype(own: str, source: NDArray[np.floating]) -> str | None:
    """Return the mixture's own encoding if it suits a source, else None for the one that does."""
    least, most = _KEPT.get(own, (math.inf, 0.0))
    return own if least <= max(source.max(), -source.min()) <= most else None

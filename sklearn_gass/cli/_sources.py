"""Separate a file into files, with one whole waveform of a source in memory at a time."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gass.audio_io import audio_info, resample, save_audio
from sklearn_gass.cli._console import stated
from sklearn_gass.cli._recordings import SoundFile, read_recording

SHOWN_SECONDS = 300.0

# Encodings of mixtures that sources keep in .wav files, and the peaks that each holds well; others are chosen by what
# is in a source
_KEPT = {"PCM_24": (0.01, 1.0), "PCM_32": (0.01, 1.0), "FLOAT": (0.0, math.inf)}


class Trained(NamedTuple):
    """What separates.

    Attributes
    ----------
    separator : AudioSeparator or SupervisedSeparatorCV
        Fitted, with a method `separate_blocks`.
    sample_rate : int
        Samples per second of what it was trained on.
    description : str
        A sentence or two on what it is.
    """

    separator: Any
    sample_rate: int
    description: str

    @property
    def labels(self) -> list[str]:
        """Names of the sources."""
        return [str(label) for label in self.separator.classes_]


class Written(NamedTuple):
    """What was written, and the beginning of it to show.

    Attributes
    ----------
    names : list of str
        Files.
    shown : dict of str to ndarray
        The first five minutes of the mixture and of each source, by name, as one channel.
    source : SoundFile
        The file that was separated.
    notes : list of str
        What to say about it on the page.
    """

    names: list[str]
    shown: dict[str, NDArray[np.floating]]
    source: SoundFile
    notes: list[str]


def write_sources(
    trained: Trained, mixture: Path, folder: Path, *, suffix: str = "wav", stereo: bool = False
) -> Written:
    """Separate a file of any sample rate; the sources have its rate and its length.

    Parameters
    ----------
    trained : Trained
        What separates.
    mixture : Path
        File to separate.
    folder : Path
        Where to write ``<label>.<suffix>``.
    suffix : str, default="wav"
        Format of the files.
    stereo : bool, default=False
        Whether sources have all channels of the mixture.

    Returns
    -------
    written : Written
        Names and beginnings.

    Raises
    ------
    CommandError
        If the file cannot be read, separated, or written in this format.
    OSError
        If the folder cannot be written to.
    """
    names = [f"{label}.{suffix}" for label in trained.labels]
    with stated():
        own = audio_info(mixture).subtype
    with ExitStack() as stack:
        parts = [stack.enter_context(tempfile.TemporaryFile(dir=folder)) for _ in names]
        beginning, n_samples, source = _separate(trained, mixture, parts, stereo=stereo)
        rate, n_channels = source.sample_rate, source.n_channels if stereo else 1
        shown = {"mixture": beginning}
        for label, name, part in zip(trained.labels, names, parts, strict=True):
            wave = resample(_read(part, beginning.dtype, n_channels), trained.sample_rate, rate)[:, :n_samples]
            subtype = _subtype(own, wave) if suffix == "wav" else None
            with stated(f"{mixture}, source {label}", (ValueError,)):
                save_audio(folder / name, wave, rate, subtype=subtype)
            shown[label] = wave[:, : beginning.size].mean(axis=0)
            del wave  # before the next one is read
    is_cut = beginning.size < n_samples
    note = f"Shown: the first {beginning.size / rate:g} s of {n_samples / rate:g} s. The files hold all of the sound."
    return Written(names, shown, source, [note] if is_cut else [])


def _separate(
    trained: Trained, mixture: Path, parts: Sequence[IO[bytes]], *, stereo: bool
) -> tuple[NDArray[np.floating], int, SoundFile]:
    """Write the sources, at the rate of the separator, as they come.

    Returns
    -------
    beginning : ndarray
        Of the mixture, to show.
    n_samples : int
        Length of the mixture.
    source : SoundFile
        Where the mixture came from.
    """
    recording = read_recording(mixture, keep_channels=stereo)
    n_samples, rate, source = recording.wave.size, recording.sample_rate, recording.alone()
    beginning = recording.wave[: math.ceil(SHOWN_SECONDS * rate)].copy()
    with stated(str(mixture), (ValueError,)):
        wave = resample(recording.wave, rate, trained.sample_rate)
        several = stereo and source.n_channels > 1
        kept = {"channels": resample(recording.channels, rate, trained.sample_rate)} if several else {}
        del recording  # lets its waveforms go, if the rate was another
        for piece in trained.separator.separate_blocks(wave, **kept):
            for part, samples in zip(parts, piece, strict=True):
                part.write(samples.T.astype(beginning.dtype).tobytes())
    return beginning, n_samples, source


def _read(part: IO[bytes], dtype: np.dtype[Any], n_channels: int) -> NDArray[np.floating]:
    """Return samples of shape (n_channels, n_samples)."""
    part.seek(0)
    return np.frombuffer(part.read(), dtype).reshape(-1, n_channels).T


def _subtype(own: str, source: NDArray[np.floating]) -> str | None:
    """Return the mixture's own encoding if it suits a source, else None for the one that does."""
    least, most = _KEPT.get(own, (math.inf, 0.0))
    return own if least <= max(source.max(), -source.min()) <= most else None

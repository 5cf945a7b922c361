"""Sound files that commands read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sklearn_gass.audio_io import load_audio, resample
from sklearn_gass.cli._console import Console, stated

# Channels whose average is this much below the louder one (20 dB) are of opposite polarity; otherwise an average is
# 6 dB below it at most, where the other channel is silent.
_CANCELLED = 0.1


@dataclass(frozen=True)
class SoundFile:
    """What is worth telling about a file.

    Attributes
    ----------
    path : Path
        The file.
    sample_rate : int
        Samples per second, of the waveform that was made of it if that is another.
    n_channels : int
        Channels of the file.
    cancels : bool
        Whether the average of the channels is nearly silent, so that the loudest one was taken.
    """

    path: Path
    sample_rate: int
    n_channels: int
    cancels: bool

    def alone(self) -> SoundFile:
        """Return this without any waveform."""
        return SoundFile(self.path, self.sample_rate, self.n_channels, self.cancels)


@dataclass(frozen=True)
class Recording(SoundFile):
    """One channel of sound and where it comes from.

    Attributes
    ----------
    wave : ndarray of shape (n_samples,)
        Its only channel, the average of its channels, or its loudest channel.
    channels : ndarray of shape (n_channels, n_samples)
        All channels, or `wave` alone unless they were asked for.
    """

    wave: NDArray[np.floating]
    channels: NDArray[np.floating]

    @property
    def seconds(self) -> float:
        """Return the duration."""
        return self.wave.size / self.sample_rate


def read_recording(path: Path, sample_rate: int | None = None, *, keep_channels: bool = False) -> Recording:
    """Read a sound file as one channel, beside which all of them may be kept."""
    with stated():
        channels, rate = load_audio(path, mono=False)
        wave, cancels = _one_channel(channels)
        new_rate = rate if sample_rate is None else sample_rate
        wave = resample(wave, rate, new_rate)
        kept = resample(channels, rate, new_rate) if keep_channels else wave[np.newaxis]
        return Recording(path, new_rate, len(channels), cancels, wave, kept)


def tell_channels(files: Sequence[SoundFile], console: Console, *, kept: bool = False) -> None:
    """Tell which files had several channels, and what became of them; if they are kept, only if they cancel out."""
    several = [file for file in files if file.n_channels > 1]
    if not kept:
        _tell([file for file in several if not file.cancels], "which were averaged", console)
    cancelling = [file for file in several if file.cancels]
    _tell(cancelling, "which cancel each other out when averaged: the loudest one was taken", console)


def tell_rates(files: Sequence[SoundFile], sample_rate: int, console: Console) -> None:
    """Tell which files have another sample rate than the separator, and what that loses."""
    others = [file for file in files if file.sample_rate != sample_rate]
    if not others:
        return
    loss = f", which loses all above {sample_rate / 2:g} Hz" if others[0].sample_rate > sample_rate else ""
    first = f"{others[0].path} has {others[0].sample_rate} Hz"
    if len(others) == 1:
        console.notice(f"{first}: it is separated at {sample_rate} Hz and brought back{loss}.")
    else:
        more = f"and {len(others) - 1} more have other rates, too"
        console.notice(f"{first}, {more}: they are separated at {sample_rate} Hz and brought back{loss}.")


def _tell(files: Sequence[SoundFile], what: str, console: Console) -> None:
    if len(files) == 1:
        console.notice(f"{files[0].path} has {files[0].n_channels} channels, {what}.")
    elif files:
        console.notice(f"{files[0].path} and {len(files) - 1} more have several channels, {what}.")


def _one_channel(channels: NDArray[np.floating]) -> tuple[NDArray[np.floating], bool]:
    """Return the average of all channels, or the loudest one and True if they cancel each other out."""
    if len(channels) == 1:
        return channels[0], False
    average = channels.mean(axis=0)
    levels = [float(np.linalg.norm(channel)) for channel in channels]
    cancels = float(np.linalg.norm(average)) < _CANCELLED * max(levels)
    return (channels[int(np.argmax(levels))].copy() if cancels else average), cancels

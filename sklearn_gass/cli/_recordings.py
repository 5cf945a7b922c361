"""Sound files that commands read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gass.audio_io import load_audio, resample
from sklearn_gass.cli._console import Console, stated

# Channels whose average is this much below the louder one (20 dB) are of opposite polarity; otherwise an average is
# 6 dB below it at most, where the other channel is silent.
_CANCELLED = 0.1


class Recording(NamedTuple):
    """One channel of sound and where it comes from.

    Attributes
    ----------
    path : Path
        The file.
    wave : ndarray of shape (n_samples,)
        Its only channel, the average of its channels, or its loudest channel.
    sample_rate : int
        Samples per second.
    n_channels : int
        Channels of the file.
    cancels : bool
        Whether the average of the channels is nearly silent, so that the loudest one was taken.
    """

    path: Path
    wave: NDArray[np.floating]
    sample_rate: int
    n_channels: int
    cancels: bool

    @property
    def seconds(self) -> float:
        """Return the duration."""
        return self.wave.size / self.sample_rate


def read_recording(path: Path, sample_rate: int | None = None) -> Recording:
    """Read a sound file as one channel."""
    with stated():
        channels, rate = load_audio(path, mono=False)
        wave, cancels = _one_channel(channels)
        new_rate = rate if sample_rate is None else sample_rate
        return Recording(path, resample(wave, rate, new_rate), new_rate, len(channels), cancels)


def tell_channels(recordings: Sequence[Recording], console: Console) -> None:
    """Tell which recordings had several channels, and what became of them."""
    several = [recording for recording in recordings if recording.n_channels > 1]
    _tell([recording for recording in several if not recording.cancels], "which were averaged", console)
    cancelling = [recording for recording in several if recording.cancels]
    _tell(cancelling, "which cancel each other out when averaged: the loudest one was taken", console)


def _tell(recordings: Sequence[Recording], what: str, console: Console) -> None:
    if len(recordings) == 1:
        console.notice(f"{recordings[0].path} has {recordings[0].n_channels} channels, {what}.")
    elif recordings:
        console.notice(f"{recordings[0].path} and {len(recordings) - 1} more have several channels, {what}.")


def _one_channel(channels: NDArray[np.floating]) -> tuple[NDArray[np.floating], bool]:
    """Return the average of all channels, or the loudest one and True if they cancel each other out."""
    if len(channels) == 1:
        return channels[0], False
    average = channels.mean(axis=0)
    levels = [float(np.linalg.norm(channel)) for channel in channels]
    cancels = float(np.linalg.norm(average)) < _CANCELLED * max(levels)
    return (channels[int(np.argmax(levels))].copy() if cancels else average), cancels

"""Separate a waveform a block of frames at a time, so that memory does not grow with its length."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_gass._rumble import without_rumble
from sklearn_gass.separation._spread import RecordingSpread
from sklearn_gass.stft import STFT

Block = tuple[NDArray[Any], NDArray[Any]]
"""Magnitudes and phase of successive frames."""


def clean_frames(
    waves: Any, codes: NDArray[np.intp], labels: NDArray[Any], stft: STFT, sample_rate: int
) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.intp]]:
    """Return the frames of all utterances, each source at unit level, and source and utterance of each frame.

    Raises
    ------
    ValueError
        If all utterances of a source are silent.
    """
    frames, rows = [], []
    for code, label in enumerate(labels):
        own = np.flatnonzero(codes == code)
        audible = [without_rumble(waves[i].astype(np.float32, copy=False), sample_rate) for i in own]
        level = wave_level(np.concatenate(audible))
        if level == 0:
            raise ValueError(f"All utterances of source {str(label)!r} are silent.")
        frames += [stft.analyze(wave / level)[0] for wave in audible]
        rows += own.tolist()
    utterances = np.repeat(rows, [len(part) for part in frames])
    return np.concatenate(frames), codes[utterances], utterances


def separate_pieces(
    separator: Any,
    stft: STFT,
    mixture: NDArray[np.floating],
    sample_rate: int,
    n_sources: int,
    channels: NDArray[np.floating] | None = None,
    spread: RecordingSpread | None = None,
) -> Iterator[NDArray[np.floating]]:
    """Separate a waveform piece by piece.

    Parameters
    ----------
    separator : SupervisedSeparator
        Fitted separator of frames.
    stft : STFT
        How frames are made.
    mixture : ndarray of shape (n_samples,)
        Waveform of any level.
    sample_rate : int
        Samples per second. What lies below 20 Hz is shared equally between the sources.
    n_sources : int
        Number of sources.
    channels : ndarray of shape (n_channels, n_samples) or None, default=None
        What to apply the masks of the mixture to, instead of the mixture itself.
    spread : RecordingSpread or None, default=None
        What gathers the spread of the frames meanwhile.

    Yields
    ------
    piece : ndarray of shape (n_sources, n), or (n_sources, n_channels, n) with channels
        Successive samples, which sum to the mixture or to the channels.
    """
    whole = mixture if channels is None else channels
    audible = without_rumble(mixture, sample_rate)
    level = wave_level(audible) / math.sqrt(n_sources)
    if level == 0:
        if spread is not None:
            spread.add_silence((n_sources, stft.n_frames(mixture.size), stft.n_bins))
        for block in _blocks(whole):
            yield np.stack([block / n_sources] * n_sources)
        return
    if hasattr(separator, "for_recordings"):
        separator = separator.for_recordings()
    n_frames, begin = stft.n_frames(mixture.size), 0
    n_at_once = block_frames(separator, n_frames)
    blocks = stft.analyze_blocks(audible, n_at_once, level=level)
    separated = separate_recording(separator, blocks, spread)
    if spread is not None:
        spread.level = level
    if channels is None:
        spectra = ((sources, phase) for sources, _, phase in separated)
    else:
        audible = np.stack([without_rumble(channel, sample_rate) for channel in channels])
        parts = [stft.analyze_blocks(channel, n_at_once, level=level) for channel in audible]
        several = zip(*parts, strict=True)
        spectra = (_masked(sources, mixed, n) for (sources, mixed, _), n in zip(separated, several, strict=True))
    for piece in stft.synthesize_blocks(spectra, mixture.size):
        end = begin + piece.shape[-1]
        yield piece * level + (whole[..., begin:end] - audible[..., begin:end]) / n_sources
        begin = end


def _masked(
    sources: NDArray[np.floating], mixed: NDArray[np.floating], channels: Sequence[tuple[NDArray[Any], NDArray[Any]]]
) -> tuple[NDArray[np.floating], NDArray[np.complexfloating]]:
    """Return magnitudes and phase of shape (n_sources, n_channels, n_frames, n_bins) of all channels, masked alike."""
    masks = np.divide(sources, mixed, out=np.full_like(sources, 1 / len(sources)), where=mixed > 0)
    magnitudes = np.stack([magnitude for magnitude, _ in channels])
    phase = np.stack([phase for _, phase in channels])
    masked = masks[:, np.newaxis] * magnitudes
    return masked, np.broadcast_to(phase, masked.shape)


def block_frames(separator: Any, n_frames: int) -> int:
    """Return how many frames to separate at a time: whole batches of the separator.

    A separator that does not say which frames a result depends on gets all of them. One that learns a background gets
    enough at a time to learn from, and carries on with it.
    """
    if getattr(separator, "has_background", False):
        return min(n_frames, _BACKGROUND_FRAMES)
    if not hasattr(separator, "n_neighbours"):
        return n_frames
    fewest = -(-max(separator.n_neighbours, 1) // separator.batch_size)
    n_batches = _BLOCK_VALUES // (separator.n_features_in_ * separator.batch_size)
    return min(n_frames, max(n_batches, fewest) * separator.batch_size)


def separate_recording(
    separator: Any, blocks: Iterator[Block], spread: RecordingSpread | None = None
) -> Iterator[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """Separate the blocks of one recording, each with what its frames need to know of the blocks around it.

    Parameters
    ----------
    separator : SupervisedSeparator
        Fitted separator of frames.
    blocks : iterator of (magnitudes, phase)
        Successive frames, each of shape (n_frames, n_bins).
    spread : RecordingSpread or None, default=None
        What gathers the spread of the frames meanwhile.

    Yields
    ------
    sources : ndarray of shape (n_sources, n_frames, n_bins)
        Sources of a block.
    magnitudes, phase : ndarray of shape (n_frames, n_bins)
        The block itself.
    """
    if getattr(separator, "has_background", False):
        heard = None
        for magnitudes, phase in blocks:
            if spread is None:
                explanation = separator.explain(magnitudes, heard)
            else:
                explanation = separator._explain(magnitudes, heard, spread.sampler)
                spread.add(explanation.spread)
            heard = explanation.background
            yield explanation.separate(), magnitudes, phase
        return
    for magnitudes, own, phase in _with_neighbours(blocks, getattr(separator, "n_neighbours", 0)):
        if spread is None:
            sources = separator.separate(magnitudes)
        else:
            explanation = separator._explain(magnitudes, None, spread.sampler)
            spread.add(explanation.spread, own)
            sources = explanation.separate()
        yield sources[:, own], magnitudes[own], phase


def _with_neighbours(blocks: Iterator[Block], reach: int) -> Iterator[tuple[NDArray[Any], slice, NDArray[Any]]]:
    """Yield magnitudes of each block with some frames before and after it, where its own ones are, and its phase."""
    before: list[NDArray[Any]] = []
    block: Block | None = next(blocks)
    while block is not None:
        (magnitudes, phase), after = block, next(blocks, None)
        last = [] if after is None else [after[0][:reach]]
        begin = sum(part.shape[0] for part in before)
        yield np.concatenate([*before, magnitudes, *last]), slice(begin, begin + len(magnitudes)), phase
        before, block = [magnitudes[len(magnitudes) - reach :]], after


def wave_level(wave: NDArray[np.floating]) -> float:
    """Return the standard deviation, in double precision since squares of quiet samples vanish in single."""
    if np.ptp(wave) == 0:
        return 0.0
    # in blocks, since double precision of the whole would take twice its memory
    mean = math.fsum(np.sum(block, dtype=np.float64) for block in _blocks(wave)) / wave.size
    squares = (np.square(np.subtract(block, mean, dtype=np.float64)) for block in _blocks(wave))
    return math.sqrt(math.fsum(map(np.sum, squares)) / wave.size)


def _blocks(wave: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    return (wave[..., begin : begin + _BLOCK_VALUES] for begin in range(0, wave.shape[-1], _BLOCK_VALUES))


_BACKGROUND_FRAMES = 2048
_BLOCK_VALUES = 550_000  # in frames of the default length at 16 kHz, a quarter of a minute

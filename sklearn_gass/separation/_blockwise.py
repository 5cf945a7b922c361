"""Separate a waveform a block of frames at a time, so that memory does not grow with its length."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_gass._rumble import without_rumble
from sklearn_gass.separation._consistency import Frames, consistent_spectra, with_neighbours
from sklearn_gass.separation._owner import SeparatorOwner
from sklearn_gass.separation._spread import RecordingSpread
from sklearn_gass.stft import STFT, split_spectrum

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
    *,
    consistency: float,
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
        Samples per second. What lies below 20 Hz belongs to the background, or else to all sources equally.
    n_sources : int
        Number of sources.
    consistency : float
        Weight of the consistency of the sources' spectra; 0 leaves them masked mixtures.
    channels : ndarray of shape (n_channels, n_samples) or None, default=None
        What to separate as the mixture is separated, instead of the mixture itself.
    spread : RecordingSpread or None, default=None
        What gathers the spread of the frames meanwhile.

    Yields
    ------
    piece : ndarray of shape (n_sources, n), or (n_sources, n_channels, n) with channels
        Successive samples, which sum to the mixture or to the channels.
    """
    separator = found_best(separator)
    background = getattr(separator, "_background_place", None)
    whole = mixture if channels is None else channels
    audible = without_rumble(mixture, sample_rate)
    level = wave_level(audible) / math.sqrt(n_sources)
    if level == 0:
        if spread is not None:
            spread.add_silence((n_sources, stft.n_frames(mixture.size), stft.n_bins))
        for block in _blocks(whole):
            yield _divided(block, n_sources, background)
        return
    # the variance at which a bin and its neighbours count the same; 0 for no filter
    scale = min(loud_power(audible, level) * stft.noise_power() / consistency, _LARGEST_SCALE) if consistency else 0.0
    if hasattr(separator, "for_recordings"):
        separator = separator.for_recordings()
    begin, n_at_once = 0, block_frames(separator, stft.n_frames(mixture.size))
    explained = explain_recording(separator, stft.analyze_blocks(audible, n_at_once, level=level), spread)
    if spread is not None:
        spread.level = level
    if channels is None:
        parts = explained
    else:
        audible = np.stack([without_rumble(channel, sample_rate) for channel in channels])
        blocks = zip(*(stft.analyze_blocks(channel, n_at_once, level=level) for channel in audible), strict=True)
        parts = (
            (masks, powers, *map(np.stack, zip(*several, strict=True)))
            for (masks, powers, *_), several in zip(explained, blocks, strict=True)
        )
    if scale:
        mixtures = ((masks, powers, magnitudes * phase) for masks, powers, magnitudes, phase in parts)
        consistent = consistent_spectra(mixtures, stft, mixture.size, scale)
        spectra = (split_spectrum(spectrum) for spectrum in consistent)
    else:
        spectra = (_masked(masks, magnitudes, phase) for masks, _, magnitudes, phase in parts)
    for piece in stft.synthesize_blocks(spectra, mixture.size):
        end = begin + piece.shape[-1]
        yield piece * level + _divided(whole[..., begin:end] - audible[..., begin:end], n_sources, background)
        begin = end


def _divided(rest: NDArray[np.floating], n_sources: int, background: int | None) -> NDArray[np.floating]:
    """Divide what lies below 20 Hz between the sources: all of it is background, if there is one."""
    if background is None:
        return np.stack([rest / n_sources] * n_sources)
    parts = np.zeros((n_sources, *rest.shape), dtype=rest.dtype)
    parts[background] = rest
    return parts


def found_best(separator: Any) -> Any:
    """Return what separates: the separator that a search found best, or the separator itself."""
    while isinstance(separator, SeparatorOwner):
        separator = separator.separator_
    return separator


def _masked(
    masks: NDArray[np.floating], magnitudes: NDArray[np.floating], phase: NDArray[np.complexfloating]
) -> tuple[NDArray[np.floating], NDArray[np.complexfloating]]:
    """Return magnitudes and phase of all sources, of one mixture or of several channels."""
    masked = masks[:, np.newaxis] * magnitudes if magnitudes.ndim > 2 else masks * magnitudes
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


def explain_recording(
    separator: Any, blocks: Iterator[Block], spread: RecordingSpread | None = None
) -> Iterator[Frames]:
    """Explain the blocks of one recording, each with what its frames need to know of the blocks around it.

    Parameters
    ----------
    separator : SupervisedSeparator, or estimator with a method `separate`
        Fitted separator of frames.
    blocks : iterator of (magnitudes, phase)
        Successive frames, each of shape (n_frames, n_bins).
    spread : RecordingSpread or None, default=None
        What gathers the spread of the frames meanwhile.

    Yields
    ------
    masks, powers : ndarray of shape (n_sources, n_frames, n_bins)
        Masks of a block, and powers of the estimates that they come from.
    magnitudes, phase : ndarray of shape (n_frames, n_bins)
        The block itself.
    """
    if not hasattr(separator, "explain"):
        for magnitudes, phase in blocks:
            sources = separator.separate(magnitudes)
            silent = np.full_like(sources, 1 / len(sources))
            masks = np.divide(sources, magnitudes, out=silent, where=magnitudes > 0)
            yield masks, np.abs(sources) * magnitudes, magnitudes, phase
        return
    heard, has_background = None, getattr(separator, "has_background", False)
    reach = 0 if has_background else getattr(separator, "n_neighbours", 0)
    for (magnitudes, phase), own in with_neighbours(blocks, reach):
        so_far: dict[str, Any] = {} if heard is None else {"heard": heard}
        if spread is None:
            explanation = separator.explain(magnitudes, **so_far)
        else:
            explanation = separator._explain(magnitudes, heard, spread.sampler)
            spread.add(explanation.spread, own)
        heard = explanation.background
        powers = _plausible(np.square(explanation.estimates[:, own]), np.square(magnitudes[own]))
        yield explanation.masks()[:, own], powers, magnitudes[own], phase[own]


def _plausible(powers: NDArray[np.floating], mixed: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return powers of the sources, lowered in frames where they are more than twice that of the mixture.

    Where the mixture pauses, sources do, too: no two sounds cancel each other in all bins.
    """
    most, total = 2 * mixed.sum(-1, keepdims=True), powers.sum((0, -1))[:, np.newaxis]
    limited: NDArray[np.floating] = powers * np.divide(most, total, out=np.ones_like(total), where=total > most)
    return limited


def wave_level(wave: NDArray[np.floating]) -> float:
    """Return the standard deviation, in double precision since squares of quiet samples vanish in single."""
    if np.ptp(wave) == 0:
        return 0.0
    # in blocks, since double precision of the whole would take twice its memory
    mean = math.fsum(np.sum(block, dtype=np.float64) for block in _blocks(wave)) / wave.size
    squares = (np.square(np.subtract(block, mean, dtype=np.float64)) for block in _blocks(wave))
    return math.sqrt(math.fsum(map(np.sum, squares)) / wave.size)


def loud_power(wave: NDArray[np.floating], level: float) -> float:
    """Return the mean power, in units of a level, of those stretches of a wave that hold nearly all of its energy.

    Pauses have no part in it, however long they are.
    """
    energies = []
    for block in _blocks(wave):
        squares = np.square(block / level, dtype=np.float64)
        energies.append(np.add.reduceat(squares, np.arange(0, len(squares), _STRETCH)) / _STRETCH)
    loudest = np.sort(np.concatenate(energies))[::-1]
    share = loudest.cumsum() / loudest.sum()
    return float(loudest[: int((share < _NEARLY_ALL).sum()) + 1].mean())


def _blocks(wave: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    return (wave[..., begin : begin + _BLOCK_VALUES] for begin in range(0, wave.shape[-1], _BLOCK_VALUES))


_BACKGROUND_FRAMES = 2048
_STRETCH = 1000  # samples whose energy is summed, of which _BLOCK_VALUES is a multiple
_NEARLY_ALL = 0.999
_LARGEST_SCALE = 1e30  # in single precision
_BLOCK_VALUES = 550_000  # in frames of the default length at 16 kHz, a quarter of a minute

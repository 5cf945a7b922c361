"""Strangers: made-up background sounds, beside which a detector learns to tell known sources.

There are four kinds: coloured noise whose level changes, notes of a few harmonic voices, short knocks and drops, and
the known sources themselves with a stretched frequency axis, in part backwards, several at once. What is random has a
wide range, so that real backgrounds lie in it. All are magnitudes over frames and bins, whatever the STFT was: times
are in frames and frequencies in bins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

_KNOTS = 7  # of a random spectrum
_OFFSET = 8.0  # bins added to a frequency before its logarithm
_BOTH = 0.25  # share of strangers that are two kinds at once
_STRETCHES = (0.7, 0.75, 0.8, 0.85, 1.2, 1.3, 1.4, 1.5)  # of frequency axes; between them a voice is much like itself


class Strangers:
    """Source of random strangers.

    Parameters
    ----------
    sources : sequence of Tensor of shape (n_frames, n_bins)
        Frames of the known sources, in their order in time.
    recorded : Tensor of shape (n_frames, n_bins) or None
        Frames of a background in their order in time, which are a fifth kind.
    generator : torch.Generator
        Source of randomness, on the processor.
    """

    def __init__(self, sources: Sequence[Tensor], recorded: Tensor | None, generator: torch.Generator) -> None:
        self.sources, self.recorded, self.generator = sources, recorded, generator
        self.n_bins = sources[0].shape[1]
        self.bins = torch.arange(self.n_bins, dtype=torch.float32)

    def draw(self, n_frames: int) -> Tensor:
        """Return magnitudes of a stranger, of shape (n_frames, n_bins), with a mean power of about 1."""
        power = torch.zeros(n_frames, self.n_bins)
        kinds = [self.noise, self.notes, self.knocks, self.voices]
        if self.recorded is not None:
            kinds.append(self.recording)
        for _ in range(1 + (self._uniform(0, 1) < _BOTH)):
            frames = kinds[self._integer(0, len(kinds))](n_frames)
            power += _level(frames).square() * self._decibels(-3, 3) ** 2
        return power.sqrt()

    def noise(self, n_frames: int) -> Tensor:
        """Return coloured noise whose level changes, slowly or fast."""
        period, depth = 10 ** self._uniform(0.5, 1.9), self._uniform(0, 8)
        levels = 10 ** (depth * self._curve(n_frames, period) / 20)
        return self._gaussian(n_frames) * self._spectrum() * levels[:, None]

    def notes(self, n_frames: int) -> Tensor:
        """Return one to three harmonic voices, each with notes of any length and decay, in noise or not."""
        frames = torch.zeros(n_frames, self.n_bins)
        for _ in range(self._integer(1, 4)):
            lowest = math.exp(self._uniform(math.log(2), math.log(max(3, self.n_bins / 9))))
            length, damping = 10 ** self._uniform(0.6, 2.5), 10 ** self._uniform(-3.8, -0.8)
            tilt = self._uniform(0.3, 1.6)
            glides, begin = self._uniform(0, 1) < 0.3, 0
            while begin < n_frames:
                n = min(n_frames - begin, int(length * self._uniform(0.5, 1.5)) + 3)
                pitch = lowest * 2 ** (self._integer(-6, 7) / 12 + glides * 0.12 * self._curve(n, 20.0))
                frames[begin : begin + n] += self._note(pitch, damping, tilt) * self._uniform(0.4, 1)
                begin += n if self._uniform(0, 1) < 0.8 else int(1.5 * n)
        if self._uniform(0, 1) < 0.5:
            frames = _level(frames) + _level(self.noise(n_frames)) * 10 ** self._uniform(-1.5, -0.3)
        return frames

    def _note(self, pitch: Tensor, damping: float, tilt: float) -> Tensor:
        """Return a tone of that pitch in bins in each frame, whose harmonics decay the faster the higher they are."""
        times = torch.arange(len(pitch), dtype=torch.float32)[:, None]
        number = torch.arange(1, max(2, int(min(60, self.n_bins / float(pitch.min())))) + 1, dtype=torch.float32)
        levels = number**-tilt * (0.1 + 0.9 * self._rand(len(number)))
        levels = levels * torch.exp(-damping * times * (1 + 0.2 * number)) * ((times + 1) / 2).clamp(max=1)
        distances = self.bins - (pitch[:, None] * number)[..., None]
        return (levels[..., None] * torch.exp(-distances.square() / 1.6)).sum(1)

    def knocks(self, n_frames: int) -> Tensor:
        """Return knocks or drops, rare or many, each with a resonance or a spectrum of its own, above a rustle."""
        power = (_level(self.noise(n_frames)) * 10 ** self._uniform(-2, 0)).square()
        rate, length = 10 ** self._uniform(-1.5, 0.5), 10 ** self._uniform(-0.6, 1.2)
        resonate = self._uniform(0, 1) < 0.6
        n_knocks = max(1, int(torch.poisson(torch.tensor(rate * n_frames), generator=self.generator)))
        for begin in torch.randint(n_frames, (n_knocks,), generator=self.generator).tolist():
            decay = length * self._decibels(-8, 8)
            n = min(n_frames - begin, int(6 * decay) + 1)
            shape = self._resonance(decay) if resonate else self._spectrum()
            loudness = -math.log(1 - self._uniform(0, 0.999))
            rest = torch.exp(-torch.arange(n) / decay)[:, None] * shape / shape.max() * (1 + self._gaussian(n)) / 2
            power[begin : begin + n] += 8 * (loudness * rest).square() / (decay * rate + 0.05)
        return power.sqrt()

    def _resonance(self, decay: float) -> Tensor:
        """Return a spectrum with one peak, the narrower the longer it rings."""
        centre = math.exp(self._uniform(math.log(1), math.log(max(2, 0.75 * self.n_bins))))
        width = max(1.2, 2.5 / decay * self._uniform(0.5, 2))
        return 1 / (1 + ((self.bins - centre) / width).square())

    def voices(self, n_frames: int) -> Tensor:
        """Return one to three variants of known sources at once."""
        power = torch.zeros(n_frames, self.n_bins)
        for _ in range(self._integer(1, 4)):
            source = self.sources[self._integer(0, len(self.sources))]
            frames = _stretched(self._excerpt(source, n_frames), _STRETCHES[self._integer(0, len(_STRETCHES))])
            power += _level(frames.flip(0) if self._uniform(0, 1) < 0.5 else frames).square()
        return power.sqrt()

    def known(self, frames: Tensor, n_frames: int, levels: tuple[float, float], *, pauses: bool) -> Tensor:
        """Return a piece of a known source at a random level in dB, to be heard beside a stranger.

        If it pauses, it does so from a random moment on, for a quarter to three quarters of the time or until the end.
        """
        piece = self._excerpt(frames, n_frames) * self._decibels(*levels)
        begin, length = self._uniform(0, n_frames), self._uniform(n_frames / 4, n_frames * 3 / 4)
        if pauses:
            piece[int(begin) : int(begin + length)] = 0
        return piece

    def recording(self, n_frames: int) -> Tensor:
        """Return a piece of what is recorded of the background."""
        assert self.recorded is not None
        return self._excerpt(self.recorded, n_frames)

    def _excerpt(self, frames: Tensor, n_frames: int) -> Tensor:
        """Return successive frames from a random place on, in a circle."""
        return frames[(torch.arange(n_frames) + self._integer(0, len(frames))) % len(frames)]

    def _spectrum(self) -> Tensor:
        """Return a smooth random spectrum, which rather falls with frequency."""
        places = torch.linspace(math.log(_OFFSET), math.log(self.n_bins + _OFFSET), _KNOTS)
        walk, single = 3 * torch.cumsum(self._randn(_KNOTS), 0), 6 * self._randn(_KNOTS)
        decibels = walk + single - self._uniform(0, 9) * torch.arange(_KNOTS)
        return 10 ** (_interpolated(torch.log(self.bins + _OFFSET), places, decibels) / 20)

    def _curve(self, n: int, period: float) -> Tensor:
        """Return a smooth random curve with a standard normal value every `period` frames."""
        n_knots = int(n / period) + 3
        places = torch.arange(n) / period + self._uniform(0, 1)
        return _interpolated(places, torch.arange(n_knots, dtype=torch.float32), self._randn(n_knots))

    def _gaussian(self, n_frames: int) -> Tensor:
        """Return magnitudes of white noise, correlated over frames that overlap and over bins of a window."""
        noise = torch.complex(self._randn(n_frames + 2, self.n_bins + 2), self._randn(n_frames + 2, self.n_bins + 2))
        noise = noise[:-2] + 2 * noise[1:-1] + noise[2:]
        return (2 * noise[:, 1:-1] - noise[:, :-2] - noise[:, 2:]).abs() / 7.5

    def _rand(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.generator)

    def _randn(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator)

    def _uniform(self, low: float, high: float) -> float:
        return low + (high - low) * float(self._rand())

    def _integer(self, low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=self.generator))

    def _decibels(self, low: float, high: float) -> float:
        """Return the factor on magnitudes of a random level in dB."""
        return float(10 ** (self._uniform(low, high) / 20))


def _level(frames: Tensor) -> Tensor:
    """Return frames with a mean power of 1; silence stays silent."""
    power = float(frames.square().mean())
    return frames / math.sqrt(power) if power else frames


def _interpolated(places: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    return torch.from_numpy(np.interp(places.numpy(), knots.numpy(), values.numpy())).float()


def _stretched(frames: Tensor, factor: float) -> Tensor:
    """Return frames whose frequency axis is stretched, with nothing above what there was."""
    last = frames.shape[1] - 1
    places = torch.arange(last + 1) / factor
    below = places.long().clamp(max=last)
    above = (below + 1).clamp(max=last)
    between = torch.lerp(frames[:, below], frames[:, above], (places - below).clamp(0, 1).to(frames.dtype))
    return torch.where(places <= last, between, 0.0)

"""Separate on a fitted model with parameters that act at once, and search for latents only where they matter."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gass.separation import AudioSeparator, Explanation, Separation
from sklearn_gass.separation._blockwise import found_best, separate_pieces


class Settings(NamedTuple):
    """Parameters that act at separation.

    Attributes
    ----------
    critic_weight : float
        λ.
    mask_exponent : float
        Power of the estimates in the masks.
    start_weight : float
        How strongly latents are held near the start.
    """

    critic_weight: float
    mask_exponent: float
    start_weight: float


class Tuner:
    """A fitted separator and some mixtures; remembers what was found for each mixture.

    Parameters
    ----------
    audio : fitted AudioSeparator
        What separates.

    Attributes
    ----------
    given : AudioSeparator
        What was given.
    audio : AudioSeparator
        The same with all parameters that were set since it was fitted.
    n_searches : int
        How often latents were searched for.
    """

    def __init__(self, audio: AudioSeparator):
        self.given, self.audio = audio, audio._now()
        self._separator = found_best(self.audio.separator_).for_recordings()
        self._found: dict[str, tuple[tuple[float, float], Explanation]] = {}
        self.n_searches = 0

    @property
    def is_neural(self) -> bool:
        """Whether λ and the start weight do anything."""
        return self._separator.start_ is not None

    @property
    def settings(self) -> Settings:
        """Return the settings that the separator was made with."""
        return Settings(*(float(getattr(self._separator, name)) for name in Settings._fields))

    def forget(self) -> None:
        """Forget what was found, for other mixtures."""
        self._found.clear()

    def separate(self, name: str, mixture: NDArray[np.floating], settings: Settings) -> Separation:
        """Separate a mixture; only masks are made anew if nothing but their exponent has changed since the last time.

        Parameters
        ----------
        name : str
            Name of the mixture, by which what was found is remembered.
        mixture : ndarray of shape (n_samples,)
            Waveform at the separator's sample rate.
        settings : Settings
            What acts now.
        """
        frames = _RememberingSeparator(self, name, settings)
        audio = self.audio
        pieces = separate_pieces(
            frames, audio.stft_, mixture, audio.sample_rate, len(audio.classes_), consistency=audio.consistency
        )
        sources = np.concatenate(list(pieces), axis=1)
        return Separation(sources, self.audio.classes_, mixture, self.audio.sample_rate)

    def _explain(self, name: str, frames: Any, settings: Settings) -> Explanation:
        searched_with = (settings.critic_weight, settings.start_weight)
        before, found = self._found.get(name, (None, None))
        if found is None or before != searched_with:
            separator = copy.copy(self._separator).set_params(
                critic_weight=settings.critic_weight, start_weight=settings.start_weight
            )
            found = separator.explain(frames)
            self.n_searches += 1
            self._found[name] = searched_with, found
        return found


class _RememberingSeparator:
    """What the separation of a waveform asks for its frames, all of them at once."""

    def __init__(self, tuner: Tuner, name: str, settings: Settings):
        self._tuner, self._name, self._settings = tuner, name, settings

    def explain(self, frames):
        found = self._tuner._explain(self._name, frames, self._settings)
        return replace(found, mask_exponent=self._settings.mask_exponent)

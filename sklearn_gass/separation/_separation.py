"""The result of separating one waveform."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_gass.audio_io import save_audio
from sklearn_gass.display import plot_spectrograms, separation_html
from sklearn_gass.separation._spread import Spread


@dataclass(frozen=True, eq=False)
class Separation:
    """Separated sources of one mixture; shows itself in a notebook as a table, spectrograms and players.

    Iterating gives the sources, ``separation["label"]`` one of them, and ``np.asarray(separation)`` all.

    Attributes
    ----------
    sources : ndarray of shape (n_sources, n_samples)
        Waveforms, which sum to the mixture.
    labels : ndarray of shape (n_sources,)
        Label of each source.
    mixture : ndarray of shape (n_samples,)
        The mixture.
    sample_rate : int
        Samples per second.
    spread : Spread or None
        How far the magnitudes of the true sources may be from separated ones, in the bins of the separator's STFT and
        at the mixture's level; ``None`` unless `n_samples` were asked for.
    """

    sources: NDArray[np.floating]
    labels: NDArray[Any]
    mixture: NDArray[np.floating]
    sample_rate: int
    spread: Spread | None = None

    def __len__(self) -> int:
        return len(self.sources)

    def __iter__(self) -> Iterator[NDArray[np.floating]]:
        return iter(self.sources)

    def __getitem__(self, label: Any) -> NDArray[np.floating]:
        matches = np.flatnonzero(self.labels == label)
        if not len(matches):
            raise KeyError(f"No source {label!r}; the sources are {self.labels.tolist()}.")
        return self.sources[matches[0]]

    def __contains__(self, label: Any) -> bool:
        if isinstance(label, np.ndarray):
            return any(np.array_equal(label, source) for source in self.sources)
        return bool(np.any(self.labels == label))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is None:  # NumPy 1 does not know this value
            return np.asarray(self.sources, dtype=dtype)
        return np.array(self.sources, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        seconds = self.mixture.size / self.sample_rate
        return f"Separation of {seconds:.2f} s at {self.sample_rate} Hz into {', '.join(map(str, self.labels))}"

    def waves(self) -> dict[str, NDArray[np.floating]]:
        """Return the mixture and every source by name.

        Returns
        -------
        waves : dict of str to ndarray of shape (n_samples,)
            ``"mixture"`` first (``"mixture of all"`` if a source has that label), then the sources under their labels.
        """
        sources = {str(label): source for label, source in zip(self.labels, self.sources, strict=True)}
        return {"mixture of all" if "mixture" in sources else "mixture": self.mixture, **sources}

    def plot(self, axes: Any = None) -> Any:
        """Draw the spectrograms of the mixture and the sources.

        Parameters
        ----------
        axes : array of matplotlib Axes or None, default=None
            One per waveform; ``None`` makes a new figure.

        Returns
        -------
        figure : matplotlib Figure
            The figure drawn on.
        """
        return plot_spectrograms(self.waves(), self.sample_rate, axes=axes)

    def save(self, folder: str | Path) -> list[Path]:
        """Write every source as ``<label>.wav``.

        Parameters
        ----------
        folder : str or Path
            Folder to write to, made if missing.

        Returns
        -------
        paths : list of Path
            Files written, in the order of `labels`.

        Raises
        ------
        ValueError
            If a label cannot be the name of a file.
        """
        for label in map(str, self.labels):
            if Path(label).name != label:
                raise ValueError(f"The label {label!r} cannot be the name of a file.")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        names = [f"{label}.wav" for label in self.labels]
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=folder) as unfinished:
            for name, source in zip(names, self.sources, strict=True):
                save_audio(Path(unfinished, name), source, self.sample_rate)
            for name in names:
                os.replace(Path(unfinished, name), folder / name)
        return [folder / name for name in names]

    def _repr_html_(self) -> str:
        return separation_html(self.waves(), self.sample_rate)

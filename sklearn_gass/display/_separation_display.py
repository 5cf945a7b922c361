"""A mixture, what it was separated into, and who got which share of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_gass.display._axes import display_axes
from sklearn_gass.display._levels import check_waves, peak_level
from sklearn_gass.display._spectrograms import MAX_COLUMNS, RANGE_DB, power_spectrogram
from sklearn_gass.display._tables import separation_html

_HELD_DB = 60.0  # a bin whose mean power is this much below that of the loudest holds no energy


class SeparationDisplay:
    """Spectrograms of a mixture and its separated sources, and the share of the mixture that each source got.

    A notebook shows it as players and spectrograms instead.

    Parameters
    ----------
    mixture : ndarray of shape (n_samples,)
        The mixture.
    sources : ndarray of shape (n_sources, n_samples)
        Separated sources.
    labels : list of str of length n_sources
        Their names.
    sample_rate : int
        Samples per second.
    references : ndarray of shape (n_sources, n_samples) or None, default=None
        True sources, to see and hear beside the separated ones.
    std : ndarray of shape (n_sources, n_frames, n_bins) or None, default=None
        Standard deviations of plausible magnitudes, in frames that are evenly spread over the mixture.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes of shape (n_rows, n_columns)
        What was drawn on: rows are the mixture and the sources, columns spectrograms, masks, and true sources and
        standard deviations if there are some.
    figure_ : matplotlib Figure
        The figure of it.

    See Also
    --------
    plot_spectrograms : Spectrograms of any waveforms.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.display import SeparationDisplay
    >>> time = np.arange(8000) / 8000
    >>> low, high = np.sin(900 * time), np.sin(9000 * time)
    >>> display = SeparationDisplay.from_predictions(low + high, [low, high], labels=["low", "high"], sample_rate=8000)
    >>> display.ax_.shape
    (3, 2)
    """

    def __init__(
        self,
        *,
        mixture: NDArray[np.floating],
        sources: NDArray[np.floating],
        labels: list[str],
        sample_rate: int,
        references: NDArray[np.floating] | None = None,
        std: NDArray[np.floating] | None = None,
    ):
        self.mixture = mixture
        self.sources = sources
        self.labels = labels
        self.sample_rate = sample_rate
        self.references = references
        self.std = std

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        mixture: ArrayLike,
        *,
        references: ArrayLike | None = None,
        n_samples: int | None = None,
        ax: Any = None,
    ) -> SeparationDisplay:
        """Separate a mixture and draw the result.

        Parameters
        ----------
        estimator : fitted AudioSeparator
            What separates.
        mixture : array-like of shape (n_samples,)
            The mixture.
        references : array-like of shape (n_sources, n_samples) or None, default=None
            True sources, in the order of the estimator's `classes_`.
        n_samples : int or None, default=None
            Number of plausible separations, whose standard deviation is shown; ``None`` shows none.
        ax : matplotlib Axes, array of them or None, default=None
            What to draw on; ``None`` makes a new figure.

        Returns
        -------
        display : SeparationDisplay
            Drawn display.
        """
        found = estimator.separate(mixture) if n_samples is None else estimator.separate(mixture, n_samples=n_samples)
        return cls.from_predictions(
            found.mixture,
            found.sources,
            labels=found.labels,
            sample_rate=found.sample_rate,
            references=references,
            std=None if n_samples is None else found.spread.std,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        mixture: ArrayLike,
        sources: ArrayLike,
        *,
        labels: Any = None,
        sample_rate: int = 16000,
        references: ArrayLike | None = None,
        std: ArrayLike | None = None,
        ax: Any = None,
    ) -> SeparationDisplay:
        """Draw sources that were separated before, by whatever.

        Parameters
        ----------
        mixture : array-like of shape (n_samples,)
            The mixture.
        sources : array-like of shape (n_sources, n_samples)
            Separated sources.
        labels : array-like of shape (n_sources,) or None, default=None
            Their names; ``None`` numbers them.
        sample_rate : int, default=16000
            Samples per second.
        references : array-like of shape (n_sources, n_samples) or None, default=None
            True sources.
        std : array-like of shape (n_sources, n_frames, n_bins) or None, default=None
            Standard deviations of their magnitudes, such as the `std` of a :class:`~sklearn_gass.Spread`.
        ax : matplotlib Axes, array of them or None, default=None
            What to draw on; ``None`` makes a new figure.

        Returns
        -------
        display : SeparationDisplay
            Drawn display.

        Raises
        ------
        ValueError
            If a waveform is not finite, or if there are more or fewer labels, references or standard deviations than
            sources, or waveforms of other lengths than the mixture.
        """
        mixed = check_waves({"mixture": mixture}, sample_rate)["mixture"]
        separated = _check_sources(sources, "sources", mixed.size)
        names = [f"source {k}" for k in range(len(separated))] if labels is None else [str(label) for label in labels]
        true = None if references is None else _check_sources(references, "references", mixed.size)
        deviations = None if std is None else _check_deviations(std)
        given = {"labels": names, "references": true, "standard deviations": deviations}
        for what, count in ((name, len(separated if values is None else values)) for name, values in given.items()):
            if count != len(separated):
                raise ValueError(f"{len(separated)} sources need as many {what}, got {count}.")
        display = cls(
            mixture=mixed, sources=separated, labels=names, sample_rate=sample_rate, references=true, std=deviations
        )
        return display.plot(ax=ax)

    def plot(self, ax: Any = None) -> SeparationDisplay:
        """Draw spectrograms and masks, up to the highest frequency that holds energy.

        A mask is the share of a source in the sum of the magnitudes of all sources. Standard deviations are in dB
        below the largest one.

        Parameters
        ----------
        ax : matplotlib Axes, array of them or None, default=None
            What to draw on; ``None`` makes a new figure with pyplot, as scikit-learn's displays do. An array needs a
            row for the mixture and each source, and two columns, one more with references and one more with standard
            deviations.

        Returns
        -------
        self : SeparationDisplay
            With the attributes that name what was drawn.
        """
        waves = [self.mixture, *self.sources, *(self.references if self.references is not None else ())]
        peak = max(map(peak_level, waves)) or 1.0
        powers = np.stack([power_spectrogram(wave, peak, self.sample_rate) for wave in waves])
        loudest = float(powers.max()) or 1.0
        n_sources = len(self.sources)
        amounts = np.sqrt(powers[1 : n_sources + 1])
        masks = amounts / np.maximum(amounts.sum(0), 1e-5 * loudest**0.5)
        columns: dict[str, list[Any]] = {"": [*powers[: n_sources + 1]], "mask of ": [None, *masks]}
        if self.references is not None:
            columns["true "] = [None, *powers[n_sources + 1 :]]
        if self.std is not None:
            columns["deviation of "] = [None, *np.square(_thinned(self.std))]
        size = (3.6 * len(columns) + 1, 0.8 + 1.6 * (n_sources + 1))
        self.ax_ = display_axes(n_sources + 1, len(columns), ax, figsize=size)
        self.figure_ = self.ax_[0, 0].get_figure(root=True)
        extent = (0, self.mixture.size / self.sample_rate, 0, self.sample_rate / 2000)
        for column, (kind, panels) in enumerate(columns.items()):
            is_mask, image = kind == "mask of ", None
            largest = float(np.max(panels[1:])) or 1.0 if kind == "deviation of " else loudest
            for row, panel in enumerate(panels):
                if panel is not None:
                    image = _draw(self.ax_[row, column], panel, is_mask, largest, extent)
                    name = kind + (self.labels[row - 1] if row else "mixture")
                    self.ax_[row, column].set_title(name, loc="left", parse_math=False, fontsize="medium")
                else:
                    self.ax_[row, column].set_axis_off()
            if kind != "true ":
                label = "share" if is_mask else "dB"
                self.figure_.colorbar(image, ax=self.ax_[:, column].tolist(), label=label, aspect=12 * len(self.ax_))
        self.ax_[0, 0].set_ylim(0, _highest_frequency(powers, self.sample_rate) / 1000)
        for row in self.ax_[:, 0]:
            row.set_ylabel("kHz")
        for panel in self.ax_[-1]:
            panel.set_xlabel("seconds")
        return self

    def _repr_html_(self) -> str:
        waves = {"mixture of all" if "mixture" in self.labels else "mixture": self.mixture}
        for k, label in enumerate(self.labels):
            waves[label] = self.sources[k]
            if self.references is not None:
                waves[f"{label}, true"] = self.references[k]
        return separation_html(waves, self.sample_rate)


def _check_sources(sources: ArrayLike, name: str, n_samples: int) -> NDArray[np.floating]:
    checked = check_waves({f"{name}[{k}]": wave for k, wave in enumerate(np.asarray(sources))}, 1)
    lengths = {wave.size for wave in checked.values()}
    if lengths != {n_samples}:
        raise ValueError(f"All {name} must have the {n_samples} samples of the mixture, got {sorted(lengths)}.")
    return np.stack(list(checked.values()))


def _check_deviations(std: ArrayLike) -> NDArray[np.floating]:
    deviations = np.asarray(std)
    if deviations.ndim != 3 or not np.isfinite(deviations).all():
        raise ValueError(f"std must be finite and of shape (n_sources, n_frames, n_bins), got {deviations.shape}.")
    return deviations


def _thinned(frames: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return no more frames, evenly spread, than a picture shows."""
    return frames[:, :: -(-frames.shape[1] // MAX_COLUMNS)]


def _draw(panel: Any, values: Any, is_mask: bool, loudest: float, extent: tuple[float, ...]) -> Any:
    if not is_mask:
        values = 10 * np.log10(np.maximum(values / loudest, 10 ** (-RANGE_DB / 10)))
    colours = {"cmap": "cividis", "vmin": 0, "vmax": 1} if is_mask else {"cmap": "magma", "vmin": -RANGE_DB, "vmax": 0}
    return panel.imshow(values.T, origin="lower", aspect="auto", extent=extent, **colours)


def _highest_frequency(powers: NDArray[np.floating], sample_rate: int) -> float:
    """Return the frequency in Hz up to which there is energy; half the sample rate if there is none."""
    spectrum = powers.mean(axis=1).max(axis=0)
    held = np.flatnonzero(spectrum > spectrum.max() * 10 ** (-_HELD_DB / 10))
    n_bins = powers.shape[-1]
    return float((held[-1] + 1 if len(held) else n_bins) / n_bins * sample_rate / 2)

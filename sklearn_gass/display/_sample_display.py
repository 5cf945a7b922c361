"""Real frames beside those that a model draws."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_gass.display._axes import display_axes

_RANGE_DB = 60.0
_MAX_SHOWN = 200


class SampleDisplay:
    """Magnitude frames of a source beside frames that a model of it draws.

    Both have one colour scale. Real frames are in their order of time, drawn ones in none, since models draw single
    frames.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, n_bins)
        Real magnitude frames.
    samples : ndarray of shape (n_samples, n_bins)
        Drawn frames.
    sample_rate : int
        Samples per second of the sound that the frames are of.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes of shape (2,)
        What was drawn on: real frames and samples.
    figure_ : matplotlib Figure
        The figure of it.
    colorbar_ : matplotlib Colorbar
        The one colour bar.

    See Also
    --------
    SeparationDisplay : What a separator makes of a mixture.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass import NMFSourceModel
    >>> from sklearn_gass.display import SampleDisplay
    >>> frames = np.random.RandomState(0).rand(50, 9)
    >>> model = NMFSourceModel(n_components=3, random_state=0).fit(frames)
    >>> display = SampleDisplay.from_estimator(model, frames, random_state=0)
    >>> display.samples.shape, float(display.ax_[0].get_ylim()[1])
    ((50, 9), 8000.0)
    """

    def __init__(self, *, frames: NDArray[np.floating], samples: NDArray[np.floating], sample_rate: int):
        self.frames = frames
        self.samples = samples
        self.sample_rate = sample_rate

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: ArrayLike, *, sample_rate: int = 16000, random_state: Any = None, ax: Any = None
    ) -> SampleDisplay:
        """Draw as many frames from a source model as there are real ones, 200 at most, and show both.

        Parameters
        ----------
        estimator : fitted source model
            With `sample`.
        X : array-like of shape (n_frames, n_bins)
            Real magnitude frames; the first 200 are shown.
        sample_rate : int, default=16000
            Samples per second of the sound that the frames are of.
        random_state : int, RandomState instance or None, default=None
            Seed of the samples; ``None`` takes that of the model.
        ax : array of two matplotlib Axes, one Axes or None, default=None
            What to draw on; ``None`` makes a new figure.

        Returns
        -------
        display : SampleDisplay
            Drawn display.
        """
        frames = np.asarray(X)[:_MAX_SHOWN]
        samples = estimator.sample(len(frames), random_state=random_state)
        return cls.from_predictions(frames, samples, sample_rate=sample_rate, ax=ax)

    @classmethod
    def from_predictions(
        cls, X: ArrayLike, samples: ArrayLike, *, sample_rate: int = 16000, ax: Any = None
    ) -> SampleDisplay:
        """Show frames that were drawn before.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_bins)
            Real magnitude frames.
        samples : array-like of shape (n_samples, n_bins)
            Drawn frames.
        sample_rate : int, default=16000
            Samples per second of the sound that the frames are of.
        ax : array of two matplotlib Axes, one Axes or None, default=None
            What to draw on; ``None`` makes a new figure.

        Returns
        -------
        display : SampleDisplay
            Drawn display.

        Raises
        ------
        ValueError
            If the two are no matrices with equally many columns.
        """
        frames, drawn = np.asarray(X), np.asarray(samples)
        if frames.ndim != 2 or drawn.ndim != 2 or frames.shape[1] != drawn.shape[1]:
            raise ValueError(
                f"X and samples must be matrices with the same number of bins, got {frames.shape} and {drawn.shape}."
            )
        return cls(frames=frames, samples=drawn, sample_rate=sample_rate).plot(ax=ax)

    def plot(self, ax: Any = None) -> SampleDisplay:
        """Draw both, in dB below the loudest bin of the real frames.

        Parameters
        ----------
        ax : array of two matplotlib Axes, one Axes or None, default=None
            What to draw on; ``None`` makes a new figure with pyplot, as scikit-learn's displays do.

        Returns
        -------
        self : SampleDisplay
            With the attributes that name what was drawn.
        """
        self.ax_ = display_axes(1, 2, ax, figsize=(8.5, 3.2))[0]
        self.figure_ = self.ax_[0].get_figure(root=True)
        loudest = float(self.frames.max()) or 1.0
        pairs = {"real frames": self.frames, "drawn frames": self.samples}
        for panel, (title, frames) in zip(self.ax_, pairs.items(), strict=True):
            decibels = 20 * np.log10(np.maximum(frames / loudest, 10 ** (-_RANGE_DB / 20)))
            extent = (0, len(frames), 0, self.sample_rate / 2)
            image = panel.imshow(
                decibels.T, origin="lower", aspect="auto", cmap="magma", vmin=-_RANGE_DB, vmax=0, extent=extent
            )
            panel.set(xlabel="frame")
            panel.set_title(title, loc="left", fontsize="medium")
        self.ax_[0].set_ylabel("Hz")
        self.colorbar_ = self.figure_.colorbar(image, ax=self.ax_.tolist(), label="dB")
        return self

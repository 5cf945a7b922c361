"""Spectrograms as figures and as pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_gass._framing import cut_frames, frame_length
from sklearn_gass.display._levels import check_waves, peak_level

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RANGE_DB = 80.0
MAX_COLUMNS = 1500  # more frames than a picture has pixels would cost memory and show nothing


def plot_spectrograms(waves: Mapping[str, ArrayLike], sample_rate: int, axes: Any = None) -> Figure:
    """Draw the spectrogram of each waveform in a row of its own, all with the same colour scale.

    Parameters
    ----------
    waves : dict of str to array-like of shape (n_samples,)
        Waveforms by name; their lengths may differ.
    sample_rate : int
        Samples per second.
    axes : sequence of matplotlib Axes or None, default=None
        One for each waveform. ``None`` makes a new figure outside pyplot, so that no window opens.

    Returns
    -------
    figure : matplotlib Figure
        The figure drawn on.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    ValueError
        If there is no waveform, one is invalid, the sample rate is not positive, or there are more or fewer axes than
        waveforms.

    See Also
    --------
    separation_html : Spectrograms with players.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.display import plot_spectrograms
    >>> time = np.arange(8000) / 8000
    >>> figure = plot_spectrograms({"low": np.sin(900 * time), "high": np.sin(9000 * time)}, sample_rate=8000)
    >>> [axes.get_title(loc="left") for axes in figure.axes[:2]]
    ['low', 'high']
    """
    checked = check_waves(waves, sample_rate)
    new_figure = figure_class()
    if axes is None:
        figure = new_figure(figsize=(9, 0.8 + 1.55 * len(checked)), layout="constrained")
        panels = figure.subplots(len(checked), sharex=True, sharey=True, squeeze=False).ravel()
    else:
        panels = np.ravel(np.asarray(axes, dtype=object))
        if len(panels) != len(checked):
            raise ValueError(f"{len(checked)} waveforms need as many axes, got {len(panels)}.")
        figure = panels[0].get_figure(root=True)
    peak = max(map(peak_level, checked.values())) or 1.0
    spectra = [power_spectrogram(wave, peak, sample_rate) for wave in checked.values()]
    loudest = max(float(power.max()) for power in spectra) or 1.0
    duration = max(wave.size for wave in checked.values()) / sample_rate
    for panel, (name, wave), power in zip(panels, checked.items(), spectra, strict=True):
        decibels = 10 * np.log10(np.maximum(power / loudest, 10 ** (-RANGE_DB / 10)))
        image = panel.imshow(
            decibels.T,
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=-RANGE_DB,
            vmax=0,
            extent=(0, wave.size / sample_rate, 0, sample_rate / 2000),
        )
        panel.set(xlim=(0, duration), ylim=(0, sample_rate / 2000), ylabel="kHz", facecolor="black")
        panel.set_title(name, loc="left", parse_math=False, fontsize="medium")
        panel.label_outer()
    panels[-1].set_xlabel("seconds")
    figure.colorbar(image, ax=panels.tolist(), label="dB", pad=0.02, aspect=12 * len(checked))
    return figure


def spectrograms_png(waves: Mapping[str, ArrayLike], sample_rate: int) -> bytes:
    """Return a picture of the spectrograms of some waveforms.

    Parameters
    ----------
    waves : dict of str to array-like of shape (n_samples,)
        Waveforms by name.
    sample_rate : int
        Samples per second.

    Returns
    -------
    png : bytes
        Content of a PNG file.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    ValueError
        If there is no waveform, one is invalid, or the sample rate is not positive.

    See Also
    --------
    plot_spectrograms : The same as a figure.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.display import spectrograms_png
    >>> spectrograms_png({"tone": np.sin(np.arange(4000))}, sample_rate=8000)[1:4]
    b'PNG'
    """
    figure = plot_spectrograms(waves, sample_rate)
    from sklearn_gass.display._figure import figure_png

    return figure_png(figure)


def figure_class() -> type[Figure]:
    """Return the class of figures that notebooks show, or raise ImportError in one sentence."""
    try:
        from sklearn_gass.display._figure import ShownFigure
    except ImportError as error:
        raise ImportError("Spectrograms need matplotlib: pip install 'sklearn_gass[plots]'") from error
    return ShownFigure


def power_spectrogram(wave: NDArray[np.floating], peak: float, sample_rate: int) -> NDArray[np.floating]:
    """Return powers of shape (n_frames, n_bins), at most `MAX_COLUMNS` frames however long the waveform is."""
    n_fft = frame_length(sample_rate)
    hop = max(n_fft // 8, math.ceil(wave.size / MAX_COLUMNS))
    window = np.hanning(n_fft + 1)[:-1].astype(wave.dtype)
    # frames far apart are cut one by one, without a padded copy of a long waveform
    frames = np.concatenate(
        [cut_frames(wave, k, k + 1, n_fft=n_fft, hop=hop, level=peak) for k in range(wave.size // hop + 1)]
    )
    return np.square(np.abs(np.fft.rfft(frames * window)))

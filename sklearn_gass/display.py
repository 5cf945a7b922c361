"""Pictures, players and pages of separated sound.

All functions take plain arrays. Levels are in dB relative to full scale, which is 1. Everything returned as HTML is
self-contained: pictures and sound are part of the text, and nothing is fetched from elsewhere.
"""

from __future__ import annotations

import io
import math
import warnings
import wave as wave_files
from base64 import b64encode
from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_gass._framing import cut_frames
from sklearn_gass._validation import check_wave

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["format_decibel", "plot_spectrograms", "report_page", "scores_html", "separation_html", "spectrograms_png"]

_FRAME_SECONDS = 0.064
_RANGE_DB = 80.0
_MAX_COLUMNS = 1500  # more frames than a picture has pixels would cost memory and show nothing
_MAX_PLAYER_SECONDS = 60.0
_PLAYER_PEAK = 0.9
_SQUARED_AT_ONCE = 2**20  # samples


def plot_spectrograms(waves: Mapping[str, ArrayLike], sample_rate: int, axes: Any = None) -> Figure:
    """Draw the spectrogram of each waveform in a row of its own, all in one colour scale.

    Parameters
    ----------
    waves : dict of str to array-like of shape (n_samples,)
        Waveforms by name; their lengths may differ.
    sample_rate : int
        Samples per second.
    axes : sequence of matplotlib Axes or None, default=None
        One to draw on per waveform. ``None`` makes a new figure, which pyplot does not know.

    Returns
    -------
    figure : matplotlib Figure
        The figure drawn on.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    ValueError
        If there is no waveform, one is invalid, the sample rate is not positive, or the number of axes is another.

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
    checked = _check_waves(waves, sample_rate)
    figure_class = _figure_class()
    if axes is None:
        figure = figure_class(figsize=(9, 0.8 + 1.55 * len(checked)), layout="constrained")
        panels = figure.subplots(len(checked), sharex=True, sharey=True, squeeze=False).ravel()
    else:
        panels = np.ravel(np.asarray(axes, dtype=object))
        if len(panels) != len(checked):
            raise ValueError(f"{len(checked)} waveforms need as many axes, got {len(panels)}.")
        figure = panels[0].get_figure(root=True)
    peak = max(map(_peak, checked.values())) or 1.0
    spectra = [_power_spectrogram(wave, peak, sample_rate) for wave in checked.values()]
    loudest = max(float(power.max()) for power in spectra) or 1.0
    duration = max(wave.size for wave in checked.values()) / sample_rate
    for panel, (name, wave), power in zip(panels, checked.items(), spectra, strict=True):
        decibels = 10 * np.log10(np.maximum(power / loudest, 10 ** (-_RANGE_DB / 10)))
        image = panel.imshow(
            decibels.T,
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=-_RANGE_DB,
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
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # a name in a script that the font lacks is drawn as boxes; the text beside the picture has it right
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def separation_html(waves: Mapping[str, ArrayLike], sample_rate: int, *, png: bytes | None = None) -> str:
    """Return a table of waveforms with players, and their spectrograms if matplotlib is there.

    Players hold the first minute of each waveform with 16 bits a sample. One gain for all brings the loudest to 90 % of
    full scale.

    Parameters
    ----------
    waves : dict of str to array-like of shape (n_samples,)
        Waveforms by name.
    sample_rate : int
        Samples per second.
    png : bytes or None, default=None
        Picture of their spectrograms; ``None`` draws one.

    Returns
    -------
    html : str
        Fragment for a notebook or a page; the names are escaped.

    Raises
    ------
    ValueError
        If there is no waveform, one is invalid, or the sample rate is not positive.

    See Also
    --------
    report_page : A whole page.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.display import separation_html
    >>> html = separation_html({"tone": np.sin(np.arange(4000))}, sample_rate=8000)
    >>> "0.50" in html, "-3.0" in html, html.count("<audio")
    (True, True, 1)
    """
    checked = _check_waves(waves, sample_rate)
    n_heard = math.ceil(_MAX_PLAYER_SECONDS * sample_rate)
    heard = {name: wave[:n_heard] for name, wave in checked.items()}
    peak = max(map(_peak, heard.values())) or 1.0
    rows = []
    for name, wave in checked.items():
        cells = [f"{wave.size / sample_rate:.2f}", format_decibel(_level(wave))]
        numbers = "".join(f'<td style="text-align:right">{cell}</td>' for cell in cells)
        player = _player(name, heard[name] / peak * _PLAYER_PEAK, sample_rate)
        rows.append(f'<tr><th scope="row" style="text-align:left">{escape(name)}</th>{numbers}<td>{player}</td></tr>')
    listen = "listen" if all(wave.size <= n_heard for wave in checked.values()) else f"first {_MAX_PLAYER_SECONDS:g} s"
    aligned = {"sound": "left", "seconds": "right", "level (dB)": "right", listen: "left"}
    heads = "".join(f'<th scope="col" style="text-align:{side}">{head}</th>' for head, side in aligned.items())
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f'<div class="separation">{table}{_picture(checked, sample_rate, png)}</div>'


def scores_html(scores: Mapping[str, Mapping[str, float]], caption: str = "") -> str:
    """Return a table of scores in dB.

    Parameters
    ----------
    scores : dict of str to dict of str to float
        Scores by row and column; all rows have the same columns.
    caption : str, default=""
        Title of the table.

    Returns
    -------
    html : str
        A table; names and caption are escaped.

    See Also
    --------
    report_page : A page to put it on.

    Examples
    --------
    >>> from sklearn_gass.display import scores_html
    >>> "<td>6.5</td>" in scores_html({"NMF": {"SDR": 6.54}})
    True
    """
    columns = list(next(iter(scores.values()), {}))
    heads = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{format_decibel(row[column])}</td>" for column in columns)
        + "</tr>"
        for name, row in scores.items()
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<table class="scores">{title}<thead><tr><td></td>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def report_page(title: str, sections: Mapping[str, str], *, lead: str = "", notes: Iterable[str] = ()) -> str:
    """Return a self-contained HTML page.

    Parameters
    ----------
    title : str
        Title of the page, as plain text.
    sections : dict of str to str
        HTML fragments, such as from `separation_html` and `scores_html`, by their headings (plain text).
    lead : str, default=""
        First paragraph, as plain text.
    notes : iterable of str, default=()
        Last paragraphs, as plain text.

    Returns
    -------
    html : str
        The page.

    See Also
    --------
    separation_html, scores_html : What to put on it.

    Examples
    --------
    >>> from sklearn_gass.display import report_page
    >>> page = report_page("A & B", {"Scores": "<p>none</p>"})
    >>> page.startswith("<!DOCTYPE html>"), "<title>A &amp; B</title>" in page
    (True, True)
    """
    opening = f'<p class="lead">{escape(lead)}</p>' if lead else ""
    body = "".join(f"<section><h2>{escape(heading)}</h2>{html}</section>" for heading, html in sections.items())
    closing = "".join(f"<p>{escape(note)}</p>" for note in notes)
    footer = f"<footer>{closing}</footer>" if closing else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_CSS}</style></head>\n"
        f"<body><main><h1>{escape(title)}</h1>{opening}{body}{footer}</main></body></html>\n"
    )


def format_decibel(value: float) -> str:
    """Return a level or ratio with one decimal; beyond 99 dB it is as good as infinite, and written so.

    Parameters
    ----------
    value : float
        Number of dB.

    Returns
    -------
    text : str
        Such as "6.5", ">99" or "-inf"; ASCII only, since it goes to terminals.

    Examples
    --------
    >>> from sklearn_gass.display import format_decibel
    >>> [format_decibel(value) for value in (6.54, -0.01, 250, float("inf"), -float("inf"))]
    ['6.5', '0.0', '>99', 'inf', '-inf']
    """
    if math.isinf(value) or math.isnan(value):
        return f"{value:g}"
    if abs(value) > 99:
        return ">99" if value > 0 else "<-99"
    return f"{round(value, 1) + 0.0:.1f}"


def _check_waves(waves: Mapping[str, ArrayLike], sample_rate: int) -> dict[str, NDArray[np.floating]]:
    if not waves:
        raise ValueError("There is no waveform to show.")
    if not sample_rate > 0:
        raise ValueError(f"sample_rate must be positive, got {sample_rate!r}.")
    return {str(name): check_wave(wave, name=f"Waveform {name!r}") for name, wave in waves.items()}


def _figure_class() -> type[Figure]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("Spectrograms need matplotlib: pip install 'sklearn_gass[plots]'") from error
    return Figure


def _power_spectrogram(wave: NDArray[np.floating], peak: float, sample_rate: int) -> NDArray[np.floating]:
    """Return powers of shape (n_frames, n_bins), at most `_MAX_COLUMNS` frames however long the waveform is."""
    n_fft = max(2 ** round(math.log2(_FRAME_SECONDS * sample_rate)), 16)
    hop = max(n_fft // 8, math.ceil(wave.size / _MAX_COLUMNS))
    window = np.hanning(n_fft + 1)[:-1].astype(wave.dtype)
    # frames far apart are cut one by one, without a padded copy of a long waveform
    frames = np.concatenate(
        [cut_frames(wave, k, k + 1, n_fft=n_fft, hop=hop, level=peak) for k in range(wave.size // hop + 1)]
    )
    return np.square(np.abs(np.fft.rfft(frames * window)))


def _peak(wave: NDArray[np.floating]) -> float:
    return float(max(wave.max(), -wave.min()))


def _level(wave: NDArray[np.floating]) -> float:
    """Return the level in dB relative to a mean square of 1."""
    peak = _peak(wave)
    if peak == 0:
        return -math.inf
    blocks = (wave[begin : begin + _SQUARED_AT_ONCE] for begin in range(0, wave.size, _SQUARED_AT_ONCE))
    energy = math.fsum(float(np.sum(np.square(block / peak), dtype=np.float64)) for block in blocks)
    return 20 * math.log10(peak) + 10 * math.log10(energy / wave.size)


def _picture(waves: Mapping[str, NDArray[np.floating]], sample_rate: int, png: bytes | None) -> str:
    try:
        png = spectrograms_png(waves, sample_rate) if png is None else png
    except ImportError:
        return ""
    alternative = escape(f"Spectrograms, one below the other: {', '.join(waves)}.")
    return f'<img style="max-width:100%" alt="{alternative}" src="data:image/png;base64,{b64encode(png).decode()}">'


def _player(name: str, wave: NDArray[np.floating], sample_rate: int) -> str:
    data = b64encode(_wav_file(wave, sample_rate)).decode()
    label = escape(f"Listen to {name}")
    return f'<audio controls aria-label="{label}" src="data:audio/wav;base64,{data}"></audio>'


def _wav_file(wave: NDArray[np.floating], sample_rate: int) -> bytes:
    """Return a mono file with 16 bits a sample; full scale is 1."""
    buffer = io.BytesIO()
    with wave_files.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(int(sample_rate))
        file.writeframes(np.rint(wave * 32767).clip(-32768, 32767).astype("<i2").tobytes())
    return buffer.getvalue()


_CSS = """
:root { color-scheme: light dark; --line: #d8d8de; --soft: #6a6a75; --panel: #f6f6f8; }
@media (prefers-color-scheme: dark) { :root { --line: #3a3a42; --soft: #a0a0ab; --panel: #1d1d22; } }
body { margin: 0; font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 3rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .75rem; }
.lead, footer, caption { color: var(--soft); }
footer { margin-top: 2.5rem; padding-top: .75rem; border-top: 1px solid var(--line); font-size: .85rem; }
section { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .5rem; font-size: .9rem; }
th, td { padding: .4rem .9rem; border-bottom: 1px solid var(--line); text-align: left; }
thead th { font-weight: 600; font-size: .85rem; color: var(--soft); }
thead th, thead td { border-bottom-width: 2px; }
tbody th { font-weight: 600; }
.scores td, .scores thead th { text-align: right; }
.scores tbody tr:hover, .separation tbody tr:hover { background: var(--panel); }
.separation table { width: 100%; }
.separation tr > :nth-child(4) { width: 60%; padding-right: 0; }
@media (max-width: 40rem) {
  main { padding: 1.25rem .9rem; }
  th, td { padding: .4rem .5rem; }
  .separation tr > :nth-child(2) { display: none; } /* players tell it as well */
}
audio { display: block; width: 100%; min-width: 11rem; height: 2.25rem; }
img { display: block; max-width: 100%; height: auto; margin-top: 1.25rem; border-radius: .4rem; }
"""

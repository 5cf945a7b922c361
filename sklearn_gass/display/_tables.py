"""Tables of waveforms with players, and of scores, as HTML."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Mapping
from html import escape

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_gass.display._levels import check_waves, decibel_level, format_decibel, peak_level
from sklearn_gass.display._players import make_players
from sklearn_gass.display._spectrograms import spectrograms_png
from sklearn_gass.display._waveforms import waveform_svg

_MAX_PLAYER_SECONDS = 60.0
_PLAYER_PEAK = 0.9


class Fragment(str):
    """HTML that a notebook shows if a cell ends with it."""

    def _repr_html_(self) -> str:
        return str(self)


def separation_html(waves: Mapping[str, ArrayLike], sample_rate: int, *, png: bytes | None = None) -> str:
    """Return a table of waveforms with players, and their spectrograms if matplotlib is installed.

    Players hold the first minute of each waveform, and an outline above each shows it. All of them have the same gain,
    which brings the loudest to 90 % of full scale. They share one position: start another player, and it goes on where
    the first one was. Sound is FLAC with 16 bits a sample, or MP3 if that would be more than 0.5 MB in all.

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
        Fragment for a page, which a notebook shows if a cell ends with it; the names are escaped.

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
    checked = check_waves(waves, sample_rate)
    n_heard = math.ceil(_MAX_PLAYER_SECONDS * sample_rate)
    heard = {name: wave[:n_heard] for name, wave in checked.items()}
    peak = max(map(peak_level, heard.values())) or 1.0
    heard = {name: wave / peak * _PLAYER_PEAK for name, wave in heard.items()}
    players = make_players(heard, sample_rate)
    rows = []
    for name, wave in checked.items():
        cells = [f"{wave.size / sample_rate:.2f}", format_decibel(decibel_level(wave))]
        numbers = "".join(f'<td style="text-align:right">{cell}</td>' for cell in cells)
        head = f'<th scope="row" style="text-align:left">{escape(name)}</th>'
        rows.append(f"<tr>{head}{numbers}<td>{waveform_svg(heard[name], name)}{players[name]}</td></tr>")
    listen = "listen" if all(wave.size <= n_heard for wave in checked.values()) else f"first {_MAX_PLAYER_SECONDS:g} s"
    aligned = {"sound": "left", "seconds": "right", "level (dB)": "right", listen: "left"}
    heads = "".join(f'<th scope="col" style="text-align:{side}">{head}</th>' for head, side in aligned.items())
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return Fragment(f'<div class="separation">{table}{_picture(checked, sample_rate, png)}</div>')


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


def _picture(waves: Mapping[str, NDArray[np.floating]], sample_rate: int, png: bytes | None) -> str:
    try:
        png = spectrograms_png(waves, sample_rate) if png is None else png
    except ImportError:
        return ""
    alternative = escape(f"Spectrograms, one below the other: {', '.join(waves)}.")
    return f'<img style="max-width:100%" alt="{alternative}" src="data:image/png;base64,{b64encode(png).decode()}">'

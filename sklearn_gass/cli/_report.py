"""The page and the picture that commands leave in an output folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sklearn_gass.cli._console import Console
from sklearn_gass.cli._streams import visible
from sklearn_gass.display import report_page, separation_html, spectrograms_png

PAGE = "index.html"
PICTURE = "spectrogram.png"
# By this mark results are told from recordings, which they must not be taken for
_MARK = '<meta name="generator" content="sklearn-gass">'
_MARK_WITHIN = 2000  # bytes from the page's beginning


def write_page(
    folder: Path,
    shown: Mapping[str, NDArray[np.floating]],
    sample_rate: int,
    console: Console,
    *,
    title: str,
    lead: str,
    sections: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    draw: Callable[[], bytes] | None = None,
) -> list[str]:
    """Write a picture, by default of their spectrograms, and a page of waveforms with players.

    Returns
    -------
    names : list of str
        Files written, the page last.
    """
    shown = {visible(name): wave for name, wave in shown.items()}
    png = _drawn(draw or (lambda: spectrograms_png(shown, sample_rate)), console)
    listen = separation_html(shown, sample_rate, png=png or None)
    page = report_page(visible(title), {**(sections or {}), "Listen": listen}, lead=visible(lead), notes=notes)
    contents = ({PICTURE: png} if png else {}) | {PAGE: page.replace("<head>", f"<head>{_MARK}", 1).encode()}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return list(contents)


def is_report(folder: Path) -> bool:
    """Tell whether a command has written results to a folder."""
    try:
        with (folder / PAGE).open("rb") as file:
            return _MARK.encode() in file.read(_MARK_WITHIN)
    except OSError:
        return False


def _drawn(draw: Callable[[], bytes], console: Console) -> bytes:
    try:
        return draw()
    except ImportError as error:
        console.notice(f"No picture is written. {error}")
        return b""

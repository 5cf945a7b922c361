"""What commands leave in an output folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sklearn_gass.audio_io import save_audio
from sklearn_gass.cli._console import Console, stated
from sklearn_gass.cli._files import staged
from sklearn_gass.display import report_page, separation_html, spectrograms_png


def write_report(
    folder: Path,
    files: Mapping[str, NDArray[np.floating]],
    shown: Mapping[str, NDArray[np.floating]],
    sample_rate: int,
    console: Console,
    *,
    title: str,
    lead: str,
    sections: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> list[Path]:
    """Write waveforms by file name, and a picture and a page of those to be shown: everything or nothing.

    Returns
    -------
    paths : list of Path
        Files written, the page last.
    """
    png = _draw(shown, sample_rate, console)
    listen = separation_html(shown, sample_rate, png=png or None)
    page = report_page(title, {**(sections or {}), "Listen": listen}, lead=lead, notes=notes)
    contents = {"index.html": page.encode()} | ({"spectrogram.png": png} if png else {})
    with staged(folder) as scratch, stated(f"Cannot write to the folder {folder}"):
        for name, wave in files.items():
            save_audio(scratch / name, wave, sample_rate)
        for name, content in contents.items():
            (scratch / name).write_bytes(content)
    return [folder / name for name in [*files, *sorted(contents, reverse=True)]]


def _draw(waves: Mapping[str, NDArray[np.floating]], sample_rate: int, console: Console) -> bytes:
    try:
        return spectrograms_png(waves, sample_rate)
    except ImportError as error:
        console.notice(f"No picture is written. {error}")
        return b""

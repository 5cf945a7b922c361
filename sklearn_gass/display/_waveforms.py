"""Waveforms as small pictures that stand above their players."""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

_COLUMNS, _HALF = 300, 20  # of the picture: its width, and half of its height


def waveform_svg(wave: NDArray[np.floating], name: str) -> str:
    """Return the outline of a waveform as an SVG element in the colour of the text around it; full scale is 1."""
    n_columns = min(_COLUMNS, wave.size)
    begins = np.arange(n_columns) * wave.size // n_columns
    top = _HALF - np.rint(_HALF * np.maximum.reduceat(wave, begins)).astype(int)
    bottom = _HALF - np.rint(_HALF * np.minimum.reduceat(wave, begins)).astype(int)
    columns = "".join(f"M{k} {high}V{low + 1}" for k, (high, low) in enumerate(zip(top, bottom, strict=True)))
    return (
        f'<svg role="img" aria-label="Waveform of {escape(name)}" viewBox="-1 0 {n_columns + 1} {2 * _HALF + 1}" '
        'preserveAspectRatio="none" style="display:block;width:100%;height:2.5em">'
        f'<path stroke="currentColor" stroke-opacity=".6" d="{columns}"/></svg>'
    )

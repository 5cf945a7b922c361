"""Figures outside pyplot, and pictures of them; imported only when something is drawn, since it needs matplotlib."""

from __future__ import annotations

import io
import warnings

import matplotlib
from matplotlib.figure import Figure
from PIL import Image


class ShownFigure(Figure):
    """A figure outside pyplot that notebooks show as what a cell returns."""

    def _repr_png_(self) -> bytes:
        return figure_png(self)


def figure_png(figure: Figure) -> bytes:
    """Return the content of a PNG file in the colours of spectrograms and text, which takes a third of the bytes."""
    drawn, packed = io.BytesIO(), io.BytesIO()
    with warnings.catch_warnings():
        # a name in a script that the font lacks is drawn as boxes; the text beside the picture has it right
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(drawn, format="png", dpi=110, metadata={"Software": None})
    with Image.open(drawn) as picture:
        few = picture.convert("RGB").quantize(palette=_palette(), dither=Image.Dither.NONE)
    few.save(packed, "png", optimize=True)
    return packed.getvalue()


def _palette() -> Image.Image:
    """Return a picture with the colours of spectrograms and some shades of grey."""
    colours = [*(matplotlib.colormaps["magma"](k / 223)[:3] for k in range(224)), *((k / 31,) * 3 for k in range(32))]
    palette = Image.new("P", (1, 1))
    palette.putpalette([round(255 * part) for colour in colours for part in colour])
    return palette

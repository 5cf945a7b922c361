"""Figures outside pyplot, and pictures of them; imported only when something is drawn, since it needs matplotlib."""

from __future__ import annotations

import io
import warnings

from matplotlib.figure import Figure
from PIL import Image


class ShownFigure(Figure):
    """A figure outside pyplot that notebooks show as what a cell returns."""

    def _repr_png_(self) -> bytes:
        return figure_png(self)


def figure_png(figure: Figure) -> bytes:
    """Return the content of a PNG file with 256 colours, which takes a third of the bytes."""
    drawn, packed = io.BytesIO(), io.BytesIO()
    with warnings.catch_warnings():
        # a name in a script that the font lacks is drawn as boxes; the text beside the picture has it right
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(drawn, format="png", dpi=110, metadata={"Software": None})
    with Image.open(drawn) as picture:
        picture.convert("RGB").quantize(method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            packed, "png", optimize=True
        )
    return packed.getvalue()

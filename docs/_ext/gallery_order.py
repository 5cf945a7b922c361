"""The order of the gallery: from the first separation to what few need."""

from pathlib import Path

_FIRST = ("separate_voices", "what_models_draw", "tune_by_ear", "choose_weight", "different_models", "three_talkers")


class Order:
    """Sort key of sphinx-gallery: the examples named above, and then all others by their names."""

    def __init__(self, src_dir):
        self.src_dir = src_dir

    def __call__(self, filename):
        """Return the place of a file."""
        name = Path(filename).stem.removeprefix("plot_")
        return (_FIRST.index(name), "") if name in _FIRST else (len(_FIRST), name)

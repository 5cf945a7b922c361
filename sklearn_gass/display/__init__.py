"""Pictures, players and pages of separated sound.

All functions and displays take plain arrays. Levels are in dB relative to full scale, which is 1. Everything returned
as HTML is self-contained: pictures and sound are part of the text, and nothing is fetched from elsewhere.
"""

from sklearn_gass.display._levels import format_decibel
from sklearn_gass.display._page import report_page
from sklearn_gass.display._sample_display import SampleDisplay
from sklearn_gass.display._separation_display import SeparationDisplay
from sklearn_gass.display._spectrograms import plot_spectrograms, spectrograms_png
from sklearn_gass.display._tables import scores_html, separation_html

__all__ = [
    "SampleDisplay",
    "SeparationDisplay",
    "format_decibel",
    "plot_spectrograms",
    "report_page",
    "scores_html",
    "separation_html",
    "spectrograms_png",
]

"""Detectors tell in which frames a known source is there, and in which a background only resembles it."""

from sklearn_gass.detectors._presence import PresenceDetector

__all__ = ["DETECTORS", "PresenceDetector"]

DETECTORS = {"presence": PresenceDetector}
"""Detectors by the strings that stand for them."""

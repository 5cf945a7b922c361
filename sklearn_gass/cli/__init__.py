"""The command line ``sklearn-gass``: demo, separate, evaluate."""

from sklearn_gass.cli._main import main

__all__ = ["main"]

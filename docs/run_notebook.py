"""Run a notebook of the gallery from top to bottom, as somebody does who downloaded it.

Run ``python docs/run_notebook.py FOLDER NAME``: the first file of that name in the folder or below.
"""

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def main(folder: str, name: str) -> None:
    """Run it in an empty folder; an error in a cell ends the program."""
    path = next(Path(folder).rglob(name))
    with tempfile.TemporaryDirectory() as work:
        NotebookClient(nbformat.read(path, as_version=4), resources={"metadata": {"path": work}}).execute()
    print(f"{name} runs.")


if __name__ == "__main__":
    main(*sys.argv[1:])

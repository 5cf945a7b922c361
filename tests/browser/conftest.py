"""A real browser, or a reason to skip; with SKLEARN_GASS_BROWSER=required there is no skipping."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

REQUIRED = os.environ.get("SKLEARN_GASS_BROWSER") == "required"
sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))  # check_pages.py


def missing(what):
    """Skip, or fail where a browser is required."""
    if REQUIRED:
        pytest.fail(f"{what}, but SKLEARN_GASS_BROWSER=required", pytrace=False)
    pytest.skip(f"{what}: pip install -e '.[browser]'; apt-get install chromium, or playwright install chromium")


@pytest.fixture(scope="session")
def browser():
    for module in ("gradio", "playwright"):
        if importlib.util.find_spec(module) is None:
            missing(f"there is no {module}")
    from check_pages import chromium
    from playwright.sync_api import Error

    try:
        running = chromium()
        found = running.__enter__()
    except Error as error:
        missing(f"no browser starts ({str(error).splitlines()[0]})")
    yield found
    running.__exit__(None, None, None)

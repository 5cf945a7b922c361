"""The code blocks of README, of the start page and of the guide."""

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "guide").glob("*.rst"))
PAGES += ["README.md", "docs/index.rst"]

_RST = re.compile(r"^( *)\.\. (?:code-block:: (?P<language>\w+)|run::)\n(?P<code>(?:\1 +.*\n|\n)+)", re.MULTILINE)
_FENCED = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_UNNAMED = re.compile(r"^(?! *\.\. ).*::\n\n +\S", re.MULTILINE)


def text_of(page):
    """Return the source of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page, language):
    """Return the blocks of a page in one language, "python" or "sh"."""
    pattern = _FENCED if page.endswith(".md") else _RST
    found = pattern.finditer(text_of(page))
    return [textwrap.dedent(block["code"]) for block in found if (block["language"] or "python") == language]


def python_of(page):
    """Return the Python code of a page in one piece."""
    return "\n".join(blocks(page, "python"))


def commands_of(page):
    """Return the commands of a page, one a string."""
    lines = "\n".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    return [" ".join(line.split()) for line in lines if line.strip()]


def blocks_without_language(page):
    """Return the beginnings of blocks of which nobody knows whether they are Python."""
    return _UNNAMED.findall(text_of(page))


def languages(page):
    """Return the languages of all blocks of a page."""
    pattern = _FENCED if page.endswith(".md") else _RST
    return {block["language"] or "python" for block in pattern.finditer(text_of(page))}

"""Sphinx configuration; CONTRIBUTING.md has the build command. Nothing is fetched while building or reading."""

import sys
from importlib.util import find_spec
from pathlib import Path

from sklearn_gass import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "sklearn_gass"
author = "the sklearn_gass developers"
copyright = f"2026, {author}"
release = version = __version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "class_links",
    "run_code",
]
root_doc = "index"
templates_path = ["_templates"]
exclude_patterns = ["_build", "examples", "speed_table.md", "trust_table.md"]  # parts of pages of the guide
default_role = "literal"  # `name` is code, and becomes a link if it is public

html_theme = "furo"
html_title = f"sklearn_gass {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False

# MathJax in one file, with its glyphs as paths: formulas need no network
_MATHJAX = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax" / "tex-svg.js"
html_static_path.append(str(_MATHJAX))
mathjax_path = _MATHJAX.name
mathjax3_config = {"options": {"enableMenu": False}}  # the menu would fetch parts that are not here

autosummary_generate = True
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # the class template lists them
extlinks = {"arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s")}

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "generated/examples",  # lists of examples for the pages of classes
    "doc_module": "sklearn_gass",
    "within_subsection_order": "gallery_order.Order",
    "reference_url": {"sklearn_gass": None},  # names in the code of examples are links
    "show_signature": False,
    "download_all_examples": False,
    "write_computation_times": False,
    "abort_on_example_error": True,
}


def leave_out_members_of_scikit_learn(app, what, name, member, skip, options):
    """Tell autodoc to leave out what scikit-learn's base classes add, which is documented there."""
    generated = name.startswith("set_") and name.endswith("_request")
    return skip or generated or str(getattr(member, "__module__", "")).startswith("sklearn.")


def setup(app):
    """Connect the hook above."""
    app.connect("autodoc-skip-member", leave_out_members_of_scikit_learn)

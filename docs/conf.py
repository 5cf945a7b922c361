"""Sphinx configuration; CONTRIBUTING.md has the build command. Nothing is fetched while building."""

from sklearn_gass import __version__

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
    "sphinx_gallery.gen_gallery",
]
root_doc = "index"
templates_path = ["_templates"]
exclude_patterns = ["_build", "examples", "speed_table.md", "trust_table.md"]  # parts of pages of the guide
html_theme = "alabaster"
html_theme_options = {"description": "Generative source separation for scikit-learn", "fixed_sidebar": True}
html_copy_source = False

autosummary_generate = True
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # the class template lists them
extlinks = {"arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s")}

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": None,
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

"""Configuration of the documentation; build it with ``make docs``."""

from importlib.metadata import version as version_of

project = "skfusion"
author = "skfusion developers"
copyright = "2026, skfusion developers"
release = version = version_of("skfusion")

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "auto_examples/*.ipynb", "auto_examples/*.py.md5"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
myst_heading_anchors = 3

autosummary_generate = True
autodoc_default_options = {"members": True, "inherited-members": False}
autodoc_typehints = "none"
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "within_subsection_order": "FileNameSortKey",
    "min_reported_time": 5,
}

html_theme = "alabaster"
html_theme_options = {"description": "Several kinds of data in one row, one estimator"}

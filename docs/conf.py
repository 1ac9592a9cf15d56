"""Configuration of the site: Sphinx with MyST-NB and the PyData theme."""

import bayescape

project = "bayescape"
author = "The bayescape developers"
copyright = "2026, the bayescape developers"
release = version = bayescape.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "jupyter_execute", "**.ipynb_checkpoints"]

# The pages' examples run when the site is built; one that fails fails the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_execution_show_tb = True
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's sections say the types that matter
numpydoc_show_class_members = False
templates_path = ["_templates"]
numpydoc_xref_param_type = False
default_role = "autolink"


# Links that lead out of this site: other packages (whose inventories would need the network), and
# modules of this one that are read in the source and not in the reference.
nitpick_ignore_regex = [
    ("py:.*", r"(numpy|pandas|pymc|xarray|torch|networkx|concurrent)\..*"),
    ("py:.*", r"bayescape\.[a-z]+\..*"),
]

html_theme = "pydata_sphinx_theme"
html_title = "bayescape"
html_static_path = ["_static"]
html_show_sourcelink = False
html_sidebars = {"**": []}
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": [],
}

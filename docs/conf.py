"""Sphinx configuration: warnings are errors, and the notebooks are executed; offline,
but for the files of a published network.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import causalgia

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
NOTEBOOKS = HERE / "notebooks"
NOTEBOOKS.mkdir(exist_ok=True)
for notebook in (HERE.parent / "notebooks").glob("*.py"):
    shutil.copy(notebook, NOTEBOOKS)


def without_their_files() -> list[str]:
    """Return the notebooks on a published network where its files are neither in a mirror
    nor can be downloaded: they are shown without output.
    """
    try:
        causalgia.networks.fetch("deepstarr")
    except (
        causalgia.errors.PredictorError,
        causalgia.errors.MissingExtraError,
    ) as error:
        print(f"03_published_network is not run: {error}")
        return ["03_published_network.*"]
    return []


project = "causalgia"
author = "The causalgia developers"
release = version = causalgia.__version__
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
    "numpydoc",
    "myst_nb",
    "site_extension",
]
exclude_patterns = [
    "_build",
    "_templates",
    "_extra",
    "*.py",
    "_*.md",
]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".py": "myst-nb"}

templates_path = ["_templates"]
autosummary_generate = True
autodoc_typehints = "signature"
default_role = "autolink"
python_maximum_signature_line_length = 70
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 1500  # a cell shares four cores with the tests in the gate
nb_execution_in_temp = False
nb_execution_excludepatterns = without_their_files()
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

html_math_renderer = "mathml"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
# Their inventories are read where there is a network: DOCS_ONLINE=1 make docs
intersphinx_mapping = (
    {
        "arviz": ("https://python.arviz.org/en/stable", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
        "python": ("https://docs.python.org/3", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
        "xarray": ("https://docs.xarray.dev/en/stable", None),
    }
    if os.environ.get("DOCS_ONLINE")
    else {}
)

html_theme = "pydata_sphinx_theme"
html_title = "causalgia"
# where the site is served, for the page of missing addresses; none: at the root
html_baseurl = os.environ.get("DOCS_URL", "")
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
}
# pages with none below them
html_sidebars = {page: [] for page in ("index", "install", "changes")}


def schema_table() -> str:
    """Return the schema as a Markdown table: the page is printed from what
    validates.
    """
    from causalgia.schema import SCHEMA

    rows = ["| variable | in | dims | meaning |", "|---|---|---|---|"]
    for row in SCHEMA:
        dims = " or ".join(f"({', '.join(dims)})" for dims in row.dims)
        rows.append(
            f"| `{row.name}` | {', '.join(row.datasets)} | {dims} | {row.meaning} |"
        )
    return "\n".join(rows) + "\n"


def attribute_table() -> str:
    """Return the attributes of Datasets as a Markdown table, from the rows by which
    they are read.
    """
    from causalgia.attributes import ATTRIBUTES

    rows = ["| attribute | type | of | from | meaning |", "|---|---|---|---|---|"]
    for name, row in ATTRIBUTES.items():
        cells = (f"`{name}`", row.type, row.datasets, row.made_by, row.meaning)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


(HERE / "_schema_table.md").write_text(schema_table())
(HERE / "_attribute_table.md").write_text(attribute_table())
import api_pages  # noqa: E402
import home_page  # noqa: E402
import llms_txt  # noqa: E402
import trial_file_tables  # noqa: E402

api_pages.write()
(HERE / "_readme.md").write_text(home_page.text())
trial_file_tables.write()
# on the site, beside its pages; it links their texts, which Sphinx copies
MADE = HERE / "_extra"
MADE.mkdir(exist_ok=True)
(MADE / "llms.txt").write_text(llms_txt.text("_sources/{page}.md.txt"))
html_extra_path = [MADE.name]

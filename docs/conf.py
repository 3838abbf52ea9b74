"""The documentation as a site: how Sphinx reads the Markdown that GitHub shows as it is.

The source is the whole repository, so that a link between two files is the same link on the
site. The pages know nothing of Sphinx: the order of the site is read from the lists of
docs/index.md. Whoever reads the site asks no other host for anything: that is looked after when
it is built.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pygments.lexers.special import TextLexer
from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "S4"
author = "the authors of S4"
project_copyright = author
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/*.md", "benchmarks/README.md", "storage_engine/FORMAT.md"]
exclude_patterns = [".*", "data", "docs/_build"]
nitpicky = True
myst_heading_anchors = 4
myst_enable_extensions = ["tasklist"]

html_theme = "furo"
html_title = "S4"
html_short_title = "S4"
html_favicon = "../s4project/static/s4/icon.svg"
html_logo = html_favicon
html_static_path = ["static"]
html_extra_path = ["extra"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_theme_options = {"top_of_page_buttons": []}

# A section of the index, and the first link of each line in it.
SECTION: Final = re.compile(r"^## ([^\n]+)$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
ENTRY: Final = re.compile(r"^- \[([^]]+)\]\(([^)#]+)\.md\)", re.MULTILINE)
# What a browser would fetch by itself, from wherever else.
FETCHED: Final = re.compile(
    r"<(?:script|img|iframe|source|video|audio)\b[^>]*\ssrc=[\"']?(?:https?:)?//"
    r"|<link\b[^>]*\bhref=[\"']?(?:https?:)?//|@import|url\([\"']?(?:https?:)?//"
)


def tree(caption: str, lines: str) -> str:
    """Write the navigation of one section of the index, in MyST's words."""
    entries = []
    for label, target in ENTRY.findall(lines):
        entries.append(f"{label} <{target if target.startswith('.') else f'/docs/{target}'}>")
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", *entries, "```", ""])


def order_pages(_app: Sphinx, name: str, source: list[str]) -> None:
    """Give the index the navigation that its lists describe."""
    if name == root_doc:
        source[0] += "".join(tree(*section) for section in SECTION.findall(source[0]))


def refuse_outside_requests(app: Sphinx, failure: Exception | None) -> None:
    """Fail a build whose pages or styles would make a browser ask another host.

    Raises:
        ExtensionError: one would; the message names all that do.
    """
    if failure is not None or app.builder.format != "html":
        return
    written = [path for path in Path(app.outdir).rglob("*") if path.suffix in {".html", ".css"}]
    asking = [path for path in written if FETCHED.search(path.read_text(encoding="utf-8"))]
    if asking:
        raise ExtensionError(f"These would ask other hosts: {', '.join(map(str, asking))}")


def setup(app: Sphinx) -> None:
    """Join the two to the build; a Caddyfile, which Pygments does not know, stays as it is."""
    app.add_lexer("caddyfile", TextLexer)
    app.connect("source-read", order_pages)
    app.connect("build-finished", refuse_outside_requests)

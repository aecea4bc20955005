"""A report as one self-contained HTML file."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files as resources
from typing import Any

from jinja2 import Environment, PackageLoader, Template
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode as Node
from markupsafe import Markup

from anomalynet.reporting.formats.document import (
    LONG,
    PARSER,
    Block,
    blocks,
    grid,
    plain,
    slugs,
    title_of,
)

BROAD = 500.0  # points; on a narrow screen, a wider drawing is scrolled instead of shrunk
WIDE = 8  # with a table of more columns, the document is printed in landscape format


def html(text: str, files: Mapping[str, bytes]) -> str:
    """A document as an HTML page without external files: figures are embedded, and a security
    policy allows only the page's own script. `files`: path → content of the figures (SVG, PNG) and
    linked documents; links to Markdown files in it become links to their HTML pages."""
    parts, page = blocks(text), _Page(files)
    headings = [block.node for block in parts if block.kind == "heading"]
    titles = [plain(node) for node in headings]
    names = dict(zip(map(id, headings), slugs(titles), strict=True))
    shown = [page.shown(block, names.get(id(block.node), "")) for block in parts]
    entries = [(node.tag, names[id(node)], plain(node)) for node in headings]
    contents = [entry for entry in entries if entry[0] in ("h2", "h3")]
    style, script = (_source(name) for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src "
        f"{_digest(script)}; base-uri 'none'; form-action 'none'"
    )
    return _template().render(
        title=titles[0] if titles else "Report",
        policy=policy,
        style=Markup(style),
        script=Markup(script),
        contents=contents,
        blocks=shown,
        wide=any(block.get("wide") for block in shown),
        filtered=any(block.get("sortable") for block in shown),
    )


class _Page:
    """Converts blocks to the variables of the template. `files`: path → content of figures."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def shown(self, block: Block, name: str) -> dict[str, Any]:
        """The template's variables of a block; `name` is the id of a heading."""
        own: dict[str, Any] = {"kind": block.kind, "id": name, "tag": block.node.tag}
        if block.caption:
            own["caption"] = self._rendered(block.caption.children)
            own["label"] = title_of(block.caption)
        if block.kind == "table":
            table = grid(block.node)
            rows, first = len(table.rows), map(plain, table.header[:3])
            own |= {"body": self._rendered([block.node]), "rows": rows, "grouped": table.grouped}
            own |= {"wide": len(table.header) > WIDE, "long": rows > LONG, "sortable": rows > 1}
            own["label"] = own.get("label") or f"Table of {', '.join(filter(None, first))}"
        elif block.kind == "figure":
            source = str(block.node.attrs["src"])
            own["body"] = self._image(source, plain(block.node))
            own["broad"] = width_of(self._files.get(source, b"")) > BROAD
            own["label"] = own.get("label") or "Figure"
        elif block.kind in ("heading", "blockquote"):
            own["body"] = self._rendered(block.node.children)
        else:
            own["body"] = self._rendered([block.node])
        return own

    def _rendered(self, nodes: Sequence[Node]) -> Markup:
        tokens = [token for node in nodes for token in node.to_tokens()]
        for token in tokens:
            if token.type in ("th_open", "td_open"):
                _align(token)
            self._adapt(token.children or [])
        return Markup(PARSER.renderer.render(tokens, PARSER.options, {}))

    def _adapt(self, tokens: Sequence[Token]) -> None:
        """Change links to documents into links to their pages, and embed images."""
        for index, token in enumerate(tokens):
            target = str(token.attrs.get("href", ""))
            if token.type == "link_open" and target.endswith(".md") and target in self._files:
                page = f"{target.removesuffix('.md')}.html"
                token.attrs["href"] = page
                if tokens[index + 1].content == target:
                    tokens[index + 1].content = page
            elif token.type == "image":
                token.content = self._image(str(token.attrs["src"]), token.content)
                token.type = "html_inline"

    def _image(self, source: str, alternative: str) -> Markup:
        kind = {"svg": "svg+xml", "png": "png"}.get(source.rpartition(".")[2])
        if kind is None or source not in self._files:
            return Markup('<a href="{}">{}</a>').format(source, alternative)
        # As an image a drawing cannot run a script, and keeps its styles and ids to itself.
        data = base64.b64encode(self._files[source]).decode()
        return Markup('<img src="data:image/{};base64,{}" alt="{}">').format(
            kind, data, alternative
        )


def width_of(svg: bytes) -> float:
    """The width of a drawing in points; 0 if it is none."""
    found = re.search(rb'<svg[^>]* width="([\d.]+)pt"', svg)
    return float(found.group(1)) if found else 0.0


def _align(token: Token) -> None:
    """Align a cell by a class, because the page's security policy forbids inline styles."""
    if token.attrs.pop("style", "") == "text-align:right":
        token.attrs["class"] = "number"
    if token.type == "th_open":
        token.attrs["scope"] = "col"


@cache
def _template() -> Template:
    loader = PackageLoader("anomalynet.reporting.formats", "page")
    known = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return known.get_template("page.html")


def _source(name: str) -> str:
    return resources("anomalynet.reporting.formats").joinpath("page", name).read_text("utf-8")


def _digest(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"

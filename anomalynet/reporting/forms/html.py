"""A report as one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode as Node
from markupsafe import Markup

from anomalynet.reporting.forms import svg
from anomalynet.reporting.forms.document import LONG, PARSER, Block, blocks, grid, is_warning, plain, slugs, title_of

WIDE = 8
"""More columns than this, and the document is printed on pages turned by a quarter."""


def html(text: str, files: Mapping[str, bytes]) -> str:
    """A document as a page: no network, no other file, figures inside it, and a policy that lets no script run but its own.

    Args:
        text: the Markdown.
        files: path → content of what the Markdown shows, SVG and PNG; links to Markdown files among them lead to their pages.

    Source: not in the paper.
    """
    parts = blocks(text)
    headings = [block for block in parts if block.kind == "heading"]
    names = dict(zip(map(id, headings), slugs(plain(block.node) for block in headings), strict=True))
    figures = iter(range(1, len(parts) + 1))
    shown = [_shown(block, names.get(id(block), ""), files, figures) for block in parts]
    contents = [(block.node.tag, names[id(block)], plain(block.node)) for block in headings if block.node.tag in ("h2", "h3")]
    title = next((plain(block.node) for block in headings), "Report")
    style, script = (_source(name) for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src {_digest(script)}; base-uri 'none'; form-action 'none'"
    )
    page = _environment().get_template("page.html")
    wide = any(block.get("wide") for block in shown)
    return page.render(title=title, policy=policy, style=Markup(style), script=Markup(script), contents=contents, blocks=shown, wide=wide)


def _shown(block: Block, name: str, files: Mapping[str, bytes], figures: Any) -> dict[str, Any]:
    """A block as the template takes it."""
    own: dict[str, Any] = {"kind": block.kind, "id": name}
    if block.caption:
        own |= {"caption": _rendered(block.caption.children, files), "label": title_of(block.caption)}
    if block.kind == "table":
        table = grid(block.node)
        own |= {"body": _rendered([block.node], files), "rows": len(table.rows), "wide": len(table.header) > WIDE}
        own |= {"long": len(table.rows) > LONG, "grouped": table.grouped, "sortable": len(table.rows) > 1}
        own["label"] = own.get("label") or "Table of " + ", ".join(plain(cell) for cell in table.header[:3] if plain(cell))
    elif block.kind == "figure":
        own |= {"body": _image(block.node, files, f"f{next(figures)}-"), "label": own.get("label") or "Figure"}
    elif block.kind == "heading":
        own |= {"body": _rendered(block.node.children, files), "tag": block.node.tag}
    elif block.kind == "blockquote":
        own |= {"body": _rendered(block.node.children, files), "warning": is_warning(block.node)}
    else:
        own["body"] = _rendered([block.node], files)
    return own


def _image(node: Node, files: Mapping[str, bytes], prefix: str) -> Markup:
    source, alternative = str(node.attrs["src"]), plain(node)
    if source.endswith(".svg") and source in files:
        return Markup(svg.inline(files[source], prefix, alternative))
    if source.endswith(".png") and source in files:
        data = base64.b64encode(files[source]).decode()
        return Markup('<img src="data:image/png;base64,{}" alt="{}">').format(Markup(data), alternative)
    return Markup('<p>Not in this page: <a href="{}">{}</a></p>').format(source, alternative)


def _rendered(nodes: Sequence[Node], files: Mapping[str, bytes]) -> Markup:
    tokens = [token for node in nodes for token in node.to_tokens()]
    for token in tokens:
        _adapt(token)
        _lead_to_pages(token.children or [], files)
    return Markup(PARSER.renderer.render(tokens, PARSER.options, {}))


def _adapt(token: Token) -> None:
    """Cells are aligned by class, because the page's policy forbids inline styles."""
    if token.type in ("th_open", "td_open"):
        if token.attrs.pop("style", "") == "text-align:right":
            token.attrs["class"] = "number"
        if token.type == "th_open":
            token.attrs["scope"] = "col"


def _lead_to_pages(tokens: Sequence[Token], files: Mapping[str, bytes]) -> None:
    for place, token in enumerate(tokens):
        target = str(token.attrs.get("href", ""))
        if token.type == "link_open" and target.endswith(".md") and target in files:
            page = f"{target.removesuffix('.md')}.html"
            token.attrs["href"] = page
            if tokens[place + 1].content == target:
                tokens[place + 1].content = page


@cache
def _environment() -> Environment:
    return Environment(loader=PackageLoader("anomalynet.reporting.forms", "page"), autoescape=True, trim_blocks=True, lstrip_blocks=True)


def _source(name: str) -> str:
    loader = _environment().loader
    assert loader is not None
    return loader.get_source(_environment(), name)[0]


def _digest(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"

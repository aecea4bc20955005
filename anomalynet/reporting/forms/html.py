"""A report as one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import count
from typing import Any

from jinja2 import Environment, PackageLoader
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode as Node
from markupsafe import Markup

from anomalynet.reporting.forms import svg
from anomalynet.reporting.forms.document import (
    LONG,
    PARSER,
    Block,
    blocks,
    grid,
    is_warning,
    plain,
    slugs,
    title_of,
)

WIDE = 8
"""More columns than this, and the document is printed on pages turned by a quarter."""


def html(text: str, files: Mapping[str, bytes]) -> str:
    """A document as a page: no network, no other file, figures inside it, and a policy that lets no
    script run but its own.

    Args:
        text: the Markdown.
        files: path → content of what the Markdown shows, SVG and PNG; links to Markdown files among
        them lead to their pages.

    Source: not in the paper.
    """
    parts, page = blocks(text), _Page(files)
    headings = [block for block in parts if block.kind == "heading"]
    names = dict(
        zip(map(id, headings), slugs(plain(block.node) for block in headings), strict=True)
    )
    shown = [page.shown(block, names.get(id(block), "")) for block in parts]
    contents = [
        (block.node.tag, names[id(block)], plain(block.node))
        for block in headings
        if block.node.tag in ("h2", "h3")
    ]
    title = next((plain(block.node) for block in headings), "Report")
    style, script = (_source(name) for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src "
        f"{_digest(script)}; base-uri 'none'; form-action 'none'"
    )
    wide = any(block.get("wide") for block in shown)
    template = _environment().get_template("page.html")
    return template.render(
        title=title,
        policy=policy,
        style=Markup(style),
        script=Markup(script),
        contents=contents,
        blocks=shown,
        wide=wide,
    )


class _Page:
    """Blocks as the template takes them.

    Args:
        files: path → content of what they show.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self._figures = count(1)

    def shown(self, block: Block, name: str) -> dict[str, Any]:
        """A block with what the template asks of its kind; `name` is a heading's id."""
        own: dict[str, Any] = {"kind": block.kind, "id": name, "tag": block.node.tag}
        if block.caption:
            own |= {
                "caption": self._rendered(block.caption.children),
                "label": title_of(block.caption),
            }
        if block.kind == "table":
            table = grid(block.node)
            own |= {
                "body": self._rendered([block.node]),
                "rows": len(table.rows),
                "wide": len(table.header) > WIDE,
            }
            own |= {
                "long": len(table.rows) > LONG,
                "grouped": table.grouped,
                "sortable": len(table.rows) > 1,
            }
            own["label"] = own.get("label") or "Table of " + ", ".join(
                plain(cell) for cell in table.header[:3] if plain(cell)
            )
        elif block.kind == "figure":
            own |= {
                "body": self._image(str(block.node.attrs["src"]), plain(block.node)),
                "label": own.get("label") or "Figure",
            }
        elif block.kind in ("heading", "blockquote"):
            own |= {"body": self._rendered(block.node.children), "warning": is_warning(block.node)}
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
        """Links to documents lead to their pages, and images are in the page, also amid text."""
        for place, token in enumerate(tokens):
            target = str(token.attrs.get("href", ""))
            if token.type == "link_open" and target.endswith(".md") and target in self._files:
                page = f"{target.removesuffix('.md')}.html"
                token.attrs["href"] = page
                if tokens[place + 1].content == target:
                    tokens[place + 1].content = page
            elif token.type == "image":
                token.type, token.content = (
                    "html_inline",
                    self._image(str(token.attrs["src"]), token.content),
                )

    def _image(self, source: str, alternative: str) -> Markup:
        if source.endswith(".svg") and source in self._files:
            return Markup(svg.inline(self._files[source], f"f{next(self._figures)}-", alternative))
        if source.endswith(".png") and source in self._files:
            data = base64.b64encode(self._files[source]).decode()
            return Markup('<img src="data:image/png;base64,{}" alt="{}">').format(data, alternative)
        return Markup('<a href="{}">{}</a>').format(source, alternative)


def _align(token: Token) -> None:
    """Cells are aligned by class, because the page's policy forbids inline styles."""
    if token.attrs.pop("style", "") == "text-align:right":
        token.attrs["class"] = "number"
    if token.type == "th_open":
        token.attrs["scope"] = "col"


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("anomalynet.reporting.forms", "page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _source(name: str) -> str:
    loader = _environment().loader
    assert loader is not None
    return loader.get_source(_environment(), name)[0]


def _digest(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"

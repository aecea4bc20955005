"""A report as one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import count
from typing import Any
from xml.etree import ElementTree

from jinja2 import Environment, PackageLoader
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode as Node
from markupsafe import Markup

from anomalynet.reporting.formats.document import (
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

WIDE = 8  # more columns than this, and the document is printed on pages turned by a quarter
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


def html(text: str, files: Mapping[str, bytes]) -> str:
    """A document as a page: no network, no other file, figures inside it, and a policy that lets no
    script run but its own.

    Args:
        text: the Markdown.
        files: path → content of what the Markdown shows, SVG and PNG; links to Markdown files among
        them lead to their pages.
    """
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
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=titles[0] if titles else "Report",
            policy=policy,
            style=Markup(style),
            script=Markup(script),
            contents=contents,
            blocks=shown,
            wide=any(block.get("wide") for block in shown),
        )
    )


class _Page:
    """Blocks as the template takes them. `files`: path → content of what they show."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self._figures = count(1)

    def shown(self, block: Block, name: str) -> dict[str, Any]:
        """A block with what the template asks of its kind; `name` is a heading's id."""
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
            own["body"] = self._image(str(block.node.attrs["src"]), plain(block.node))
            own["label"] = own.get("label") or "Figure"
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
                token.content = self._image(str(token.attrs["src"]), token.content)
                token.type = "html_inline"

    def _image(self, source: str, alternative: str) -> Markup:
        if source.endswith(".svg") and source in self._files:
            return Markup(inline_svg(self._files[source], f"f{next(self._figures)}-", alternative))
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
    loader = PackageLoader("anomalynet.reporting.formats", "page")
    return Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)


def _source(name: str) -> str:
    loader = _environment().loader
    assert loader is not None
    return loader.get_source(_environment(), name)[0]


def _digest(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def inline_svg(svg: bytes, prefix: str, alternative: str) -> str:
    """An SVG file as an element of an HTML page.

    A page has one space of ids and one of styles: only ids that something refers to are kept, each
    with a prefix, and style attributes become presentation attributes, so that the page's security
    policy need not allow inline styles.

    Args:
        svg: a file as matplotlib writes it.
        prefix: of ids, another one for each figure of a page.
        alternative: what the figure shows, for who cannot see it.
    """
    root = ElementTree.fromstring(svg)
    for parent in root.iter():
        for child in list(parent):
            if _local(child.tag) in ("metadata", "style", "script"):
                parent.remove(child)
    values = (value for element in root.iter() for value in element.attrib.values())
    used = {name for value in values for name in _references(value)}
    for element in root.iter():
        element.tag = _local(element.tag)
        own = {_local(name): value for name, value in element.attrib.items()}
        styles = (part.split(":", 1) for part in own.pop("style", "").split(";") if ":" in part)
        own |= {name.strip(): value.strip() for name, value in styles}
        if own.get("id") not in used:
            own.pop("id", None)
        element.attrib.clear()
        element.attrib.update({name: _renamed(name, value, prefix) for name, value in own.items()})
        element.tail = None
        if element.text and not element.text.strip():
            element.text = None
    root.attrib.pop("version", None)
    root.attrib |= {"role": "img", "aria-label": alternative}
    return ElementTree.tostring(root, encoding="unicode")


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _references(value: str) -> list[str]:
    return [value.removeprefix("#")] if value.startswith("#") else _REFERENCE.findall(value)


def _renamed(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return prefix + value
    if name == "href" and value.startswith("#"):
        return f"#{prefix}{value.removeprefix('#')}"
    if name == "d":
        return " ".join(value.split())
    return _REFERENCE.sub(lambda found: f"url(#{prefix}{found.group(1)})", value)

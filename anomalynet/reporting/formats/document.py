"""Parses a report's Markdown into blocks, from which HTML and LaTeX are made."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode as Node

# CommonMark and tables. HTML is treated as text, so that a name in the data cannot become a script.
PARSER = MarkdownIt("commonmark", {"html": False}).enable("table")

LONG = 30  # rows; longer tables are collapsed (HTML) or span pages (LaTeX)


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a document."""

    # "table", "figure" (a paragraph that is one image), or the parser's node type
    kind: str
    node: Node  # as parsed; for a figure, the image
    caption: Node | None = None  # the block quote directly below a table or figure


@dataclass(frozen=True, slots=True)
class Grid:
    """A table's cells; `right`: whether each column is right-aligned."""

    header: Sequence[Node]
    rows: Sequence[Sequence[Node]]
    right: Sequence[bool]

    @property
    def grouped(self) -> bool:
        """Whether rows are grouped: a row with an empty first cell belongs to the row above."""
        return any(not plain(row[0]) for row in self.rows)


def blocks(text: str) -> list[Block]:
    """The blocks of a document in order; captions are attached to their table or figure."""
    found: list[Block] = []
    for node in Node(PARSER.parse(text)).children:
        if (
            node.type == "blockquote"
            and found
            and found[-1].kind in ("table", "figure")
            and not found[-1].caption
        ):
            found[-1] = replace(found[-1], caption=node)
        elif node.type == "paragraph" and [child.type for child in node.children[0].children] == [
            "image"
        ]:
            found.append(Block("figure", node.children[0].children[0]))
        else:
            found.append(Block(node.type, node))
    return found


def grid(table: Node) -> Grid:
    """The cells of a table."""
    lines = [line.children for section in table.children for line in section.children]
    right = [cell.attrs.get("style") == "text-align:right" for cell in lines[0]]
    return Grid(lines[0], lines[1:], right)


def plain(node: Node) -> str:
    """A node's text without formatting."""
    if node.type in ("softbreak", "hardbreak"):
        return " "
    if not node.children:
        return (
            node.content
            if node.type in ("text", "code_inline", "image", "fence", "code_block")
            else ""
        )
    return "".join(plain(child) for child in node.children)


def title_of(caption: Node) -> str:
    """The bold beginning of a caption, without its full stop."""
    strong = next((node for node in caption.walk() if node.type == "strong"), None)
    return plain(strong).removesuffix(".") if strong else ""


def links(node: Node) -> Iterator[str]:
    """The targets of a node's links."""
    return (str(one.attrs["href"]) for one in node.walk() if one.type == "link")


def slugs(texts: Iterable[str]) -> list[str]:
    """A unique name of letters, digits and hyphens for each text."""
    found: list[str] = []
    for text in texts:
        ascii_ = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
        own = base = re.sub(r"[^a-z0-9]+", "-", ascii_).strip("-") or "part"
        number = 1
        while own in found:
            number += 1
            own = f"{base}-{number}"
        found.append(own)
    return found

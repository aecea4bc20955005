"""Figures inside a page: matplotlib's SVG without what would leak out of it."""

from __future__ import annotations

import re
from xml.etree import ElementTree

_REFERENCE = re.compile(r"url\(#([^)]+)\)")


def inline(svg: bytes, prefix: str, alternative: str) -> str:
    """An SVG file as an element of an HTML page.

    A page has one space of ids and one of styles: only ids that something refers to are kept, each
    with a prefix, and style attributes become presentation attributes, so that the page's security
    policy need not allow inline styles.

    Args:
        svg: a file as matplotlib writes it.
        prefix: of ids, another one for each figure of a page.
        alternative: what the figure shows, for who cannot see it.

    Source: not in the paper.
    """
    root = ElementTree.fromstring(svg)
    for parent in root.iter():
        for child in [
            child for child in parent if _local(child.tag) in ("metadata", "style", "script")
        ]:
            parent.remove(child)
    used = {
        name
        for element in root.iter()
        for value in element.attrib.values()
        for name in _references(value)
    }
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

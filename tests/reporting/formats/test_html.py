"""`report.html`: all that the Markdown says, nothing that leads out of the page, nothing that a
text could make it do."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

import pytest

from anomalynet.reporting.formats.html import html
from tests.reporting.formats.documents import (
    COMMITTED,
    FIGURE,
    FILES,
    NUMBER,
    SAMPLE,
    cells,
    every_report,
    files_of,
    numbers,
)

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """A page's elements with their attributes, the text of its cells, and the text that is shown
    beside figures and contents."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.cells: list[str] = []
        self.raw: Counter[str] = Counter()
        self.shown = ""
        self._open: list[str] = []
        self.feed(text)
        assert not self._open, "every element ends"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self._open):
            self.cells[-1] += data
        if not {"nav", "style", "script", "title", "summary"} & set(self._open):
            self.shown += data

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every such element."""
        return [attributes for name, attributes in self.elements if name == tag]


def page(text: str, files: Mapping[str, bytes] = FILES) -> Page:
    return Page(html(text, files))


@pytest.fixture(scope="module")
def sample() -> Page:
    return page(SAMPLE)


@every_report
def test_every_cell_number_and_figure_of_a_report_is_in_its_page(folder: Path) -> None:
    text = (folder / "report.md").read_text(encoding="utf-8")
    made = page(text, files_of(folder))
    assert [cell.strip() for cell in made.cells] == cells(text)
    assert Counter(numbers(text)) == Counter(NUMBER.findall(made.shown))
    labels = [one["alt"] for one in made.all("img")]
    assert labels == re.findall(r"!\[(.*?)\]\(figures/", text), "each figure is described"


def test_contents_captions_and_folds(sample: Page) -> None:
    """Contents name each part once and lead to it; captions belong to their table or figure; long
    tables are folded; numbers stand flush right."""
    names = ["sorted", "grouped", "grouped-2", "appendix"]
    targets = [one["href"] for one in sample.all("a") if one["href"].startswith("#")]
    assert targets == ["#content", *(f"#{name}" for name in names)]
    assert [one["id"] for tag, one in sample.elements if tag in ("h2", "h3")] == names
    kinds = [one["class"] for one in sample.all("figure")]
    assert kinds == ["table", "table", "picture", "picture", "table long"]
    assert len(sample.all("figcaption")) == 2
    assert [one["class"] for one in sample.all("blockquote")] == ["note"]
    boxes = sample.all("div")
    labels = [one["aria-label"] for one in boxes[:2]]
    assert labels == ["Sorted, percent", "Table of Model, Metric, ours"]
    assert ["grouped" in one["class"] for one in boxes] == [False, True, False, False, False]
    folded = html(SAMPLE, FILES)
    assert re.findall(r"<summary>(\d+) rows</summary>", folded) == ["40"]
    classes = [one.get("class", "") for tag, one in sample.elements if tag in ("th", "td")]
    assert classes[:8] == ["", "number", "number", "", "", "number", "number", ""]
    (image,) = page("![a dot](figures/x.png)", {"figures/x.png": b"\x89PNG"}).all("img")
    assert image == {"src": "data:image/png;base64,iVBORw==", "alt": "a dot"}
    drawn = sample.all("img")[0]["src"].removeprefix("data:image/svg+xml;base64,")
    assert base64.b64decode(drawn) == FIGURE


@pytest.mark.parametrize(
    "text, files",
    [(SAMPLE, FILES), ((COMMITTED[0] / "report.md").read_text(), files_of(COMMITTED[0]))],
)
def test_ids_are_unique_and_whatever_refers_to_one_finds_it(
    text: str, files: Mapping[str, bytes]
) -> None:
    made = page(text, files)
    ids = [attributes["id"] for _, attributes in made.elements if "id" in attributes]
    assert len(ids) == len(set(ids)) > 5
    links = [one["href"][1:] for one in made.all("a") if one["href"].startswith("#")]
    assert set(links) <= set(ids)


def test_a_page_needs_nothing_but_itself(sample: Page) -> None:
    for tag, attributes in sample.elements:
        for name in ("src", "srcset", "data", "xlink:href"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, attributes)
        if tag != "a":
            assert attributes.get("href", "#").startswith(("#", "data:")), (tag, attributes)
    assert not re.search(r"@import|url\((?!#)", html(SAMPLE, FILES))


def test_links_lead_where_they_did_and_to_the_page_of_another_document(sample: Page) -> None:
    targets = [one["href"] for one in sample.all("a") if not one["href"].startswith("#")]
    csv = "tables/t_1.csv"
    assert targets == ["cost.html", csv, "https://example.org/a_b?x=1%20y#z", csv]
    assert "see cost.html, the numbers" in sample.shown
    assert [one["href"] for one in page("[notes.md](notes.md)").all("a")][1:] == ["notes.md"], (
        "there is no page of it"
    )


def test_the_policy_allows_exactly_the_pages_own_script_and_style() -> None:
    text = html(SAMPLE, FILES)
    policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[0].replace(
        "&#39;", "'"
    )
    for kind, tag in (("script-src", "script"), ("style-src", "style")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert not re.search(r"<[^>]+\sstyle=", text.split("<body>")[1]), (
        "the policy refuses inline styles"
    )


def test_no_text_of_the_data_becomes_markup() -> None:
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
    made = page(
        f"# {evil}\n\n| {evil} |\n| --- |\n| {evil} |\n\n> **{evil}.** x\n\n"
        f"[a](javascript:alert(3)) ![{evil}](figures/one.svg)\n"
    )
    assert len(made.all("script")) == 1
    assert [one["alt"] for one in made.all("img")] == [evil]
    assert all(one["src"].startswith("data:") for one in made.all("img"))
    assert not [
        one for _, attributes in made.elements for one in attributes if one.startswith("on")
    ]
    assert not [one for one in made.all("a") if one["href"].startswith("javascript")]
    assert made.cells == [evil, evil]
    hidden = page(f'![{evil}](figures/one.svg)\n\n![x](figures/gone.svg "t")\n')
    assert hidden.all("img")[0]["alt"] == evil
    assert len(hidden.all("script")) == 1
    assert {"href": "figures/gone.svg"} in hidden.all("a"), "what is not there is linked"

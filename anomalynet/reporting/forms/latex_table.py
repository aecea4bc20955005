"""Tables as LaTeX that stay on the page, whatever is in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markdown_it.tree import SyntaxTreeNode as Node

from anomalynet.reporting.forms.characters import escaped, width
from anomalynet.reporting.forms.document import LONG, Grid, plain

PORTRAIT, LANDSCAPE = 470.0, 718.0
"""Points that a line has on A4 with margins of 22 mm, upright and turned."""

SIZES = {"small": 9.3, "footnotesize": 8.5, "scriptsize": 8.0, "tiny": 6.8}
"""Points that an em has of each size, by its digits: small type is wider."""

GAP = 6.0
"""Points between two columns."""

TEXT = 24.0
"""Widest column of text that is not broken into lines, em."""

Inline = Callable[[Sequence[Node]], str]


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: its place, its width in em, the lines of its heading and whether its cells are
    broken into lines."""

    place: int
    em: float
    heading: Sequence[str]
    right: bool
    broken: bool


def table(cells: Grid, caption: str, notes: str, inline: Inline) -> str:
    r"""A booktabs table in the largest type in which it fits.

    A table that is long goes over several pages, turned where an upright one is too narrow for it;
    any other stays on one. What does not fit even so becomes several tables below each other, each
    with the first column.

    Args:
        cells: of the table.
        caption: `{…}\label{…}`, what follows `\caption`, or nothing.
        notes: what stands below it, or nothing.
        inline: how the content of a cell is written.

    Source: not in the paper.
    """
    columns = [_column(cells, place) for place in range(len(cells.header))]
    long = len(cells.rows) > LONG
    upright = [(size, PORTRAIT) for size in ("small", "footnotesize", "scriptsize")]
    for size, line in [
        *upright,
        *([("scriptsize", LANDSCAPE), ("tiny", LANDSCAPE)] if long else []),
    ]:
        if _points(columns, size) <= line:
            parts = [columns]
            break
    else:
        size, line = "scriptsize", LANDSCAPE if long else PORTRAIT
        parts = list(_split(columns, size, line))
    write = _pages if long or any(column.broken for column in columns) else _box
    texts = [
        (caption if part is parts[0] else "", notes if part is parts[-1] else "") for part in parts
    ]
    written = [
        write(cells, part, text, inline, size) for part, text in zip(parts, texts, strict=True)
    ]
    text = "\n\n".join(
        [
            rf"\begingroup\{size}\setlength{{\tabcolsep}}{{{GAP / 2:.0f}pt}}"
            r"\setlength{\LTcapwidth}{\linewidth}",
            *written,
        ]
    )
    return (
        f"\\begin{{landscape}}\n{text}\n\\endgroup\n\\end{{landscape}}"
        if line == LANDSCAPE
        else f"{text}\n\\endgroup"
    )


def _column(cells: Grid, place: int) -> _Column:
    body = max((_em(row[place]) for row in cells.rows), default=0.0)
    broken = body > TEXT
    body = min(body, TEXT)
    lines = [""]
    for space, word in _words(cells.header[place]):
        joined = f"{lines[-1]}{space}{word}" if lines[-1] else word
        if lines[-1] and width(joined) > max(body, 4.0):
            lines.append(word)
        else:
            lines[-1] = joined
    return _Column(
        place, max(body, *(1.05 * width(line) for line in lines)), lines, cells.right[place], broken
    )


def _em(cell: Node) -> float:
    """Width of a cell: bold is wider, code has its own."""
    code = "".join(node.content for node in cell.walk() if node.type == "code_inline")
    bold = 1.15 if any(node.type == "strong" for node in cell.walk()) else 1.0
    return bold * width(plain(cell)) + (width(code, code=True) - width(code) if code else 0.0)


def _words(cell: Node) -> Iterator[tuple[str, str]]:
    """A heading's words, each with what is between it and the last; a dotted key may be broken
    after its section."""
    for word in plain(cell).split():
        first, *rest = re.sub(r"(?<=[a-z])\.(?=[a-z])", ". ", word).split()
        yield " ", first
        yield from (("", part) for part in rest)


def _points(columns: Sequence[_Column], size: str) -> float:
    return sum(column.em * SIZES[size] + GAP for column in columns)


def _split(columns: Sequence[_Column], size: str, line: float) -> Iterator[list[_Column]]:
    first, own = columns[0], [columns[0]]
    for column in columns[1:]:
        if len(own) > 1 and _points([*own, column], size) > line:
            yield own
            own = [first]
        own.append(column)
    yield own


def _pages(
    cells: Grid, columns: Sequence[_Column], texts: tuple[str, str], inline: Inline, size: str
) -> str:
    heading = f"\\toprule\n{_heading(columns)}\n\\midrule"
    caption, notes = texts
    top = [rf"\caption{caption} \\"] if caption else []
    start = rf"\begin{{longtable}}{{{_shape(columns, size)}}}"
    ends = [rf"{heading}", r"\endfirsthead", heading, r"\endhead", r"\bottomrule", r"\endfoot"]
    return "\n".join(
        [start, *top, *ends, *_rows(cells, columns, inline), r"\end{longtable}", notes]
    )


def _box(
    cells: Grid, columns: Sequence[_Column], texts: tuple[str, str], inline: Inline, size: str
) -> str:
    """With its caption as one block, which no page ends in."""
    caption, notes = texts
    top = [rf"\captionof{{table}}{caption}"] if caption else []
    below = [rf"\par\smallskip{notes}"] if notes else []
    head = [
        rf"\begin{{tabular}}{{{_shape(columns, size)}}}",
        r"\toprule",
        _heading(columns),
        r"\midrule",
    ]
    body = [*head, *_rows(cells, columns, inline), r"\bottomrule", r"\end{tabular}"]
    return "\n".join(
        [r"\begin{minipage}{\linewidth}", *top, *body, *below, r"\end{minipage}\par\medskip"]
    )


def _rows(cells: Grid, columns: Sequence[_Column], inline: Inline) -> Iterator[str]:
    for number, row in enumerate(cells.rows):
        if number and cells.grouped and plain(row[0]):
            yield r"\addlinespace"
        yield " & ".join(inline(row[column.place].children) for column in columns) + r" \\"


def _shape(columns: Sequence[_Column], size: str) -> str:
    return "@{}" + "".join(_column_shape(column, SIZES[size]) for column in columns) + "@{}"


def _column_shape(column: _Column, em: float) -> str:
    if column.broken:
        side = "left" if column.right else "right"
        return rf">{{\ragged{side}\arraybackslash}}p{{{column.em * em:.0f}pt}}"
    return "r" if column.right else "l"


def _heading(columns: Sequence[_Column]) -> str:
    return (
        " & ".join(
            _stacked([escaped(line) for line in column.heading], "r" if column.right else "l")
            for column in columns
        )
        + r" \\"
    )


def _stacked(lines: Sequence[str], side: str) -> str:
    text = r"\\".join(lines)
    return (
        text
        if len(lines) == 1
        else rf"\begin{{tabular}}[b]{{@{{}}{side}@{{}}}}{text}\end{{tabular}}"
    )

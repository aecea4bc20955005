"""Tables as LaTeX that stay on the page, whatever is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markdown_it.tree import SyntaxTreeNode as Node

from anomalynet.reporting.forms.characters import escaped, width
from anomalynet.reporting.forms.document import Grid, plain

PORTRAIT, LANDSCAPE = 470.0, 718.0
"""Points that a line has on A4 with margins of 22 mm, upright and turned."""

SIZES = (("small", 9.3, PORTRAIT), ("footnotesize", 8.5, PORTRAIT), ("scriptsize", 8.0, PORTRAIT), ("scriptsize", 8.0, LANDSCAPE), ("tiny", 6.8, LANDSCAPE))
"""Sizes from which the first is taken in which a table fits: command, points of an em in its digits, points of the line."""

GAP = 6.0
"""Points between two columns."""

TEXT = 24.0
"""Widest column of text that is not broken into lines, em."""

Inline = Callable[[Sequence[Node]], str]


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: its place, its width in em, the lines of its heading and whether its cells are broken into lines."""

    place: int
    em: float
    heading: Sequence[str]
    right: bool
    broken: bool


def longtable(table: Grid, caption: str, inline: Inline) -> str:
    """A booktabs table that may go over several pages: in the largest type in which it fits, turned where that is needed, and as several
    tables side by side in turn, each with the first column, where it would not fit even so.

    Args:
        table: its cells.
        caption: `\\caption{…}\\label{…}`, or nothing.
        inline: how the content of a cell is written.

    Source: not in the paper.
    """
    columns = [_column(table, place, inline) for place in range(len(table.header))]
    for size, em, line in SIZES:
        if _points(columns, em) <= line:
            return _environment(table, [columns], caption, inline, size, line)
    size, em, line = SIZES[-2]
    return _environment(table, list(_split(columns, em, line)), caption, inline, size, line)


def _column(table: Grid, place: int, inline: Inline) -> _Column:
    cells = [row[place] for row in table.rows]
    body = max((_em(cell) for cell in cells), default=0.0)
    broken = body > TEXT and not table.right[place]
    body = TEXT if broken else body
    lines, em = [""], 0.0
    for word in _words(table.header[place]):
        joined = f"{lines[-1]} {word}".strip()
        if lines[-1] and width(joined) > max(body, 4.0):
            lines.append(word)
        else:
            lines[-1] = joined
    em = max(width(line) for line in lines)
    return _Column(place, max(body, 1.1 * em), lines, table.right[place], broken)


def _em(cell: Node) -> float:
    """Width of a cell: bold is wider, code has its own."""
    code = "".join(node.content for node in cell.walk() if node.type == "code_inline")
    bold = 1.15 if any(node.type == "strong" for node in cell.walk()) else 1.0
    text = plain(cell)
    return bold * width(text) - width(code) + width(code, code=True) if code else bold * width(text)


def _words(cell: Node) -> list[str]:
    """A heading's words; a dotted key may be broken after its section."""
    return [part for word in plain(cell).split() for part in word.replace(".", ". ", int("." in word[1:-1])).split()]


def _points(columns: Sequence[_Column], em: float) -> float:
    return sum(column.em * em + GAP for column in columns)


def _split(columns: Sequence[_Column], em: float, line: float) -> Iterator[list[_Column]]:
    first, own = columns[0], [columns[0]]
    for column in columns[1:]:
        if len(own) > 1 and _points([*own, column], em) > line:
            yield own
            own = [first]
        own.append(column)
    yield own


def _environment(table: Grid, parts: Sequence[Sequence[_Column]], caption: str, inline: Inline, size: str, line: float) -> str:
    em = next(points for name, points, _ in SIZES if name == size)
    written = [
        rf"\begingroup\{size}\setlength{{\tabcolsep}}{{{GAP / 2:.0f}pt}}\setlength{{\LTcapwidth}}{{\linewidth}}",
        *(_table(table, columns, "" if number else caption, inline, em) for number, columns in enumerate(parts)),
        r"\endgroup",
    ]
    if line == LANDSCAPE:
        written = [r"\begin{landscape}", *written, r"\end{landscape}"]
    return "\n".join(written)


def _table(table: Grid, columns: Sequence[_Column], caption: str, inline: Inline, em: float) -> str:
    shape = "".join(_shape(column, em) for column in columns)
    heading = " & ".join(_heading(column) for column in columns) + r" \\"
    lines = []
    for row in table.rows:
        if lines and table.grouped and plain(row[0]):
            lines.append(r"\addlinespace")
        lines.append(" & ".join(inline(row[column.place].children) for column in columns) + r" \\")
    top = [f"{caption} \\\\"] if caption else []
    return "\n".join(
        [
            rf"\begin{{longtable}}{{@{{}}{shape}@{{}}}}",
            *top, r"\toprule", heading, r"\midrule", r"\endfirsthead",
            r"\toprule", heading, r"\midrule", r"\endhead",
            r"\bottomrule", r"\endfoot",
            *lines,
            r"\end{longtable}",
        ]
    )  # fmt: skip


def _shape(column: _Column, em: float) -> str:
    if column.broken:
        return rf">{{\raggedright\arraybackslash}}p{{{column.em * em:.0f}pt}}"
    return "r" if column.right else "l"


def _heading(column: _Column) -> str:
    lines = r"\\".join(escaped(line) for line in column.heading)
    side = "r" if column.right else "l"
    return lines if len(column.heading) == 1 else rf"\begin{{tabular}}[b]{{@{{}}{side}@{{}}}}{lines}\end{{tabular}}"

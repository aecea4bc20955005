"""Tables as LaTeX that fit on the page, whatever their content."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markdown_it.tree import SyntaxTreeNode as Node

from anomalynet.reporting.formats.document import LONG, Grid, plain

# Width of a line in points, A4 with margins of 22 mm, in portrait and landscape format
PORTRAIT, LANDSCAPE = 470.0, 718.0

# Points per em of each font size, measured on digits: small fonts are relatively wider
SIZES = {"small": 9.3, "footnotesize": 8.5, "scriptsize": 8.0, "tiny": 6.8}

GAP = 6.0  # points between two columns
TEXT = 24.0  # widest column of text without line breaks, in em


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: width in em, heading's lines, alignment, whether cells may break."""

    em: float
    heading: Sequence[str]
    right: bool
    broken: bool

    def shape(self, size: str) -> str:
        if self.broken:
            side, points = "left" if self.right else "right", self.em * SIZES[size]
            return rf">{{\ragged{side}\arraybackslash}}p{{{points:.0f}pt}}"
        return "r" if self.right else "l"


def table(
    cells: Grid,
    caption: str,
    notes: str,
    inline: Callable[[Sequence[Node]], str],
    escaped: Callable[[str], str],
) -> str:
    r"""A booktabs table in the largest font size that fits; one that is too wide is scaled down. A
    long table spans several pages, in landscape format if portrait is too narrow. `caption`: the
    argument of `\caption`, with a label; `inline` converts cells, `escaped` plain text."""
    columns = [_column(cells, index) for index in range(len(cells.header))]
    widths = {size: sum(one.em * points + GAP for one in columns) for size, points in SIZES.items()}
    long = len(cells.rows) > LONG
    sizes = [(size, PORTRAIT) for size in ("small", "footnotesize", "scriptsize")]
    sizes += [("scriptsize", LANDSCAPE), ("tiny", LANDSCAPE)] if long else []
    size, line = next((one for one in sizes if widths[one[0]] <= one[1]), sizes[-1])
    shape = f"@{{}}{''.join(column.shape(size) for column in columns)}@{{}}"
    heading = " & ".join(_heading(column, escaped) for column in columns)
    head = [r"\toprule", rf"{heading} \\", r"\midrule"]
    rows = list(_rows(cells, inline))
    start = rf"\begingroup\{size}\setlength{{\tabcolsep}}{{{GAP / 2:.0f}pt}}"
    start += r"\setlength{\LTcapwidth}{\linewidth}"
    if long or any(column.broken for column in columns):
        top = [rf"\caption{caption} \\"] if caption else []
        ends = [*head, r"\endfirsthead", *head, r"\endhead", r"\bottomrule", r"\endfoot"]
        body = [rf"\begin{{longtable}}{{{shape}}}", *top, *ends, *rows, r"\end{longtable}", notes]
    else:
        own = [rf"\begin{{tabular}}{{{shape}}}", *head, *rows, r"\bottomrule", r"\end{tabular}"]
        if widths[size] > line:
            own = [r"\resizebox{\linewidth}{!}{%", *own, "}"]
        top = [rf"\captionof{{table}}{caption}"] if caption else []
        below = [rf"\par\smallskip{notes}"] if notes else []
        body = [r"\begin{minipage}{\linewidth}", *top, *own, *below]
        body += [r"\end{minipage}\par\medskip"]
    text = "\n".join([start, "", *body]) + "\n\n\\endgroup"
    return f"\\begin{{landscape}}\n{text}\n\\end{{landscape}}" if line == LANDSCAPE else text


def width(text: str) -> float:
    """Approximate width of text in Computer Modern in em; rather too large than too small."""
    return sum(0.31 if one in "ijl.,:;'|! " else 0.78 if one.isupper() else 0.53 for one in text)


def _em(cell: Node) -> float:
    """Width of a cell in em, with bold text and code."""
    bold = 1.15 if any(node.type == "strong" for node in cell.walk()) else 1.0
    code = "".join(node.content for node in cell.walk() if node.type == "code_inline")
    return bold * width(plain(cell)) + 0.53 * len(code) - width(code)


def _column(cells: Grid, index: int) -> _Column:
    body = max((_em(row[index]) for row in cells.rows), default=0.0)
    broken = body > TEXT
    body = min(body, TEXT)
    lines = [""]
    # Break at spaces, and after the section of a dotted key.
    for word in re.split(r"(?=\s)|(?<=[a-z]\.)(?=[a-z])", plain(cells.header[index])):
        if lines[-1] and width(lines[-1] + word) > max(body, 4.0):
            lines.append(word.strip())
        else:
            lines[-1] += word
    em = max(body, *(1.05 * width(line) for line in lines))
    return _Column(em, lines, cells.right[index], broken)


def _rows(cells: Grid, inline: Callable[[Sequence[Node]], str]) -> Iterator[str]:
    for number, row in enumerate(cells.rows):
        if number and cells.grouped and plain(row[0]):
            yield r"\addlinespace"
        yield " & ".join(inline(cell.children) for cell in row) + r" \\"


def _heading(column: _Column, escaped: Callable[[str], str]) -> str:
    text = r"\\".join(map(escaped, column.heading))
    if len(column.heading) == 1:
        return text
    return rf"\begin{{tabular}}[b]{{@{{}}{'r' if column.right else 'l'}@{{}}}}{text}\end{{tabular}}"

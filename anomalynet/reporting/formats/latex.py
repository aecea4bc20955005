"""A report as LaTeX, which needs only the recommended packages of TeX Live. Tables fit on the page,
whatever their content."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from markdown_it.tree import SyntaxTreeNode as Node

from anomalynet.reporting.formats import document
from anomalynet.reporting.formats.html import width_of

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
    cells: document.Grid,
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
    long = len(cells.rows) > document.LONG
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
    return bold * width(document.plain(cell)) + 0.53 * len(code) - width(code)


def _column(cells: document.Grid, index: int) -> _Column:
    body = max((_em(row[index]) for row in cells.rows), default=0.0)
    broken = body > TEXT
    body = min(body, TEXT)
    lines = [""]
    # Break at spaces, and after the section of a dotted key.
    for word in re.split(r"(?=\s)|(?<=[a-z]\.)(?=[a-z])", document.plain(cells.header[index])):
        if lines[-1] and width(lines[-1] + word) > max(body, 4.0):
            lines.append(word.strip())
        else:
            lines[-1] += word
    em = max(body, *(1.05 * width(line) for line in lines))
    return _Column(em, lines, cells.right[index], broken)


def _rows(cells: document.Grid, inline: Callable[[Sequence[Node]], str]) -> Iterator[str]:
    for number, row in enumerate(cells.rows):
        if number and cells.grouped and document.plain(row[0]):
            yield r"\addlinespace"
        yield " & ".join(inline(cell.children) for cell in row) + r" \\"


def _heading(column: _Column, escaped: Callable[[str], str]) -> str:
    text = r"\\".join(map(escaped, column.heading))
    if len(column.heading) == 1:
        return text
    return rf"\begin{{tabular}}[b]{{@{{}}{'r' if column.right else 'l'}@{{}}}}{text}\end{{tabular}}"


PREAMBLE = r"""% latexmk -pdf makes a PDF of this file.
% A table copied from it needs array, booktabs, caption and, if long, longtable.
\documentclass[10pt,a4paper]{article}
\usepackage[utf8]{inputenc}
\usepackage[a4paper,margin=22mm]{geometry}
\usepackage{array,booktabs,longtable,graphicx,pdflscape}
\usepackage{caption}
\usepackage[hidelinks]{hyperref}
\captionsetup{labelformat=empty,labelsep=none,justification=raggedright,singlelinecheck=false,font=footnotesize,hypcap=false}
\newcommand{\warningsign}{%
  \ensuremath{\triangle}\hspace{-0.58em}\raisebox{0.1ex}{\tiny\bfseries !}\hspace{0.35em}}
\setcounter{secnumdepth}{0}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.6em}
\setlength{\emergencystretch}{4em}
\setlength{\LTleft}{0pt}
\setlength{\LTright}{\fill}
"""
UNBROKEN = 15  # longest word that is never broken; longer ones, such as dotted keys, may break

BREAK = r"\\"
SECTIONS = {"h2": "section", "h3": "subsection"}

_SPECIAL = r"""\ \textbackslash{} ^ \^{} ~ \~{} " \textquotedblright{} ` \`{} [ {[} ] {]} * {*}"""
_TEXT = r"""‘ ` ’ ' … \dots{} † \dag{} ‡ \ddag{} § \S{} ⚠ \warningsign{} € EUR № No."""
_MATH = r"""
< <  > >  | |  ± \pm  × \times  · \cdot  − -  ∞ \infty  √ \surd  ° ^\circ  µ \mu
→ \to  ← \leftarrow  ↑ \uparrow  ↓ \downarrow  ≥ \geq  ≤ \leq  ≠ \neq  ≈ \approx
⌈ \lceil  ⌉ \rceil  ∈ \in  Σ \Sigma  Δ \Delta  Ω \Omega  α \alpha  β \beta  γ \gamma
δ \delta  ε \varepsilon  θ \theta  λ \lambda  μ \mu  π \pi  ρ \rho  σ \sigma  τ \tau
φ \varphi  χ \chi  ω \omega
"""


def _pairs(table: str) -> dict[str, str]:
    words = table.split()
    return dict(zip(words[::2], words[1::2], strict=True))


KNOWN = (
    {character: rf"\{character}" for character in "{}$&#%_"}
    | _pairs(_SPECIAL)
    | _pairs(_TEXT)
    | {"\N{NO-BREAK SPACE}": "~", "\N{THIN SPACE}": r"\,", "\N{NARROW NO-BREAK SPACE}": r"\,"}
    | {sign: rf"\ensuremath{{{command}}}" for sign, command in _pairs(_MATH).items()}
)
"""Characters with a special meaning in LaTeX, or with a command. Superscripts and subscripts are
found by their Unicode decomposition; letters with accents are written unchanged."""

_NATIVE = frozenset("–—“”ßøØæÆłŁ")
_ACCENTS = frozenset("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327")


def escaped(text: str) -> str:
    """Text escaped for LaTeX with standard fonts; other characters are replaced by their number."""
    # Separate equal signs: LaTeX joins two hyphens to a dash, and two quotes to another quote.
    return re.sub(r"([-,'`])(?=\1)", r"\1{}", "".join(map(_written, text)))


def _written(character: str) -> str:
    if character in KNOWN:
        return KNOWN[character]
    if character.isascii():
        return character if character.isprintable() else " "
    kind, _, code = unicodedata.decomposition(character).partition(" ")
    if kind in ("<super>", "<sub>"):
        raised = chr(int(code, 16)).replace("−", "-")
        return rf"\ensuremath{{{'^' if kind == '<super>' else '_'}{{{raised}}}}}"
    letter, *accents = list(unicodedata.normalize("NFD", character))
    if character in _NATIVE or (letter.isascii() and set(accents) <= _ACCENTS):
        return character
    return f"{{[}}U+{ord(character):04X}{{]}}"


def latex(text: str, files: Mapping[str, bytes]) -> str:
    """A document as LaTeX: booktabs tables with captions and labels, figures as PDF files, links to
    the files beside it. `text`: the Markdown; `files`: path → content of its figures."""
    parts = document.blocks(text)
    titled = [block for block in parts if block.caption]
    names = dict(zip(map(id, titled), document.slugs(map(_name, titled)), strict=True))
    written = []
    for block in parts:
        if block.node.tag == "h2" and r"\tableofcontents" not in written:
            written.append(r"\tableofcontents")
        name = names.get(id(block), "")
        if block.kind == "table":
            caption, notes = _caption(block, f"tab:{name}"), _notes(block)
            written.append(table(document.grid(block.node), caption, notes, inline, escaped))
        else:
            figure = block.kind == "figure"
            written.append(_figure(block, name, files) if figure else _plain_block(block.node))
    body = "\n\n".join(written)
    return f"{PREAMBLE}\\begin{{document}}\n\n{body}\n\n\\end{{document}}\n"


def _name(block: document.Block) -> str:
    """The label of a table or figure, from the name of its file, not from its title."""
    assert block.caption
    if block.kind == "figure":
        return _stem(str(block.node.attrs["src"]))
    tables = (_stem(target) for target in document.links(block.caption) if target.endswith(".csv"))
    return next(tables, document.title_of(block.caption))


def _stem(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[0]


def inline(nodes: Sequence[Node]) -> str:
    """Text with its emphasis, code and links."""
    return "".join(map(_inline, nodes))


def _inline(node: Node) -> str:
    if node.type == "inline":
        return inline(node.children)
    if node.type == "text":
        words = re.split(r"(\s+)", node.content)
        return "".join(_code(word) if len(word) > UNBROKEN else escaped(word) for word in words)
    if node.type == "code_inline":
        return rf"\texttt{{{_code(node.content)}}}"
    if node.type in ("strong", "em"):
        return rf"\{'textbf' if node.type == 'strong' else 'emph'}{{{inline(node.children)}}}"
    if node.type == "link":
        return _link(str(node.attrs["href"]), document.plain(node))
    if node.type == "image":
        return rf"\emph{{{escaped(document.plain(node))}}}"
    return r"\newline " if node.type == "hardbreak" else escaped(document.plain(node))


def _code(text: str) -> str:
    """Text that may be broken after a separator."""
    return re.sub(r"(\\_|[./=,:])", r"\1\\allowbreak{}", escaped(text))


def _link(target: str, written: str) -> str:
    if "://" not in target and target.endswith(".md"):
        shown = f"{target.removesuffix('.md')}.pdf"
        written, target = (shown if written == target else written), shown
    elif "://" not in target and not target.endswith(".pdf"):
        target = f"run:{target}"
    label = _code(written) if "/" in written or "_" in written else escaped(written)
    address = re.sub(r"([~^])", r"\\string\1", re.sub(r"([%#&_{}])", r"\\\1", target))
    return rf"\href{{{address}}}{{{label}}}"


def _plain_block(node: Node) -> str:
    if node.type == "heading":
        if node.tag == "h1":
            return f"\\title{{{inline(node.children)}}}\n\\author{{}}\n\\date{{}}\n\\maketitle"
        return rf"\{SECTIONS.get(node.tag, 'subsubsection')}{{{inline(node.children)}}}"
    if node.type in ("fence", "code_block"):
        lines = (rf"\texttt{{{_code(line)}}}" for line in node.content.rstrip("\n").split("\n"))
        return rf"\begin{{quote}}\raggedright {BREAK.join(lines)}\end{{quote}}"
    if node.type == "hr":
        return r"\medskip\hrule\medskip"
    if node.type in ("bullet_list", "ordered_list"):
        kind = "itemize" if node.type == "bullet_list" else "enumerate"
        items = "\n".join(f"\\item {_inside(item)}" for item in node.children)
        return f"\\begin{{{kind}}}\n{items}\n\\end{{{kind}}}"
    if node.type == "blockquote":
        return f"\\begin{{quote}}\\small\n{_inside(node)}\n\\end{{quote}}"
    return inline(node.children)


def _inside(node: Node) -> str:
    return "\n\n".join(map(_plain_block, node.children))


def _caption(block: document.Block, label: str) -> str:
    """The argument of \\caption: the first paragraph of the quote below a table or figure."""
    if not block.caption:
        return ""
    short = escaped(document.title_of(block.caption))
    return rf"[{{{short}}}]{{{inline(block.caption.children[0].children)}}}\label{{{label}}}"


def _notes(block: document.Block) -> str:
    """The other paragraphs of a caption: explanations of signs, and warnings."""
    notes = block.caption.children[1:] if block.caption else []
    lines = BREAK.join(inline(paragraph.children) for paragraph in notes)
    return rf"{{\footnotesize\raggedright {lines}\par}}" if notes else ""


def _figure(block: document.Block, name: str, files: Mapping[str, bytes]) -> str:
    stem = str(block.node.attrs["src"]).rpartition(".")[0]
    file = next((f"{stem}.{kind}" for kind in ("pdf", "png") if f"{stem}.{kind}" in files), None)
    alternative = escaped(document.plain(block.node))
    points = min(width_of(files.get(f"{stem}.svg", b"")) or PORTRAIT, PORTRAIT)
    size = rf"width={points:.0f}pt,height=0.72\textheight,keepaspectratio"
    lines = [
        r"\begin{minipage}{\linewidth}",
        f"% {alternative}",
        rf"\includegraphics[{size}]{{{file}}}" if file else rf"\emph{{{alternative}}}",
        rf"\captionof{{figure}}{_caption(block, f'fig:{name}')}" if block.caption else "",
        _notes(block),
    ]
    return "\n".join([*filter(None, lines), r"\end{minipage}\par\medskip"])

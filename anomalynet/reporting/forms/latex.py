"""A report as LaTeX that needs no more than the recommended packages of TeX Live."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from markdown_it.tree import SyntaxTreeNode as Node

from anomalynet.reporting.forms.characters import escaped
from anomalynet.reporting.forms.document import Block, blocks, grid, links, plain, slugs, title_of
from anomalynet.reporting.forms.latex_table import PORTRAIT, table

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
UNBROKEN = 15
"""Letters up to which a word is kept together, even where it is a key such as `model.attention`."""

SECTIONS = {"h2": "section", "h3": "subsection"}


def latex(text: str, files: Mapping[str, bytes]) -> str:
    """A document as LaTeX: booktabs tables with captions and labels, figures from their PDF files,
    links to the files beside it.

    Args:
        text: the Markdown.
        files: path → content of what the Markdown shows.

    Source: not in the paper.
    """
    parts = blocks(text)
    titled = [block for block in parts if block.caption]
    names = dict(zip(map(id, titled), slugs(_name(block) for block in titled), strict=True))
    written = [_block(block, names.get(id(block), ""), files) for block in parts]
    first = next(
        (
            place
            for place, block in enumerate(parts)
            if block.kind == "heading" and block.node.tag == "h2"
        ),
        None,
    )
    if first is not None:
        written.insert(first, r"\tableofcontents")
    body = "\n\n".join(written)
    return f"{PREAMBLE}\\begin{{document}}\n\n{body}\n\n\\end{{document}}\n"


def inline(nodes: Sequence[Node]) -> str:
    """Text with its emphasis, code and links."""
    return "".join(_inline(node) for node in nodes)


def _name(block: Block) -> str:
    """The name of a table's or figure's file: what others refer to it by stays when its title
    changes."""
    assert block.caption
    if block.kind == "figure":
        return _stem(str(block.node.attrs["src"]))
    return next(
        (_stem(target) for target in links(block.caption) if target.endswith(".csv")),
        title_of(block.caption),
    )


def _stem(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[0]


def _inline(node: Node) -> str:
    if node.type == "inline":
        return inline(node.children)
    if node.type == "text":
        return "".join(
            code(part) if len(part) > UNBROKEN else escaped(part)
            for part in re.split(r"(\s+)", node.content)
        )
    if node.type == "code_inline":
        return rf"\texttt{{{code(node.content)}}}"
    if node.type in ("strong", "em"):
        return rf"\{'textbf' if node.type == 'strong' else 'emph'}{{{inline(node.children)}}}"
    if node.type == "link":
        return _link(str(node.attrs["href"]), node)
    if node.type == "image":
        return rf"\emph{{{escaped(plain(node))}}}"
    return r"\newline " if node.type == "hardbreak" else escaped(plain(node))


def code(text: str) -> str:
    """Text in which a line may end after a separator, in the font of what is around it."""
    return re.sub(r"(\\_|[./=,:])", r"\1\\allowbreak{}", escaped(text))


def _link(target: str, node: Node) -> str:
    written = plain(node)
    if "://" not in target and target.endswith(".md"):
        shown = f"{target.removesuffix('.md')}.pdf"
        written, target = (shown if written == target else written), shown
    elif "://" not in target and not target.endswith(".pdf"):
        target = f"run:{target}"
    label = code(written) if "/" in written or "_" in written else escaped(written)
    return rf"\href{{{re.sub(r'([%#&_{}~^])', _in_address, target)}}}{{{label}}}"


def _in_address(found: re.Match[str]) -> str:
    return f"\\{found.group()}" if found.group() in "%#&_{}" else f"\\string{found.group()}"


def _block(block: Block, name: str, files: Mapping[str, bytes]) -> str:
    if block.kind == "table":
        return table(
            grid(block.node), _caption(block, f"tab:{name}"), "".join(_notes(block)), inline
        )
    if block.kind == "figure":
        return _figure(block, name, files)
    return _plain_block(block.node)


def _plain_block(node: Node) -> str:
    if node.type == "heading":
        if node.tag == "h1":
            return f"\\title{{{inline(node.children)}}}\n\\author{{}}\n\\date{{}}\n\\maketitle"
        return rf"\{SECTIONS.get(node.tag, 'subsubsection')}{{{inline(node.children)}}}"
    if node.type in ("fence", "code_block"):
        lines = r"\\".join(
            rf"\texttt{{{code(line)}}}" for line in node.content.rstrip("\n").split("\n")
        )
        return rf"\begin{{quote}}\raggedright {lines}\end{{quote}}"
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
    return "\n\n".join(_plain_block(child) for child in node.children)


def _caption(block: Block, label: str) -> str:
    """What follows \\caption of a table or figure: the first paragraph of the quote below it; empty
    where there is none."""
    if not block.caption:
        return ""
    short = escaped(title_of(block.caption))
    return rf"[{{{short}}}]{{{inline(block.caption.children[0].children)}}}\label{{{label}}}"


def _notes(block: Block) -> Iterator[str]:
    """Its other paragraphs, which tell of signs and warn."""
    if block.caption and len(block.caption.children) > 1:
        lines = r"\\".join(inline(paragraph.children) for paragraph in block.caption.children[1:])
        yield rf"{{\footnotesize\raggedright {lines}\par}}"


def _figure(block: Block, name: str, files: Mapping[str, bytes]) -> str:
    source = str(block.node.attrs["src"])
    stem = source.rpartition(".")[0]
    file = next(
        (f"{stem}.{suffix}" for suffix in ("pdf", "png") if f"{stem}.{suffix}" in files), None
    )
    alternative = escaped(plain(block.node))
    natural = re.search(rb'<svg[^>]* width="([\d.]+)pt"', files.get(f"{stem}.svg", b""))
    points = min(float(natural.group(1)) if natural else PORTRAIT, PORTRAIT)
    return "\n".join(
        [
            r"\begin{minipage}{\linewidth}",
            f"% {alternative}",
            rf"\includegraphics[width={points:.0f}pt,height=0.72\textheight,keepaspectratio]{{{file}}}"
            if file
            else rf"\emph{{{alternative}}}",
            *([rf"\captionof{{figure}}{_caption(block, f'fig:{name}')}"] if block.caption else []),
            *_notes(block),
            r"\end{minipage}\par\medskip",
        ]
    )

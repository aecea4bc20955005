"""Documents to translate, and what stands in them, read without the program's own parser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
COMMITTED = sorted(path.parent for path in (ROOT / "reports").glob("*/report.md"))
"""Reports that lie in the repository: what a user gets."""

every_report = pytest.mark.parametrize("folder", COMMITTED, ids=lambda folder: folder.name)

NUMBER = re.compile(r"\d+(?:\.\d+)?")

SAMPLE = """# Report on *toy* & co

A < b & c > d, 5 % of {x}; `a_b|c` and “quoted” – see [cost.md](cost.md), \
[the numbers](tables/t_1.csv), [home](https://example.org/a_b?x=1%20y#z).

> **Warning.** 1 incident stands in two parts

- **F1**: best is Logistic (36.47 ± 0.92 %)
- µ ≥ 2 × λ → 3 · 4 … −1

## Sorted

| Model | F1, % | Epochs | Run |
| --- | ---: | ---: | --- |
| **CNN** | 12.3 ± 0.4 | 6 (4) | `cnn/0a` |
| **LSTM**† | – | – | `lstm/1b` |
| **Hybrid** | 100.0 ± 0.0 | 10 (2) | `hybrid/2c` |
| **Logistic** | −0.5 | 9 (9) | `logistic/3d` |
| **Forest** | −20.5 ± 1.0 | 2 (1) | `forest/4e` |

> **Sorted, percent.** Split: group; 2 folds. Numbers: [t_1.csv](tables/t_1.csv).
>
> † LSTM is incomplete
>
> ⚠ it leaks

## Grouped

| Model | Metric | ours |
| --- | --- | ---: |
| **CNN** | Recall | 3.00 |
|  | Precision | 9.00\\* |
| **LSTM** | Recall | 1.00 |
|  | Precision | 7.00 |

![Figure 1, "toy" <group> & more](figures/one.svg)

> **Figure 1.** Split: group.

![Figure 2](figures/two.svg)

## Grouped

### Appendix

| Run | Seed |
| --- | ---: |
""" + "".join(f"| `run/{number:02d}` | {number * 7 % 40} |\n" for number in range(40))

FIGURE = b"""<?xml version="1.0" encoding="utf-8"?>
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="72pt" height="36pt" viewBox="0 0 72 36" xmlns="http://www.w3.org/2000/svg"
 version="1.1">
 <metadata><x xmlns="http://purl.org/dc/elements/1.1/">made</x></metadata>
 <defs><style type="text/css">*{stroke-linejoin: round}</style></defs>
 <g id="figure_1"><g clip-path="url(#p1)"><path d="M 0 0
L 72 36
z
" style="fill: #ffffff; stroke: url(#h2)"/></g></g>
 <defs><path id="glyph" d="M 0 0"/><clipPath id="p1"><rect width="9" height="9"/></clipPath>\
<pattern id="h2"/></defs>
 <use xlink:href="#glyph" x="3"/>
</svg>
"""
FILES: Mapping[str, bytes] = {
    "tables/t_1.csv": b"model,data,mean,seeds\ncnn,toy,12.5,0\nlstm,toy,,1\n",
    "figures/one.svg": FIGURE,
    "figures/two.svg": FIGURE,
    "cost.md": b"# Cost\n\nSee [report.md](report.md).\n",
    "report.md": SAMPLE.encode(),
}


def files_of(folder: Path) -> dict[str, bytes]:
    """A written report as its writer had it."""
    paths = sorted(
        path for path in folder.rglob("*") if path.suffix in (".md", ".csv", ".svg", ".png")
    )
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def cells(markdown: str) -> list[str]:
    """The text of every cell of every table, header and body, line by line."""
    lines = [
        line
        for line in markdown.splitlines()
        if line.startswith("| ") and not line.startswith("| ---")
    ]
    return [_text(cell) for line in lines for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def numbers(markdown: str) -> list[str]:
    """Every number that a reader of the text sees: not those in the targets of links and in the
    texts that stand for images."""
    return NUMBER.findall(re.sub(r"!\[[^\n]*?\]\([^)]*\)|\]\([^)]*\)", "", markdown))


def _text(cell: str) -> str:
    return (
        cell.replace("\\|", "|")
        .replace("\\*", "\0")
        .replace("*", "")
        .replace("`", "")
        .replace("\0", "*")
        .strip()
    )

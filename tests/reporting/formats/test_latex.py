"""`report.tex`: all that the Markdown says, and nothing that runs off the page."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalynet.reporting.figures import encode, style
from anomalynet.reporting.formats.files import wanted
from anomalynet.reporting.formats.latex import KNOWN, escaped, latex
from tests.reporting.formats.documents import (
    COMMITTED,
    FILES,
    NUMBER,
    SAMPLE,
    cells,
    every_report,
    files_of,
    numbers,
)

ALIKE = '"‘’μ\N{NARROW NO-BREAK SPACE}'
INDICES = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ₀₁₂₃₄₅₆₇₈₉₊₋ₖ"
"""Characters that are written as others are."""

WRITTEN = {
    "{}": "",
    r"\allowbreak{}": "",
    **{written: character for character, written in KNOWN.items() if character not in ALIKE},
    **{escaped(character): character for character in INDICES},
}
TOKENS = re.compile("|".join(map(re.escape, sorted(WRITTEN, key=len, reverse=True))))


def read(tex: str) -> str:
    """Text as it was before it was written as LaTeX, without commands around it."""
    while (
        bare := re.sub(r"\\(?:textbf|emph|texttt)\{((?:[^{}]|\{[^{}]*\}|\\[{}])*)\}", r"\1", tex)
    ) != tex:
        tex = bare
    return TOKENS.sub(lambda found: WRITTEN[found.group()], tex)


def tex_cells(tex: str) -> list[str]:
    """Every cell of every table, of headings without their breaks; what continues a table is there
    again."""
    found = []
    for body in re.findall(
        r"\\begin\{(?:longtable|tabular)\}\{@.*?\n(.*?)\\end\{(?:longtable|tabular)\}\n", tex, re.S
    ):
        lines = [
            line
            for line in body.splitlines()
            if line.endswith(r" \\") and not line.startswith(r"\caption")
        ]
        for line in lines:
            whole = re.sub(
                r"\\begin\{tabular\}\[b\]\{@\{\}.@\{\}\}(.*?)\\end\{tabular\}",
                lambda one: one.group(1).replace(r"\\", " "),
                line,
            )
            found += [
                read(cell).strip() for cell in re.split(r"(?<!\\)&", whole.removesuffix(r" \\"))
            ]
    return found


@every_report
def test_every_cell_and_every_number_of_a_report_is_in_its_latex(folder: Path) -> None:
    text = (folder / "report.md").read_text(encoding="utf-8")
    tex = latex(text, files_of(folder))

    def plain(cell: str) -> str:
        return re.sub(r"\s", "", cell)

    assert Counter(map(plain, cells(text))) - Counter(map(plain, tex_cells(tex))) == Counter()
    body = re.sub(
        r"\\href\{.*?\}|\\(label|caption\[\{)[^}]*\}|\\includegraphics\[.*?\]\{.*?\}|^%.*$|p\{\d+pt\}",
        "",
        tex,
        flags=re.M,
    )
    assert Counter(numbers(text)) - Counter(NUMBER.findall(read(body))) == Counter()


@pytest.mark.parametrize(
    "text, expected",
    [
        (
            "50 % of a_b & {c} #1 $2 ^~\\",
            r"50 \% of a\_b \& \{c\} \#1 \$2 \^{}\~{}\textbackslash{}",
        ),
        ("12.3 ± 0.4", r"12.3 \ensuremath{\pm} 0.4"),
        (
            "−1 → 2 × λ",
            r"\ensuremath{-}1 \ensuremath{\to} 2 \ensuremath{\times} \ensuremath{\lambda}",
        ),
        ("≥ µ · 3", r"\ensuremath{\geq} \ensuremath{\mu} \ensuremath{\cdot} 3"),
        ("– “a” … † ‡ ⚠", r"– “a” \dots{} \dag{} \ddag{} \warningsign{}"),
        ("--format", "-{}-format"),
        ("[x] *y", "{[}x{]} {*}y"),
        ("Zürich, Łódź", "Zürich, Łódź"),
        ("10⁻³, xₖ", r"10\ensuremath{^{-}}\ensuremath{^{3}}, x\ensuremath{_{k}}"),
        ("東\u0007", "{[}U+6771{]} "),
    ],
)
def test_special_characters(text: str, expected: str) -> None:
    assert escaped(text) == expected


@given(
    st.text(
        st.sampled_from([*KNOWN, *INDICES, *"–—“éøabcXYZ 0189,;:.-'/()+="]).filter(
            lambda character: character not in ALIKE
        )
    )
)
def test_what_is_escaped_can_be_read_back(text: str) -> None:
    assert read(escaped(text)) == text


def test_no_character_of_our_reports_is_unknown() -> None:
    sources = [path / "report.md" for path in COMMITTED]
    sources += Path(__file__).parents[3].glob("anomalynet/reporting/**/*.py")
    used = set().union(*(path.read_text(encoding="utf-8") for path in sources))
    assert not [one for one in used if "U+" in escaped(one) and not one.isascii()]


def test_a_table_has_its_caption_label_and_notes() -> None:
    tex = latex(SAMPLE, FILES)
    assert (
        r"\captionof{table}[{Sorted, percent}]{\textbf{Sorted, percent.} Split: group; 2 folds. "
        r"Numbers: \href{run:tables/t\_1.csv}{t\_\allowbreak{}1.\allowbreak{}csv}.}\label{tab:t-1}"
        in tex
    )
    assert (
        "\\begin{tabular}{@{}lrrl@{}}\n\\toprule\nModel & F1, \\% & Epochs & Run \\\\\n\\midrule\n"
        "\\textbf{CNN} & 12.3 \\ensuremath{\\pm} 0.4 & 6 (4) & \\texttt{cnn/\\allowbreak{}0a} "
        "\\\\\n" in tex
    )
    assert (
        r"\par\smallskip{\footnotesize\raggedright \dag{} LSTM is incomplete\\\warningsign{} it "
        r"leaks\par}" in tex
    )
    assert "\\addlinespace\n\\textbf{LSTM} & Recall & 1.00" in tex, "groups are set apart"
    assert tex.count(r"\begin{longtable}") == 1, "the table of 40 rows"
    assert len(set(re.findall(r"\\label\{(.*?)\}", tex))) == tex.count(r"\label{") == 2


def test_links_to_documents_and_addresses() -> None:
    tex = latex(SAMPLE, FILES)
    assert r"\href{cost.pdf}{cost.pdf}" in tex
    assert r"\href{https://example.org/a\_b?x=1\%20y\#z}{home}" in tex
    assert r"\href{run:tables/t\_1.csv}{the numbers}" in tex


def test_a_table_that_is_too_wide_is_scaled_to_the_line() -> None:
    header = [f"Model number {place}" for place in range(40)]
    cells = [f"{place}.25 ± 0.5" for place in range(1, 40)]
    tex = latex(_table(header, [[f"row {line}", *cells] for line in range(3)]), {})
    assert tex.count(r"\resizebox{\linewidth}{!}{%") == 1
    assert [tex_cells(tex).count(cell) for cell in cells] == [3] * 39


def test_a_long_wide_table_is_turned_and_long_text_is_broken_into_lines() -> None:
    row = ["a" * 9, "reason " * 20, *["100.0 ± 10.0"] * 9]
    tex = latex(_table(["Run", "Why", *"ABCDEFGHI"], [row] * 40), {})
    assert re.search(
        r"\\begin\{landscape\}\n\\begingroup\\\w+\\setlength.*\n\n"
        r"\\begin\{longtable\}\{@\{\}r>\{\\raggedleft\\arraybackslash\}p\{\d+pt\}",
        tex,
    )


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = (header, ["---:"] * len(header), *rows)
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


LETTERS = [*KNOWN, *INDICES, *"–—“”ßøØæÆłŁéñçőšů"]
SIGNS = " ".join(character for character in LETTERS if character not in "\\|`<*[]_")
ROW = ["**row**", *["100.25 ± 10.50"] * 29]
WIDE = _table([f"Model number {place}" for place in range(30)], [ROW] * 3)
RUN = ["`isolation_forest/0123456789`", "a reason that is long " * 9, *["100.0 ± 10.0"] * 9]
LONG = _table(["Run", "Why", *"ABCDEFGHI"], [RUN] * 40)

TORTURE = f"""{SAMPLE}
Keys `training.learning_rate=0.001,model.autoencoder_depth=2,data.split.policy=group_blocked` and
model.autoencoder_depth=2,model.attention=true,model.cnn=true,model.lstm=true,training.loss=mse \
or --flags, "quotes", 'others', `a--b`,
{SIGNS} Zürich 東

{WIDE}

{LONG}
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not shutil.which("latexmk"),
    reason="latexmk is not there: apt-get install latexmk texlive-latex-base "
    "texlive-latex-recommended",
)
@pytest.mark.parametrize("name", ["torture", "components-smart_city-quick"])
def test_it_compiles_and_nothing_runs_off_the_page(name: str, tmp_path: Path) -> None:
    folder = COMMITTED[0].parent / name
    torture = {**FILES, **_drawn(tmp_path), "report.md": TORTURE.encode()}
    files = torture if name == "torture" else files_of(folder)
    tex = latex(files["report.md"].decode(), files).encode()
    for path, content in {**files, "report.tex": tex}.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    command = ["latexmk", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
    log = (tmp_path / "report.log").read_text(encoding="latin-1")
    overfull = map(float, re.findall(r"Overfull \\[hv]box \(([\d.]+)pt", log))
    assert not [points for points in overfull if points > 2]
    assert "undefined" not in log


def _drawn(out: Path) -> dict[str, bytes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3))
    figure.subplots().bar([0, 1], [2, 3])
    with style(), wanted(["latex"], out):
        files = {
            f"figures/one.{suffix}": content for suffix, content in encode(figure, ("svg", "pdf"))
        }
    assert files["figures/one.pdf"].startswith(b"%PDF")
    return files

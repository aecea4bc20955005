"""From the files of a report to those of the forms that are wanted."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from anomalynet.reporting.forms import Form


def translate(files: Mapping[str, bytes], forms: Collection[Form]) -> dict[str, bytes]:
    """The files of a report in every wanted form.

    Markdown and CSV are always among them: the Markdown is what the other forms are made from, and
    it does not depend on them. HTML is one file a document, LaTeX one and the figures as PDF, `csv`
    adds each table as Parquet.

    Args:
        files: path below the report's folder → content: documents (`*.md`), `tables/*.csv`,
        `figures/*`. forms: what is wanted.

    Returns:
        path → content in the order in which to write them: documents after what they show, Markdown
        last.

    Source: not in the paper.
    """
    documents = {name: content.decode() for name, content in files.items() if name.endswith(".md")}
    found = {name: content for name, content in files.items() if name not in documents}
    if "latex" not in forms:
        found = {name: content for name, content in found.items() if not name.endswith(".pdf")}
    if "csv" in forms:
        from anomalynet.reporting.forms.data import parquet

        tables = {name: content for name, content in found.items() if name.endswith(".csv")}
        found |= {
            f"{name.removesuffix('.csv')}.parquet": parquet(content)
            for name, content in tables.items()
        }
    for name, text in documents.items():
        stem = name.removesuffix(".md")
        if "html" in forms:
            from anomalynet.reporting.forms.html import html

            found[f"{stem}.html"] = html(text, files).encode()
        if "latex" in forms:
            from anomalynet.reporting.forms.latex import latex

            found[f"{stem}.tex"] = latex(text, files).encode()
    return found | {name: files[name] for name in documents}

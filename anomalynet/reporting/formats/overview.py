"""The overview of a folder of reports: `README.md`, which GitHub shows, and `index.html`, with the
verdict and the first figure of each report."""

from __future__ import annotations

import re
from pathlib import Path

from anomalynet.reporting.formats.html import html
from anomalynet.runs.files import write_text

MARK = "<!-- written by anomalynet: the next report replaces it -->"

_IMAGE = re.compile(r"^!\[([^\]]*)\]\((figures/[\w.-]+)\)", re.MULTILINE)


def write_overview(reports: Path) -> None:
    """Write the overview of the reports in the folders below `reports`; a README.md that somebody
    else wrote is kept, and then there is none."""
    readme = reports / "README.md"
    if readme.exists() and not readme.read_text("utf-8", errors="replace").startswith(MARK):
        return
    parts, files = ["# Reports"], dict[str, bytes]()
    for path in sorted(reports.glob("*/report.md")):
        entry, own = _entry(path)
        parts.append(entry)
        files |= own
    text = "\n\n".join(parts) + "\n"
    write_text(readme, f"{MARK}\n\n{text}")
    write_text(reports / "index.html", html(text, files))


def _entry(path: Path) -> tuple[str, dict[str, bytes]]:
    """The title of a report with its link, its verdict and its first figure, with the content of
    the linked files."""
    text = path.read_text(encoding="utf-8", errors="replace")
    title, _, rest = text.partition("\n")
    verdict = next((one for one in rest.split("\n\n") if one.strip().startswith("**")), "").strip()
    folder = path.parent.name
    link = f"{folder}/report.md"
    parts = [f"## [{title.lstrip('# ')}]({link})", verdict]
    files = {link: b""} if path.with_suffix(".html").is_file() else {}
    if image := _IMAGE.search(text):
        figure = f"{folder}/{image.group(2)}"
        parts.append(f"![{image.group(1)}]({figure})")
        if (drawing := path.parent / image.group(2)).is_file():
            files[figure] = drawing.read_bytes()
    return "\n\n".join(filter(None, parts)), files

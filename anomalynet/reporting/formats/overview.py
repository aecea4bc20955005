"""The overview of a folder of reports: `README.md`, which GitHub shows, and `index.html`, with the
verdict and the first figure of each report."""

from __future__ import annotations

import re
from pathlib import Path

from anomalynet.reporting.formats.html import html
from anomalynet.runs.files import write_text

MARK = "<!-- written by anomalynet: the next report replaces it -->"

_IMAGE = re.compile(r"^!\[([^\]]*)\]\((figures/[\w.-]+)\)", re.MULTILINE)
_LINK = re.compile(r"\]\((?![/#]|\w+:)")  # to a file in the folder of the report


def write_overview(reports: Path) -> None:
    """Write the overview of the reports in the folders below `reports`; a README.md that somebody
    else wrote is kept, and then there is none."""
    readme = reports / "README.md"
    if readme.exists() and not readme.read_text("utf-8", errors="replace").startswith(MARK):
        return
    texts = {
        path.parent.name: path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(reports.glob("*/report.md"))
    }
    parts, files = ["# Reports"], dict[str, bytes]()
    pages = [f"[{path.stem}]({path.name})" for path in sorted(reports.glob("*.md"))]
    if other := [page for page in pages if page != f"[{readme.stem}]({readme.name})"]:
        parts.append(f"Also here: {' · '.join(other)}.")
    for name, text in texts.items():
        title = text.partition("\n")[0].lstrip("# ")
        parts += _entry(reports / name, title, text, files)
    text = "\n\n".join(parts) + "\n"
    write_text(readme, f"{MARK}\n\n{text}")
    write_text(reports / "index.html", html(text, files))


def verdict(report: str) -> str:
    """The paragraph of a report.md that says what won, in Markdown; empty without one."""
    blocks = report.partition("\n")[2].split("\n\n")
    return next((one for one in blocks if one.strip().startswith("**")), "").strip()


def _entry(folder: Path, title: str, text: str, files: dict[str, bytes]) -> list[str]:
    """The title of a report with its link, its verdict and its first figure; the content of the
    linked files is added to `files`."""
    name, link = folder.name, f"{folder.name}/report.md"
    parts = [f"## [{title}]({link})", _LINK.sub(lambda _: f"]({name}/", verdict(text))]
    if (folder / "report.html").is_file():
        files[link] = b""
    if image := _IMAGE.search(text):
        figure = f"{name}/{image.group(2)}"
        parts.append(f"![{image.group(1)}]({figure})")
        if (drawing := folder / image.group(2)).is_file():
            files[figure] = drawing.read_bytes()
    return list(filter(None, parts))

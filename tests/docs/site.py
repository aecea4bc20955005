"""Gathers the pages of the site in `build/docs`, as `make docs` does before mkdocs: every Markdown
file at its own path, a page of all commands made from the parsers, and a page of each package."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from anomalynet.cli.main import build_parser

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "build" / "docs"
COPIED = {".md", ".png", ".svg", ".csv", ".html", ".yaml", ".json", ".ipynb", ".cff", ".conf"}
"""Files that pages link to have one of these endings, or none (LICENSE)."""


def gather(pages: Path = PAGES) -> None:
    """Write all pages anew."""
    shutil.rmtree(pages, ignore_errors=True)
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, names.split("\0")):
        if Path(name).suffix not in COPIED | {""} or name.startswith("tests/"):
            continue
        target = pages / name.replace(".github/", "github/")  # mkdocs ignores names with a dot
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".md":
            text = (ROOT / name).read_text(encoding="utf-8").replace(".github/", "github/")
            text = re.sub(r"^(```\w+) .*$", r"\1", text, flags=re.M)  # notes are for the tests
            target.write_text(text, encoding="utf-8")
        elif (ROOT / name).is_file():
            shutil.copy(ROOT / name, target)
    reference = pages / "reference"
    reference.mkdir()
    (reference / "commands.md").write_text(commands(), encoding="utf-8")
    for package in packages():
        options = "    options: {show_submodules: true}\n" if "." in package else ""
        text = f"# {package}\n\n::: {package}\n{options}"
        (reference / f"{package.removeprefix('anomalynet.')}.md").write_text(text, "utf-8")


def packages() -> list[str]:
    """The names of the package and of the packages in it."""
    inner = sorted((ROOT / "anomalynet").glob("*/__init__.py"))
    return ["anomalynet", *(f"anomalynet.{path.parent.name}" for path in inner)]


def commands() -> str:
    """A page with the help of every command."""
    parts = ["# Commands\n\nWhat `anomalynet VERB --help` prints.\n"]
    for parser in _below(build_parser()):
        parts.append(f"## {parser.prog}\n\n```text\n{parser.format_help()}```\n")
    return "\n".join(parts)


def _below(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser, then those of its commands; argparse has no public way to them."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from _below(child)


if __name__ == "__main__":
    os.environ["COLUMNS"] = "80"
    gather()

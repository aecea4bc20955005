"""The pages of the site exist before mkdocs builds it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from anomalynet.cli.main import VERBS
from tests.docs import site


def leaves(entry: object) -> Iterator[str]:
    """The pages of a navigation."""
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, list):
        for one in entry:
            yield from leaves(one)
    elif isinstance(entry, dict):
        yield from leaves(list(entry.values()))


def test_the_navigation_has_every_package_and_only_pages_that_exist(tmp_path: Path) -> None:
    site.gather(tmp_path)
    named = set(leaves(yaml.safe_load((site.ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]))
    assert {name for name in named if not (tmp_path / name).is_file()} == set()
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.glob("reference/*.md")}
    assert made <= named
    assert len(made) == len(site.packages()) + 1


def test_every_command_has_its_help_on_one_page() -> None:
    titles = {line for line in site.commands().splitlines() if line.startswith("## ")}
    assert {f"## anomalynet {verb}" for verb in VERBS} <= titles
    assert "## anomalynet data import" in titles

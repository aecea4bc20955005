"""A report in a browser: nobody is shut out by colours, keyboard or a small screen, and tables
really sort."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from anomalynet.reporting.formats.html import html
from tests.reporting.formats.documents import COMMITTED, FILES, SAMPLE, files_of

HERE = Path(__file__).parent / "browser"
CHROMIUM = (
    os.environ.get("CHROMIUM")
    or shutil.which("chromium")
    or shutil.which("chromium-browser")
    or shutil.which("google-chrome")
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and shutil.which("node")),
        reason="no Chromium or Node.js: apt-get install chromium nodejs npm",
    ),
    pytest.mark.skipif(
        not (HERE / "node_modules").is_dir(), reason=f"no node_modules: npm ci --prefix {HERE}"
    ),
]

VIEWS = ["light", "dark", "phone", "dark phone"]
WIDE = (
    "## Wide\n\n"
    + "\n".join(
        f"| {' | '.join([cell] * 30)} |" for cell in ("Model number", "---:", "100.25 ± 10.50", "–")
    )
    + "\n"
)


def look(text: str, files: dict[str, bytes], folder: Path, *view: str) -> dict[str, Any]:
    page = folder / "report.html"
    page.write_text(html(text, files), encoding="utf-8")
    command = ["node", str(HERE / "look.mjs"), str(page), str(CHROMIUM), *view]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return look(f"{SAMPLE}\n{WIDE}", dict(FILES), tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    text = (COMMITTED[0] / "report.md").read_text(encoding="utf-8")
    return look(text, files_of(COMMITTED[0]), tmp_path_factory.mktemp("real"), "dark phone")


@pytest.mark.parametrize(
    "page, view", [*(("sample", view) for view in VIEWS), ("real", "dark phone")]
)
def test_no_error_no_request_no_barrier_and_no_page_that_scrolls_sideways(
    page: str, view: str, request: pytest.FixtureRequest
) -> None:
    seen = request.getfixturevalue(page)["views"][view]
    assert seen["trouble"] == []
    assert seen["violations"] == []
    assert seen["checked"] > 15
    assert seen["overflow"] <= 0
    assert seen["contents"] == ("phone" not in view)


def test_wide_tables_and_figures_scroll_in_their_own_box(sample: dict[str, Any]) -> None:
    assert sample["views"]["light"]["scrolling"] == 1
    assert sample["views"]["phone"]["scrolling"] >= 2  # small figures shrink instead


def test_clicks_sort_up_then_down_by_number_then_back_with_what_is_missing_last(
    sample: dict[str, Any],
) -> None:
    assert [one["cells"] for one in sample["clicked"]] == [
        ["12.3 ± 0.4", "–", "100.0 ± 0.0", "−0.5", "−20.5 ± 1.0"],
        ["−20.5 ± 1.0", "−0.5", "12.3 ± 0.4", "100.0 ± 0.0", "–"],
        ["100.0 ± 0.0", "12.3 ± 0.4", "−0.5", "−20.5 ± 1.0", "–"],
        ["12.3 ± 0.4", "–", "100.0 ± 0.0", "−0.5", "−20.5 ± 1.0"],
    ]
    assert sample["clicked"][1]["names"] == ["Forest", "Logistic", "CNN", "Hybrid", "LSTM†"], (
        "whole rows are moved"
    )
    assert [one["sort"][1] for one in sample["clicked"]] == [None, "ascending", "descending", None]
    assert [one["sort"][0] for one in sample["clicked"]] == [None] * 4


def test_the_keyboard_sorts_text_too(sample: dict[str, Any]) -> None:
    ascending = ["cnn/0a", "forest/4e", "hybrid/2c", "logistic/3d", "lstm/1b"]
    assert sample["entered"]["cells"] == ascending
    assert sample["entered"]["sort"] == [None, None, None, "ascending"]
    assert sample["spaced"]["cells"] == ascending[::-1]


def test_a_row_out_of_its_group_says_whose_it_is(sample: dict[str, Any]) -> None:
    assert sample["grouped"]["cells"] == ["1.00", "3.00", "7.00", "9.00*"]
    assert sample["grouped"]["names"] == ["LSTM", "CNN", "LSTM", "CNN"]
    assert sample["ungrouped"]["names"] == ["CNN", "", "LSTM", ""]


def test_a_filter_leaves_the_models_that_are_named_and_a_cell_tells_its_interval(
    sample: dict[str, Any],
) -> None:
    few, every = sample["filtered"]
    assert sorted(few) == ["Forest", "LSTM†"] and len(every) == 5
    text, title = sample["hover"]
    mean, spread = map(float, text.split(" ± "))
    assert title.startswith(f"{mean - spread:.1f} to {mean + spread:.1f}")


def test_the_theme_follows_the_system_until_one_is_chosen_which_is_remembered(
    sample: dict[str, Any],
) -> None:
    light, dark = sample["views"]["light"]["background"], sample["views"]["dark"]["background"]
    assert light != dark
    assert sample["theme"] == {
        "before": light,
        "after": dark,
        "again": dark,
        "pressed": "true",
        "pressedAgain": "true",
    }


def test_print_is_light_without_controls_and_shows_what_is_folded(sample: dict[str, Any]) -> None:
    light = sample["views"]["light"]["background"]
    assert sample["print"] == {
        "background": light,
        "hidden": True,
        "link": "none",
        "row": "avoid",
        "open": True,
        "closedAgain": True,
    }

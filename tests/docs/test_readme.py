"""What the README tells a user to type works, in its order, in one folder."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from anomalynet.cli.main import VERBS, main
from tests.docs import results

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\S*) ?(.*?)\n(.*?)^```", README, re.S | re.M)
SHELL = [(note, text) for kind, note, text in BLOCKS if kind == "sh"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder, with the sensor table that the README speaks of."""
    folder = tmp_path_factory.mktemp("user")
    rng = np.random.default_rng(0)
    steps = np.tile(np.arange(1200), 2)
    columns = {"device": np.repeat(["pump", "fan"], 1200), "time": 1_700_000_000 + 60 * steps}
    pl.DataFrame(
        {**columns, "temperature": 20 + rng.normal(size=2400), "vibration": rng.normal(size=2400)}
    ).write_csv(folder / "sensors.csv")
    return folder


def run(command: str) -> None:
    """Run one line as the user would, but in this process: importing torch for each would take most
    of the time."""
    words = shlex.split(command)
    assert words[0] == "anomalynet"
    assert main(words[1:]) == 0, command


def test_the_first_two_shell_blocks_are_one_pasteable_line_each() -> None:
    for (_, text), end in zip(SHELL[:2], ("anomalynet reproduce", "pytest -n 2"), strict=True):
        assert text.count("\n") == 1
        assert text.startswith("python3 -m venv .venv && .venv/bin/pip install")
        assert text.strip().endswith(end)


def test_every_command_works_in_the_order_of_the_readme(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ANOMALYNET_DATA", str(folder / "data"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    for kind, note, text in BLOCKS:
        if note.startswith("file="):
            (folder / note.removeprefix("file=")).write_text(text)
        elif kind == "sh" and (note, text) not in SHELL[:2] and note != "no-test":
            for line in text.splitlines():
                run(line)
        elif note == "run":
            done = subprocess.run(
                [sys.executable, "-c", text], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            assert "shape:" in done.stdout
    alarms = [pl.read_parquet(path) for path in folder.glob("runs/autoencoder/*/scores.parquet")]
    assert len(alarms) == 1
    assert {"series", "time", "score", "threshold"} <= set(alarms[0].columns)
    assert alarms[0]["score"].is_not_null().any()


def test_every_verb_is_in_the_readme() -> None:
    for verb in VERBS:
        assert f"anomalynet {verb}" in README or f"`{verb}" in README


def test_the_results_are_those_of_the_committed_reports() -> None:
    changed = subprocess.run(
        ["git", "diff", "--quiet", "HEAD", "--", "reports"], cwd=results.ROOT, check=False
    ).returncode
    if changed:
        pytest.skip(
            "reports/ differs from what is committed: `python -m tests.docs.results` puts it "
            "into the README"
        )
    assert results.written(README) == README, "python -m tests.docs.results writes them"

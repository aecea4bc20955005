"""What the README and the guides tell a user to type works, in its order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from anomalynet.cli.main import VERBS, main
from tests import tiny
from tests.docs import results
from tests.regression.training import in_process

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\S*) ?(.*?)\n(.*?)^```", re.S | re.M)
SHELL = [text for kind, _, text in BLOCK.findall(README) if kind == "sh"]
RUN = {("sh", ""), ("python", "run")}
SETUP = 2
"""So many shell blocks of the README come first that make an environment."""

GUIDES = ["experiments", "sweeps", "anomalynet/data", "anomalynet/models"]
GUIDES += ["anomalynet/simulation", "anomalynet/training"]
PAGES = ["README.md", "reports/CLAIM.md", *(f"{folder}/README.md" for folder in GUIDES)]
"""Pages whose commands are run, each in a folder of its own."""

TINY = ["data.worlds=null", f"data.scenario={tiny.TINY}"]


SMALL_WORLD = ("deployment.nodes=8", "deployment.cell_nodes=4", "sampling.period=120")


@pytest.fixture
def sensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_figures: None) -> Path:
    """A user's folder, with the sensor tables that the README speaks of; sweeps train in this
    process."""
    in_process(monkeypatch)
    rng = np.random.default_rng(0)
    steps = np.tile(np.arange(2400), 2)
    columns = {"device": np.repeat(["pump", "fan"], 2400), "time": 1_700_000_000 + 120 * steps}
    readings = {name: rng.normal(size=4800) for name in ("temperature", "vibration")}
    table = pl.DataFrame({**columns, **readings})
    later = pl.Series(steps >= 1500)
    table.filter(~later).write_csv(tmp_path / "sensors.csv")
    table.filter(later).write_csv(tmp_path / "new.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: str) -> None:
    """Run one line as the user would, but in this process and on a small network."""
    words = shlex.split(command, comments=True)
    if "RUN" in words:
        (words[words.index("RUN")],) = map(str, Path("runs/unlabelled").glob("[!.]*"))
    assert words[0] == "anomalynet"
    if words[1:3] == ["simulate", "smart_city"]:
        words += SMALL_WORLD
    elif any(word.startswith("data.scenario=") for word in words):
        pass  # small as it is
    elif words[1] in ("train", "sweep", "audit") and not {"data.name=plant", "--plan"} & {*words}:
        words += TINY
    elif words[1] == "train":
        words += ["training.epochs=1", "data.stride=8"]
    assert main(words[1:]) == 0, command


def test_the_first_two_shell_blocks_are_one_pasteable_line_each() -> None:
    for text, end in zip(SHELL[:SETUP], ("anomalynet reproduce", "pytest -n 2"), strict=True):
        assert text.count("\n") == 1
        assert text.startswith("python3 -m venv .venv && .venv/bin/pip install")
        assert text.strip().endswith(end)


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_work_in_their_order(
    page: str, sensors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    if page == "README.md":
        blocks = [one for one in blocks if one[2] not in SHELL[:SETUP]]
    assert any((kind, note) in RUN for kind, note, _ in blocks)
    for kind, note, text in blocks:
        if note.startswith("file="):
            (sensors / note.removeprefix("file=")).write_text(text)
        elif kind == "sh" and not note:
            for line in text.splitlines():
                run(line)
        elif note == "run":
            code = text.replace('["training.epochs=2"', f'[*{TINY}, "training.epochs=2"')
            code = code.replace("scenario=small", f'scenario="{tiny.TINY}"')
            exec(code.replace("max_epochs=5", "max_epochs=1"), {})
            assert "shape:" in capsys.readouterr().out
    if page == "README.md":
        (path,) = sensors.glob("runs/unlabelled/*/scores.parquet")
        scores = pl.read_parquet(path)
        assert {"series", "time", "score", "threshold"} <= set(scores.columns)
        assert scores["score"].is_not_null().any()
        assert (sensors / "alarms.jsonl").is_file()


def test_the_readme_fits_and_its_links_lead_somewhere() -> None:
    lines = README.splitlines()
    assert len(lines) <= 250
    assert max(map(len, lines)) <= 100
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"


def test_every_verb_is_in_the_readme() -> None:
    for verb in VERBS:
        assert re.search(rf"(anomalynet |`){verb}(?![\w-])", README), verb


def test_the_results_are_those_of_the_committed_reports() -> None:
    assert results.written(README) == README, "python -m tests.docs.results writes them"

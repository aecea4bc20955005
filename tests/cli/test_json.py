"""`--json`: every verb prints one document and nothing else, mistakes and errors included."""

from __future__ import annotations

import json
import re
import shlex
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from anomalynet.cli.main import VERBS, main
from anomalynet.cli.output import SCHEMA, print_json
from tests.conftest import ROOT
from tests.regression.training import in_process
from tests.training.small import table

KEYS = "data.calibration_rows=20 data.stride=8 data.split.folds=3 data.split.policy=group"
IMPORT = "data import table.csv --name spoken --time time --series device --label attack"
SWEEP = "experiments: [logistic]\nfolds: [0]\npresets: {quick: {data.name: spoken}}\n"
COMMANDS = {
    "data import": f"{IMPORT} --ignore part",
    "data ls": "data ls",
    "data info": "data info spoken",
    "data rows": "data rows spoken --out rows.csv",
    "audit": f"audit spoken {KEYS}",
    "audit-table": "audit-table --paper",
    "train": f"train logistic data.name=spoken {KEYS}",
    "test": "test RUN",
    "export": "export RUN --out model.onnx",
    "detect": "detect table.csv --model model.onnx",
    "sweep --plan": f"sweep one.yaml --plan {KEYS}",
    "sweep": f"sweep one.yaml --only 1 {KEYS}",
    "reproduce": f"reproduce --data spoken --models logistic --out paper {KEYS}",
    "status": "status",
    "report": "report",
    "compare": "compare RUN RUN",
    "check --history": f"check --history --against {ROOT / 'reports' / 'baseline.json'}",
    "simulate --list": "simulate --list",
    "ls": "ls",
    "ls models": "ls models",
    "ls runs": "ls runs",
    "show": "show logistic",
    "show --keys": "show --keys data",
    "sync": "sync",
    "doctor": "doctor",
    "--version": "--version",
}
"""Row of the guide's table → a command."""


TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "count": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def documented() -> dict[str, tuple[bool, dict[str, str], bool]]:
    """Title of a part of the guide → whether it is about rows, the type of each key, and whether
    these are all keys."""
    text = (ROOT / "anomalynet" / "cli" / "JSON.md").read_text(encoding="utf-8")
    found = {}
    for part in text.split("\n## ")[1:]:
        keys = dict(re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", part, re.MULTILINE))
        found[part.split("`")[1]] = ("\n`rows`: " in part, keys, "| … |" not in part)
    return found


def fits(value: object, kind: str) -> bool:
    """Whether a value has one of the types that the guide names."""
    if kind == "any":
        return True
    types = tuple(one for name in kind.split(" or ") for one in TYPES[name])
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))


@pytest.mark.usefixtures("no_figures")
def test_every_verb_prints_one_document_that_the_guide_describes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    in_process(monkeypatch)
    monkeypatch.chdir(tmp_path)
    table(Path("table.csv"))
    Path("one.yaml").write_text(SWEEP)
    guide = documented()
    assert {name.split()[0] for name in guide} >= {*VERBS}
    assert {name.split()[0] for name in COMMANDS} == {*VERBS, "--version"}
    for name, command in COMMANDS.items():
        many, keys, complete = guide[name]
        run = next((str(path.parent) for path in Path("runs").glob("*/*/result.json")), "")
        assert main(shlex.split(f"{command.replace('RUN', run)} --json")) in (0, 1), name
        found: Any = json.loads(capsys.readouterr().out)
        assert found.pop("schema") == SCHEMA, name
        assert not many or found.keys() == {"rows"}, name
        for row in found["rows"] if many else [found]:
            assert keys.keys() <= row.keys() and (row.keys() <= keys.keys() or not complete), name
            assert [key for key, kind in keys.items() if not fits(row[key], kind)] == [], name


@pytest.mark.parametrize(
    "mistake",
    [
        *("trian cnn", "train", "train nothing", "ls nope", "data", "data nope", "--nope doctor"),
        *("audit-table --of x", "status --every x", "compare one", "detect x.csv --hits 5/3"),
        *("ls runs --sort x", "simulate", "data fetch smart_city", "sweep smoke --print"),
        "data replay smart_city --out -",
    ],
)
def test_a_mistake_is_a_document_too(mistake: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*mistake.split(), "--json"]) == 2
    shown = capsys.readouterr()
    error = json.loads(shown.out)["error"]
    assert error["exit_code"] == 2
    assert error["message"].splitlines()[0] in shown.err and error["next_step"] in shown.err


def test_what_nobody_expects_and_an_interruption_are_documents_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(kind: str) -> None:
        raise KeyboardInterrupt if kind == "sweeps" else ZeroDivisionError

    monkeypatch.setattr("anomalynet.config.locate.files", fail)
    for kind, code in (("sweeps", 130), ("experiments", 1)):
        assert main(["ls", kind, "--json"]) == code
        assert json.loads(capsys.readouterr().out)["error"]["exit_code"] == code


def test_numbers_that_json_does_not_have_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([nan, {"best": inf}, 1.5])
    assert json.loads(capsys.readouterr().out)["rows"] == [None, {"best": None}, 1.5]

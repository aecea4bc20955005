"""`anomalynet simulate`."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from anomalynet.cli.main import main
from anomalynet.cli.progress import SimulationProgress

KEYS = "deployment.nodes=4 deployment.cell_nodes=2 duration=3h sampling.period=60"
TINY = ["smart_city", *KEYS.split(), "incidents.quiet_hours=0.2"]


def test_the_presets_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--list", "--json"]) == 0
    names = [row["scenario"] for row in json.loads(capsys.readouterr().out)["rows"]]
    assert names == ["healthcare", "industrial", "smart_city", "smart_city_stressed"]


def test_a_world_its_csv_and_its_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "world"
    assert main(["simulate", *TINY, "--out", str(folder), "--csv", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["folder"] == str(folder)
    assert (facts["nodes"], facts["cells"], facts["slots"], facts["expected"]) == (4, 2, 180, 720)
    telemetry = pl.read_csv(folder / "csv/telemetry-cell-0001.csv", infer_schema_length=None)
    assert telemetry.height == 360
    assert telemetry["temperature"].count() <= facts["received"]
    incidents = pl.read_csv(folder / "csv/incidents.csv", infer_schema_length=None)
    assert incidents.height == facts["incidents"] > 0
    assert set(" ".join(incidents["nodes"]).split()) <= set(
        pl.read_csv(folder / "csv/nodes.csv")["node"]
    )
    assert main(["simulate", *TINY, "--out", str(folder)]) == 0
    told = capsys.readouterr()
    assert told.err == f"{folder}: already complete and undamaged\n"
    assert told.out.splitlines()[0] == str(folder) and "readings expected\t720" in told.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "simulate needs a scenario"),
        ("seed=3", "'seed=3' changes a scenario, but none is named"),
        ("smart_cty --out x", "did you mean 'smart_city'?"),
        ("smart_city", "simulate needs a folder for the world"),
        ("smart_city --out x --workers 0", "'0' is not a whole number from 1"),
        ("smart_city sampling.period=-30 --out x", "sampling.period: must be positive and finite"),
        ("smart_city duration=24x radio.kind=wifi --out x", "'24x' is not a duration"),
        ("smart_city --out x --wrokers 2", "unrecognised: --wrokers"),
    ],
)
def test_a_mistake_is_one_message(
    arguments: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main(["simulate", *arguments.split()])
    told = capsys.readouterr()
    assert code == 2 and message in told.err and "Traceback" not in told.err and told.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_world_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "world"
    assert main(["simulate", *TINY, "--out", str(folder)]) == 0
    (folder / "manifest.json").write_text("{")
    assert main(["simulate", *TINY, "--out", str(folder)]) == 2
    assert "manifest.json: damaged: not JSON" in capsys.readouterr().err


def test_progress_elsewhere_than_on_a_terminal_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([0.0, 0.0, 1.0, 20.0, 21.0])
    monkeypatch.setattr("anomalynet.sweep.progress.time.monotonic", lambda: next(times))
    with SimulationProgress("city", 2, 36_000.0) as progress:
        for reached in (36_000.0, 37_000.0, 54_000.0, 55_000.0):
            progress(reached)
    assert capsys.readouterr().err == "city, 2 cells: 75 % of 20.0 h simulated, about 20 s left\n"


@pytest.mark.slow
def test_data_info_shows_the_network_and_draws_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "world"
    assert main(["simulate", *TINY, "--out", str(folder), "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert main(["data", "info", str(folder)]) == 0
    assert not (folder / "figures").exists(), "it reads only"
    capsys.readouterr()
    assert main(["data", "info", str(folder), "--plot", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    for key in ("nodes", "received", "coverage"):
        assert facts["network"][key] == counts[key]
    assert [row["node"] for row in facts["nodes"]] == [f"node-000{number}" for number in range(4)]
    assert sum(row["incidents"] for row in facts["incidents"]) == counts["incidents"]
    for row in facts["incidents"]:
        assert sum(row[f"severity {grade}"] for grade in range(1, 5)) == row["incidents"]
        assert 10 <= row["median minutes"] <= 46
        assert row["rows"] > 0 and row["cause"] in ("attack", "fault", "environment")
    figures = [Path(path) for path in facts["figures"]]
    names = ("node_map", "signals", "incidents")
    kinds = [f"{name}.{kind}" for name in names for kind in ("svg", "png")]
    assert figures == [folder / "figures" / name for name in kinds]
    assert all(path.stat().st_size > 1000 for path in figures)
    assert main(["simulate", *TINY, "--out", str(folder)]) == 0, (
        "pictures in its folder do not make it another world"
    )
    capsys.readouterr()
    assert main(["data", "info", str(folder), "--figures", str(tmp_path / "elsewhere")]) == 0
    out = capsys.readouterr().out
    for told in (str(tmp_path / "elsewhere/node_map.png"), "# cells", "4 in 2 cells"):
        assert told in out
    assert main(["data", "info", "skab", "--figures", str(tmp_path)]) == 2
    assert "--figures need a simulated network, not skab" in capsys.readouterr().err

"""A folder is the one that was named, whatever its name means to a shell or a library."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from anomalynet.cli.main import main
from anomalynet.runs.files import write_parquet
from anomalynet.runs.scores import read
from anomalynet.simulation.store import read_world


@pytest.mark.parametrize("name", ["~", "a*b", "a b[1]", "ü?{x}"])
def test_worlds_and_runs_are_where_they_were_put(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    size = ["deployment.nodes=1", "duration=5min"]
    assert main(["simulate", "smart_city", *size, "--out", name, "--csv"]) == 0
    world = read_world(Path(name))
    assert world.telemetry is not None
    assert world.frames.collect().height > 0 and world.telemetry.collect().height > 0
    assert (tmp_path / name / "csv" / "nodes.csv").is_file()
    table = pl.DataFrame({"score": [0.5]})
    write_parquet(Path(name) / "scores.parquet", table)
    assert read(Path(name) / "scores.parquet").equals(table)
    assert [path.name for path in tmp_path.iterdir()] == [name]

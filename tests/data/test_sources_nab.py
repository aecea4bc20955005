"""NAB's real known causes: windows as labels, steps of their own, a clock that was set back."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from anomalynet.cli.main import main
from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.data.describe import describe
from anomalynet.errors import DataError

START = datetime(2014, 7, 1)
STEPS = {"nyc_taxi": 30, "rogue_agent_key_hold": 5, "cpu_utilization_asg_misconfiguration": 5}
ROWS = 72
EVENT = (40, 51)
"""First and last reading of the only window of each file."""


def write(root: Path, *, end: str = "\n") -> Path:
    """Write three recordings in NAB's layout; the value is high in the window."""
    windows: dict[str, list[list[str]]] = {"realTweets/other.csv": []}
    folder = root / "data/realKnownCause"
    folder.mkdir(parents=True)
    for name, minutes in STEPS.items():
        times = [START + timedelta(minutes=minutes * row) for row in range(ROWS)]
        values = [10 * (EVENT[0] <= row <= EVENT[1]) + row % 3 for row in range(ROWS)]
        rows = [f"{time},{value}" for time, value in zip(times, values, strict=True)]
        text = end.join(["timestamp,value", *rows, ""])
        (folder / f"{name}.csv").write_bytes(text.encode())
        edges = [f"{times[row]}.000000" for row in EVENT]
        windows[f"realKnownCause/{name}.csv"] = [edges]
    (root / "labels").mkdir()
    (root / "labels/combined_windows.json").write_text(json.dumps(windows))
    return root


def load(root: Path, subset: str | None = None) -> pl.DataFrame:
    return sources.load(DataConfig(name="nab", root=str(root), subset=subset)).frame.collect()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_both_ends_of_a_window_are_labelled(tmp_path: Path, end: str) -> None:
    frame = load(write(tmp_path, end=end))
    assert frame["series"].unique().sort().to_list() == sorted(STEPS)
    for (name,), rows in frame.group_by("series"):
        inside = [EVENT[0] <= row <= EVENT[1] for row in range(ROWS)]
        assert rows["label"].to_list() == list(map(int, inside)), name
        assert rows["incident"].drop_nulls().n_unique() == 1
    kinds = frame.filter(pl.col("label") == 1).group_by("series").agg(pl.col("kind").unique())
    assert dict(kinds.rows())["nyc_taxi"] == ["unusual demand"]
    assert frame["value"].max() == 12.0 and frame.filter(label=0)["kind"].null_count() == 3 * 60


def test_a_recording_has_its_own_step_and_all_together_have_none(tmp_path: Path) -> None:
    write(tmp_path)
    facts = describe(DataConfig(name="nab", root=str(tmp_path), subset="nyc_taxi"))
    assert (facts["series"], facts["rows"], facts["period"]) == (1, 72, 1800.0)
    assert facts["prevalence"] == 12 / 72 and facts["licence"] == "MIT"
    assert not any("recordings found" in warning for warning in facts["warnings"])
    whole = describe(DataConfig(name="nab", root=str(tmp_path)))
    assert (whole["series"], whole["period"]) == (3, None)
    assert any("only 3 of 7 recordings" in warning for warning in whole["warnings"])


def test_a_clock_that_was_set_back_and_repeated_times_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path) / "data/realKnownCause/nyc_taxi.csv"
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *rows[:10], *rows[8:20], *rows[19:]]) + "\n")
    telemetry = sources.load(DataConfig(name="nab", root=str(tmp_path), subset="nyc_taxi"))
    frame = telemetry.frame.collect()
    assert frame.height == ROWS + 3 and telemetry.counts["repeated times"] == 3
    assert frame["time"].is_sorted() and frame["label"].sum() == 12


def test_what_is_not_nab_is_refused_with_its_file(tmp_path: Path) -> None:
    path, labels = write(tmp_path) / "data/realKnownCause/nyc_taxi.csv", tmp_path / "labels"
    text = path.read_text()
    for content, told in (
        (text.replace(",0\n", ",high\n", 1), r"nyc_taxi\.csv:2: sensor 'value' is 'high'"),
        (text.replace("2014-07-01 00:30:00", "1 July"), r"nyc_taxi\.csv:3: invalid time '1 July'"),
        (text.replace("timestamp", "time"), r"nyc_taxi\.csv: missing column 'timestamp'"),
    ):
        path.write_text(content)
        with pytest.raises(DataError, match=told):
            load(tmp_path)
    path.write_text(text)
    for windows in ("{", "{}", '{"realKnownCause/nyc_taxi.csv": [["soon", "later"]]}', "[]"):
        (labels / "combined_windows.json").write_text(windows)
        with pytest.raises(DataError, match=r"combined_windows\.json: .*nyc_taxi\.csv"):
            load(tmp_path, "nyc_taxi")
    (labels / "combined_windows.json").unlink()
    with pytest.raises(DataError, match="data fetch nab"):
        load(tmp_path)


def test_audit_and_training_on_an_excerpt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "nab")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path))
    small = ["data.window=4", "data.calibration_rows=6", "data.max_gap=2", "data.split.folds=3"]
    small += [own := "data.root=nab"]
    assert main(["data", "info", "nab", own]) == 0 and "NAB" in capsys.readouterr().out
    assert main(["audit", "nab", *small]) == 0
    assert "one channel" in capsys.readouterr().out
    assert main(["train", "random_forest", "data.name=nab", *small, "model.trees=5"]) == 0
    scores = pl.read_parquet(next(tmp_path.glob("runs/random_forest/*/scores.parquet")))
    assert scores["score"].drop_nulls().is_between(0, 1).all() and scores.height > 50

"""`import` and `detect` read the same values from the same file, whatever its layout, and a model
that was trained on the imported file gives the scores of its run there."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from anomalynet.cli.main import main
from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportRequest
from anomalynet.detection.contract import KEY, read
from anomalynet.detection.export.export_run import export
from anomalynet.detection.export.paths import checked
from anomalynet.detection.records import Reading
from anomalynet.detection.service.messages import Parser
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.detection.sources.file import Recording
from anomalynet.detection.sources.follow import FollowedTable
from anomalynet.training.finished import open_run
from tests.detection.graphs import contract
from tests.training.small import trained


@dataclass(frozen=True)
class Layout:
    """A table as its columns of text, and what an import must be told of it."""

    columns: dict[str, list[str]]
    asked: dict[str, Any]
    separator: str = ","
    sensors: tuple[str, ...] = ("a", "b")

    def write(self, path: Path) -> Path:
        """As CSV, or as Parquet with numbers where a column has nothing else."""
        if path.suffix == ".csv":
            rows = [self.columns, *zip(*self.columns.values(), strict=True)]
            with path.open("w", newline="") as file:
                csv.writer(file, delimiter=self.separator).writerows(rows)
        else:
            frame = pl.DataFrame(self.columns)
            for name in self.columns:
                number = frame[name].str.replace(",", ".").cast(pl.Float64, strict=False)
                if (number.is_null() == (frame[name] == "")).all():
                    frame = frame.with_columns(number)
            frame.write_parquet(path)
        return path


A = ["1.5", "", "-3e1", "4", "0.25", "6"]
B = ["1e9", "1000000001", "1000000002", "7", "8", "9"]
LABEL = ["normal", "ATTACK", "", "0", "1", "1"]
EUROPEAN = [text.replace(".", ",") for text in A]
MINUTES = [f"2024-07-01 12:{minute:02}" for minute in range(6)]
LAYOUTS = {
    "wide with zone": Layout(
        {"when": MINUTES, "a": A, "b": B, "state": LABEL, "note": list("uvwxyz")},
        {"time": "when", "timezone": "Europe/Berlin", "label": "state", "ignore": ("note",)},
    ),
    "several devices": Layout(
        {"t": [each for each in MINUTES[:3] for _ in "xy"], "node": ["x", "y"] * 3, "a": A, "b": B},
        {"time": "t", "series": "node"},
    ),
    "European": Layout(
        {"Zeit": [f"01.07.24 12:0{at}" for at in range(6)], "a": EUROPEAN, "b": B, "l": LABEL},
        {"time": "Zeit", "time_format": "%d.%m.%y %H:%M", "label": "l", "decimal": ","},
        separator=";",
    ),
    "milliseconds": Layout(
        {"ms": [str(1719835200000 + 60_000 * at) for at in range(6)], "b": B, "a": A},
        {"time": "ms", "null": ("9",)},
    ),
    "switches": Layout(
        {"t": MINUTES, "a": ["TRUE", "", "FALSE", "true", "False", "TRUE"], "b": B}, {"time": "t"}
    ),
    "newest first": Layout(
        {"time": MINUTES[::-1], "a": A, "b": B, "label": LABEL}, {"time": "time", "label": "label"}
    ),
    "two columns of time": Layout(
        {"Date": ["2024-07-01"] * 6, "Time": [f"12:0{at}:00" for at in range(6)], "a": A, "b": B},
        {"time": "Date,Time"},
    ),
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def imported(layout: Layout, file: Path) -> tuple[list[Reading], Parser]:
    """The readings of a file in an import, by device and time, and the parser of a model of it."""
    import_table(ImportRequest(file=file, name="mine", **layout.asked))
    config = DataConfig(name="mine")
    values = [pl.col(name).fill_null(math.nan) for name in layout.sensors]
    frame = sources.load(config).frame.with_columns(pl.col("time").cast(pl.Int64)).collect()
    rows = frame.select("series", "time", pl.concat_list(values).alias("values")).rows()
    form = sources.table_format(config)
    parser = Parser(layout.sensors, ProblemLog(), form=form)
    named = (
        (file.stem if layout.asked.get("series") is None else one, *rest) for one, *rest in rows
    )
    return [Reading(device, time, tuple(values)) for device, time, values in named], parser


def ordered(readings: list[Reading]) -> list[str]:
    """In an order and a form in which NaN equals NaN."""
    return list(map(str, sorted(readings, key=lambda one: (one.device, one.time))))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_detect_reads_what_the_import_read(tmp_path: Path, name: str, kind: str) -> None:
    layout = LAYOUTS[name]
    expected, parser = imported(layout, layout.write(tmp_path / f"rows.{kind}"))
    recording = Recording(tmp_path / f"rows.{kind}", parser, 60.0)
    found = [reading for message in recording.messages() for reading in message.readings]
    assert ordered(found) == ordered(expected)
    assert not parser.problems.counts
    assert (recording.labels is None) == ("label" not in layout.asked)


@pytest.mark.parametrize("name", LAYOUTS)
def test_json_lines_and_a_growing_csv_give_the_same(tmp_path: Path, name: str) -> None:
    layout = LAYOUTS[name]
    file = layout.write(tmp_path / "rows.csv")
    expected, parser = imported(layout, file)
    assert parser.form.time is not None
    times = zip(*(layout.columns[one] for one in parser.form.time.split(",")), strict=True)
    series = layout.columns.get(layout.asked.get("series", ""), ["rows"] * 6)
    values = zip(*(layout.columns[one] for one in layout.sensors), strict=True)
    with (tmp_path / "rows.jsonl").open("w") as lines:
        for device, time, each in zip(series, times, values, strict=True):
            json.dump({"device": device, "time": " ".join(time), "values": list(each)}, lines)
            lines.write("\n")
    recording = Recording(tmp_path / "rows.jsonl", parser, 60.0)
    found = [reading for message in recording.messages() for reading in message.readings]
    assert ordered(found) == ordered(expected)

    source = FollowedTable(file, parser)
    source.start(b"")
    raws = source.collect(100, 0.0)
    parsed = [parser.parse(raw.source, raw.payload or b"") for raw in raws]
    found = [reading for message in parsed if message for reading in message.readings]
    assert ordered(found) == ordered(expected)
    resumed = FollowedTable(file, parser)
    resumed.start(raws[2].position)
    assert [raw.payload for raw in resumed.collect(100, 0.0)] == [raw.payload for raw in raws[3:]]
    assert not parser.problems.counts


def test_a_file_of_data_rows_suits_every_model(tmp_path: Path) -> None:
    layout = LAYOUTS["European"]
    expected, parser = imported(layout, layout.write(tmp_path / "rows.csv"))
    written = tmp_path / "mine.csv"
    assert main(["data", "rows", "mine", "--out", str(written)]) == 0
    recording = Recording(written, parser, 60.0)
    found = [reading for message in recording.messages() for reading in message.readings]
    named = [Reading("mine", one.time, one.values) for one in expected]
    assert ordered(found) == ordered(named) and recording.labels is not None


def test_labels_of_another_file_may_be_in_the_usual_column(tmp_path: Path) -> None:
    layout = LAYOUTS["wide with zone"]
    _, parser = imported(layout, layout.write(tmp_path / "plant.csv"))
    usual = {"label" if name == "state" else name: one for name, one in layout.columns.items()}
    other = Layout(usual, {}).write(tmp_path / "other.csv")
    recording = Recording(other, parser, 60.0)
    assert sum(len(message.readings) for message in recording.messages()) == 6
    assert recording.labels is not None


def test_nothing_is_left_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = LAYOUTS["wide with zone"]
    _, parser = imported(layout, layout.write(tmp_path / "rows.csv"))
    (scratch := tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with pytest.raises(KeyboardInterrupt):
        for _ in Recording(tmp_path / "rows.csv", parser, 60.0).messages():
            assert list(scratch.iterdir())
            raise KeyboardInterrupt
    assert not list(scratch.iterdir())


def test_contracts_and_sets_of_earlier_versions_have_no_format(tmp_path: Path) -> None:
    layout = LAYOUTS["European"]
    _, parser = imported(layout, layout.write(tmp_path / "rows.csv"))
    text = contract(table=parser.form).to_json()
    assert read({KEY: text}, "x").table == parser.form
    assert (parser.form.decimal, parser.form.separator) == (",", ";")
    raw = json.loads(text)
    del raw["table"]
    assert read({KEY: json.dumps(raw)}, "x").table is None
    description = tmp_path / "data" / "mine" / "dataset.json"
    raw = json.loads(description.read_text())
    del raw["format"]
    description.write_text(json.dumps(raw))
    (description.parent / "checksums.json").unlink()  # which earlier versions did not write
    assert sources.table_format(DataConfig(name="mine")) is None
    assert sources.table_format(DataConfig(name="smart_city")) is None


def trainable(name: str) -> tuple[Layout, list[str]]:
    """A longer table of a layout, and overrides."""
    random = np.random.default_rng(5)
    steps = np.arange(900)
    attack = steps % 75 >= 60
    level = random.normal(size=(len(steps), 2)) + 3 * attack[:, None] + [20.0, 1000.0]
    a, b = ([f"{value:.4f}" for value in column] for column in level.T)
    label = np.where(attack, "Attack", "Normal").tolist()
    clock = [datetime(2024, 7, 1) + timedelta(minutes=int(step)) for step in steps]
    if name == "wide with zone":
        columns = {
            "when": [f"{one:%Y-%m-%d %H:%M}" for one in clock],
            "b": b,
            "a": a,
            "state": label,
        }
        return Layout(columns, LAYOUTS[name].asked | {"ignore": ()}), []
    if name == "European":
        a, b = ([text.replace(".", ",") for text in column] for column in (a, b))
        columns = {"Zeit": [f"{one:%d.%m.%y %H:%M}" for one in clock], "a": a, "b": b, "l": label}
        return Layout(columns, LAYOUTS[name].asked, separator=";"), []
    nodes = (steps // 150).astype(str).tolist()
    times = [str(clock[step % 150].timestamp()) for step in steps]
    columns = {"t": times, "node": nodes, "a": a, "b": b, "label": label}
    return Layout(columns, {"time": "t", "series": "node", "label": "label"}), []


@pytest.mark.parametrize("name", ["wide with zone", "several devices", "European"])
def test_a_model_gives_the_scores_of_its_run_on_the_imported_file(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    layout, keys = trainable(name)
    file = layout.write(tmp_path / "rows.csv")
    import_table(ImportRequest(file=file, name="mine", **layout.asked))
    keys = ["data.name=mine", "data.window=8", "data.max_gap=2", "model.trees=5", *keys]
    run = open_run(trained("random_forest", tmp_path / "runs", *keys).folder.path)
    model = checked(tmp_path / "model.onnx", (), replace=False)
    export(run, model, ())
    scores = tmp_path / "scores.csv"
    command = [
        "detect",
        str(file),
        "--model",
        str(tmp_path / "model.onnx"),
        "--scores",
        str(scores),
    ]
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rejected"] == {}
    expected = run.scores.drop_nulls("score").with_columns(pl.col("series").cast(pl.String))
    if "series" not in layout.asked:
        expected = expected.with_columns(series=pl.lit("rows"))
    found = pl.read_csv(
        scores, schema_overrides={"device": pl.String, "score": pl.Float64}
    ).with_columns(pl.col("time").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us"))
    both = expected.join(found, left_on=["series", "time"], right_on=["device", "time"])
    assert len(both) == len(expected) > 100
    np.testing.assert_allclose(both["score_right"], both["score"], atol=1e-5, rtol=0)
    assert both["score"].n_unique() > 3


def test_a_device_of_the_training_data_goes_on_with_its_calibration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout, _ = trainable("several devices")
    import_table(
        ImportRequest(file=layout.write(tmp_path / "rows.csv"), name="mine", **layout.asked)
    )
    keys = ["data.name=mine", "data.window=8", "data.max_gap=2", "model.trees=5"]
    keys += ["data.calibration_rows=20"]
    run = open_run(trained("random_forest", tmp_path / "runs", *keys).folder.path)
    export(run, checked(tmp_path / "model.onnx", (), replace=False), ())
    rows = pl.read_csv(tmp_path / "rows.csv", infer_schema=False)
    later = rows.filter(pl.int_range(pl.len()).over("node") >= 100)
    later = pl.concat([later, later.with_columns(node=pl.lit("new") + pl.col("node"))])
    later.write_csv(tmp_path / "later.csv")

    def counts(*options: str) -> pl.DataFrame:
        file = tmp_path / "scores.csv"
        arguments = ["--model", str(tmp_path / "model.onnx"), "--scores", str(file), *options]
        assert main(["detect", str(tmp_path / "later.csv"), *arguments]) == 0
        found = pl.read_csv(file, schema_overrides={"device": pl.String, "score": pl.Float64})
        return found.drop_nulls("score")

    found = counts()
    own = found.filter(~pl.col("device").str.starts_with("new"))
    assert own.group_by("device").len()["len"].to_list() == [50 - 7] * 6
    expected = run.scores.drop_nulls("score").with_columns(pl.col("series").cast(pl.String))
    times = pl.col("time").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us")
    both = expected.join(
        own.with_columns(times), left_on=["series", "time"], right_on=["device", "time"]
    )
    assert len(both) > 100
    np.testing.assert_allclose(both["score_right"], both["score"], atol=1e-5, rtol=0)
    assert len(found) == 6 * (43 + 23)  # others: without the 20 that calibrate them
    assert len(counts("--recalibrate")) == 12 * 23

    later.filter(pl.int_range(pl.len()).over("node") < 7).write_csv(tmp_path / "few.csv")
    assert main(["detect", str(tmp_path / "few.csv"), "--model", str(tmp_path / "model.onnx")]) == 2
    said = capsys.readouterr().err
    assert "window is 8 readings of a device, after 20 that calibrate one" in said

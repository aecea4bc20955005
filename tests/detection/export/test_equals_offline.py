"""A detector that gets readings as they come, or a table of them, gives the scores that the run
stored. Of a silent slot only the silence of its cell is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from anomalynet.cli.main import main
from anomalynet.data import sources
from anomalynet.detection.engine.engine import Engine
from anomalynet.detection.model import Model
from anomalynet.detection.records import Message, Reading, Steps, concatenate
from anomalynet.metrics.events import AlarmRule
from anomalynet.models import available
from anomalynet.training.finished import FinishedRun
from tests.detection.export.alone import Alone
from tests.detection.export.conftest import Made
from tests.training.small import WORLD


def readings(run: FinishedRun) -> list[Reading]:
    """What was heard, by time; of each device its first slot in any case, which announces it."""
    telemetry = sources.load(run.config.data)
    names = [channel.name for channel in telemetry.channels]
    frame = telemetry.frame.collect().with_columns(
        pl.col("time").cast(pl.Int64), first=pl.int_range(pl.len()).over("series") == 0
    )
    frame = frame.filter(pl.col("first") | pl.any_horizontal(pl.col(names).is_not_null())).sort(
        "time", maintain_order=True
    )
    values = frame.select(pl.col(names).cast(pl.Float64).fill_null(np.nan)).rows()
    return [
        Reading(*row)
        for row in zip(frame["series"].to_list(), frame["time"].to_list(), values, strict=True)
    ]


def cut(messages: list[Message], random: np.random.Generator) -> Iterator[list[Message]]:
    first = 0
    while first < len(messages):
        size = int(random.choice([1, 2, 7, 50, 1000]))
        yield messages[first : first + size]
        first += size


def streamed(made: Made, seed: int, restarts: float = 0.0) -> tuple[Engine, Steps]:
    """Every step that the run's data makes, in random pieces; the clock goes on to the end of the
    data.

    Args:
        restarts: share of the pieces before which a new engine goes on from a snapshot.
    """
    run, random = made.run, np.random.default_rng(seed)
    engine, fate = Engine(Model(made.file), AlarmRule()), np.random.default_rng(seed)
    sent = [Message("gateway", (reading,)) for reading in readings(run)]
    parts = []
    for piece in cut(sent, random):
        if fate.random() < restarts:
            before, engine = engine, Engine(engine.model, AlarmRule())
            engine.restore(before.snapshot())
        parts.append(engine.process(piece).steps)
    period = engine.contract.period
    assert period is not None
    end = Message("gateway", (), int(run.data.prepared.times.max() + period * 1e6))
    return engine, concatenate([*parts, engine.process([end]).steps], len(engine.contract.channels))


FORMS = ("cnn", "gradient_boosting", "hybrid_causal")
"""One of each form of file: windows, statistics of windows, a step at a time."""
STREAMED = [
    pytest.param(name, marks=[pytest.mark.slow] * (name not in FORMS)) for name in available()
]
Streams = Callable[[str], tuple[Engine, Steps]]


@pytest.fixture(scope="module")
def whole(made: Callable[[str], Made]) -> Streams:
    """The stream of an experiment's run without a restart."""
    return cache(lambda experiment: streamed(made(experiment), seed=0))


@pytest.mark.parametrize("experiment", STREAMED)
def test_a_stream_gives_what_the_run_stored(
    experiment: str, made: Callable[[str], Made], whole: Streams
) -> None:
    run, prepared = made(experiment).run, made(experiment).run.data.prepared
    engine, steps = whole(experiment)
    assert engine.counts == {}
    place = {
        (engine.names[row], time): at
        for at, (row, time) in enumerate(zip(steps.row.tolist(), steps.time.tolist(), strict=True))
    }
    owners = [
        prepared.series[number] for number in prepared.series_of(np.arange(len(prepared.times)))
    ]
    inside = np.concatenate(
        [np.arange(segment.start, segment.stop) for segment in prepared.segments]
    )
    at = np.array([place[owners[row], int(prepared.times[row])] for row in inside])
    assert np.array_equal(steps.values[at], prepared.values[inside])
    # Each slot is a step and each step a slot: none was made up, none left out.
    assert len(place) == len(steps) == len(prepared.times)

    table = run.scores.filter(pl.col("score").is_not_null())
    keys = zip(table["series"].to_list(), table["time"].cast(pl.Int64).to_list(), strict=True)
    found = steps.score[[place[key] for key in keys]]
    np.testing.assert_allclose(found, table["score"].to_numpy(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("experiment", STREAMED)
def test_a_stream_gives_what_the_file_gives_in_batches(
    experiment: str, made: Callable[[str], Made], whole: Streams
) -> None:
    prepared = made(experiment).run.data.prepared
    engine, steps = whole(experiment)
    place = {
        (engine.names[row], time): at
        for at, (row, time) in enumerate(zip(steps.row.tolist(), steps.time.tolist(), strict=True))
    }
    owners = [
        prepared.series[number] for number in prepared.series_of(np.arange(len(prepared.times)))
    ]
    rows = np.concatenate(
        [np.arange(one.start + engine.contract.window - 1, one.stop) for one in prepared.segments]
    )[::11]
    found = steps.score[[place[owners[row], int(prepared.times[row])] for row in rows]]
    np.testing.assert_allclose(
        found, Alone(made(experiment).file).scores(prepared, rows, 7), atol=1e-6, rtol=1e-6
    )


@pytest.mark.parametrize("experiment", FORMS)
def test_restarts_change_no_bit(
    experiment: str, made: Callable[[str], Made], whole: Streams
) -> None:
    _, steps = whole(experiment)
    _, again = streamed(made(experiment), seed=0, restarts=0.1)
    for name in ("row", "time", "observed", "values", "score"):
        assert getattr(steps, name).tobytes() == getattr(again, name).tobytes()


def test_detect_on_the_rows_of_a_world_gives_what_the_run_stored(
    made: Callable[[str], Made], tmp_path: Path
) -> None:
    one, rows, scores = made("hybrid"), tmp_path / "rows.parquet", tmp_path / "scores.csv"
    keys = [text for text in WORLD if not text.startswith("data.worlds")]  # one, unless asked for
    assert main(["data", "rows", "smart_city", *keys, "--out", str(rows)]) == 0
    table = pl.read_parquet(rows)
    names = [name for name in one.run.result.channels if name != "missing"]
    assert len(one.run.result.channels) == 27 == len(names) + 1
    silent = table.filter(pl.col("frames").is_null()).select(names)
    assert silent.height > 0 and silent["cell_silent"].null_count() == 0
    assert silent.drop("cell_silent").to_numpy().size == (
        silent.drop("cell_silent").null_count().sum_horizontal().item()
    )
    assert main(["detect", str(rows), "--model", str(one.file), "--scores", str(scores)]) == 0
    time = pl.col("time").str.to_datetime("%Y-%m-%dT%H:%M:%S%.6fZ")
    found = pl.read_csv(scores).with_columns(time)
    stored = one.run.scores.drop_nulls("score").rename({"series": "device"})
    both = stored.join(found, on=["device", "time"], suffix="_found", how="left")
    assert both.height == stored.height > 0
    found_scores = both["score_found"].cast(pl.Float64)
    np.testing.assert_allclose(found_scores, both["score"], atol=1e-5, rtol=1e-5)

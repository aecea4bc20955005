"""The generated set: reproducible, balanced, and silent about labels by position."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.data.sources import generated
from anomalynet.data.telemetry import RESERVED, Telemetry


def make(seed: int) -> tuple[Telemetry, pl.DataFrame]:
    telemetry = sources.load(DataConfig(world=seed))
    return telemetry, telemetry.frame.collect()


def test_is_canonical_and_sorted() -> None:
    telemetry, frame = make(0)
    assert frame.columns == [*RESERVED[:-1], "temperature", "humidity", "light", "sound", "motion"]
    assert dict(list(frame.schema.items())[:5]) == {
        "series": pl.String,
        "time": pl.Datetime("us"),
        "label": pl.Int8,
        "incident": pl.Int32,
        "kind": pl.String,
    }
    assert {frame.schema[channel.name] for channel in telemetry.channels} == {pl.Float32()}
    assert [channel.unit for channel in telemetry.channels] == ["°C", "%", "lx", "dB", "1"]
    assert frame.sort("series", "time").equals(frame)
    assert frame["series"].n_unique() == 24
    assert not frame.select("series", "time").is_duplicated().any()


def test_same_seed_same_set_and_zero_counts() -> None:
    assert make(0)[1].equals(make(0)[1])
    assert not make(0)[1].equals(make(1)[1])
    config = DataConfig()
    assert sources.fingerprint(config) == sources.fingerprint(config)
    assert sources.fingerprint(config) != sources.fingerprint(DataConfig(world=1))


@pytest.mark.parametrize("seed", range(4))
def test_prevalence_losses_and_quiet_beginning(seed: int) -> None:
    telemetry, frame = make(seed)
    assert 0.15 <= frame["label"].cast(pl.Float64).mean() <= 0.25  # type: ignore[operator]
    start = pl.lit(generated.START)
    step = ((pl.col("time") - start).dt.total_seconds() // 60).alias("step")
    numbered = frame.with_columns(step)
    assert numbered.filter((pl.col("step") < generated.QUIET) & (pl.col("label") == 1)).is_empty()
    quiet = numbered.filter(pl.col("step") < generated.QUIET)
    assert 0.97 <= quiet.height / (24 * generated.QUIET) <= 0.995
    assert frame.height == telemetry.counts["rows"] == 24_000 - telemetry.counts["lost rows"]


def test_position_says_little_of_the_label() -> None:
    scores, labels = [], []
    for seed in range(6):
        frame = make(seed)[1].with_columns(position=pl.col("time").rank().over("series")).filter(pl.col("position") > generated.QUIET)
        scores.append(frame["position"].to_numpy())
        labels.append(frame["label"].to_numpy())
    assert 0.42 < roc_auc_score(np.concatenate(labels), np.concatenate(scores)) < 0.58


def test_every_kind_stands_there_with_its_incident() -> None:
    telemetry, frame = make(3)
    assert {incident.type for incident in telemetry.incidents.values()} == set(generated.KINDS)
    assert {incident.severity for incident in telemetry.incidents.values()} <= {1, 2, 3, 4}
    attack = frame.filter(pl.col("label") == 1)
    assert (
        attack["incident"].null_count() == 0 and frame.filter(pl.col("label") == 0)["incident"].null_count() == (frame["label"] == 0).sum()
    )
    types = {number: incident.type for number, incident in telemetry.incidents.items()}
    assert attack["kind"].to_list() == [types[number] for number in attack["incident"]]
    assert attack["incident"].n_unique() == len(telemetry.incidents) == 24 * generated.INCIDENTS


def test_a_silence_lets_a_fifth_through_and_never_more_than_eight_steps_missing() -> None:
    telemetry, frame = make(0)
    silent = [number for number, incident in telemetry.incidents.items() if incident.type == "silence"]
    assert silent
    for number in silent:
        rows = frame.filter(pl.col("incident") == number)
        steps = rows["time"].diff().drop_nulls().dt.total_seconds() / 60
        assert (steps > 1).any()
        # blocks of five let one reading through; a further one may be lost as in normal operation
        assert steps.max() <= 3 * generated.BLOCK  # type: ignore[operator]
        assert rows.height <= (generated.LENGTHS[1] // generated.BLOCK) + 1


def test_a_replay_repeats_earlier_readings_and_a_stuck_sensor_stands_still() -> None:
    telemetry, frame = make(0)
    names = [channel.name for channel in telemetry.channels]
    for number, incident in telemetry.incidents.items():
        rows = frame.filter(pl.col("incident") == number)
        if incident.type == "replay":
            earlier = frame.filter((pl.col("series") == rows["series"][0]) & (pl.col("time") < rows["time"][0]))
            again = rows.join(earlier, on=names, how="semi")
            assert again.height > 0.9 * rows.height
        if incident.type == "stuck":
            assert min(rows[name].n_unique() for name in names[:4]) == 1

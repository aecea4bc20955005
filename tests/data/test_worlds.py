"""Several simulated deployments as one data set: whole ones are held out, and what is trained on
does not depend on those that are tested."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from anomalynet.config.load import load
from anomalynet.config.schema import Config, DataConfig, SplitConfig
from anomalynet.data import sources
from anomalynet.data.batches import stratified_sample
from anomalynet.data.datamodule import TelemetryDataModule
from anomalynet.data.prepare import prepare
from anomalynet.data.prepared import PARTS
from anomalynet.data.sources import simulated
from anomalynet.data.split.parts import fold_count, split
from anomalynet.errors import ConfigError, DataError
from tests.tiny import TINY

SMALL = f"{TINY} duration=6h"
WORLDS = DataConfig(
    scenario=SMALL,
    worlds="0-2",
    calibration_rows=20,
    window=8,
    one_class="allow",
    split=SplitConfig(folds=3),
)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [(None, (7,)), ("1", (7,)), ("3", (7, 8, 9)), ("0,4", (0, 4)), ("9 0-2", (0, 1, 2, 9))],
)
def test_worlds_are_a_number_or_a_list(text: str | None, seeds: tuple[int, ...]) -> None:
    assert simulated.worlds(DataConfig(world=7, worlds=text)) == seeds


@pytest.mark.parametrize("text", ["0", "a", "1-0", "1 1", "-1", "0-5000", "99999999999", "1-2-3"])
def test_bad_lists_of_worlds_are_refused(text: str) -> None:
    with pytest.raises(DataError):
        simulated.worlds(DataConfig(worlds=text))


def test_a_list_from_a_file_or_the_command_line() -> None:
    assert load("cnn", ["data.worlds=3"]).config.data.worlds == "3"
    assert load("cnn", ["data.worlds=0-2 9"]).config.data.worlds == "0-2 9"
    assert load("cnn", ["data.worlds=null"]).config.data.worlds is None


def test_no_step_incident_node_or_world_is_in_two_parts() -> None:
    prepared = prepare(WORLDS)
    tested: list[str] = []
    for fold in range(3):
        found = split(prepared, replace(WORLDS, split=replace(WORLDS.split, fold=fold)))
        rows = {part: found.assigned_rows[part].rows() for part in PARTS}
        assert sum(map(len, rows.values())) == len(np.unique(np.concatenate([*rows.values()])))
        worlds, incidents = (
            [set(column) for column in columns]
            for columns in (
                [
                    [prepared.series[one].split("/")[0] for one in prepared.series_of(some)]
                    for some in rows.values()
                ],
                [
                    prepared.incidents[some][prepared.incidents[some] >= 0].tolist()
                    for some in rows.values()
                ],
            )
        )
        for sets in (worlds, incidents):
            assert not sets[0] & sets[1] and not sets[0] & sets[2] and not sets[1] & sets[2]
        assert all(len(one) == 1 for one in worlds)
        tested += worlds[2]
    assert sorted(tested) == ["world-0000", "world-0001", "world-0002"]


def test_weather_differs_between_worlds_and_a_world_is_the_same_alone() -> None:
    several = sources.load(WORLDS).frame.collect()
    alone = sources.load(replace(WORLDS, worlds=None, world=1)).frame.collect()
    own = several.filter(pl.col("series").str.starts_with("world-0001/"))
    kept = alone.drop("series", "incident").equals(own.drop("series", "incident"))
    assert kept and own["incident"].null_count() == alone["incident"].null_count()
    other = several.filter(pl.col("series").str.starts_with("world-0002/"))
    assert not own["temperature"].equals(other["temperature"])


def test_test_worlds_change_no_bit_of_training() -> None:
    def module(tested: int) -> TelemetryDataModule:
        named = SplitConfig(test_worlds=str(tested), validation_worlds="1")
        data = replace(WORLDS, worlds=f"0 1 {tested}", split=named)
        assert fold_count(data) == 1
        config = load("cnn").config
        found = TelemetryDataModule(replace(config, data=data))
        found.setup()
        return found

    first, second = module(2), module(3)
    for one, other in zip(first.normalisation(), second.normalisation(), strict=True):
        assert one.tobytes() == other.tobytes()
    batches = [[*each.train_dataloader()] for each in (first, second)]
    for one, other in zip(*batches, strict=True):
        assert one.x.numpy().tobytes() == other.x.numpy().tobytes()
        assert one.target.tolist() == other.target.tolist()
    names = [each.summary("test").series[0][:10] for each in (first, second)]
    assert names == ["world-0002", "world-0003"]


def test_named_worlds_must_be_in_the_data() -> None:
    for named in (SplitConfig(test_worlds="7"), SplitConfig(test_worlds="0-2")):
        with pytest.raises(DataError):
            split(prepare(WORLDS), replace(WORLDS, split=named))


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        (["data.split.validation_worlds=1"], "data.split.validation_worlds"),
        (["data.split.test_worlds=1", "data.split.policy=blocked"], "data.split.test_worlds"),
        (["data.split.test_worlds=1", "data.split.policy=random"], "data.split.test_worlds"),
    ],
)
def test_named_worlds_that_a_split_would_ignore_are_refused(wrong: list[str], key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        load("cnn", wrong)


def test_two_worlds_are_too_few_and_the_message_names_three() -> None:
    two = replace(WORLDS, worlds="0-1")
    with pytest.raises(DataError, match=r"data\.worlds=3"):
        split(prepare(two), two)


def test_folds_are_no_more_than_worlds() -> None:
    data = replace(WORLDS, split=SplitConfig(folds=5))
    assert fold_count(data) == 3
    assert split(prepare(data), data).folds == 3
    with pytest.raises(DataError, match="3 folds"):
        split(prepare(data), replace(data, split=SplitConfig(folds=5, fold=3)))


def test_an_epoch_draws_equally_from_every_world() -> None:
    base = load("cnn", ["training.windows_per_epoch=100", "training.batch_size=10"]).config
    module = TelemetryDataModule(
        replace(base, data=replace(WORLDS, worlds="0-3", split=SplitConfig(folds=4)))
    )
    module.setup()
    loader = module.train_dataloader()
    assert len(loader) == 10 and len(module.windows("train")) > 1000
    starts = module.windows("train").starts()
    for epoch in (0, 1):
        loader.epoch = lambda epoch=epoch: epoch  # type: ignore[misc]
        (ids,) = loader._order()
        worlds = [
            module.prepared.series[one][:10] for one in module.prepared.series_of(starts[ids])
        ]
        assert [worlds.count(name) for name in sorted({*worlds})] == [50, 50]
        assert len({*ids.tolist()}) == 100


def test_a_stratified_sample_by_hand() -> None:
    found = stratified_sample(np.random.default_rng(0), [10, 30, 60], 10)
    assert len(found) == len({*found.tolist()}) == 10 and (np.diff(found) > 0).all()
    assert [
        int(((found >= low) & (found < high)).sum()) for low, high in ((0, 10), (10, 40), (40, 100))
    ] == [1, 3, 6]
    assert stratified_sample(np.random.default_rng(0), [3, 2], 5).tolist() == [0, 1, 2, 3, 4]


def test_the_cost_of_validation_does_not_grow_with_the_data() -> None:
    base: Config = load("cnn", ["training.validation_windows=50"]).config
    module = TelemetryDataModule(replace(base, data=WORLDS))
    module.setup()
    every = module.val_dataloader()
    assert len(every.windows) == every.count == len(module.windows("validation")) > 50


def test_a_channel_can_be_left_out() -> None:
    data = replace(WORLDS, worlds=None, without="rssi cell_silent")
    names = [channel.name for channel in sources.load(data).channels]
    assert len(names) == 5 + 5 + 16 - 2 and not {"rssi", "cell_silent"} & {*names}
    for wrong in ("rsi", " ".join(channel.name for channel in sources.load(WORLDS).channels)):
        with pytest.raises(DataError):
            sources.load(replace(data, without=wrong))

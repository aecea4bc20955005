"""Reading a world's folder: sound, damaged, edited, unfinished."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from anomalynet.errors import DataError
from anomalynet.simulation.store import FRAMES, INCIDENTS, NODES, read_world, write_parquet
from anomalynet.simulation.world import simulate
from tests.simulation.test_world import counted, small


@pytest.fixture
def world(tmp_path: Path) -> Path:
    simulate(
        small("deployment.nodes=2", "duration=1h", "incidents.quiet_hours=0.1"),
        tmp_path / "world",
        refine=counted,
    )
    return tmp_path / "world"


def test_the_tables_have_their_declared_columns(world: Path) -> None:
    found = read_world(world)
    assert dict(found.frames.collect_schema()) == {
        name: dtype if isinstance(dtype, pl.DataType) else dtype() for name, dtype in FRAMES.items()
    }
    assert found.nodes.schema == pl.Schema(NODES) and found.incidents.schema == pl.Schema(INCIDENTS)
    assert found.scenario.deployment.nodes == 2


def edited(folder: Path) -> None:
    path = folder / "incidents.parquet"
    pl.read_parquet(path).with_columns(severity=pl.lit(4, pl.Int8)).write_parquet(path)


def flipped(folder: Path) -> None:
    path = folder / "frames/cell-0000.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def changed(**values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(
            json.dumps(
                {key: value for key, value in {**manifest, **values}.items() if value is not None}
            )
        )

    return change


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (edited, r"incidents\.parquet: not the file that was simulated: edited or damaged"),
        (flipped, r"cell-0000\.parquet: not the file that was simulated: edited or damaged"),
        (
            lambda folder: (folder / "nodes.parquet").unlink(),
            r"nodes\.parquet: listed in manifest\.json, but cannot be read: No such file",
        ),
        (
            lambda folder: (folder / "scenario.yaml").write_text("seed: 8\n"),
            r"scenario\.yaml: not the file that was simulated",
        ),
        (
            lambda folder: (folder / "manifest.json").write_text('{"format": 1, "fi'),
            r"manifest\.json: damaged: not JSON",
        ),
        (
            lambda folder: (folder / "manifest.json").write_text("[]"),
            r"manifest\.json: damaged: keys are missing or of the wrong type",
        ),
        (changed(files=None), r"manifest\.json: damaged: keys are missing"),
        (changed(files={}), r"manifest\.json: damaged: keys are missing"),
        (changed(files={"nodes.parquet": 3}), r"manifest\.json: damaged: keys are missing"),
        (changed(format=99), r"manifest\.json: format 99, but this version reads format 1"),
        (
            lambda folder: (folder / "manifest.json").unlink(),
            r"was cut off \(no manifest\.json\)\n.*--out .* continues it",
        ),
    ],
)
def test_a_damaged_world_is_one_message(
    world: Path, harm: Callable[[Path], None], told: str
) -> None:
    harm(world)
    with pytest.raises(DataError, match=told):
        read_world(world)


def test_a_folder_without_a_world_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no simulated world \(no manifest\.json\)"):
        read_world(tmp_path)


def test_without_verification_sizes_are_still_compared(world: Path) -> None:
    flipped(world)
    assert read_world(world, verify=False).nodes.height == 2
    (world / "frames/cell-0000.parquet").write_bytes(b"short")
    with pytest.raises(DataError, match="edited or damaged"):
        read_world(world, verify=False)


def test_the_same_rows_give_the_same_file_whatever_their_chunks(tmp_path: Path) -> None:
    table = pl.DataFrame({"a": range(1000)})
    pieces = pl.concat([table[:10], table[10:]], rechunk=False)
    assert write_parquet(tmp_path, "one.parquet", table) == write_parquet(
        tmp_path, "two.parquet", pieces
    )

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
    tiny = small("deployment.nodes=2", "duration=1h", "incidents.quiet_hours=0.1")
    simulate(tiny, tmp_path / "world", refine=counted)
    return tmp_path / "world"


def test_the_tables_have_their_declared_columns(world: Path) -> None:
    found = read_world(world)
    for schema, declared in (
        (found.frames.collect_schema(), FRAMES),
        (found.nodes.schema, NODES),
        (found.incidents.schema, INCIDENTS),
    ):
        assert schema == pl.Schema(declared)
    assert found.scenario.deployment.nodes == 2


Harm = Callable[[Path], object]


def edited(folder: Path) -> None:
    path = folder / "incidents.parquet"
    pl.read_parquet(path).with_columns(severity=pl.lit(4, pl.Int8)).write_parquet(path)


def flipped(folder: Path) -> None:
    path = folder / "frames/cell-0000.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def without(name: str) -> Harm:
    return lambda folder: (folder / name).unlink()


def rewritten(name: str, text: str) -> Harm:
    return lambda folder: (folder / name).write_text(text)


def changed(**values: object) -> Harm:
    def change(folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text()) | values
        kept = {key: value for key, value in manifest.items() if value is not None}
        (folder / "manifest.json").write_text(json.dumps(kept))

    return change


EDITED = r"\.parquet: listed in manifest\.json, .*: edited or damaged"
KEYS = r"manifest\.json: damaged: keys are missing or of the wrong type"


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (edited, rf"incidents{EDITED}"),
        (flipped, rf"cell-0000{EDITED}"),
        (without("nodes.parquet"), r"nodes\.parquet: listed in manifest\.json, .*No such file"),
        (
            rewritten("scenario.yaml", "seed: 8\n"),
            r"scenario\.yaml: listed in manifest\.json, .* size",
        ),
        (rewritten("manifest.json", '{"format": 1, "fi'), r"manifest\.json: damaged: not JSON"),
        (rewritten("manifest.json", "[]"), KEYS),
        (changed(files=None), KEYS),
        (changed(files={}), KEYS),
        (changed(files={"nodes.parquet": 3}), KEYS),
        (changed(format=99), r"manifest\.json: format 99, but this version reads format 1"),
        (without("manifest.json"), r"interrupted \(no manifest\.json\)\n.*--out .* resumes it"),
    ],
)
def test_a_damaged_world_is_one_message(world: Path, harm: Harm, told: str) -> None:
    harm(world)
    with pytest.raises(DataError, match=told):
        read_world(world)


def test_a_folder_without_a_world_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not a simulated world \(no manifest\.json\)"):
        read_world(tmp_path)


def test_the_same_rows_give_the_same_file_whatever_their_chunks(tmp_path: Path) -> None:
    table = pl.DataFrame({"a": range(1000)})
    pieces = pl.concat([table[:10], table[10:]], rechunk=False)
    one, two = write_parquet(tmp_path, "one", table), write_parquet(tmp_path, "two", pieces)
    assert one == two

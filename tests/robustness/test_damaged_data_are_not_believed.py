"""A file of an imported set or of the prepared cache that is not as it was written is refused, or
made again: no result comes from damaged data."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportRequest
from anomalynet.data.prepare import prepare
from anomalynet.data.sources import digests
from anomalynet.data.sources.imported import DESCRIPTION, TELEMETRY
from anomalynet.data.telemetry import Telemetry
from anomalynet.errors import DataError
from anomalynet.runs.checksums import FILE as CHECKSUMS
from anomalynet.runs.files import sha256

CONFIG = DataConfig(name="mine", calibration_rows=5)
ARRAYS = (
    *("values", "labels", "times", "incidents", "kinds", "splits", "observed", "visible"),
    *("series_starts", "calibration_mean", "calibration_scale"),
)


def flip(where: float) -> Callable[[bytes], bytes]:
    """One bit, at this share of a file."""

    def change(content: bytes) -> bytes:
        at = min(int(where * len(content)), len(content) - 1)
        return content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]

    return change


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "first bit": flip(0),
    "bit in the middle": flip(0.5),
    "last bit": flip(1),
    "cut": lambda content: content[: len(content) // 2],
    "longer": lambda content: content + b"\n",
    "zeroed": lambda content: content[: len(content) // 4] + bytes(len(content) * 3 // 4),
    "empty": lambda content: b"",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    rows = "".join(f"{row},{(row * 7) % 11},{row % 5 // 4}\n" for row in range(60))
    (tmp_path / "table.csv").write_text(f"t,v,label\n{rows}")
    asked = ImportRequest(file=tmp_path / "table.csv", name="mine", time="t", label="label")
    import_table(asked)
    return tmp_path / "data"


def damage(path: Path, how: str, as_before: bool = False) -> bytes:
    """Damage a file, and return what was in it; `as_before`: as a disk does, without a trace."""
    content, state = path.read_bytes(), path.stat()
    path.write_bytes(DAMAGE[how](content))
    if as_before:
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    return content


@pytest.mark.parametrize("how", DAMAGE)
def test_an_imported_set_is_refused(home: Path, how: str) -> None:
    before = sources.fingerprint(CONFIG)
    # A blank line is no damage of checksums.
    for name in (DESCRIPTION, TELEMETRY, *([CHECKSUMS] if how != "longer" else [])):
        path = home / "mine" / name
        for act in (sources.load, sources.fingerprint, prepare):
            content = damage(path, how)
            with pytest.raises(DataError):
                act(CONFIG)
            path.write_bytes(content)
        content = damage(path, how, as_before=True)
        with pytest.raises(DataError):
            sources.load(CONFIG)
        path.write_bytes(content)
    assert sources.fingerprint(CONFIG) == before
    assert sources.load(CONFIG).frame.collect().height == 60


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("how", ["cut", "empty"])
def test_a_set_of_an_earlier_version_without_its_whole_table_is_refused(
    home: Path, how: str, sealed: bool
) -> None:
    (home / "mine" / CHECKSUMS).unlink()
    for act in (sources.load, sources.fingerprint, prepare):
        with pytest.raises(DataError, match=CHECKSUMS):  # this version always writes them
            act(CONFIG)
    path = home / "mine" / DESCRIPTION
    described = json.loads(path.read_text())
    if sealed:
        (home / "mine" / "checksums.sha256").touch()
    else:
        del described["format"]["switches"]
        path.write_text(json.dumps(described))
    assert sources.load(CONFIG).frame.collect().height == 60
    damage(home / "mine" / TELEMETRY, how)
    with pytest.raises(DataError, match=r"telemetry\.parquet"):
        sources.load(CONFIG)


@pytest.mark.parametrize("missing", [DESCRIPTION, TELEMETRY])
def test_checksums_that_leave_a_file_out_are_refused(home: Path, missing: str) -> None:
    path = home / "mine" / CHECKSUMS
    known = json.loads(path.read_text())
    path.write_text(
        json.dumps({name: known[name] for name in known if name not in (missing, CHECKSUMS)})
    )
    for act in (sources.load, sources.fingerprint, prepare):
        with pytest.raises(DataError, match=CHECKSUMS):
            act(CONFIG)


@pytest.fixture
def fetched(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A published file in the data folder, and the list of it."""
    rows = "".join(f"{mote},{at},{at % 7},{at % 5},0\n" for mote in (1, 2) for at in range(1, 60))
    path = home / "lwsndr" / "single-hop.csv"
    path.parent.mkdir()
    path.write_text(f"mote_id,reading,humidity,temperature,label\n{rows}")
    published = {path.name: sha256(path)}
    monkeypatch.setattr(digests, "manifest", lambda name: published)
    return path


PUBLISHED = DataConfig(name="lwsndr", subset="single-hop", calibration_rows=5)


@pytest.mark.parametrize("how", DAMAGE)
def test_a_published_file_is_as_it_was_published_when_it_is_prepared(
    fetched: Path, how: str
) -> None:
    before = sources.fingerprint(PUBLISHED)
    content = damage(fetched, how)
    for act in (sources.fingerprint, prepare):
        with pytest.raises(DataError, match=fetched.name):
            act(PUBLISHED)
    own = replace(PUBLISHED, root=str(fetched.parent))
    assert sources.fingerprint(own) != before  # as it is, it is other data
    fetched.write_bytes(content)
    assert sources.fingerprint(PUBLISHED) == sources.fingerprint(own) == before
    assert prepare(PUBLISHED).fingerprint == before


@pytest.mark.parametrize("root", [False, True])
def test_a_bit_that_a_disk_flips_without_a_trace_is_found_before_data_are_prepared(
    fetched: Path, root: bool
) -> None:
    config = replace(PUBLISHED, root=str(fetched.parent)) if root else PUBLISHED
    before = sources.fingerprint(config)
    state = fetched.stat()
    fetched.write_bytes(fetched.read_bytes().replace(b"1,9,2,4,0", b"1,9,3,4,0"))
    os.utime(fetched, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert fetched.stat().st_size == state.st_size
    with pytest.raises(DataError):
        prepare(config)
    assert not [path for path in (fetched.parents[1] / "prepared").iterdir() if path.is_dir()]
    if root:  # whose content is not known: from now on it is other data
        assert prepare(config).fingerprint != before


@pytest.mark.parametrize("how", DAMAGE)
def test_the_prepared_cache_is_made_again(
    home: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = prepare(CONFIG)
    before = {name: np.array(getattr(first, name)) for name in ARRAYS}
    (folder,) = (path for path in (home / "prepared").iterdir() if path.is_dir())
    files = sorted(path for path in folder.iterdir())
    assert {path.stem for path in files} == {*ARRAYS, "prepared", "checksums"}
    for path in files:
        if path.suffix == ".json" and how == "longer":
            continue  # a blank line is no damage
        damage(path, how, as_before=True)
        capsys.readouterr()
        again = prepare(CONFIG)
        assert all(getattr(again, name).tobytes() == before[name].tobytes() for name in ARRAYS)
        assert again.segments == first.segments and again.channels == first.channels
        assert f"{folder}: damaged" in capsys.readouterr().err, path
    prepare(CONFIG)
    assert capsys.readouterr().err == ""


def test_a_damaged_file_is_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    file = tmp_path / "t.parquet"
    noise = np.random.default_rng(0).normal(size=2_000)
    pl.DataFrame({"t": range(2_000), "v": noise}).write_parquet(file, compression="zstd")
    content = file.read_bytes()
    start = content.index(b"\x28\xb5\x2f\xfd")  # of what zstd wrote
    file.write_bytes(content[: start + 20] + bytes(200) + content[start + 220 :])
    with pytest.raises(DataError, match=r"t\.parquet: cannot be read"):
        import_table(ImportRequest(file=file, name="mine", time="t"))
    assert not (tmp_path / "data").exists()


def test_an_array_that_says_it_is_larger_takes_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    np.save(tmp_path / "a.npy", np.arange(20.0).reshape(10, 2))
    content = (tmp_path / "a.npy").read_bytes()
    for shape in (b"(99999999999999, 2), }", b"(11, 2), }"):
        header = content[: content.index(b"(10, 2)")] + shape
        header += b" " * (127 - len(header)) + b"\n"
        (tmp_path / "a.npy").write_bytes(header + content[128:])
        with pytest.raises(DataError, match=r"a\.npy: not a table"):
            import_table(ImportRequest(file=tmp_path / "a.npy", name="mine"))


@pytest.mark.parametrize("how", DAMAGE)
def test_the_cache_of_hashes_is_not_believed(home: Path, how: str) -> None:
    before = sources.fingerprint(CONFIG)
    damage(home / ".fingerprints.json", how)
    assert sources.fingerprint(CONFIG) == before


def test_data_that_change_while_they_are_prepared_make_no_cache(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = sources.load

    def meanwhile(config: DataConfig) -> Telemetry:
        telemetry = load(config)
        table = home.parent / "table.csv"
        table.write_text(table.read_text().replace("0", "3"))
        roles = {"time": "t", "label": "label", "attack": ("3",), "unsorted": "sort"}
        asked: dict[str, Any] = {"name": "mine", "duplicates": "keep", "replace": True, **roles}
        import_table(ImportRequest(file=table, **asked))
        return telemetry

    monkeypatch.setattr(sources, "load", meanwhile)
    with pytest.raises(DataError, match="changed while"):
        prepare(CONFIG)
    assert not [path for path in (home / "prepared").iterdir() if path.is_dir()]

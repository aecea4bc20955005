"""A disk that is full ends an import, `data rows` and the preparation of data with one message;
nothing half-written is left, and the same command works when there is space."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomalynet.cli.main import main
from tests.robustness.disk import largest_file


def names(folder: Path) -> list[str]:
    """The files that are left, without locks and the cache of hashes, which has a checksum."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return sorted(str(path) for path in files if "fingerprints" not in path.name)


@pytest.mark.parametrize("quotes", [False, True])
def test_import_rows_and_prepared_data(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    quotes: bool,
) -> None:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    rows = "".join(f"{row},{row**3 % 1009 / 7},{row % 50 // 48}\n" for row in range(2_000))
    table = tmp_path / "table.csv"
    table.write_text(('"t","v","label"\n' if quotes else "t,v,label\n") + rows)
    commands = {
        "data": f"data import {table} --name mine --time t --label label",
        "out.csv": f"data rows mine --out {tmp_path}/out.csv",
        "out.jsonl": f"data rows mine --out {tmp_path}/out.jsonl",
        "out.parquet": f"data rows mine --out {tmp_path}/out.parquet --by time",
        "audits": "audit mine data.window=8 data.calibration_rows=10",
    }
    for made, command in commands.items():
        before = names(tmp_path)
        for size in (0, 100, 5_000):
            with largest_file(size):
                assert main(command.split()) in (1, 2), (made, size)
            printed = capsys.readouterr().err
            assert "too large" in printed or "written" in printed
            assert "unexpected" not in printed and "Traceback" not in printed, printed
            assert names(tmp_path) == before
        if made != "audits":
            assert main(command.split()) == 0 and (tmp_path / made).exists()


@pytest.mark.parametrize("name", ["file/rows.csv", "/proc/rows.csv"])
def test_a_place_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "file").write_text("no folder")
    data = ["lwsndr", f"data.root={tmp_path}", "data.subset=single-hop"]
    (tmp_path / "single-hop.csv").write_text(
        "reading,mote_id,humidity,temperature,label\n1,1,40,20,0\n2,1,41,20,0\n"
    )
    assert main(["data", "rows", *data, "--out", str(tmp_path / name)]) == 2
    printed = capsys.readouterr().err
    assert "cannot be written" in printed and "unexpected" not in printed

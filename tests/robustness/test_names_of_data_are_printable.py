"""Names that would act on a terminal do not enter: series, sensors, kinds, incidents, units and
files with control characters are refused, with a message that shows them escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportRequest
from anomalynet.errors import DataError

BAD = "a\x1b[2Jb"
PLAIN = "t,device,what,v\n0,a,x,1\n1,a,y,2\n"
ROLES = {"time": "t", "series": "device", "kind": "what"}


@pytest.mark.parametrize(
    ("table", "incidents", "name", "more"),
    [
        (PLAIN.replace(",a,", f",{BAD},"), None, "t.csv", {}),
        (PLAIN.replace(",x,", f",{BAD},"), None, "t.csv", {}),
        (PLAIN.replace(",v\n", f",{BAD}\n"), None, "t.csv", {}),
        (PLAIN, f"start,end,type\n0,1,{BAD}\n", "t.csv", {}),
        (PLAIN, f"start,end,cause\n0,1,{BAD}\n", "t.csv", {}),
        (PLAIN, f"start,end,impact\n0,1,{BAD}\n", "t.csv", {}),
        (PLAIN, f"start,end,series\n0,1,{BAD}\n", "t.csv", {}),
        (PLAIN, f'{{"{BAD.encode("unicode_escape").decode()}": [[0, 1]]}}', "t.csv", {}),
        (PLAIN, None, f"{BAD}.csv", {}),
        (PLAIN, None, b"\xff.csv", {}),
        (PLAIN, None, "t.csv", {"units": (("v", BAD),)}),
        ("0,a,x,1\n", None, "t.csv", {"columns": ("t", "device", "what", BAD)}),
    ],
)
def test_a_name_with_an_escape_sequence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    table: str,
    incidents: str | None,
    name: str | bytes,
    more: dict[str, Any],
) -> None:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    file = tmp_path / (name if isinstance(name, str) else name.decode(errors="surrogateescape"))
    file.write_text(table)
    asked: dict[str, Any] = {"file": file, "name": "mine", **ROLES, **more}
    if incidents:
        asked["incidents"] = tmp_path / ("i.json" if incidents.startswith("{") else "i.csv")
        asked["incidents"].write_text(incidents)
    with pytest.raises(DataError) as refused:
        import_table(ImportRequest(**asked))
    assert str(refused.value).replace("\n", "").isprintable()
    assert not (tmp_path / "data").exists()

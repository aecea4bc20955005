"""Of two imports of one name at the same time one is refused; no set is overwritten in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.data.importing import checks
from anomalynet.data.importing.cells import is_name
from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportRequest
from anomalynet.errors import DataError


def asked(folder: Path, value: int, **more: Any) -> ImportRequest:
    file = folder / f"{value}.csv"
    file.write_text(f"t,v\n0,{value}\n1,{value + 1}\n")
    return ImportRequest(**{"file": file, "name": "mine", "time": "t", **more})


@pytest.mark.parametrize("replace", [False, True])
def test_the_second_is_refused_while_the_first_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replace: bool
) -> None:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    real, errors = checks.find_warnings, []

    def meanwhile(*args: Any) -> list[str]:
        monkeypatch.setattr(checks, "find_warnings", real)
        with pytest.raises(DataError) as refused:
            import_table(asked(tmp_path, 5, replace=replace))
        errors.append(refused.value.message)
        import_table(asked(tmp_path, 7, name="other"))
        return real(*args)

    monkeypatch.setattr(checks, "find_warnings", meanwhile)
    import_table(asked(tmp_path, 1))
    assert "'mine'" in errors[0]
    assert sources.load(DataConfig(name="mine")).frame.collect()["v"].to_list() == [1, 2]
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["mine", "other"]


def test_one_that_ends_while_the_other_begins_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    first_step = "anomalynet.data.importing.import_table.is_name"

    def meanwhile(name: str) -> bool:
        monkeypatch.setattr(first_step, is_name)
        import_table(asked(tmp_path, 5))
        return is_name(name)

    monkeypatch.setattr(first_step, meanwhile)
    with pytest.raises(DataError, match="'mine' exists"):
        import_table(asked(tmp_path, 1))
    assert sources.load(DataConfig(name="mine")).frame.collect()["v"].to_list() == [5, 6]

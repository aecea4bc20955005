"""The audit beside the runs: read as it was written, and a damaged one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomalynet.errors import RunError
from anomalynet.runs.audits import audit_path, read_audit, write_audit
from tests.reporting.test_render import AUDIT


def test_an_audit_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_audit(tmp_path, "toy") is None
    write_audit(tmp_path, AUDIT)
    assert read_audit(tmp_path, "toy") == AUDIT


@pytest.mark.parametrize(
    "content, told",
    [
        ("{", "Expecting property name"),
        ("[]", "audit: expected an object, not []"),
        ({"data": "toy"}, "audit: missing key 'assignment'"),
        (
            {**AUDIT, "probes": [{"probe": "row position"}]},
            "audit.probes[0]: missing key 'accuracy'",
        ),
        ({**AUDIT, "prevalence": "a third"}, "audit.prevalence: expected a number, not 'a third'"),
        ({**AUDIT, "days": [3]}, "audit.days[0]: expected an object, not 3"),
    ],
)
def test_a_damaged_audit_is_named(
    tmp_path: Path, content: str | dict[str, object], told: str
) -> None:
    path = audit_path(tmp_path, "toy")
    if isinstance(content, str):
        path.parent.mkdir()
        path.write_text(content, encoding="utf-8")
    else:
        write_audit(tmp_path, {**content, "data": "toy"})
    with pytest.raises(RunError, match="anomalynet audit toy") as caught:
        read_audit(tmp_path, "toy")
    assert str(caught.value).startswith(f"{path}: not a valid audit: {told}")

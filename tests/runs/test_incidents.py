"""`incidents.json`: what was written comes back, and what cannot be is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomalynet.errors import RunError
from anomalynet.runs.scores import IncidentNote, read_incidents, write_incidents

JAMMING = IncidentNote(
    type="jamming", cause="attack", layer="radio", impact="frames are lost", severity=3
)


def test_notes_come_back_as_they_were_written_also_by_another_version(tmp_path: Path) -> None:
    path = tmp_path / "incidents.json"
    assert read_incidents(path) == {}  # an earlier one wrote none
    write_incidents(path, {200001: IncidentNote(), 7: JAMMING})
    assert read_incidents(path) == {7: JAMMING, 200001: IncidentNote()}
    path.write_text('{"3": {"type": "drift", "colour": "red"}}')  # a later one's key
    assert read_incidents(path) == {3: IncidentNote(type="drift")}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"3": {"severity": 5}}', "incident.3.severity: expected 1 or 2 or 3 or 4, not 5"),
        ('{"3": {"severity": true}}', "incident.3.severity: expected 1 or 2 or 3 or 4, not True"),
        ('{"3": {"type": 4}}', "incident.3.type: expected a text, not 4"),
        ('{"-3": {}}', "'-3' is not an incident number"),
        ('{"99999999999": {}}', "'99999999999' is not an incident number"),
        ('{"3": 1}', "incident.3: expected an object, not 1"),
        ("[]", "not an object"),
        ('{"3": {"ty', "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_by_name(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "incidents.json").write_text(text)
    with pytest.raises(RunError) as caught:
        read_incidents(tmp_path / "incidents.json")
    assert what in str(caught.value)

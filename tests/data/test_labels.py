"""The positive class is a choice of the experiment; what happened stays in the rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from anomalynet.data.telemetry import Incident, Telemetry
from anomalynet.data.view import relabel
from anomalynet.errors import DataError
from tests.data.build import Facts, Recording, telemetry

CAUSES = {
    1: Incident("jamming", "attack"),
    2: Incident("bias", "fault"),
    3: Incident("rain", "environment"),
    4: Incident("odd", "nobody knows"),
}
LABELS = [0, 1, 0, 0, 1, 1, None, None, 1]
INCIDENTS = [None, 1, 2, 3, 4, None, None, 2, 2]


def labelled(policy: Any, found: Telemetry) -> list[int | None]:
    frame = relabel(found, policy, "mine").frame.collect()
    assert frame["incident"].to_list() == found.frame.collect()["incident"].to_list()
    return frame["label"].to_list()


def make(incidents: dict[int, Incident] | None = None) -> Telemetry:
    one = Recording("s", range(9), [[0.0] * 9], LABELS, incidents=INCIDENTS)
    return telemetry([one], Facts(incidents=CAUSES if incidents is None else incidents))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("attack", [0, 1, 0, 0, 1, 1, None, 0, 0]),
        ("any", [0, 1, 1, 1, 1, 1, None, 1, 1]),
        ("fault", [0, 0, 1, 0, None, None, None, 1, 1]),
        ("environment", [0, 0, 0, 1, None, None, None, 0, 0]),
    ],
)
def test_by_hand(policy: Any, expected: list[int | None]) -> None:
    assert labelled(policy, make()) == expected
    parts = replace(make(), parts=(make().frame,))
    assert relabel(parts, policy, "mine").parts[0].collect()["label"].to_list() == expected


def test_a_set_without_causes_keeps_its_labels() -> None:
    found = make({1: Incident("dos"), 2: Incident("scan")})
    assert relabel(found, "attack", "mine") is found
    assert labelled("any", found) == [0, 1, 1, 1, 1, 1, None, 1, 1]


@pytest.mark.parametrize("policy", ["fault", "environment"])
def test_a_cause_that_never_occurs_is_refused(policy: Any) -> None:
    with pytest.raises(
        DataError,
        match=rf"data.label={policy}: no incident of mine has the cause {policy}\n.*its causes "
        r"are not known",
    ):
        relabel(make({1: Incident("dos")}), policy, "mine")
    with pytest.raises(DataError, match=r"it has attack: data.label=attack, or data.label=any"):
        relabel(make({1: Incident("dos", "Attack")}), policy, "mine")

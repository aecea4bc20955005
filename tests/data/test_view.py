"""Neighbours' sensors beside a node's own, at the same time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from anomalynet.data.telemetry import Channel, Incident, Telemetry
from anomalynet.data.view import relabel, widen
from anomalynet.errors import DataError
from tests.data.build import Facts, Recording, telemetry

SENSORS = [Channel("a", "°C", -40.0, 85.0)]
NEAR = {"n0": ("n2", "n1"), "n1": ("n0", "n2"), "n2": ("n0", "n1"), "m0": ("m1",), "m1": ("m0",)}


def cells() -> Telemetry:
    def one(name: str, first: float, seconds: Any = (0, 1, 2)) -> Recording:
        values = [[first + second for second in seconds], [-50.0] * len(seconds)]
        return Recording(name, seconds, values, [0] * len(seconds))

    small = [one("m0", 100), one("m1", 200)]
    large = [one("n0", 0), one("n1", 10, (0, 2)), one("n2", 20)]
    parts = (telemetry(small).frame, telemetry(large).frame)
    return replace(telemetry([*small, *large]), parts=parts, neighbours=NEAR)


def test_the_nearest_by_hand() -> None:
    found = widen(cells(), "neighbours", 1, SENSORS, "mine")
    frame = found.frame.collect()
    assert found.channels[2:] == (Channel("a.1", "°C", -40.0, 85.0),)
    series = ["m0", "m0", "m0", "m1", "m1", "m1", "n0", "n0", "n0", "n1", "n1", "n2", "n2", "n2"]
    assert frame["series"].to_list() == series
    # m0 sees m1, m1 m0, n0 n2, n1 n0 at its own two times, n2 n0.
    assert frame["a.1"].to_list() == [200, 201, 202, 100, 101, 102, 20, 21, 22, 0, 2, 0, 1, 2]
    assert frame["a"].to_list() == cells().frame.collect()["a"].to_list()
    assert "b.1" not in frame.columns
    whole = widen(replace(cells(), parts=()), "neighbours", 1, SENSORS, "mine")
    assert whole.frame.collect().equals(frame)
    assert widen(found, "node", 3, SENSORS, "mine") is found


@pytest.mark.parametrize(("view", "count"), [("cell", 1), ("neighbours", 2)])
def test_a_cell_that_is_smaller_has_nulls(view: Any, count: int) -> None:
    found = widen(cells(), view, count, SENSORS, "mine")
    frame = found.frame.collect()
    assert frame.columns[-2:] == ["a.1", "a.2"] and len(found.parts) == 2
    # n0 sees n1 second, n1 n2, n2 n1, which was silent at second 1.
    assert frame["a.2"].to_list() == [None] * 6 + [10, None, 12, 20, 22, 10, None, 12]


def test_refusals() -> None:
    with pytest.raises(DataError, match=r"data.view=cell: .* series of skab are neighbours"):
        widen(replace(cells(), neighbours={}), "cell", 1, SENSORS, "skab")
    told = r"data.neighbours=3: no node of mine has more than 2 .*\n.*data.neighbours=2"
    with pytest.raises(DataError, match=told):
        widen(cells(), "neighbours", 3, SENSORS, "mine")


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
    told = rf"data.label={policy}: no incident of mine .* {policy}\n.*its causes are not known"
    with pytest.raises(DataError, match=told):
        relabel(make({1: Incident("dos")}), policy, "mine")
    with pytest.raises(DataError, match=r"it has attack: data.label=attack, or data.label=any"):
        relabel(make({1: Incident("dos", "Attack")}), policy, "mine")

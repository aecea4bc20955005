"""Evaluation of alarms against labels, counted by hand."""

from __future__ import annotations

import pytest

from anomalynet.detection.evaluation import DAY, Labels


def labels(*rows: tuple[str, int, int | None, str | None, str | None]) -> Labels:
    made = Labels()
    for device, seconds, label, incident, kind in rows:
        made.add(device, seconds * 1_000_000, label, incident, kind)
    return made


def at(seconds: int) -> int:
    return seconds * 1_000_000


JAMMED = labels(
    ("a", 0, 0, None, None),
    ("b", 0, 0, None, None),
    ("a", 10, 1, "7", "jamming"),
    ("b", 20, 1, "7", "jamming"),
    ("a", 30, 1, "7", "jamming"),
    ("b", 30, 0, None, None),
    ("a", 86_400, 0, None, None),
)


@pytest.mark.parametrize(
    ("alarms", "delay", "false"),
    [
        ([], None, 0),
        ([("a", 10)], 0.0, 0),
        ([("a", 25)], 15.0, 0),  # between two labelled steps of its device: inside
        ([("b", 20)], 10.0, 0),  # the incident began on a
        ([("a", 30), ("b", 20)], 10.0, 0),
        ([("b", 10)], None, 1),  # not yet labelled on b
        ([("a", 31)], None, 1),
        ([("c", 20)], None, 1),
        ([("a", 5), ("a", 12), ("a", 20), ("a", 50)], 2.0, 2),
    ],
)
def test_one_incident_on_two_devices(
    alarms: list[tuple[str, int]], delay: float | None, false: int
) -> None:
    found = JAMMED.evaluate([(device, at(seconds)) for device, seconds in alarms])
    kind = found.kinds["jamming"].to_json()
    assert kind == {"incidents": 1, "detected": int(delay is not None), "median_delay": delay}
    assert (found.alarms, found.false_alarms, found.days, found.false_per_day) == (
        len(alarms),
        false,
        1.0,
        float(false),
    )


def test_the_median_is_over_detected_incidents_of_a_kind() -> None:
    rows = [("a", 100 * number, 1, str(number), "drift") for number in range(4)]
    rows += [("a", 100 * number + 50, 1, str(number), "drift") for number in range(4)]
    made = labels(*sorted(rows, key=lambda row: row[1]))
    found = made.evaluate([("a", at(3)), ("a", at(110)), ("a", at(240)), ("a", at(290))])
    assert found.kinds["drift"].to_json() == {"incidents": 4, "detected": 3, "median_delay": 10.0}
    assert found.false_alarms == 1


def test_labels_without_incidents_are_one_each_run_of_a_device() -> None:
    rows = [("a", second, int(second in (2, 3, 6)), None, None) for second in range(8)]
    found = labels(*rows, ("b", 3, 1, None, None)).evaluate([("a", at(3)), ("b", at(4))])
    assert found.kinds["unnamed"].to_json() == {"incidents": 3, "detected": 1, "median_delay": 1.0}
    assert found.false_alarms == 1


def test_no_rows() -> None:
    found = Labels().evaluate([])
    assert (found.kinds, found.days, found.false_per_day) == ({}, 0.0, None)
    assert DAY == 86_400_000_000

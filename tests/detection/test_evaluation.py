"""Evaluation of alarms against labels, counted by hand."""

from __future__ import annotations

import pytest

from anomalynet.detection.evaluation import Labels, Stretch, ranked


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
)


@pytest.mark.parametrize(
    ("alarms", "delay", "false", "unjudged"),
    [
        ([], None, 0, 0),
        ([("a", 10)], 0.0, 0, 0),
        ([("a", 25)], 15.0, 0, 0),  # between two labelled steps of its device: inside
        ([("b", 20)], 10.0, 0, 0),  # the incident began on a
        ([("a", 30), ("b", 20)], 10.0, 0, 0),
        ([("b", 10)], None, 1, 0),  # not yet labelled on b
        ([("b", 25)], None, 1, 0),  # no longer
        ([("a", 31)], None, 0, 1),  # after all rows of a
        ([("c", 20)], None, 0, 1),
        ([("a", 5), ("a", 12), ("a", 20), ("a", 50)], 2.0, 1, 1),
    ],
)
def test_one_incident_on_two_devices(
    alarms: list[tuple[str, int]], delay: float | None, false: int, unjudged: int
) -> None:
    found = JAMMED.evaluate([(device, at(seconds)) for device, seconds in alarms], 2.0, 0.5)
    assert found.to_json() == {
        "kinds": {
            "jamming": {"incidents": 1, "detected": int(delay is not None), "median_delay": delay}
        },
        "unjudged": unjudged,
        "alarms": len(alarms),
        "false_alarms": false,
        "device_days": 2.0,
        "fleet_days": 0.5,
        "event_recall": float(delay is not None),
        "detection_delay": delay,
        "false_alarms_per_device_day": false / 2,
        "false_alarms_per_fleet_day": false * 2.0,
    }


def test_the_median_is_over_detected_incidents_of_a_kind() -> None:
    rows = [("a", 100 * number, 1, str(number), "drift") for number in range(4)]
    rows += [("a", 100 * number + 50, 1, str(number), "drift") for number in range(4)]
    made = labels(*sorted(rows, key=lambda row: row[1]))
    alarms = [("a", at(3)), ("a", at(110)), ("a", at(240)), ("a", at(290))]
    found = made.evaluate(alarms, 1.0, 1.0).to_json()
    assert found["kinds"]["drift"] == {"incidents": 4, "detected": 3, "median_delay": 10.0}
    assert found["false_alarms"] == 1


def test_labels_without_incidents_are_one_each_run_of_a_device() -> None:
    rows = [("a", second, int(second in (2, 3, 6)), None, None) for second in range(8)]
    made = labels(*rows, ("b", 3, 1, None, None), ("b", 5, 0, None, None))
    found = made.evaluate([("a", at(3)), ("b", at(4))], 1.0, 1.0).to_json()
    assert found["kinds"]["unnamed"] == {"incidents": 3, "detected": 1, "median_delay": 1.0}
    assert found["false_alarms"] == 1


SOME = [0, None, 0, 1, None, 1, 1, 0, 0]


@pytest.mark.parametrize(("incident", "incidents"), [(None, 2), ("7", 1)])
def test_a_stretch_without_labels_is_neither_normal_nor_of_an_incident(
    incident: str | None, incidents: int
) -> None:
    rows = [
        ("a", 10 * at, label, None if label == 0 else incident, "jam")
        for at, label in enumerate(SOME)
    ]
    made = labels(*rows, *(("b", 10 * at, None, None, None) for at in range(9)))
    everywhere = [(name, at(5 * half)) for name in ("a", "b") for half in range(17)]
    found = made.evaluate(everywhere, 1.0, 1.0)
    # Of a: steps 0, 4, 14 and 16 are normal, 5 and 13 lie between normal and attack, and 15
    # between two normal steps; 6, 10, 11 and 12 are attack.
    assert len(found.outcome.delays) == len(found.kinds["jam"]) == incidents
    assert (found.outcome.false_alarms, found.unjudged) == (7, 34 - 7 - 4)
    assert found.outcome.delays.tolist() == [0.0] * incidents


def test_no_rows() -> None:
    found = Labels().evaluate([], 0.0, 0.0).to_json()
    assert (found["kinds"], found["alarms"]) == ({}, 0)
    undefined = ["event_recall", "detection_delay"]
    undefined += ["false_alarms_per_device_day", "false_alarms_per_fleet_day"]
    assert [found[name] for name in undefined] == [None] * 4


def test_stretches_with_readings_are_named_before_silent_alarms() -> None:
    found = ranked(
        [
            Stretch("a", 0, 0, 0, 0.9, silent=True, alarms=1),
            Stretch("b", 0, 0, 0, 0.2, silent=False),
            Stretch("c", 0, 0, 0, 0.5, silent=False, alarms=1),
            Stretch("d", 0, 0, 0, 0.8, silent=False),
        ]
    )
    assert [one.device for one in found] == ["c", "d", "b", "a"]

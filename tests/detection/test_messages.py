"""Every form of a message gives its readings; all else is counted by kind and never raises."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalynet.data.importing.format import TableFormat
from anomalynet.detection.records import Message, Reading
from anomalynet.detection.service.messages import Parser
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.errors import DataError

NEW_YEAR = 1_767_225_600_000_000  # 2026-01-01 in µs


@pytest.fixture
def parser() -> Parser:
    return Parser(("temperature", "humidity"), ProblemLog(lambda line: None), max_bytes=1000)


def parse(parser: Parser, document: object) -> Message | None:
    return parser.parse("topic", json.dumps(document).encode())


TIMES = ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-01", "20260101T000000Z"]
TIMES += ["2026-01-01T01:00:00.000+01", "2026-01-01 00:00:00,000", "2025-12-31 19:00-0500"]


@pytest.mark.parametrize("time", [*TIMES, 1767225600, 1767225600.0, "1767225600"])
@pytest.mark.parametrize(
    "rest",
    [
        {"values": {"temperature": 21, "humidity": 0.5}},
        {"values": [21.0, 0.5]},
        {"temperature": 21.0, "humidity": 0.5, "label": 1},
    ],
)
def test_one_reading_in_each_form(parser: Parser, time: object, rest: dict[str, object]) -> None:
    assert parse(parser, {"device": "n1", "time": time, **rest}) == Message(
        "topic", (Reading("n1", NEW_YEAR, (21.0, 0.5)),)
    )
    assert not parser.problems.counts


def test_a_batch_has_its_gateway_as_source_and_its_time_as_clock(parser: Parser) -> None:
    one, other = {"device": 7, "values": [1, 2]}, {"device": "b", "values": [3, 4]}
    readings = [one, other | {"time": 1767225599.5}]
    batch = {"gateway": "g", "time": "2026-01-01T00:00:00Z", "sequence": 3, "readings": readings}
    found = parse(parser, batch)
    expected = (Reading("7", NEW_YEAR, (1.0, 2.0)), Reading("b", NEW_YEAR - 500_000, (3.0, 4.0)))
    assert found == Message("g", expected, NEW_YEAR)


def test_a_batch_keeps_its_good_readings(parser: Parser) -> None:
    good = {"device": "a", "time": 5, "values": [1, 2]}
    found = parse(parser, {"readings": [{"device": "a", "values": [1, 2]}, 3, good]})
    assert found == Message("topic", (Reading("a", 5_000_000, (1.0, 2.0)),), None)
    assert parser.problems.counts == {"no time": 1, "not an object": 1}


@pytest.mark.parametrize("values", [{}, None, {"temperature": None, "humidity": None}])
def test_a_device_that_says_nothing_is_a_reading_without_values(
    parser: Parser, values: object
) -> None:
    found = parse(parser, {"device": "a", "time": 1, "values": values})
    assert found is not None
    assert all(map(math.isnan, found.readings[0].values))
    assert not parser.problems.counts


NO_NUMBERS = [
    '"warm"',
    '"1_0"',
    '"0x10"',
    '"inf"',
    "Infinity",
    "[1]",
    "true",
    '"TRUE"',
    "1e39",
    "1" + 400 * "0",
]


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_what_is_no_number_is_missing_and_counted(parser: Parser, value: str) -> None:
    values = f'{{"temperature": {value}, "humidity": 2}}'
    found = parser.parse("t", f'{{"device": "a", "time": 1, "values": {values}}}'.encode())
    assert found is not None
    assert math.isnan(found.readings[0].values[0]) and found.readings[0].values[1] == 2.0
    assert parser.problems.counts == {"not a number": 1}


@pytest.mark.parametrize("value", ["null", "NaN", '""', '"NA"', '" nan "', "-999", '"-999.0"'])
def test_a_missing_reading_is_not_counted(value: str) -> None:
    problems = ProblemLog(lambda line: None)
    parser = Parser(("temperature",), problems, form=TableFormat(null=("-999",)))
    found = parser.parse("t", f'{{"device": "a", "time": 1, "values": [{value}]}}'.encode())
    assert found is not None and math.isnan(found.readings[0].values[0])
    assert not problems.counts


@pytest.mark.parametrize(
    ("form", "time", "value", "expected"),
    [
        (TableFormat(decimal=",", thousands="."), 0, "1.234,5", 1234.5),
        (TableFormat(), 0, " -1.5e1 ", -15.0),
        (TableFormat(switches=("temperature",)), 0, True, 1.0),
        (TableFormat(switches=("temperature",)), 0, "FALSE", 0.0),
        (TableFormat(time_format="milliseconds"), 1767225600000, 1, 1.0),
        (TableFormat(time_format="%d.%m.%y %H:%M"), "01.01.26 00:00", 1, 1.0),
        (TableFormat(time_format="day-first"), "01.01.2026", 1, 1.0),
        (TableFormat(time_format="day-first"), "2026-01-01T00:00:00Z", 1, 1.0),
        (TableFormat(timezone="Europe/Berlin"), "2026-01-01 01:00:00", 1, 1.0),
        (TableFormat(timezone="Europe/Berlin"), "2026-01-01T00:00:00Z", 1, 1.0),
        (TableFormat(time_format="excel"), 46023, 1, 1.0),
    ],
)
def test_cells_in_the_format_of_the_models_table(
    form: TableFormat, time: object, value: object, expected: float
) -> None:
    parser = Parser(("temperature",), ProblemLog(lambda line: None), form=form)
    found = parse(parser, {"device": "a", "time": time or NEW_YEAR // 10**6, "values": [value]})
    assert found == Message("topic", (Reading("a", NEW_YEAR, (expected,)),))


def test_a_leap_second_is_kept_apart_from_the_next(parser: Parser) -> None:
    texts = ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z")
    leap, after = (parse(parser, {"device": "a", "time": text, "values": [1, 2]}) for text in texts)
    assert leap is not None and after is not None
    assert 0 < after.readings[0].time - leap.readings[0].time < 1_000_000


def test_unknown_channels_are_ignored_and_counted(parser: Parser) -> None:
    found = parse(parser, {"device": "a", "time": 1, "temperature": 1, "pressure": 3, "wind": 4})
    assert found is not None
    assert found.readings[0].values[0] == 1.0
    assert parser.problems.counts == {"unknown channel": 2}


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (b"{", "malformed JSON"),
        (b"\xff\xfe", "malformed JSON"),
        (b"[" * 900, "malformed JSON"),
        (b"", "malformed JSON"),
        (b'{"device": "a", "time": ' + b"1" * 900 + b"}", "bad time"),
        (b"[]", "not an object"),
        (b"3", "not an object"),
        (b" " * 1001, "too large"),
        (b'{"time": 1}', "no device"),
        (b'{"device": null, "time": 1}', "bad device"),
        (b'{"device": "", "time": 1}', "bad device"),
        (b'{"device": "a\\nb", "time": 1}', "bad device"),
        (b'{"device": "\\ud800", "time": 1}', "bad device"),
        (b'{"device": "' + b"x" * 129 + b'", "time": 1}', "bad device"),
        (b'{"device": "a"}', "no time"),
        (b'{"device": "a", "time": null}', "bad time"),
        (b'{"device": "a", "time": "noon"}', "bad time"),
        (b'{"device": "a", "time": "20230920"}', "bad time"),  # of an uptime, or a date
        (b'{"device": "a", "time": "20240101010000"}', "bad time"),
        (b'{"device": "a", "time": "1969-12-31T23:59:59Z"}', "bad time"),
        (b'{"device": "a", "time": "2200-01-01T00:00:00Z"}', "bad time"),
        (b'{"device": "a", "time": -1}', "bad time"),
        (b'{"device": "a", "time": 1767225600000}', "bad time"),
        (b'{"device": "a", "time": NaN}', "bad time"),
        (b'{"device": "a", "time": true}', "bad time"),
        (b'{"device": "a", "time": 1, "values": [1]}', "wrong channel count"),
        (b'{"device": "a", "time": 1, "values": 3}', "bad values"),
        (b'{"gateway": {}, "device": "a", "time": 1}', "bad gateway"),
        (b'{"gateway": "g", "time": 1, "readings": {}}', "readings are no list"),
    ],
)
def test_what_cannot_be_read_is_counted(parser: Parser, payload: bytes, kind: str) -> None:
    assert parser.parse("topic", payload) is None
    assert parser.problems.counts == {kind: 1}


KEYS = st.sampled_from(("device", "time", "values", "gateway", "readings", "temperature", "x"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=12,
)


GOOD = {"device": "a", "time": 1, "values": {"temperature": 1, "humidity": None}}


@pytest.mark.parametrize(
    ("documents", "lost"),
    [
        ([GOOD | {"values": ["0,5", 1]}], ["'temperature'"]),
        ([GOOD | {"values": {"Temperature": 1, "humidity": 2}}], ["'temperature'"]),
        ([{"device": "a", "time": 1, "T": 1, "H": 2}], ["'temperature', 'humidity'"]),
        ([GOOD | {"time": "noon"}, 3], ["no reading"]),
        ([{"readings": [{"device": "a"}]}], ["no reading"]),
    ],
)
def test_a_run_without_a_value_of_a_sensor_is_an_error(
    parser: Parser, documents: list[object], lost: list[str]
) -> None:
    parser.check_read()
    for document in documents:
        parse(parser, document)
    with pytest.raises(DataError) as refused:
        parser.check_read()
    assert all(word in refused.value.message for word in lost)
    assert "'humidity'" in str(refused.value.next_step)
    parse(parser, GOOD)
    parse(parser, GOOD | {"values": {"temperature": 2, "humidity": 2, "wind": 3}})
    parser.check_read()


def test_a_sensor_that_is_missing_in_a_whole_run_is_no_error(parser: Parser) -> None:
    parse(parser, GOOD)
    parse(parser, GOOD | {"values": {"temperature": 2, "humidity": None, "wind": 3}})
    parser.check_read()


@given(JSON)
def test_no_document_raises_and_every_reading_is_whole(document: object) -> None:
    parser = Parser(("temperature", "humidity"), ProblemLog(lambda line: None))
    found = parser.parse("topic", json.dumps(document).encode())
    assert found is not None or sum(parser.problems.counts.values()) > 0
    for reading in found.readings if found else ():
        assert reading.device and len(reading.values) == 2 and reading.time >= 0


@given(st.binary(max_size=60))
def test_no_bytes_raise(payload: bytes) -> None:
    assert Parser(("a",), ProblemLog(lambda line: None)).parse("topic", payload) is None


def test_one_line_a_kind_with_a_short_printable_example() -> None:
    told: list[str] = []
    parser = Parser(("a",), ProblemLog(told.append))
    for _ in range(1000):
        parser.parse("topic", b"\x1b[31m\n" + b"x" * 500)
    assert parser.problems.counts == {"malformed JSON": 1000}
    assert len(told) == 1 and told[0].startswith("malformed JSON: \\x1b[31m\\nxxx")
    assert told[0].isprintable() and len(told[0]) < 200

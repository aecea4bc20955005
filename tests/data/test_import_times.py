"""Forms of time: a CSV, a Parquet file and a message with the same cells have the same times, or
are refused with the line and the option that helps."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalynet.cli.main import main
from anomalynet.data.importing import cells
from anomalynet.data.importing.format import TableFormat
from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.read import Table, read_table
from anomalynet.data.importing.request import ImportRequest
from anomalynet.errors import DataError

NIGHT = datetime(2024, 1, 31, 23, 58)
MINUTE = timedelta(minutes=1)
BERLIN = {"timezone": "Europe/Berlin"}


def read(folder: Path, text: str, **form: Any) -> Table:
    """A CSV of this text, read with the time column `t`."""
    file = folder / "t.csv"
    file.write_text(text)
    return read_table([file], TableFormat(**{"time": "t", **form}), fresh(folder))


def fresh(folder: Path) -> Path:
    staging = folder / f"staging{len(list(folder.iterdir()))}"
    staging.mkdir()
    return staging


def both(folder: Path, times: list[Any], **form: Any) -> list[Table]:
    """The same cells in a CSV (semicolons, because times may have commas) and in a Parquet file."""
    rows = "".join(f"{time};{number}\n" for number, time in enumerate(times))
    tables = [read(folder, f"t;v\n{rows}", **form)]
    file = folder / "t.parquet"
    pl.DataFrame({"t": times, "v": range(len(times))}).write_parquet(file)
    return [*tables, read_table([file], TableFormat(**{"time": "t", **form}), fresh(folder))]


FORMS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "iso": (["2024-01-31 23:58:00", "2024-01-31 23:59:00"], {}),
    "iso without seconds": (["2024-01-31T23:58", "2024-01-31T23:59"], {}),
    "iso, slashes, short": (["2024/1/31 23:58", "2024/1/31 23:59"], {}),
    "compact iso": (["20240131T235800Z", "20240131T235900Z"], {}),
    "compact iso, local": (["20240131T2358", "20240131T2359"], {}),
    "digits": (["20240131235800", "20240131235900"], {}),
    "digits as numbers": ([20240131235800, 20240131235900], {}),
    "short offset": (["2024-02-01 00:58:00+01", "2024-02-01 00:59:00+01"], {}),
    "offsets": (["2024-02-01T00:58:00+0100", "2024-01-31T22:59:00-01:00"], {}),
    "UTC": (["2024-01-31 23:58:00 UTC", "2024-01-31 23:59:00 UTC"], {}),
    "day first": (["31.01.2024 23:58", "31.01.2024 23:59"], {}),
    "day first, slashes": (["31/01/2024 23:58", "31/01/2024 23:59"], {}),
    "month first": (["1/31/2024 11:58 PM", "1/31/2024 11:59 PM"], {}),
    "month name": (["31-Jan-24, 23:58:00", "31-Jan-24, 23:59:00"], {}),
    "zone": (["2024-02-01 00:58", "2024-02-01 00:59"], BERLIN),
    "epoch seconds": ([1706745480, 1706745540], {}),
    "epoch milliseconds": ([1706745480000, 1706745540000], {}),
    "epoch microseconds": (["1706745480000000", "1706745540000000"], {}),
    "epoch nanoseconds": ([1706745480000000000, 1706745540000000000], {}),
    "excel": ([45322 + 1438 / 1440, 45322 + 1439 / 1440], {"time_format": "excel"}),
    "excel, zone": ([45323 + 58 / 1440, 45323 + 59 / 1440], {"time_format": "excel", **BERLIN}),
    "two digits": (["31.01.24 23:58", "31.01.24 23:59"], {"time_format": "%d.%m.%y %H:%M"}),
    "pattern with offset": (
        ["31/Jan/2024:23:58:00 +0000", "31/Jan/2024:23:59:00 +0000"],
        {"time_format": "%d/%b/%Y:%H:%M:%S %z"},
    ),
    "pattern, half days": (
        ["Jan 31 2024 11:58PM", "Jan 31 2024 11:59PM"],
        {"time_format": "%b %d %Y %I:%M%p"},
    ),
    "pattern, fraction after a comma": (
        ["31.01.2024 23:58:00,0", "31.01.2024 23:59:00,000"],
        {"time_format": "%d.%m.%Y %H:%M:%S,%f"},
    ),
    "pattern, fraction after a colon": (
        ["23:58:00:000 31.01.2024", "23:59:00:000000 31.01.2024"],
        {"time_format": "%H:%M:%S:%f %d.%m.%Y"},
    ),
    "excel, decimal comma": (["45322,9986111111", "45322,9993055556"], {"time_format": "excel"}),
    "excel, five decimals": (["45322.99861", "45322.99931"], {"time_format": "excel"}),
    "seconds, decimal comma": (["1706745480,0", "1706745540,0"], {}),
    "day first, short year": (["31/01/24 23:58", "31/01/24 23:59"], {"time_format": "day-first"}),
    "month first, short year": (["1/31/24 23:58", "1/31/24 23:59"], {"time_format": "month-first"}),
    "day first, given": (["31-01-2024 23:58", "31-01-2024 23:59"], {"time_format": "day-first"}),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_of_time_is_read_alike_everywhere(tmp_path: Path, form: str) -> None:
    times, options = FORMS[form]
    for table in both(tmp_path, times, **options):
        assert table.keys["time"].to_list() == [NIGHT, NIGHT + MINUTE]
    # In a message, by the format that the import of the table found.
    stream = [cells.read_time(time, table.form.time_format, table.form.timezone) for time in times]
    expected = cells.read_time("2024-01-31T23:58:00Z")
    # A message alone is not rounded.
    rounding = {"excel, five decimals": 432_000, "excel, decimal comma": 5}.get(form, 0)
    assert expected is not None
    assert stream == pytest.approx([expected, expected + 60_000_000], rel=0, abs=rounding)
    again = both(tmp_path, times, **{**options, "time_format": table.form.time_format})
    assert again[0].keys["time"].to_list() == [NIGHT, NIGHT + MINUTE]


PARTS = {
    "a fraction after a comma": ("2024-01-31 23:58:00,250", NIGHT + timedelta(milliseconds=250)),
    "nanoseconds": ("2024-01-31 23:58:00.123456789", NIGHT + timedelta(microseconds=123456)),
    "a leap second": ("2016-12-31 23:59:60", datetime(2016, 12, 31, 23, 59, 59, 999_999)),
    "midnight": ("31.01.2024", datetime(2024, 1, 31)),
    "noon": ("01/31/2024 12:00 PM", datetime(2024, 1, 31, 12)),
    "after midnight": ("01/31/2024 12:05 a.m.", datetime(2024, 1, 31, 0, 5)),
}


@pytest.mark.parametrize("part", PARTS)
def test_parts_of_a_time(tmp_path: Path, part: str) -> None:
    text, expected = PARTS[part]
    for table in both(tmp_path, [text]):
        assert table.keys["time"].to_list() == [expected]
    since = expected - datetime(1970, 1, 1)
    found = cells.read_time(text, table.form.time_format)
    assert found == since // timedelta(microseconds=1)


CLOCKS: dict[str, tuple[list[float], str]] = {
    "MATLAB": ([739318.333333, 739318.334028, 739318.334722], "1970-01-09"),
    "MATLAB, hours": ([739318.333333, 739318.375, 739318.416667], "1970-01-09"),
    "Julian days": ([2460376.83, 2460377.83, 2460378.83], "1970-01-29"),
    "years": ([2024.1803, 2024.1831, 2024.1858], "1970-01-01"),
    "LabVIEW": ([3792643200.0, 3792643260.0], "2090-03-08"),
    "ticks of .NET": ([638454240000000000, 638454240600000000], "1990-03-26"),
    "ticks of Windows": ([133542432000000000, 133542432600000000], "1974-03-"),
    "seconds of 1985": ([490000000, 490000060], "1985-07-"),
}


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_clock_that_counts_otherwise_is_refused_with_what_it_would_mean(
    tmp_path: Path, clock: str
) -> None:
    numbers, meant = CLOCKS[clock]
    file = tmp_path / "c.parquet"
    pl.DataFrame({"t": numbers, "v": range(len(numbers))}).write_parquet(file)
    text = "t,v\n" + "".join(f"{number},1\n" for number in numbers)
    (tmp_path / "c.csv").write_text(text)
    for path in (file, tmp_path / "c.csv"):
        with pytest.raises(DataError) as refused:
            read_table([path], TableFormat(time="t"), fresh(tmp_path))
        assert meant in str(refused.value) and "--time-format" in str(refused.value)


@pytest.mark.parametrize(
    ("numbers", "form"),
    [
        ([0, 60, 120], "seconds"),
        ([5000.0, 5000.001, 5000.002, 6500.0], "seconds"),
        ([240307080000, 240307080100], "%y%m%d%H%M%S"),
        ([202401312358, 202401312359], "%Y%m%d%H%M"),
        ([31012024235800, 31012024235900], "%d%m%Y%H%M%S"),
        ([1706745480123, 1706745540123], "milliseconds"),
    ],
)
def test_numbers_are_detected_by_the_years_that_they_mean(
    tmp_path: Path, numbers: list[float], form: str
) -> None:
    assert [table.form.time_format for table in both(tmp_path, numbers)] == [form] * 2


@pytest.mark.parametrize(("number", "year"), [(-2208988800, 1900), (3792643200, 2090)])
def test_given_units_have_more_years_than_detected_ones(
    tmp_path: Path, number: int, year: int
) -> None:
    for table in both(tmp_path, [number], time_format="seconds"):
        assert table.keys["time"][0].year == year


def test_fractions_of_a_pattern_are_read_after_any_sign(tmp_path: Path) -> None:
    for sign in ".,:-;^]":
        text, form = f"2024-01-31 23:58:00{sign}25", f"%Y-%m-%d %H:%M:%S{sign}%f"
        file = tmp_path / "f.parquet"
        pl.DataFrame({"t": [text], "v": [1]}).write_parquet(file)
        table = read_table([file], TableFormat(time="t", time_format=form), fresh(tmp_path))
        assert table.keys["time"].to_list() == [NIGHT + timedelta(milliseconds=250)]


def test_decimal_commas_of_seconds(tmp_path: Path) -> None:
    for table in both(tmp_path, ["1706745480,25"], time_format="seconds"):
        assert table.keys["time"].to_list() == [NIGHT + timedelta(milliseconds=250)]
    assert cells.read_time("1706745480,25") == 1_706_745_480_250_000
    assert cells.read_time("45322,5", "excel") == cells.read_time("2024-01-31T12:00:00Z")


@pytest.mark.parametrize("order", ["day-first", "month-first"])
def test_short_years_are_of_1969_to_2068(order: str) -> None:
    full = [cells.read_time(f"01/01/{year}", order) for year in (1969, 2000, 2068)]
    assert None not in full
    assert [cells.read_time(f"01/01/{year}", order) for year in ("69", "00", "68")] == full
    assert cells.read_time("01/01/24", "iso") is None


@pytest.mark.parametrize(
    ("form", "first"), [("%Y-%m-%d", "2024/01/31"), ("day-first", "1.32.2024")]
)
def test_a_given_format_that_does_not_fit_is_to_blame(
    tmp_path: Path, form: str, first: str
) -> None:
    with pytest.raises(DataError) as refused:
        read(tmp_path, f"t,v\n{first},1\n01.02.2024,2\n", time_format=form)
    message = str(refused.value)
    assert "t.csv:2" in message and repr(form) in message and "--time-format" in message
    assert "remove the line" not in message


SECONDS = st.datetimes(datetime(1990, 1, 1), datetime(2049, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0)
)


@settings(max_examples=30)
@given(moments=st.lists(SECONDS, min_size=1, max_size=5))
def test_days_with_five_decimals_are_read_to_the_second(
    tmp_path_factory: pytest.TempPathFactory, moments: list[datetime]
) -> None:
    days = [round((moment - datetime(1899, 12, 30)) / timedelta(days=1), 5) for moment in moments]
    options = {"time_format": "excel", "unsorted": "sort", "duplicates": "keep"}
    for table in both(tmp_path_factory.mktemp("days"), days, **options):
        assert table.keys["time"].to_list() == sorted(moments)


def test_parts_of_a_second_in_days_stay(tmp_path: Path) -> None:
    days = [f"{45322 + half / 172_800:.9f}" for half in range(4)]
    for table in both(tmp_path, days, time_format="excel"):
        step = table.keys["time"].diff().drop_nulls().dt.total_microseconds()
        assert step.is_between(499_000, 501_000).all()


REFUSED: dict[str, tuple[list[Any], list[str], str]] = {
    "a date or seconds": (["20240131", "20240201"], ["t.csv:2", "'%Y%m%d'"], "--time-format"),
    "short year or seconds": (["2403070800"], ["2046-02-", "2024-03-07"], "--time-format"),
    "day or month": (["01022024080000"], ["2024-02-01", "2024-01-02"], "--time-format"),
    "an hour or seconds": (["2034013123"], ["'seconds'", "'%Y%m%d%H'"], "--time-format"),
    "days of a spreadsheet": (["45322.99931", "45323.0"], ["'excel'"], "--time-format"),
    "seconds and milliseconds": (["1706745480", "1706745540000"], ["t.csv:3"], "--time-format"),
    "a year too late": (["9999999999", "9999999998"], ["year"], "--time-format"),
    "a year too early": (["0024-01-31 23:58"], ["t.csv:2", "'0024-01-31 23:58'"], ""),
    "day and month": (["01/02/2024", "02/02/2024"], ["ambiguous"], "day-first"),
    "both orders": (["31/01/2024", "01/31/2024"], ["t.csv:3", "order"], "YYYY-MM-DD"),
    "two forms": (["2024-01-31", "31.01.2024"], ["t.csv:3"], ""),
    "a year of two digits": (["31.01.24 23:58"], ["t.csv:2", "two digits"], "%y"),
    "some offsets": (["2024-01-31 23:58Z", "2024-01-31 23:59"], ["t.csv:3", "offset"], ""),
    "no such day": (["2023-02-28", "2023-02-29"], ["t.csv:3", "'2023-02-29'"], ""),
    "no such hour": (["2023-02-28 25:00"], ["t.csv:2"], ""),
    "years": (["1970", "1971", "2017"], ["'%Y' (1970-01-01)", "'seconds'"], "--time-format"),
    "years as decimals": (["1995.0", "1996.0"], ["'%Y' (1995-01-01)"], "--time-format"),
    "a date as decimals": (["20240131.0"], ["'%Y%m%d' (2024-01-31)"], "--time-format"),
    "months": (["200011", "200012"], ["'%Y%m' (2000-11-01)"], "--time-format"),
    "days of a year": (["2024065", "2024066"], ["'%Y%j' (2024-03-05)"], "--time-format"),
    "six digits": (["240305", "240306"], ["'%y%m%d' (2024-03-05)"], "--time-format"),
    "Julian days": (["2460374", "2460375"], ["Julian days (2024-03-04)"], "YYYY-MM-DD"),
    "days of MATLAB": (["739316", "739317"], ["days of MATLAB (2024-03-05)"], "YYYY-MM-DD"),
    "modified Julian days": (["60374", "60375"], ["'excel'", "(2024-03-05)"], "YYYY-MM-DD"),
    "a time of day": (["12:00", "12:01"], ["without a date"], "Date,Time"),
    "a word": (["2023-02-28", "yesterday"], ["t.csv:3", "'yesterday'"], ""),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_times_that_are_refused(tmp_path: Path, kind: str) -> None:
    times, values, advice = REFUSED[kind]
    text = "t,v\n" + "".join(f"{time},1\n" for time in times)
    with pytest.raises(DataError) as refused:
        read(tmp_path, text)
    message = str(refused.value)
    assert all(value in message for value in values) and advice in message, message


@pytest.mark.parametrize(
    ("heading", "times", "unit", "step"),
    [
        ("time_ms", ["0", "100", "200"], "milliseconds", 0.1),
        ("elapsedMs", ["0", "100"], "milliseconds", 0.1),
        ("t [µs]", ["0", "500000"], "microseconds", 0.5),
        ("minutes", ["0", "1", "2"], "minutes", 60),
        ("Time (h)", ["0", "0.25", "0.5"], "hours", 900),
        ("ms since start", ["0", "100"], "milliseconds", 0.1),
        ("day", ["0", "1"], "days", 86_400),
    ],
)
def test_a_heading_that_names_another_unit_than_seconds_is_refused(
    tmp_path: Path, heading: str, times: list[str], unit: str, step: float
) -> None:
    text = f"{heading},v\n" + "".join(f"{time},1\n" for time in times)
    with pytest.raises(DataError, match=rf"t\.csv:2.*{unit}") as refused:
        read(tmp_path, text, time=heading)
    assert f"--time-format {unit}" in str(refused.value)
    for form, seconds in ((unit, step), ("seconds", float(times[1]))):
        found = read(tmp_path, text, time=heading, time_format=form).keys["time"]
        assert (found[1] - found[0]).total_seconds() == pytest.approx(seconds)
    assert cells.read_time(times[1], unit) == round(step * 1e6)
    for plain in ("Time (s)", "second of day", "t"):
        found = read(tmp_path, f"{plain},v\n0,1\n1,1\n", time=plain).keys["time"]
        assert found[1] - found[0] == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("%Y", "2017", datetime(2017, 1, 1)),
        ("%Y", 2017.0, datetime(2017, 1, 1)),
        ("%Y%m", "201703", datetime(2017, 3, 1)),
        ("%b %Y", "Mar 2017", datetime(2017, 3, 1)),
        ("%Y%j", "2017060", datetime(2017, 3, 1)),
    ],
)
def test_a_date_without_its_day_is_the_first(
    tmp_path: Path, form: str, text: str | float, expected: datetime
) -> None:
    for table in both(tmp_path, [text], time_format=form):
        assert table.keys["time"].to_list() == [expected]
    since = expected - datetime(1970, 1, 1)
    assert cells.read_time(text, form) == since // timedelta(microseconds=1)


def test_an_offset_in_the_letters_of_a_pattern_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    file = tmp_path / "z.csv"
    for sign in ("Z", "+00:00", " UTC"):
        form = f"%Y-%m-%dT%H:%M:%S{sign}"
        file.write_text(f"t,v\n2024-01-31T23:58:00{sign},1\n")
        asked: dict[str, Any] = {"file": file, "name": "mine", "time": "t", "replace": True}
        asked |= {"time_format": form}
        with pytest.raises(DataError, match="UTC offset"):
            import_table(ImportRequest(**asked, timezone="Europe/Berlin"))
        assert import_table(ImportRequest(**asked)).begins == "2024-01-31T23:58:00Z"
    with pytest.raises(DataError, match=r"t\.csv:2.*\+01:00") as refused:
        read(tmp_path, "t,v\n2024-02-01 00:58+01:00,1\n", time_format="%Y-%m-%d %H:%M+01:00")
    assert "%z" in str(refused.value)


def test_what_a_message_alone_cannot_decide_is_invalid() -> None:
    for value in ("20230920", "20240101010000", True, None, "", "12:00", "01/02/2024", 1e300):
        assert cells.read_time(value) is None
    assert cells.read_time("20230920", "seconds") == 20_230_920_000_000
    assert cells.read_time(20230920) == 20_230_920_000_000  # a number is in seconds
    autumn, spring = "2024-10-27 02:30", "2024-03-31 02:30"
    assert [cells.read_time(time, "iso", "Europe/Berlin") for time in (autumn, spring)] == [
        None
    ] * 2


def test_two_columns_are_one_time(tmp_path: Path) -> None:
    text = "Date;Time;v\n31/01/2024;23.58.00;1\n31/01/2024;23.59.00;2\n"
    form = "%d/%m/%Y %H.%M.%S"
    found = read(tmp_path, text, time="Date,Time", time_format=form)
    assert found.keys["time"].to_list() == [NIGHT, NIGHT + MINUTE]
    assert [channel.name for channel in found.roles.channels.values()] == ["v"]
    named = read(tmp_path, 'v,"Date,Time"\n1,2024-01-31 23:58\n', time="Date,Time")
    assert named.keys["time"].to_list() == [NIGHT]


# Berlin set its clocks back at 01:00 UTC.
FIRST = datetime(2024, 10, 26, 23, 30)
LOCAL = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]


def autumn(times: list[str]) -> str:
    return "t,v\n" + "".join(f"2024-10-27 {time},{n}\n" for n, time in enumerate(times))


def test_the_repeated_hour_of_a_file_with_the_newest_row_first(tmp_path: Path) -> None:
    expected = [FIRST + number * timedelta(minutes=30) for number in range(6)]
    oldest = read(tmp_path, autumn(LOCAL), **BERLIN)
    newest = read(tmp_path, autumn(LOCAL[::-1]), **BERLIN)
    assert oldest.keys["time"].to_list() == newest.keys["time"].to_list() == expected
    assert oldest.keys["position"].to_list() == newest.keys["position"].to_list()[::-1]
    assert newest.counts["rows newest first"] == 6


def test_a_late_row_in_the_repeated_hour_moves_no_other(tmp_path: Path) -> None:
    first = ["02:00", "02:10", "02:20", "02:40", "02:30", "02:50"]  # 02:30 came late
    found = read(tmp_path, autumn([*first, "02:00", "02:10"]), unsorted="sort", **BERLIN)
    midnight = datetime(2024, 10, 27)
    ten = [midnight + timedelta(minutes=minutes) for minutes in (0, 10, 20, 30, 40, 50, 60, 70)]
    assert found.keys["time"].to_list() == ten
    assert found.keys["position"].to_list() == [0, 1, 2, 4, 3, 5, 6, 7]


@pytest.mark.parametrize(
    "times",
    [["02:50", "02:00", "02:55", "02:10"], ["02:40", "02:20", "02:30"]],
    ids=["turned twice", "turned a little"],
)
def test_rows_of_the_repeated_hour_that_stay_ambiguous_are_refused(
    tmp_path: Path, times: list[str]
) -> None:
    with pytest.raises(DataError, match=r"t\.csv:3.*Europe/Berlin"):
        read(tmp_path, autumn(times), unsorted="sort", **BERLIN)


def minutes(first: str, count: int, step: int) -> list[str]:
    start = datetime.fromisoformat(first)
    return [str(start + number * timedelta(minutes=step)) for number in range(count)]


@pytest.mark.parametrize(
    ("times", "zone", "line"),
    [
        (minutes("2024-10-27 00:00", 16, 15), "Europe/Berlin", 10),
        (minutes("2024-10-27 00:00", 6, 60), "Europe/Berlin", 4),
        (minutes("2024-11-03 00:00", 12, 20), "America/New_York", 5),
        (minutes("2024-10-26 02:30", 3, 1440), "Europe/Berlin", 3),
        (minutes("2024-10-27 02:00", 3, 15), "Europe/Berlin", 2),
    ],
    ids=["winter time", "hourly", "New York", "daily", "nothing else"],
)
def test_a_repeated_hour_that_is_shown_once_is_refused(
    tmp_path: Path, times: list[str], zone: str, line: int
) -> None:
    text = "t,v\n" + "".join(f"{time},1\n" for time in times)
    with pytest.raises(DataError, match=rf"t\.csv:{line}: .*{zone} has twice") as refused:
        read(tmp_path, text, timezone=zone)
    assert "offset" in str(refused.value.next_step)
    read(tmp_path, text, timezone="+01:00")


@pytest.mark.parametrize(
    ("times", "zone", "first", "last", "count"),
    [  # the step decides: a file that ends in the hour, begins in it, or a half hour
        (minutes("2024-10-27 01:00", 7, 15), "Europe/Berlin", "26 23:00", "27 00:30", 3),
        (minutes("2024-10-27 02:00", 7, 15), "Europe/Berlin", "27 01:00", "27 02:30", 4),
        (
            ["2024-04-07 00:00", "2024-04-07 01:00", *minutes("2024-04-07 01:30", 3, 60)],
            "Australia/Lord_Howe",
            "06 13:00",
            "06 17:00",
            1,
        ),
    ],
)
def test_the_usual_step_decides_a_repeated_hour_that_is_shown_once(
    tmp_path: Path, times: list[str], zone: str, first: str, last: str, count: int
) -> None:
    found = read(tmp_path, "t,v\n" + "".join(f"{time},1\n" for time in times), timezone=zone)
    shown = [f"{time:%d %H:%M}" for time in found.keys["time"]]
    assert (shown[0], shown[-1]) == (first, last)
    assert found.keys["time"].diff().drop_nulls().n_unique() == 1
    assert found.counts["readings in a repeated hour placed by the usual step"] == count


MOMENTS = st.datetimes(datetime(1950, 1, 1), datetime(2150, 1, 1))
PATTERNS = ("%Y-%m-%d %H:%M:%S.%f", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%d-%b-%Y %H:%M:%S")


@settings(max_examples=40)
@given(moments=st.lists(MOMENTS, min_size=1, max_size=5), pattern=st.sampled_from(PATTERNS))
def test_columns_and_messages_read_the_same_times(
    tmp_path_factory: pytest.TempPathFactory, moments: list[datetime], pattern: str
) -> None:
    texts = [moment.strftime(pattern) for moment in moments]
    folder = tmp_path_factory.mktemp("times")
    order = dict(zip(PATTERNS, ("iso", "day-first", "month-first", "month-name"), strict=True))
    for form in (pattern, order[pattern]):
        table = read(
            folder,
            "t,v\n" + "".join(f"{text},1\n" for text in texts),
            time_format=form,
            unsorted="sort",
            duplicates="keep",
        )
        found = sorted(cells.read_time(text, form) or 0 for text in texts)
        assert table.keys["time"].to_physical().to_list() == found
        assert found == sorted(
            (datetime.strptime(text, pattern) - datetime(1970, 1, 1)) // timedelta(microseconds=1)
            for text in texts
        )


@pytest.mark.parametrize("word", ["later", "\u0661\u0667", "2024-02-01"])
def test_a_word_among_seconds_is_reported_at_its_own_line(tmp_path: Path, word: str) -> None:
    with pytest.raises(DataError, match=rf"t\.csv:4: invalid time '{word}'"):
        read(tmp_path, f"t,v\n1706745480,1\n1706745540,2\n{word},3\n")


def test_digits_of_times_are_ascii(tmp_path: Path) -> None:
    arabic = "\u0662\u0660\u0662\u0664-01-31 23:58"
    assert cells.read_time(arabic) is None
    with pytest.raises(DataError, match=r"t\.csv:3: invalid time"):
        read(tmp_path, f"t,v\n2024-01-31 23:58,1\n{arabic},2\n")


def test_an_import_reports_when_its_times_begin_and_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    file = tmp_path / "t.csv"
    file.write_text("t,v\n2024-02-01 00:58,1\n2024-02-01 00:59,2\n2024-02-01 01:00,4\n")
    request = ImportRequest(file=file, name="one", time="t", timezone="Europe/Berlin")
    report = import_table(request)
    assert (report.begins, report.ends) == ("2024-01-31T23:58:00Z", "2024-02-01T00:00:00Z")
    assert (report.time_format, report.timezone) == ("iso", "Europe/Berlin")
    assert main(["data", "import", str(file), "--name", "two", "--time", "t"]) == 0
    shown = capsys.readouterr().out
    assert "2024-02-01T00:58:00Z" in shown and "timezone\tUTC, as none is named" in shown
    without = import_table(ImportRequest(file=file, name="three", ignore=("t",)))
    assert without.begins is without.ends is without.time_format is without.timezone is None
    other = import_table(ImportRequest(file=file, name="five", time="t", period=300.0))
    assert other.period == 300.0 and "60 s apart, not --period 300" in other.warnings[0]
    file.write_text("t,v\n01.02.2024 00:58Z,1\n01.02.2024 00:59Z,2\n13.02.2024 01:00Z,4\n")
    named = import_table(ImportRequest(file=file, name="four", time="t"))
    assert (named.time_format, named.timezone) == ("day-first", None)


def test_rows_of_a_clock_that_was_not_set_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    file = tmp_path / "t.csv"
    times = [3, 63, 123, 1706745480, 1706745540, 1706745600]
    file.write_text("t,v\n" + "".join(f"{time},{time % 7}\n" for time in times))
    report = import_table(ImportRequest(file=file, name="stray", time="t"))
    warning = next(one for one in report.warnings if "10 years" in one)
    assert "t.csv:5" in warning and "1970-01-01 00:02:03" in warning
    file.write_text("t,v\n" + "".join(f"{time},{time % 7}\n" for time in times[3:]))
    report = import_table(ImportRequest(file=file, name="set", time="t"))
    assert not any("10 years" in one for one in report.warnings)


def test_the_few_times_of_incidents_are_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    file, incidents = tmp_path / "t.csv", tmp_path / "incidents.csv"
    for name, start in (("epoch", 1709251200), ("elapsed", 5000.5)):  # not 2017-09-25, nor days
        times = [start + 60 * number for number in range(30)]
        file.write_text("t,v\n" + "".join(f"{time},{time % 7}\n" for time in times))
        incidents.write_text(f"start,end\n{start},{start + 30}\n")
        request = ImportRequest(file=file, name=name, time="t", incidents=incidents)
        assert import_table(request).incidents == 1


def test_years_of_typed_times_have_the_bounds_of_written_ones(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    for moment in (datetime(1, 1, 1), datetime(2200, 1, 1), datetime(9999, 1, 1).date()):
        pl.DataFrame({"t": [moment], "v": [1]}).write_parquet(file)
        with pytest.raises(DataError, match=r"row 1: invalid time"):
            read_table([file], TableFormat(time="t"), fresh(tmp_path))

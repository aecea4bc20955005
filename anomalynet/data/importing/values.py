"""Converts text to numbers, labels and kinds. Invalid values are reported with their line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isnan

import polars as pl

from anomalynet.data.importing.format import TableFormat
from anomalynet.data.importing.rows import NULLS, ROW, Rows
from anomalynet.data.telemetry import Channel
from anomalynet.errors import DataError

UNLABELLED = ("-999",)
NORMAL = ("0", "false", "normal", "benign", "no", "ok")
ATTACK = ("1", "true", "attack", "anomaly", "anomalous", "abnormal", "malicious", "yes", "fault")
SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}
SWITCH = {"true": "1", "false": "0"}
LARGEST = 3.4028234e38  # of a 32-bit float


def read_sensors(
    rows: Rows, channels: dict[int, Channel], form: TableFormat
) -> tuple[dict[int, pl.Expr], TableFormat, dict[str, int], list[str]]:
    """Each sensor as Float64 (null where missing), the format with that of the numbers, counts, and
    warnings about empty and constant sensors.

    Raises DataError: text or an infinite value; names the first line.
    """
    null = (*NULLS, *form.null)
    for index, channel in channels.items():
        dtype = rows.dtype(index)
        if not (dtype == pl.String or dtype.is_numeric() or dtype == pl.Boolean):
            what = f"{rows.path}: sensor {channel.name!r} is of type {dtype}, not a number"
            raise DataError(what, f"use --ignore {channel.name}")
    unread, with_switches = _words_among_numbers(rows, channels, null)
    if unread:
        _refuse_text(rows, channels, unread)
    sensors = {index: _number(index, null, index in with_switches) for index in channels}
    query = {
        f"{word} {index}": fact
        for index, value in sensors.items()
        for word, fact in (
            ("null", value.null_count()),
            ("low", value.min()),
            ("high", value.max()),
        )
    }
    facts = rows.frame.select(**query).collect(engine="streaming").row(0, named=True)
    missing, warnings = 0, []
    for index, channel in channels.items():
        count, low, high = (facts[f"{word} {index}"] for word in ("null", "low", "high"))
        missing += count
        if low is None:
            warnings.append(f"sensor {channel.name!r} has no readings")
            continue
        if low == high:
            warnings.append(f"sensor {channel.name!r} is constant ({low:g})")
        if max(-low, high) > LARGEST:
            row = rows.first(sensors[index].abs() > LARGEST)
            assert row is not None
            cell = rows.cell(index, row)
            what = f"{rows.where(row)}: sensor {channel.name!r} is {cell!r}, not a finite reading"
            raise DataError(what, f"use --null {cell} if it means a missing reading")
    return sensors, form, ({"missing readings": missing} if missing else {}), warnings


def _words_among_numbers(
    rows: Rows, channels: dict[int, Channel], null: Sequence[str]
) -> tuple[dict[int, int], set[int]]:
    """The first row with invalid text of each sensor that has such text, and the sensors with the
    words true and false."""
    unread: dict[int, int] = {}
    with_switches: set[int] = set()
    for index in channels:
        if rows.dtype(index) != pl.String:
            continue
        no_number = pl.col(str(index)).cast(pl.Float64, strict=False).is_null()
        cells = rows.frame.filter(no_number).select(ROW, word=rows.text(index, null))
        switch = pl.col("word").str.to_lowercase().is_in(list(SWITCH))
        facts = cells.drop_nulls("word").select(pl.col(ROW).filter(~switch).min(), on=switch.sum())
        first, switches = facts.collect(engine="streaming").row(0)
        if first is not None:
            unread[index] = first
        if switches:
            with_switches.add(index)
    return unread, with_switches


def _number(index: int, null: Sequence[str], with_switches: bool) -> pl.Expr:
    column = pl.col(str(index))
    if with_switches:
        column = column.str.to_lowercase().replace(SWITCH)
    value = column.cast(pl.Float64, strict=False).fill_nan(None)
    missing = [number for number in map(_as_number, null) if number is not None]
    return pl.when(value.is_in(missing)).then(None).otherwise(value) if missing else value


def _refuse_text(rows: Rows, channels: dict[int, Channel], unread: dict[int, int]) -> None:
    index = min(unread, key=lambda each: (unread[each], each))
    name, value = channels[index].name, rows.cell(index, unread[index])
    others = ", ".join(repr(channels[other].name) for other in unread if other != index)
    also = f" (text also in {others})" if others else ""
    advice = f"use --ignore {name}, or --null {value!r} if it means a missing reading"
    if re.fullmatch(r"[-+]?\d+,\d+", value):
        advice = "use decimal points instead of commas"
    raise DataError(
        f"{rows.where(unread[index])}: sensor {name!r} is {value!r}, not a number{also}", advice
    )


def label(rows: Rows, index: int, form: TableFormat) -> pl.Expr:
    """A label column as Int8: 1 attack, 0 normal, null unlabelled. Raises DataError: unknown words,
    or more than two classes."""
    null, unlabelled = (*NULLS, *form.null), (*UNLABELLED, *form.unlabelled)
    found = _distinct(rows, index, null)
    numbers = {_as_number(word) for word in unlabelled} - {None}
    words = [w for w in found if w not in unlabelled and _as_number(w) not in numbers]
    mapping = {word: meaning for word in words if (meaning := _meaning(word)) is not None}
    unknown = [word for word in words if word not in mapping]
    if unknown:
        name = rows.names[index]
        most = sorted(found, key=lambda word: -found[word][0])[:6]
        listed = ", ".join(f"{word!r} ({found[word][0]:,} rows)" for word in most)
        raise DataError(
            f"{rows.where(found[unknown[0]][1])}: label column {name!r} has {len(found)} values: "
            f"{listed}; a label is 0 or 1, normal or attack",
            f"use --unlabelled {unknown[0]!r} if it means a missing label; use --kind {name} "
            "instead of --label if it is the type of attack",
        )
    return rows.text(index, null).replace_strict(mapping, default=None, return_dtype=pl.Int8)


def label_from_kind(rows: Rows, index: int, form: TableFormat) -> pl.Expr:
    """Labels from the type of attack: 0 for normal, null where it is missing, else 1."""
    kind = rows.text(index, (*NULLS, *form.null, *UNLABELLED, *form.unlabelled))
    normal = kind.str.to_lowercase().is_in(list(NORMAL))
    return pl.when(kind.is_null()).then(None).otherwise((~normal).cast(pl.Int8))


def split(rows: Rows, index: int) -> pl.Expr:
    """The split column of a table: train, validation, test. Raises DataError: any other word."""
    for word, (_, row) in _distinct(rows, index, NULLS).items():
        if word.lower() not in SPLITS:
            raise DataError(
                f"{rows.where(row)}: invalid split {word!r}", f"known are {', '.join(SPLITS)}"
            )
    lower = rows.text(index).str.to_lowercase()
    return lower.replace_strict(SPLITS, default=None, return_dtype=pl.String)


def _distinct(rows: Rows, index: int, null: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Word → number of rows, first row."""
    words = rows.frame.select(ROW, word=rows.text(index, null)).drop_nulls("word")
    counts = words.group_by("word").agg(pl.len(), pl.col(ROW).min()).sort(ROW)
    return {word: (count, row) for word, count, row in counts.collect(engine="streaming").rows()}


def _meaning(word: str) -> int | None:
    value = _as_number(word)
    if value is not None:
        return int(value) if value in (0.0, 1.0) else None
    return 0 if word.lower() in NORMAL else 1 if word.lower() in ATTACK else None


def _as_number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return None if isnan(value) else value

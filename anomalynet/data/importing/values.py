"""Words into numbers, labels and kinds; what cannot be understood is named with its line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan

import polars as pl

from anomalynet.data.importing.rows import ROW, Rows
from anomalynet.data.telemetry import Channel
from anomalynet.errors import DataError

NULLS = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None")
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
LARGEST = 3.4028234e38
"""Of a 32-bit float."""


@dataclass(frozen=True, slots=True)
class Words:
    """What stands for nothing: missing readings, and missing labels."""

    null: tuple[str, ...]
    unlabelled: tuple[str, ...]


def text(rows: Rows, index: int, null: Sequence[str] = NULLS) -> pl.Expr:
    """Return a column as stripped text, null where it says nothing."""
    column = pl.col(str(index)).cast(pl.String).str.strip_chars()
    return pl.when(column.is_in(list(null))).then(None).otherwise(column)


def read_sensors(
    rows: Rows, channels: dict[int, Channel], null: Sequence[str]
) -> tuple[dict[int, pl.Expr], dict[str, int], list[str]]:
    """Return each sensor as Float64 (null where it is missing), counts, and warnings on empty and
    constant sensors.

    Numbers are read first; only cells that are none are looked at as words.

    Raises:
        DataError: text or an infinite value; names the first line.
    """
    schema = rows.frame.collect_schema()
    for index, channel in channels.items():
        dtype = schema[str(index)]
        if not (_is_text(rows, index) or dtype.is_numeric() or dtype == pl.Boolean):
            raise DataError(
                f"{rows.path}: sensor {channel.name!r} is of type {dtype}, not a number",
                f"--ignore {channel.name}",
            )
    unread, wordy = _words_among_numbers(rows, channels, null)
    _refuse_text(rows, channels, unread)
    sensors = {index: _number(rows, index, null, index in wordy) for index in channels}
    words = ("null", "low", "high")
    asked = [(value.null_count(), value.min(), value.max()) for value in sensors.values()]
    flat = [
        one.alias(f"{word} {index}")
        for index, three in zip(sensors, asked, strict=True)
        for word, one in zip(words, three, strict=True)
    ]
    facts = rows.frame.select(flat).collect(engine="streaming").row(0, named=True)
    missing, warnings = 0, []
    for index, channel in channels.items():
        count, low, high = (facts[f"{word} {index}"] for word in words)
        missing += count
        if low is None or low == high:
            warnings.append(
                f"sensor {channel.name!r} "
                + ("has no reading at all" if low is None else f"is constant ({low:g})")
            )
        if low is not None and max(-low, high) > LARGEST:
            row = (
                rows.frame.filter(sensors[index].abs() > LARGEST)
                .select(pl.col(ROW).min())
                .collect(engine="streaming")
                .item()
            )
            cell = value_at(rows, index, row)
            raise DataError(
                f"{rows.where(row)}: sensor {channel.name!r} is {cell!r}: not a finite reading",
                f"--null {cell}",
            )
    return sensors, ({"missing readings": missing} if missing else {}), warnings


def _words_among_numbers(
    rows: Rows, channels: dict[int, Channel], null: Sequence[str]
) -> tuple[dict[int, int], set[int]]:
    """Return the first row with text that is no number of each sensor that has some, and the
    sensors that say true or false."""
    unread: dict[int, int] = {}
    wordy: set[int] = set()
    for index in channels:
        if not _is_text(rows, index):
            continue
        word = text(rows, index, null)
        cells = (
            rows.frame.filter(pl.col(str(index)).cast(pl.Float64, strict=False).is_null())
            .select(ROW, word.alias("word"))
            .drop_nulls("word")
        )
        switch = pl.col("word").str.to_lowercase().is_in(list(SWITCH))
        rest, switches = (
            cells.select(pl.col(ROW).filter(~switch).min(), switch.sum().alias("switches"))
            .collect(engine="streaming")
            .row(0)
        )
        if rest is not None:
            unread[index] = rest
        if switches:
            wordy.add(index)
    return unread, wordy


def _number(rows: Rows, index: int, null: Sequence[str], wordy: bool) -> pl.Expr:
    column = pl.col(str(index))
    if wordy:
        column = column.str.to_lowercase().replace(SWITCH)
    value = column.cast(pl.Float64, strict=False).fill_nan(None)
    missing = [number for number in map(_as_number, null) if number is not None]
    return pl.when(value.is_in(missing)).then(None).otherwise(value) if missing else value


def _refuse_text(rows: Rows, channels: dict[int, Channel], unread: dict[int, int]) -> None:
    if not unread:
        return
    index = min(unread, key=lambda each: (unread[each], each))
    name, value = channels[index].name, value_at(rows, index, unread[index])
    others = [channels[other].name for other in unread if other != index]
    also = f" (text also stands in {', '.join(map(repr, others))})" if others else ""
    advice = f"--ignore {name}, or --null {value!r} if it means a missing reading"
    if re.fullmatch(r"[-+]?\d+,\d+", value):
        advice = "write decimal points, not commas"
    raise DataError(
        f"{rows.where(unread[index])}: sensor {name!r} is {value!r}, not a number{also}", advice
    )


def label(rows: Rows, index: int, words: Words) -> pl.Expr:
    """Return a label column as Int8: 1 attack, 0 normal, null unlabelled.

    Raises:
        DataError: other words than those known, or more than two classes.
    """
    found = _distinct(rows, index, words.null)
    mapping: dict[str, int] = {}
    unknown = []
    for word in found:
        if word in words.unlabelled or (
            _as_number(word) is not None and _as_number(word) in map(_as_number, words.unlabelled)
        ):
            continue
        meaning = _meaning(word)
        if meaning is None:
            unknown.append(word)
        else:
            mapping[word] = meaning
    if unknown:
        name = rows.names[index]
        most = sorted(found, key=lambda word: -found[word][0])[:6]
        listed = ", ".join(f"{word!r} ({found[word][0]:,} rows)" for word in most)
        raise DataError(
            f"{rows.where(found[unknown[0]][1])}: label column {name!r} has {len(found)} values: "
            f"{listed}; "
            "a label is 0 or 1, normal or attack",
            f"--unlabelled {unknown[0]!r} if that says nothing; --kind {name} instead of --label "
            "if it names the type of attack",
        )
    return text(rows, index, words.null).replace_strict(mapping, default=None, return_dtype=pl.Int8)


def label_from_kind(rows: Rows, index: int, words: Words) -> pl.Expr:
    """Return labels by type of attack: 0 where it says normal, null where it says nothing, else
    1."""
    kind = text(rows, index, (*words.null, *words.unlabelled))
    normal = kind.str.to_lowercase().is_in(list(NORMAL))
    return pl.when(kind.is_null()).then(None).otherwise((~normal).cast(pl.Int8))


def split(rows: Rows, index: int) -> pl.Expr:
    """Return the parts a table brings: train, validation, test. Raises DataError on any other
    word."""
    for word, (_, row) in _distinct(rows, index, NULLS).items():
        if word.lower() not in SPLITS:
            raise DataError(f"{rows.where(row)}: split is {word!r}", f"known: {', '.join(SPLITS)}")
    return (
        text(rows, index)
        .str.to_lowercase()
        .replace_strict(SPLITS, default=None, return_dtype=pl.String)
    )


def value_at(rows: Rows, index: int, row: int) -> str:
    """Return what a cell says."""
    return str(
        rows.frame.filter(pl.col(ROW) == row)
        .select(pl.col(str(index)).cast(pl.String))
        .collect()
        .item()
    )


def _distinct(rows: Rows, index: int, null: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return word → number of rows, first row."""
    said = rows.frame.select(ROW, text(rows, index, list(null)).alias("word")).drop_nulls("word")
    counts = (
        said.group_by("word").agg(pl.len(), pl.col(ROW).min()).sort(ROW).collect(engine="streaming")
    )
    return {word: (count, row) for word, count, row in counts.rows()}


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


def _is_text(rows: Rows, index: int) -> bool:
    return rows.frame.collect_schema()[str(index)] == pl.String

"""Words into numbers, labels and kinds; what cannot be understood is named with its line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

import polars as pl

from anomalynet.data.importing.rows import ROW, Rows
from anomalynet.data.telemetry import Channel
from anomalynet.errors import DataError

NULLS = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None")
UNLABELLED = ("-999",)
NORMAL = ("0", "false", "normal", "benign", "no", "ok")
ATTACK = ("1", "true", "attack", "anomaly", "anomalous", "abnormal", "malicious", "yes", "fault")
SPLITS = {"train": "train", "training": "train", "validation": "validation", "valid": "validation", "val": "validation", "test": "test"}
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


def number(rows: Rows, index: int, null: Sequence[str]) -> pl.Expr:
    """Return a column as Float64; true and false are 1 and 0; null where it is missing or cannot be understood."""
    values = text(rows, index, null).str.to_lowercase().replace({"true": "1", "false": "0"}).cast(pl.Float64, strict=False).fill_nan(None)
    if not _is_text(rows, index):
        values = pl.col(str(index)).cast(pl.Float64).fill_nan(None)
    missing = [value for value in map(_number, null) if value is not None]
    return pl.when(values.is_in(missing)).then(None).otherwise(values) if missing else values


def check_sensors(rows: Rows, channels: dict[int, Channel], null: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Make sure that every sensor is a number throughout; return counts and warnings on missing and constant ones.

    Raises:
        DataError: text or an infinite value; names the first line.
    """
    for index, channel in channels.items():
        dtype = rows.frame.collect_schema()[str(index)]
        if not (_is_text(rows, index) or dtype.is_numeric() or dtype == pl.Boolean):
            raise DataError(f"{rows.path}: sensor {channel.name!r} is of type {dtype}, not a number", f"--ignore {channel.name}")
    queries = []
    for index in channels:
        value = number(rows, index, null)
        said = text(rows, index, (*null, "nan", "NaN", "NAN")).is_not_null()
        unread = said & value.is_null() & ~text(rows, index).is_in(list(null)) & ~_missing_number(rows, index, null)
        queries += [
            pl.col(ROW).filter(unread).min().alias(f"unread {index}"),
            pl.col(ROW).filter(value.abs() > LARGEST).min().alias(f"infinite {index}"),
            value.is_null().sum().alias(f"null {index}"),
            value.min().alias(f"min {index}"),
            value.max().alias(f"max {index}"),
        ]
    facts = rows.frame.select(queries).collect(engine="streaming").row(0, named=True)
    _refuse_text(rows, channels, {index: facts[f"unread {index}"] for index in channels if facts[f"unread {index}"] is not None})
    for index, channel in channels.items():
        if (row := facts[f"infinite {index}"]) is not None:
            cell = value_at(rows, index, row)
            raise DataError(f"{rows.where(row)}: sensor {channel.name!r} is {cell!r}: not a finite reading", f"--null {cell}")
    warnings = []
    for index, channel in channels.items():
        low, high = facts[f"min {index}"], facts[f"max {index}"]
        if low is None or low == high:
            warnings.append(f"sensor {channel.name!r} " + ("has no reading at all" if low is None else f"is constant ({low:g})"))
    missing = sum(facts[f"null {index}"] for index in channels)
    return ({"missing readings": missing} if missing else {}), warnings


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
    raise DataError(f"{rows.where(unread[index])}: sensor {name!r} is {value!r}, not a number{also}", advice)


def label(rows: Rows, index: int, words: Words) -> pl.Expr:
    """Return a label column as Int8: 1 attack, 0 normal, null unlabelled.

    Raises:
        DataError: other words than those known, or more than two classes.
    """
    found = _distinct(rows, index, words.null)
    mapping: dict[str, int] = {}
    unknown = []
    for word in found:
        if word in words.unlabelled or (_number(word) is not None and _number(word) in map(_number, words.unlabelled)):
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
            f"{rows.where(found[unknown[0]][1])}: label column {name!r} has {len(found)} values: {listed}; "
            "a label is 0 or 1, normal or attack",
            f"--unlabelled {unknown[0]!r} if that says nothing; --kind {name} instead of --label if it names the type of attack",
        )
    return text(rows, index, words.null).replace_strict(mapping, default=None, return_dtype=pl.Int8)


def label_from_kind(rows: Rows, index: int, words: Words) -> pl.Expr:
    """Return labels by type of attack: 0 where it says normal, null where it says nothing, else 1."""
    kind = text(rows, index, (*words.null, *words.unlabelled))
    normal = kind.str.to_lowercase().is_in(list(NORMAL))
    return pl.when(kind.is_null()).then(None).otherwise((~normal).cast(pl.Int8))


def split(rows: Rows, index: int) -> pl.Expr:
    """Return the parts a table brings: train, validation, test. Raises DataError on any other word."""
    for word, (_, row) in _distinct(rows, index, NULLS).items():
        if word.lower() not in SPLITS:
            raise DataError(f"{rows.where(row)}: split is {word!r}", f"known: {', '.join(SPLITS)}")
    return text(rows, index).str.to_lowercase().replace_strict(SPLITS, default=None, return_dtype=pl.String)


def value_at(rows: Rows, index: int, row: int) -> str:
    """Return what a cell says."""
    return str(rows.frame.filter(pl.col(ROW) == row).select(pl.col(str(index)).cast(pl.String)).collect().item())


def _distinct(rows: Rows, index: int, null: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return word → number of rows, first row."""
    said = rows.frame.select(ROW, text(rows, index, list(null)).alias("word")).drop_nulls("word")
    counts = said.group_by("word").agg(pl.len(), pl.col(ROW).min()).sort(ROW).collect(engine="streaming")
    return {word: (count, row) for word, count, row in counts.rows()}


def _meaning(word: str) -> int | None:
    value = _number(word)
    if value is not None:
        return int(value) if value in (0.0, 1.0) else None
    return 0 if word.lower() in NORMAL else 1 if word.lower() in ATTACK else None


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if isfinite(value) else None


def _missing_number(rows: Rows, index: int, null: Sequence[str]) -> pl.Expr:
    missing = [value for value in map(_number, null) if value is not None]
    return text(rows, index).cast(pl.Float64, strict=False).is_in(missing).fill_null(False)


def _is_text(rows: Rows, index: int) -> bool:
    return rows.frame.collect_schema()[str(index)] in (pl.String, pl.Categorical)

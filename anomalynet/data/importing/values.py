"""Converts columns of text to numbers, labels and kinds, by the rules of `cells`. Invalid values
are reported with their line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import polars as pl

from anomalynet.data.importing import cells
from anomalynet.data.importing.cells import NULLS, quote
from anomalynet.data.importing.format import TableFormat
from anomalynet.data.importing.rows import ROW, Rows
from anomalynet.data.telemetry import Channel
from anomalynet.errors import DataError

SPLITS = {name: name for name in ("train", "validation", "test")}
SPLITS |= {"training": "train", "valid": "validation", "val": "validation"}
TOO_LARGE = "readings too large for 32-bit windows"
"""A count: cells that are read as missing."""
SIGNS: dict[str, Any] = {"decimal": (".", ","), "thousands": tuple(cells.THOUSANDS)}


def read_sensors(
    rows: Rows, channels: dict[int, Channel], form: TableFormat, switch: Mapping[str, str]
) -> tuple[dict[int, pl.Expr], TableFormat, dict[str, int], list[str]]:
    """Each sensor as Float64 (null where missing), the format with that of the numbers, counts, and
    warnings about readings that are too large. `switch`: words → digits.

    Raises DataError: text or an infinite value, or numbers whose signs are mixed or ambiguous;
    names the first line.
    """
    for option, known in SIGNS.items():
        if (given := getattr(form, option)) is not None and given not in known:
            raise DataError(
                f"invalid --{option} {given!r}", f"give one of {' '.join(filter(None, known))}"
            )
    if form.decimal is not None and form.decimal == form.thousands:
        raise DataError(f"--decimal and --thousands are both {form.decimal!r}", "give one of them")
    for index, channel in channels.items():
        dtype = rows.dtype(index)
        if not (dtype == pl.String or dtype.is_numeric() or dtype == pl.Boolean):
            what = f"{rows.path}: sensor {channel.name!r} is of type {dtype}, not a number"
            raise DataError(what, f"use --ignore {channel.name}")
    words = {str(index) for index in channels if rows.dtype(index) == pl.String}
    resolved = replace(form, decimal=form.decimal or ".", thousands=form.thousands or "")
    odd = _odd_cells(rows, channels, words, resolved, switch)
    if odd["invalid"] and words and None in (form.decimal, form.thousands):
        resolved = _number_format(rows, channels, words, form)
        odd = _odd_cells(rows, channels, words, resolved, switch)
    mixed = odd["switch"] if switch == cells.SWITCH else []
    if mixed:
        read = _long(rows, [str(index) for _, index, _ in mixed])
        value = _number(pl.col("cell"), True, resolved)
        numbers = read.filter(value.is_finite() & ~value.is_in([0.0, 1.0]))
        numeric = numbers.select(pl.col("column").unique()).collect()["column"].cast(int).to_list()
        mixed = [each for each in mixed if each[1] in numeric]
    if odd["invalid"] or mixed:
        _refuse_text(rows, channels, sorted(odd["invalid"] + mixed), form)
    if words and rows.separator not in (None, ",") and not (form.decimal or form.thousands):
        _refuse_groups(rows, channels, sorted(words))
    warnings = [
        f"sensor {channels[index].name!r}: {count:,} readings of {cells.LARGEST:g} or more are "
        f"missing, the first at {rows.where(row)} ({quote(rows.cell(index, row))})"
        for row, index, count in odd["large"]
    ]
    large = sum(count for *_, count in odd["large"])
    switches = {index for _, index, _ in odd["switch"]}
    boolean = {index for index in channels if rows.dtype(index) == pl.Boolean}
    named = tuple(channels[index].name for index in sorted(switches | boolean))
    resolved = replace(resolved, switches=named)
    sensors = {
        index: _reading(index, str(index) in words, switch if index in switches else {}, resolved)
        for index in channels
    }
    counts = {TOO_LARGE: large} if large else {}
    return sensors, resolved, counts, warnings


def _long(rows: Rows, columns: Sequence[str]) -> pl.LazyFrame:
    """The cells of columns below one another: row, column (its index), cell. Time is linear in the
    number of columns, unlike that of a query for each."""
    return rows.frame.unpivot(columns, index=ROW, variable_name="column", value_name="cell")


def _odd_cells(
    rows: Rows,
    channels: dict[int, Channel],
    words: set[str],
    form: TableFormat,
    switch: Mapping[str, str],
) -> dict[str, list[tuple[int, int, int]]]:
    """Cells that are invalid, too large, or a switch (true or false): first row, index and number
    of each sensor that has some."""
    odd: dict[str, list[tuple[int, int, int]]] = {"invalid": [], "large": [], "switch": []}
    for is_text in (True, False):
        columns = [str(index) for index in channels if (str(index) in words) == is_text]
        if not columns:
            continue
        cell, value = pl.col("cell"), pl.col("value")
        case = pl.when(value.is_finite()).then(pl.lit("large")).otherwise(pl.lit("invalid"))
        if is_text:
            is_switch = cell.str.to_lowercase().is_in(list(switch))
            case = pl.when(is_switch).then(pl.lit("switch")).otherwise(case)
        read = _long(rows, columns).with_columns(value=_number(cell, is_text, form))
        known = (value.abs() < cells.LARGEST) | value.is_nan()
        left = read.filter(cell.is_not_null() & ~known.fill_null(value=False))
        left = left.filter(~_is_null(cell, value, is_text, form))
        facts = left.group_by("column", case=case)
        found = facts.agg(pl.col(ROW).min(), pl.len()).collect(engine="streaming")
        for column, which, row, count in found.iter_rows():
            odd[which].append((row, int(column), count))
    return {case: sorted(found) for case, found in odd.items()}


def _number(cell: pl.Expr, is_text: bool, form: TableFormat) -> pl.Expr:
    """Cells as Float64: null where they are not a number, NaN where they say so."""
    if not is_text:
        return cell.cast(pl.Float64)
    decimal, thousands = form.decimal or ".", form.thousands or ""
    cell = cell.str.replace_all(cells.MINUS, "-", literal=True)
    if (decimal, thousands) != (".", ""):
        number = cell.str.contains(cells.number_pattern(decimal, thousands))
        cell = pl.when(number | cell.str.contains("(?i)^[-+]?nan$")).then(cell)
        if thousands:
            cell = cell.str.replace_all(cells.THOUSANDS[thousands], "")
        cell = cell.str.replace(decimal, ".", literal=True)
    return cell.cast(pl.Float64, strict=False)


def _is_null(cell: pl.Expr, value: pl.Expr, is_text: bool, form: TableFormat) -> pl.Expr:
    """Whether a cell is a word for a missing reading; words that are numbers count by value."""
    null = value.is_in(list(cells.null_numbers(form))).fill_null(False)
    return null | cell.is_in([*NULLS, *form.null]) if is_text else null


def _reading(index: int, is_text: bool, switch: Mapping[str, str], form: TableFormat) -> pl.Expr:
    cell = pl.col(str(index))
    for word, digit in switch.items():
        cell = cell.str.replace(f"(?i)^{word}$", digit)
    value = _number(cell, is_text, form)
    valid = value.abs() < cells.LARGEST
    if form.null:
        valid &= ~_is_null(cell, value, is_text, form)
    return pl.when(valid & value.is_finite()).then(value)


def _number_format(
    rows: Rows, channels: dict[int, Channel], words: set[str], form: TableFormat
) -> TableFormat:
    """The format with the only signs that read all numbers. A sign between groups must show in a
    number that cannot be read without one, such as 1.234,5 or 1.234.567: 1,234 shows nothing.

    Raises DataError: no signs read all numbers, or several do.
    """
    decimals = SIGNS["decimal"] if form.decimal is None else (form.decimal,)
    groups = SIGNS["thousands"] if form.thousands is None else (form.thousands,)
    known = [(point, sign) for point, sign in product(decimals, groups) if point != sign]
    cell, row = pl.col("cell"), pl.col(ROW)
    # Numbers that differ only in their digits are read by the same signs.
    cell = cell.str.replace_all(cells.MINUS, "-", literal=True)
    shape = cell.str.replace("^([-+]?)0", "${1}o").str.replace_all("[0-9]", "1")
    signed = cell.str.contains(f"^[-+0-9eE{''.join(cells.THOUSANDS.values())}]+$")
    shapes = _long(rows, sorted(words)).filter(signed).group_by(shape=shape)
    first = pl.col("column", "cell").filter(row == row.min()).first()
    found = shapes.agg(row.min(), first, pl.len()).sort(ROW).collect(engine="streaming")
    numbers: list[Any] = []  # row, index, cell, how many, and the value by the signs that read it
    for _, line, column, text, count in found.iter_rows():
        values = {signs: cells.read_number(text, *signs) for signs in known}
        values = {signs: value for signs, value in values.items() if value is not None}
        if values and text not in form.null:
            numbers.append((line, int(column), text, count, values))
    readers = [each for each in known if all(each in values for *_, values in numbers)]
    plain = {each for each in known if not each[1]}
    shown = form.thousands or any(plain.isdisjoint(values) for *_, values in numbers)
    fits = [each for each in readers if each in plain or shown]
    ambiguous = fits[:1] == [(",", "")] and (".", ",") in readers
    if fits and not ambiguous:
        decimal, thousands = fits[0]
        return replace(form, decimal=decimal, thousands=thousands)
    if readers:
        several = (each for each in numbers if len(set(each[-1].values())) > 1)
        line, index, text, _, values = next(several)
        sign = "," if "," in text else "."
        raise DataError(
            f"{rows.where(line)}: sensor {channels[index].name!r} is {quote(text)}, which could be "
            f"{' or '.join(f'{value:g}' for value in sorted(set(values.values())))}",
            f"give --decimal {sign} or --thousands {sign}",
        )
    usual = max(known, key=lambda each: sum(count for *_, count, v in numbers if each in v))
    line, index, text, *_ = next(each for each in numbers if usual not in each[-1])
    raise DataError(
        f"{rows.where(line)}: sensor {channels[index].name!r} is {quote(text)}, but most numbers "
        f"have the decimal sign {usual[0]!r}"
        + (f" and thousands {usual[1]!r}" if usual[1] else ""),
        f"write all numbers alike, or use --ignore {channels[index].name}",
    )


def _refuse_text(
    rows: Rows, channels: dict[int, Channel], invalid: list[tuple[int, int, int]], form: TableFormat
) -> None:
    row, index, number = invalid[0]
    name, value = channels[index].name, rows.cell(index, row)
    cells_of = [f"{channels[one].name!r} {count:,}" for _, one, count in invalid[:9]]
    also = f" (invalid cells: {', '.join(cells_of)})" if len(invalid) > 1 or number > 1 else ""
    signs = [f"--decimal {point}" for point in SIGNS["decimal"] if cells.read_number(value, point)]
    advice = f"use --ignore {name}, or --null {quote(value)} if it means a missing reading"
    if signs:
        advice = f"use {signs[0]}"
    elif unit := re.fullmatch(r"[-+\u2212]?[0-9][0-9.,']*(\s*[^\s\d.,'][^\d]*)", value):
        advice = f"remove {quote(unit[1])} from its cells: --units {name}=… names the unit"
    elif value.lower() in ("on", "off", "open", "closed", "yes", "no", "y", "n"):
        advice = f"write TRUE and FALSE if {name} is a switch; or " + advice
    elif roles := _roles(rows, channels, invalid, form):
        advice = f"use {roles}, or --ignore {name}"
    raise DataError(
        f"{rows.where(row)}: sensor {name!r} is {quote(value)}, not a finite number{also}", advice
    )


def _roles(
    rows: Rows, channels: dict[int, Channel], invalid: list[tuple[int, int, int]], form: TableFormat
) -> str:
    """Options for columns of text alone: one of times, and one that may name the device, unless
    they are given. Empty if the first of the invalid columns also has numbers."""
    height = rows.count()
    found: dict[str, str] = {}
    if invalid[0][2] < height:
        return ""
    for row, index, number in invalid:
        if number == height:
            text = rows.cell(index, row)
            dated = any(cells.read_time(text, order) is not None for order in cells.DATES)
            role = "time" if dated else "series"
            found.setdefault(role, f"--{role} {shlex.quote(channels[index].name)}")
    wanted = [role for role in ("time", "series") if role in found and not getattr(form, role)]
    return " ".join(found[role] for role in wanted)


def _refuse_groups(rows: Rows, channels: dict[int, Channel], columns: Sequence[str]) -> None:
    """Refuse a sensor whose whole numbers are below 1000 and whose others are all like 1.250: they
    could be 1 and a quarter, or groups of three digits."""
    cell, row = pl.col("cell"), pl.col(ROW)
    group = cell.str.contains(r"^[-+]?[1-9][0-9]{0,2}\.[0-9]{3}$")
    small = cell.str.contains("^[-+]?[0-9]{1,3}$")
    numbers = _long(rows, columns).filter(cell.str.contains(cells.NUMBER.pattern))
    facts = numbers.group_by("column").agg(
        row.filter(group).min(), alike=(group | small).all(), whole=small.any()
    )
    odd = facts.filter(row.is_not_null(), "alike", "whole").sort(ROW).collect(engine="streaming")
    for column, line, *_ in odd.head(1).iter_rows():
        text = rows.cell(int(column), line)
        value = cells.read_number(text) or 0.0
        raise DataError(
            f"{rows.where(line)}: sensor {channels[int(column)].name!r} is {quote(text)}, which "
            f"could be {value:g} or {value * 1000:g}",
            "give --decimal . or --thousands .",
        )


def label(rows: Rows, index: int, form: TableFormat, kind: bool = False) -> pl.Expr:
    """A column of labels, or of types of attack, as Int8 by `cells.read_label`. Raises DataError:
    unknown words of a label."""
    found = _distinct(rows, index)
    unknown = [word for word in found if not kind and not cells.is_label(word, form)]
    if unknown:
        name = rows.names[index]
        most = sorted(found, key=lambda word: -found[word][0])[:6]
        listed = ", ".join(f"{quote(word)} ({found[word][0]:,} rows)" for word in most)
        raise DataError(
            f"{rows.where(found[unknown[0]][1])}: label column {name!r} has {len(found)} values: "
            f"{listed}; {quote(unknown[0])} is unknown",
            "say which words mean what: --attack WORD, --normal WORD, --unlabelled WORD; use "
            f"--kind {name} instead of --label if it is the type of attack",
        )
    labels = {word: cells.read_label(word, form, kind) for word in found}
    return rows.text(index, ()).replace_strict(labels, default=None, return_dtype=pl.Int8)


def split(rows: Rows, index: int) -> pl.Expr:
    """The split column of a table: train, validation, test. Raises DataError: any other word."""
    words = _distinct(rows, index)
    known = {word: SPLITS.get(word.lower()) for word in words}
    for word, (_, row) in words.items():
        if word not in NULLS and known[word] is None:
            raise DataError(
                f"{rows.where(row)}: invalid split {quote(word)}", f"known are {', '.join(SPLITS)}"
            )
    return rows.text(index, ()).replace_strict(known, default=None, return_dtype=pl.String)


def _distinct(rows: Rows, index: int) -> dict[str, tuple[int, int]]:
    """Word → number of rows, first row."""
    words = rows.frame.select(ROW, word=rows.text(index, ())).drop_nulls("word")
    counts = words.group_by("word").agg(pl.len(), pl.col(ROW).min()).sort(ROW)
    return {word: (count, row) for word, count, row in counts.collect(engine="streaming").rows()}

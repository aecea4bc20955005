"""Writes an audit as lines of text, and as plain values for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from fractions import Fraction
from typing import Any

from anomalynet.reporting.paper.table_audit import table
from anomalynet.reporting.paper.table_audit.cone import COUNTS, Interval, Unit, range_of, solve

SHOWN = 2  # most contradictions of a row that are written out, besides impossible F1s
NARROW = 0.1  # width, as a fraction, below which the range of a missing cell is written

# The cells that imply a prevalence by either class
READINGS = {"precision_normal", "precision_attack", "recall_normal", "recall_attack"}


def span(bounds: Interval, unit: Unit, column: str = "") -> str:
    """An interval as `71.34 to 71.38 %`, rounded outwards."""
    scale, digits, sign = (100, 2, " %") if unit == "percent" and column != "mcc" else (1, 4, "")
    step = Fraction(1, 10**digits)
    ends = math.floor(bounds[0] * scale / step), math.ceil(bounds[1] * scale / step)
    return " to ".join(dict.fromkeys(f"{float(end * step):.{digits}f}" for end in ends)) + sign


def lines(audit: table.TableAudit) -> Iterator[str]:
    """The audit as lines of text."""
    wrong = sum(not row.possible for row in audit.rows)
    found = f"{wrong} cannot be true" if wrong else "all can be true"
    yield f"{audit.name}: {len(audit.rows)} rows, {audit.unit}, rounding {audit.rounding}: {found}"
    if audit.reread:
        yield f"{audit.reread}; --unit sets the unit"
    if audit.ignored:
        yield f"not audited: {', '.join(audit.ignored)}"
    for row in audit.rows:
        can = "can be true" if row.possible else "cannot be true"
        yield f"{row.model} (line {row.line}): {can}"
        yield from (f"  {text}" for text in _row_lines(row, audit.unit))
        yield from (f"  {text}" for text in _recipe_lines(audit.recipes.get(row.model, ())))
    yield from (_agreement(one, audit.unit) for one in audit.agreements)
    if audit.left:
        first, last = (f"{row.model} (line {row.line})" for row in (audit.left[0], audit.left[-1]))
        yield f"not examined: {len(audit.left)} rows, from {first} to {last}"


def _row_lines(row: table.RowAudit, unit: Unit) -> Iterator[str]:
    outside = {name for name, cell in row.cells.items() if not cell.possible}
    for name, cell in row.cells.items():
        if name in outside:
            yield f"{name} {cell.text} is outside the range of this metric"
    means = [class_ for class_ in row.f1 if not outside & set(table.f1_cells(class_))]
    yield from (_f1(row, class_) for class_ in means)
    rest = [names for names in row.conflicts if not outside & set(names)]
    rest = [
        names for names in rest if not any(set(names) <= set(table.f1_cells(one)) for one in means)
    ]
    for names in sorted(rest, key=lambda names: (set(names) != READINGS, len(names)))[:SHOWN]:
        yield _contradiction(row, names, unit)
    if len(rest) > SHOWN:
        yield f"and {len(rest) - SHOWN} more sets of cells exclude each other"
    for repair in row.repairs:
        yield f"possible with {' and '.join(_replacement(one, unit) for one in repair)}"
    if row.conflicts and not row.repairs:
        yield "no replacement of up to three cells makes it possible"
    narrow = [
        f"{name} {span(bounds, unit, name)}"
        for name, bounds in row.implied.items()
        if bounds[1] - bounds[0] < NARROW
    ]
    if narrow:
        yield f"implied: {', '.join(narrow)}"


def _contradiction(row: table.RowAudit, names: Sequence[str], unit: Unit) -> str:
    """Why a set of cells cannot be true together."""
    given = {name: f"{name} {row.cells[name].text}" for name in names}
    if set(names) == READINGS and len(row.readings) == len(table.CLASSES):
        normal, attack = (span(row.readings[class_], unit) for class_ in table.CLASSES)
        return (
            f"{given['precision_normal']} with both recalls implies a prevalence of {normal}, "
            f"{given['precision_attack']} with them {attack}"
        )
    alone = [repair[0].column for repair in row.repairs if len(repair) == 1]
    replaced = next((name for name in alone if name in names), names[-1])
    rest = [name for name in names if name != replaced]
    cones = solve([row.cells[name] for name in rest], narrow=True)
    needed = None if replaced in COUNTS else range_of(cones, replaced)
    if needed is None:
        return f"no confusion matrix gives {', '.join(given.values())} together"
    allow = "allow" if len(rest) > 1 else "allows"
    others, printed = ", ".join(given[name] for name in rest), row.cells[replaced].text
    return f"{others} {allow} {replaced} {span(needed, unit, replaced)}, not {printed}"


def _f1(row: table.RowAudit, class_: str) -> str:
    precision, recall, f1 = (row.cells[name] for name in table.f1_cells(class_))
    pair = f"{precision.column} {precision.text} and {recall.column} {recall.text}"
    needed = range_of(solve([precision, recall]), f1.column)
    mean = "" if needed is None else f" {span(needed, precision.unit)}"
    verdict = row.f1[class_]
    if verdict == "not the mean":
        return f"{f1.column} {f1.text} is not the harmonic mean{mean and f' of{mean}'} of {pair}"
    return f"{f1.column} {f1.text} is {verdict} both {pair}, whose harmonic mean is{mean}"


def _replacement(one: table.Replacement, unit: Unit) -> str:
    """`precision_attack 98.86 for 93.86 (98.85 to 98.87 %; one digit differs)`."""
    if one.needed is None:
        return f"another {one.column} than {one.printed}"
    why = "; ".join(filter(None, [span(one.needed, unit, one.column), one.slip]))
    return f"{one.column} {one.value} for {one.printed} ({why})"


def _recipe_lines(recipes: Sequence[table.Recipe]) -> Iterator[str]:
    """The values that recipes give for each accuracy per class."""
    for column in dict.fromkeys(one.column for one in recipes):
        own = [one for one in recipes if one.column == column]
        made = ", ".join(
            f"{one.recipe} gives {span(one.made, one.printed.unit)}{', as printed' * one.fits}"
            for one in own
        )
        yield f"{column} {own[0].printed.text}, which no confusion matrix defines: {made}"


def _agreement(one: table.Agreement, unit: Unit) -> str:
    """The line on whether rows can come from one test set."""
    whole = one.reading == "whole row"
    reading = "whole rows" if whole else f"precision ({one.reading}) with both recalls"
    shared = span(one.prevalence, unit)
    if one.complete:
        return f"one test set, by {reading}: possible, prevalence {shared}"
    others = ", ".join(f"{model} {span(bounds, unit)}" for model, bounds in one.others.items())
    if len(one.agree) > 1:
        detail = f"{', '.join(one.agree)} agree on {shared}; {others}"
    else:
        detail = f"no two rows agree; {one.agree[0]} {shared}, {others}"
    return f"one test set, by {reading}: not possible; {detail}"


def plain(audit: table.TableAudit) -> dict[str, Any]:
    """The audit as dictionaries, tuples, texts and numbers; intervals are fractions (low, high)."""
    return {
        "table": audit.name,
        "unit": audit.unit,
        "reread": audit.reread,
        "rounding": audit.rounding,
        "possible": audit.possible,
        "rows": [_plain_row(row) for row in audit.rows],
        "one_test_set": [
            {"reading": one.reading, "possible": one.complete, **asdict(one)}
            for one in audit.agreements
        ],
        "recipes": [
            {"model": model, **asdict(one), "printed": one.printed.text, "fits": one.fits}
            for model, own in audit.recipes.items()
            for one in own
        ],
        "ignored": audit.ignored,
        **({"not_examined": [row.model for row in audit.left]} if audit.left else {}),
    }


def _plain_row(row: table.RowAudit) -> dict[str, Any]:
    found = asdict(row)
    first = {"model": found.pop("model"), "line": found.pop("line"), "possible": row.possible}
    cells, readings = found.pop("cells"), found.pop("readings")
    printed = {name: cell["text"] for name, cell in cells.items()}
    return {**first, "printed": printed, **found, "prevalence_by_class": readings}

"""An audit in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

from anomalynet.reporting.table_audit.cells import Unit
from anomalynet.reporting.table_audit.cone import Interval
from anomalynet.reporting.table_audit.recipes import Recipe
from anomalynet.reporting.table_audit.region import solve
from anomalynet.reporting.table_audit.row import Replacement, RowAudit, f1_cells
from anomalynet.reporting.table_audit.table import Agreement, TableAudit

SHOWN = 2
"""Most contradictions of a row that are spelt out, beside impossible F1s."""

TELLING = 0.1
"""Width, as a fraction, below which the range of a missing cell is worth a line."""


def span(bounds: Interval, unit: Unit, column: str = "") -> str:
    """`71.34 to 71.38 %`, rounded outwards."""
    scale, digits, sign = (100, 2, " %") if unit == "percent" and column != "mcc" else (1, 4, "")
    step = Fraction(1, 10**digits)
    low, high = (
        math.floor(bounds[0] * scale / step) * step,
        math.ceil(bounds[1] * scale / step) * step,
    )
    shown = f"{float(low):.{digits}f}", f"{float(high):.{digits}f}"
    return " to ".join(dict.fromkeys(shown)) + sign


def lines(audit: TableAudit) -> Iterator[str]:
    """The whole audit, one line each."""
    wrong = [row for row in audit.rows if not row.possible]
    yield (
        f"{audit.name}: {len(audit.rows)} rows, {audit.unit}, rounding {audit.rounding}: "
        + (f"{len(wrong)} cannot be true" if wrong else "nothing that cannot be true")
    )
    if audit.reread:
        yield f"{audit.reread}; --unit decides how it is read"
    if audit.ignored:
        yield f"not audited: {', '.join(audit.ignored)}"
    for row in audit.rows:
        yield (
            f"{row.model} (line {row.line}): {'can be true' if row.possible else 'cannot be true'}"
        )
        yield from (f"  {text}" for text in row_lines(row, audit.unit))
        yield from (f"  {text}" for text in recipe_lines(audit.recipes.get(row.model, ())))
    yield from (agreement_text(one, audit.unit) for one in audit.agreements)


def row_lines(row: RowAudit, unit: Unit) -> Iterator[str]:
    """What is known of a row."""
    outside = {name for name, cell in row.cells.items() if not cell.possible}
    yield from (
        f"{name} {row.cells[name].text} lies outside the range of any such number"
        for name in row.cells
        if name in outside
    )
    means = [class_ for class_ in row.f1 if not f1_cells(class_) & outside]
    yield from (_f1(row, class_) for class_ in means)
    rest = [names for names in row.conflicts if not outside & set(names)]
    rest = [names for names in rest if not any(f1_cells(class_) >= set(names) for class_ in means)]
    shown = sorted(rest, key=lambda names: (not _both_readings(names), len(names)))[:SHOWN]
    yield from (contradiction(row, names, unit) for names in shown)
    if len(rest) > len(shown):
        yield f"and {len(rest) - len(shown)} more sets of cells exclude each other"
    for repair in row.repairs:
        yield f"possible with {' and '.join(replacement_text(one, unit) for one in repair)}"
    if row.conflicts and not row.repairs:
        yield "no replacement of up to three cells makes it possible"
    told = {name: bounds for name, bounds in row.implied.items() if bounds[1] - bounds[0] < TELLING}
    if told:
        yield "implied: " + ", ".join(
            f"{name} {span(bounds, unit, name)}" for name, bounds in told.items()
        )


def _both_readings(names: Sequence[str]) -> bool:
    return set(names) == {"precision_normal", "precision_attack", "recall_normal", "recall_attack"}


def contradiction(row: RowAudit, names: Sequence[str], unit: Unit) -> str:
    """Why a set of cells cannot be true together."""
    given = {name: f"{name} {row.cells[name].text}" for name in names}
    if _both_readings(names):
        of = {
            class_: span(row.readings[class_], unit)
            for class_ in ("normal", "attack")
            if class_ in row.readings
        }
        if len(of) == 2:
            return (
                f"{given['precision_normal']} with both recalls implies a prevalence of "
                f"{of['normal']}, "
                f"{given['precision_attack']} with them {of['attack']}"
            )
    replaced = next(
        (
            one.column
            for repair in row.repairs
            if len(repair) == 1
            for one in repair
            if one.column in names
        ),
        names[-1],
    )
    rest = [name for name in names if name != replaced]
    bounds = solve([row.cells[name] for name in rest], narrow=True)
    needed = (
        bounds.range(replaced)
        if not bounds.empty and replaced not in ("tn", "fp", "fn", "tp", "n")
        else None
    )
    if needed is None:
        return f"no confusion matrix gives {', '.join(given.values())} together"
    verb = "allow" if len(rest) > 1 else "allows"
    return (
        f"{', '.join(given[name] for name in rest)} {verb} {replaced} "
        f"{span(needed, unit, replaced)}, not {row.cells[replaced].text}"
    )


def _f1(row: RowAudit, class_: str) -> str:
    precision, recall, f1 = (
        row.cells[f"{name}_{class_}"] for name in ("precision", "recall", "f1")
    )
    of = f"{precision.column} {precision.text} and {recall.column} {recall.text}"
    needed = solve([precision, recall]).range(f1.column)
    mean = "" if needed is None else f" of {span(needed, precision.unit)}"
    verdict = row.f1[class_]
    if verdict == "not the mean":
        return f"{f1.column} {f1.text} is not the harmonic mean{mean} of {of}"
    return (
        f"{f1.column} {f1.text} lies {verdict} both {of}, whose harmonic mean "
        f"is{mean.removeprefix(' of')}"
    )


def replacement_text(one: Replacement, unit: Unit) -> str:
    """`precision_attack 98.86 for 93.86 (98.85 to 98.87 %; one digit differs)`."""
    if one.needed is None:
        return f"another {one.column} than {one.printed}"
    slip = f"; {one.slip}" if one.slip else ""
    return (
        f"{one.column} {one.value} for {one.printed} ({span(one.needed, unit, one.column)}{slip})"
    )


def recipe_lines(recipes: Sequence[Recipe]) -> Iterator[str]:
    """What the recipes make of each accuracy per class."""
    for column in dict.fromkeys(one.column for one in recipes):
        own = [one for one in recipes if one.column == column]
        made = ", ".join(
            f"{one.recipe} gives "
            f"{span(one.made, one.printed.unit)}{', as printed' if one.fits else ''}"
            for one in own
        )
        yield f"{column} {own[0].printed.text}, which no confusion matrix defines: {made}"


def agreement_text(one: Agreement, unit: Unit) -> str:
    """Whether rows can be of one test set."""
    reading = (
        "whole rows"
        if one.reading == "whole row"
        else f"precision ({one.reading}) with both recalls"
    )
    if one.complete:
        return f"one test set, by {reading}: possible, prevalence {span(one.prevalence, unit)}"
    others = ", ".join(f"{model} {span(bounds, unit)}" for model, bounds in one.others.items())
    agree = (
        f"{', '.join(one.agree)} agree on {span(one.prevalence, unit)}"
        if len(one.agree) > 1
        else "no two rows agree"
    )
    shown = (
        others if len(one.agree) > 1 else f"{one.agree[0]} {span(one.prevalence, unit)}, {others}"
    )
    return f"one test set, by {reading}: not possible; {agree}; {shown}"

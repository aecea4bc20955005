"""Tables as GitHub Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from anomalynet.reporting import captions
from anomalynet.reporting.arms import Arm
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.tables import Row, Table

REPAIRED_BY_MORE_THAN = 0.011
"""Percent points: less is rounding, such as 98.4 for 98.41."""


def grid(header: Sequence[str], rows: Iterable[Sequence[str]], align: str = "") -> str:
    """A Markdown table; `align` has a letter a column, l or r, left where it ends."""
    aligned = align.ljust(len(header), "l")
    lines = [header, ["---:" if side == "r" else "---" for side in aligned], *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    )


def _ours(row: Row) -> str:
    return captions.summary_text(row.metric, row.mean, row.spread)


def _printed(row: Row) -> str:
    text = MEASURES[row.metric].text(row.printed)
    if (
        row.printed is None
        or row.repaired is None
        or abs(row.printed - row.repaired) <= REPAIRED_BY_MORE_THAN
    ):
        return text
    return f"{text}\\*"


def comparison(table: Table, signs: Mapping[str, str]) -> str:
    """Printed, repaired and ours, one line a model and metric; an asterisk where the repair changed
    a printed number."""
    lines = []
    for one in table.models:
        for place, metric in enumerate(table.metrics):
            row, measure = table.row(one.arm.name, metric), MEASURES[metric]
            name = f"**{one.arm.title}**{signs[one.arm.name]}" if place == 0 else ""
            n = str(row.n) if row.n else "–"
            lines.append(
                [name, measure.title, _printed(row), measure.text(row.repaired), _ours(row), n]
            )
    return grid(
        ["Model", "Metric", "printed", "repaired", "ours (mean ± spread)", "n"], lines, "llrrrr"
    )


def matrix(table: Table, signs: Mapping[str, str]) -> str:
    """One line a model, one column a metric; n is said again in a cell where fewer repetitions
    define it."""
    lines = []
    for one in table.models:
        rows = [table.row(one.arm.name, metric) for metric in table.metrics]
        repetitions = len(one.values)
        cells = [
            _ours(row) + (f" (n = {row.n})" if 0 < row.n < repetitions else "") for row in rows
        ]
        lines.append([f"**{one.arm.title}**{signs[one.arm.name]}", *cells, str(repetitions)])
    titles = [MEASURES[metric].title + unit(MEASURES[metric].unit) for metric in table.metrics]
    return grid(["Model", *titles, "n"], lines, "l" + "r" * (len(titles) + 1))


def unit(name: str) -> str:
    """A unit as it follows a metric's title."""
    return f", {name}" if name in ("s", "%") else ""


def training(rows: Sequence[Mapping[str, str]], arms: Sequence[Arm]) -> str:
    """Table 1: one line a parameter, one column a model."""
    models = [arm for arm in arms if any(row["model"] == arm.name for row in rows)]
    parameters = list(dict.fromkeys(row["parameter"] for row in rows))
    used = {(row["parameter"], row["model"]): row["used"] for row in rows}
    printed = {row["parameter"]: row["paper"] for row in rows}
    lines = [
        [name.replace("_", " "), printed[name] or "–", *(used[name, arm.name] for arm in models)]
        for name in parameters
    ]
    return grid(["Parameter", "paper", *(arm.title for arm in models)], lines)


def cost(
    rows: Sequence[Mapping[str, str]], titles: Mapping[str, str], headings: Mapping[str, str]
) -> str:
    """Parameters and durations, one line a model."""

    def cell(row: Mapping[str, str], name: str) -> str:
        mean, spread = row[name], row.get(f"{name}_spread", "")
        return (
            "–"
            if not mean
            else f"{float(mean):.2f}" + (f" ± {float(spread):.2f}" if spread else "")
        )

    lines = [
        [
            titles[row["model"]],
            row["parameters"] or "–",
            *(cell(row, name) for name in headings),
            row["runs"],
        ]
        for row in rows
    ]
    return grid(
        ["Model", "Parameters", *headings.values(), "runs"], lines, "l" + "r" * (len(headings) + 2)
    )


def runs(arms: Sequence[Arm]) -> str:
    """Every run that the report was made from."""
    lines = [
        [
            f"`{record.result.experiment}/{record.result.id}`",
            arm.title,
            str(record.result.seed),
            str(record.result.assignment),
            str(record.result.fold),
            "–"
            if record.result.epochs is None
            else f"{record.result.epochs} ({(record.result.best_epoch or 0) + 1})",
            f"{record.result.threshold:.4g} ({record.result.threshold_rule})",
            f"`{record.result.fingerprint[:10]}`"
            + ("" if record.result.world is None else f", world {record.result.world}"),
            f"`{record.code[:10]}`" if record.code else "unknown",
        ]
        for arm in arms
        for record in arm.records
    ]
    header = [
        "Run",
        "Model",
        "Seed",
        "Assignment",
        "Fold",
        "Epochs (best)",
        "Threshold (rule)",
        "Data",
        "Code",
    ]
    return grid(header, lines, "llrrrrrll")

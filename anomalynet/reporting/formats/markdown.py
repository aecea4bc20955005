"""The tables of a report as GitHub Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from anomalynet.reporting.arms import Arm
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.tables import Row, Table

# Percentage points; smaller differences are rounding, such as 98.4 for 98.41
REPAIRED_BY_MORE_THAN = 0.011


def grid(header: Sequence[str], rows: Iterable[Sequence[str]], align: str = "") -> str:
    """A Markdown table. `align`: one letter per column, l or r; missing letters mean l."""
    aligned = align.ljust(len(header), "l")
    lines = [header, ["---:" if side == "r" else "---" for side in aligned], *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    )


def _printed(row: Row) -> str:
    text = MEASURES[row.metric].text(row.printed)
    if row.printed is None or row.repaired is None:
        return text
    return text + ("\\*" if abs(row.printed - row.repaired) > REPAIRED_BY_MORE_THAN else "")


def comparison(table: Table, signs: Mapping[str, str]) -> str:
    """Printed, repaired, ours, a line per model and metric; * marks printed values we repair."""
    lines = []
    for one in table.models:
        for index, metric in enumerate(table.metrics):
            row, measure = table.row(one.arm.name, metric), MEASURES[metric]
            name = f"**{one.arm.title}**{signs[one.arm.name]}" if index == 0 else ""
            n = str(row.n) if row.n else "–"
            cells = [
                _printed(row),
                measure.text(row.repaired),
                measure.text(row.mean, row.spread),
                n,
            ]
            lines.append([name, measure.title, *cells])
    header = ["Model", "Metric", "printed", "repaired", "ours (mean ± spread)", "n"]
    return grid(header, lines, "llrrrr")


def matrix(table: Table, signs: Mapping[str, str]) -> str:
    """A line per model, a column per metric; with n where it is undefined in some repetitions."""
    lines = []
    for one in table.models:
        rows = [table.row(one.arm.name, metric) for metric in table.metrics]
        repetitions = len(one.values)
        cells = [
            MEASURES[row.metric].text(row.mean, row.spread)
            + (f" (n = {row.n})" if 0 < row.n < repetitions else "")
            for row in rows
        ]
        lines.append([f"**{one.arm.title}**{signs[one.arm.name]}", *cells, str(repetitions)])
    titles = [MEASURES[metric].title + unit(MEASURES[metric].unit) for metric in table.metrics]
    return grid(["Model", *titles, "n"], lines, "l" + "r" * (len(titles) + 1))


def unit(name: str) -> str:
    """A unit as suffix of a metric's title."""
    return f", {name}" if name in ("s", "%") else ""


def training(rows: Sequence[Mapping[str, str]], arms: Sequence[Arm]) -> str:
    """Table 1: one line per parameter, one column per model."""
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
    rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str], headings: Mapping[str, str]
) -> str:
    """Parameters and durations, one line per model."""

    def cell(mean: float | None, spread: float | None = None) -> str:
        suffix = "" if spread is None else f" ± {spread:.2f}"
        return "–" if mean is None else f"{mean:.2f}{suffix}"

    lines = []
    for row in rows:
        cells = [cell(row[name], row[f"{name}_spread"]) for name in headings]
        total, runs = cell(row["device_seconds"]), str(row["runs"])
        lines.append([titles[row["model"]], row["parameters"] or "–", *cells, total, runs])
    header = ["Model", "Parameters", *headings.values(), "device time of all runs, s", "runs"]
    return grid(header, lines, "l" + "r" * (len(header) - 1))


def runs(arms: Sequence[Arm]) -> str:
    """All runs of the report, one line per run."""
    lines = []
    for arm, record in ((one, record) for one in arms for record in one.records):
        run = record.result
        best = f"{run.epochs} ({(run.best_epoch or 0) + 1})"
        world = "" if run.world is None else f", world {run.world}"
        lines.append(
            [f"`{run.experiment}/{run.id}`", arm.title]
            + [str(number) for number in (run.seed, run.assignment, run.fold)]
            + ["–" if run.epochs is None else best, f"{run.threshold:.4g} ({run.threshold_rule})"]
            + [f"`{run.fingerprint[:10]}`{world}"]
            + [f"`{record.code[:10]}`" if record.code else "unknown"]
        )
    header = ["Run", "Model", "Seed", "Assignment", "Fold", "Epochs (best)", "Threshold (rule)"]
    return grid([*header, "Data", "Code"], lines, "llrrrrrll")

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


def by_class(tables: Sequence[Table], others: Table, signs: Mapping[str, str]) -> str:
    """Tables 2–4 as one: a line per model and class, printed, repaired and ours of each metric; *
    marks printed values that we repair. `others`: models that the paper does not have."""
    lines = []
    for one in (*tables[0].models, *others.models):
        for class_ in ("normal", "attack"):
            name = f"**{one.arm.title}**{signs[one.arm.name]}" if class_ == "normal" else ""
            cells = []
            for table in tables:
                own = others if one in others.models else table
                metric = next(each for each in table.metrics if each.endswith(class_))
                cells += _three(own.row(one.arm.name, metric))
            lines.append([name, class_, *cells])
    titles = [table.title.partition(". ")[2] for table in tables]
    columns = [f"{title}, {what}" for title in titles for what in ("printed", "repaired", "ours")]
    return grid(["Model", "Class", *columns], lines, "ll" + "r" * len(columns))


def accuracies(table: Table, signs: Mapping[str, str]) -> str:
    """Table 5: a line per model, printed, repaired and ours of each accuracy."""
    kinds = [metric for metric in table.metrics if "accuracy" in metric]
    lines = []
    for one in table.models:
        cells = [cell for metric in kinds for cell in _three(table.row(one.arm.name, metric))]
        lines.append([f"**{one.arm.title}**{signs[one.arm.name]}", *cells])
    named = [(metric, metric.startswith("eq13")) for metric in kinds]
    columns = [
        (index, f"{MEASURES[metric].title}, {what}")
        for place, (metric, printed) in enumerate(named)
        for index, what in enumerate(("printed", "repaired", "ours"), 3 * place)
        if printed or what != "printed"  # the paper prints only its own recipe
    ]
    chosen = [[line[0], *(line[1 + index] for index, _ in columns)] for line in lines]
    header = ["Model", *(title for _, title in columns)]
    return grid(header, chosen, "l" + "r" * len(columns))


def _three(row: Row) -> list[str]:
    measure = MEASURES[row.metric]
    return [_printed(row), measure.text(row.repaired), measure.text(row.mean, row.spread)]


def emphasised(
    cells: Sequence[Sequence[str]], values: Sequence[Sequence[float | None]], metrics: Sequence[str]
) -> list[list[str]]:
    """The cells of models (rows) and metrics (columns), the best of each metric in bold, if several
    models have it."""
    found = [list(line) for line in cells]
    for column, metric in enumerate(metrics):
        own = [value for line in values if (value := line[column]) is not None]
        best = max if MEASURES[metric].higher_is_better else min
        for line, row in zip(found, values, strict=True):
            if len(own) > 1 and metric != "prevalence" and row[column] == best(own):
                line[column] = f"**{line[column]}**"
    return found


def matrix(table: Table, signs: Mapping[str, str]) -> str:
    """A line per model, a column per metric; with n where it is undefined in some repetitions."""
    lines = []
    for one in table.models:
        rows = [table.row(one.arm.name, metric) for metric in table.metrics]
        cells = [
            MEASURES[row.metric].text(row.mean, row.spread)
            + (f" (n = {row.n})" if 0 < row.n < len(one.values) else "")
            for row in rows
        ]
        lines.append([f"**{one.arm.title}**{signs[one.arm.name]}", *cells])
    titles = [MEASURES[metric].title + unit(MEASURES[metric].unit) for metric in table.metrics]
    return grid(["Model", *titles], lines, "l" + "r" * len(titles))


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

"""The tables of a report as GitHub Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.tables import Row, Table, metric_text

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


def by_class(tables: Sequence[Table], others: Table, signs: Mapping[str, str]) -> str:
    """Tables 2–4 as one: a line per model and class, printed, repaired and ours of each metric; *
    marks printed values that we repair. `others`: models that the paper does not have."""
    lines = []
    for one in (*tables[0].models, *others.models):
        for class_ in ("normal", "attack"):
            name = f"**{one.arm.title}**{signs[one.arm.name]}" if class_ == "normal" else ""
            cells: list[str] = []
            for table in tables:
                own = others if one in others.models else table
                metric = next(each for each in table.metrics if each.endswith(class_))
                cells += _three(own.row(one, metric)).values()
            lines.append([name, class_, *cells])
    titles = [table.title.partition(". ")[2] for table in tables]
    columns = [f"{title}, {what}" for title in titles for what in ("printed", "repaired", "ours")]
    return grid(["Model", "Class", *columns], lines, "ll" + "r" * len(columns))


def accuracies(table: Table, signs: Mapping[str, str]) -> str:
    """Table 5: a line per model, printed, repaired and ours of each accuracy; the paper prints only
    its own recipe."""
    columns = [
        (metric, what)
        for metric in table.metrics
        if "accuracy" in metric
        for what in ("printed", "repaired", "ours")
        if metric.startswith("eq13") or what != "printed"
    ]
    lines = [
        [f"**{one.arm.title}**{signs[one.arm.name]}"]
        + [_three(table.row(one, metric))[what] for metric, what in columns]
        for one in table.models
    ]
    header = ["Model", *(f"{MEASURES[metric].title}, {what}" for metric, what in columns)]
    return grid(header, lines, "l" + "r" * len(columns))


def _three(row: Row) -> dict[str, str]:
    measure, printed, repaired = MEASURES[row["metric"]], row["printed"], row["repaired"]
    both = printed is not None and repaired is not None
    sign = "\\*" if both and abs(printed - repaired) > REPAIRED_BY_MORE_THAN else ""
    return {
        "printed": measure.text(printed) + sign,
        "repaired": measure.text(repaired),
        "ours": measure.text(row["mean"], row["spread"]),
    }


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
    lines = [
        [f"**{one.arm.title}**{signs[one.arm.name]}"]
        + [metric_text(metric, one.summary(metric), len(one.values)) for metric in table.metrics]
        for one in table.models
    ]
    return grid(["Model", *map(metric_title, table.metrics)], lines, "l" + "r" * len(table.metrics))


def metric_title(metric: str) -> str:
    """A metric's title with its unit."""
    return MEASURES[metric].title + unit(MEASURES[metric].unit)


def unit(name: str) -> str:
    """A unit as suffix of a metric's title."""
    return f", {name}" if name in ("s", "%") else ""


def training(rows: Sequence[Row], models: Sequence[ArmMetrics]) -> str:
    """Table 1: one line per parameter, one column per model."""
    arms = [one.arm for one in models if any(row["model"] == one.arm.name for row in rows)]
    used = {(row["parameter"], row["model"]): row["used"] for row in rows}
    printed = {row["parameter"]: row["paper"] for row in rows}
    lines = [
        [name.replace("_", " "), paper or "–", *(used[name, arm.name] for arm in arms)]
        for name, paper in printed.items()
    ]
    return grid(["Parameter", "paper", *(arm.title for arm in arms)], lines)


def cost(rows: Sequence[Row], titles: Mapping[str, str], headings: Mapping[str, str]) -> str:
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

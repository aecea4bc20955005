"""Tidy tables, a row per model, data set and metric: the source of all numbers of a report."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from anomalynet.errors import cell_text
from anomalynet.reporting.aggregate import ArmMetrics, Summary, summarise
from anomalynet.reporting.arms import Arm
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.measures import MEASURES, RANKING
from anomalynet.reporting.paper import published
from anomalynet.runs.collect import RunRecord

Row = dict[str, Any]
"""Column → value, percent or in `unit`; None: missing or undefined."""

COLUMNS: tuple[str, ...] = ("table", "model", "data", "metric", "printed", "repaired", "mean")
COLUMNS += ("spread", "n", "split", "prevalence", "seeds", "folds", "unit", "status", "worlds")
TRAINING = ("table", "model", "data", "parameter", "paper", "used")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under one title; `models` are the arms they were made from, in order."""

    name: str
    title: str
    metrics: tuple[str, ...]
    models: tuple[ArmMetrics, ...]
    rows: Mapping[tuple[str, str], Row]  # (name of an arm, metric) → its row

    def row(self, one: ArmMetrics, metric: str) -> Row:
        """The row of a model and a metric."""
        return self.rows[one.arm.name, metric]

    @property
    def files(self) -> dict[str, bytes]:
        """Its CSV."""
        return csv_file(self.name, self.rows.values(), COLUMNS)


_PRECISIONS = ("precision_normal", "precision_attack")
_RECALLS = ("recall_normal", "recall_attack")
_F1 = ("f1_normal", "f1_attack")
_ACCURACIES = ("accuracy", "balanced_accuracy")

# Tables of the paper's models and other networks: file name → title, metrics
PAPER_TABLES = {
    "table_2_precision": ("Table 2. Precision", _PRECISIONS),
    "table_3_recall": ("Table 3. Recall", _RECALLS),
    "table_4_f1": ("Table 4. F1", _F1),
    "table_5_accuracy": ("Table 5. Accuracy", (*_ACCURACIES, *_RECALLS, *published.EQ13)),
    "confusion": ("Confusion matrices", tuple(published.COUNTS)),
}

DECISIONS = (*_PRECISIONS, *_RECALLS, *_F1, *_ACCURACIES)
RANKING_AND_INCIDENTS = (
    *(f"{name}_fold_mean" for name in RANKING),
    *(f"{name}_pooled" for name in RANKING),
    "mcc",
    "precision_at_paper_prevalence",
    "accuracy_at_half",
    "false_alarms_per_device_day_fold_mean",
)


def defined(value: float, scale: float = 1.0) -> float | None:
    """A value for a table, None if it is NaN."""
    return None if math.isnan(value) else value * scale


def scaled(summary: Summary, scale: float) -> tuple[float | None, float | None]:
    """Mean and spread for a table, None if undefined."""
    return defined(summary.mean, scale), defined(summary.spread, scale)


def metric_text(metric: str, summary: Summary, of: int = 0) -> str:
    """Mean ± spread as text; with n if the metric is undefined in some `of` so many repetitions."""
    measure = MEASURES[metric]
    few = f" (n = {summary.n})" if 0 < summary.n < of else ""
    return measure.text(*scaled(summary, measure.scale)) + few


def share_text(summary: Summary) -> str:
    """A share in percent with one decimal, and its spread; a dash if it is undefined."""
    mean, spread = scaled(summary, 100)
    if mean is None:
        return "–"
    return f"{mean:.1f}" + ("" if spread is None else f" ± {spread:.1f}")


def table_of(
    context: ReportContext,
    name: str,
    title: str,
    metrics: Sequence[str],
    models: Sequence[ArmMetrics],
) -> Table:
    """A table with one row per model and metric, in this order, with the paper's numbers if there
    are any."""
    numbers = published.load()
    rows: dict[tuple[str, str], Row] = {}
    for one, metric in product(models, metrics):
        measure, summary = MEASURES[metric], one.summary(metric)
        mean, spread = scaled(summary, measure.scale)
        is_paper, experiment = one.arm.kind == "paper", one.arm.experiment
        rows[one.arm.name, metric] = {
            "table": name,
            "model": one.arm.name,
            "data": context.data,
            "metric": metric,
            "printed": numbers.printed(experiment, metric) if is_paper else None,
            "repaired": numbers.repaired(experiment, metric) if is_paper else None,
            "mean": mean,
            "spread": spread,
            "n": summary.n,
            **context[one].cells(unit=measure.unit),
        }
    return Table(name, title, tuple(metrics), tuple(models), rows)


def paper_tables(context: ReportContext) -> tuple[Table, ...]:
    """Tables 2–5 and confusion matrices: the paper's models, even without runs, then others."""
    networks = [one for one in context.models if one.arm.kind in ("paper", "deep")]
    return tuple(
        table_of(context, name, title, metrics, networks)
        for name, (title, metrics) in PAPER_TABLES.items()
    )


def other_tables(context: ReportContext) -> tuple[Table, ...]:
    """The other models in tables like Tables 2–5, then ranking and incidents for all."""
    others = [one for one in context.models if one.arm.kind == "other"]
    run = [one for one in context.models if one.arm.repetitions]
    titles = "Classical and unsupervised models", "Ranking and incidents, all models"
    return (
        table_of(context, "classical_and_unsupervised", titles[0], DECISIONS, others),
        table_of(context, "ranking_and_incidents", titles[1], RANKING_AND_INCIDENTS, run),
    )


def training_rows(context: ReportContext) -> list[Row]:
    """Table 1: training parameters of the paper and of each network's runs, and their epochs."""
    rows: list[Row] = []
    for one in context.models:
        known = (record.result.epochs for record in one.arm.records)
        epochs = [float(number) for number in known if number is not None]
        if not epochs:
            continue
        head = {"table": "table_1_training", "model": one.arm.name, "data": context.data}
        for parameter, printed in published.load().training.items():
            section = "model" if parameter == "dropout" else "training"
            configs = (record.config.get(section, {}) for record in one.arm.records)
            used = ", ".join(sorted({str(config.get(parameter, "–")) for config in configs}))
            rows.append({**head, "parameter": parameter, "paper": str(printed), "used": used})
        several = f"{min(epochs):.0f}–{max(epochs):.0f}, mean {summarise(epochs).mean:.1f}"
        ran = several if len(set(epochs)) > 1 else f"{epochs[0]:.0f}"
        rows.append({**head, "parameter": "epochs run", "paper": "", "used": ran})
    return rows


def runs_file(arms: Sequence[Arm]) -> dict[str, bytes]:
    """All runs of a report, one line per run."""
    return csv_file("runs", (_run(arm, record) for arm in arms for record in arm.records))


def _run(arm: Arm, record: RunRecord) -> Row:
    run = record.result
    return {
        "run": f"{run.experiment}/{run.id}",
        "model": arm.name,
        "data": run.data,
        **{key: getattr(run, key) for key in ("seed", "assignment", "fold", "world", "epochs")},
        "best_epoch": run.best_epoch,
        "threshold": f"{run.threshold:.6g}",
        "threshold_rule": run.threshold_rule,
        "fingerprint": run.fingerprint[:10],
        "code": record.code[:10],
    }


COSTS = {
    "train_seconds": "training, s per run",
    "score_seconds": "scoring, s per run",
    "microseconds_per_window": "inference in batches, µs per window",
    "microseconds_single": "inference of one window alone, µs",
}


def parameters_text(arm: Arm) -> str:
    """The number of an arm's parameters, as a range if its runs differ; "" without any."""
    found = {record.result.parameters for record in arm.records}
    counts = sorted(number for number in found if number is not None)
    return f"{counts[0]} … {counts[-1]}" if len(counts) > 1 else "".join(map(str, counts))


def cost_rows(context: ReportContext) -> list[Row]:
    """Parameters and durations, mean ± spread over runs; of device time the sum. They depend on the
    machine, so they are kept out of all other tables."""
    rows = []
    for arm in (one.arm for one in context.models if one.arm.records):
        row: dict[str, Any] = {"model": arm.name, "data": context.by_arm[arm.name].data}
        row |= {"runs": len(arm.records), "parameters": parameters_text(arm)}
        for name in COSTS:
            cost = summarise(one.timings[name] for one in arm.records if name in one.timings)
            row[name], row[f"{name}_spread"] = scaled(cost, 1.0)
        timed = [seconds for one in arm.records if (seconds := device_seconds(one)) is not None]
        row["device_seconds"] = sum(timed) if timed else None
        rows.append(row)
    return rows


def device_seconds(record: RunRecord) -> float | None:
    """Device time of a run: training on each device, scoring on one; None if not stored."""
    if "train_seconds" not in record.timings:
        return None
    devices = record.config.get("hardware", {}).get("devices", 1)
    scoring = record.timings.get("score_seconds", 0.0)
    return float(devices * record.timings["train_seconds"] + scoring)


def _cell(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.4f}"
    return cell_text(value) if isinstance(value, str) else value


def to_csv(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """CSV with one header line; numbers have four decimals, None is an empty cell. Before a text
    that a spreadsheet would compute as a formula stands an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow(map(_cell, row))
    return text.getvalue()


def csv_file(name: str, rows: Iterable[Row], columns: Sequence[str] = ()) -> dict[str, bytes]:
    """`tables/<name>.csv` → the rows. `columns`: their names, if there may be no row."""
    every = list(rows)
    header = columns or tuple(every[0])
    return {f"tables/{name}.csv": to_csv(header, (row.values() for row in every)).encode()}

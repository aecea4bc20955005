"""Tidy tables: one row a model, data set and metric. Everything that a report shows as a number
comes from these rows."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from anomalynet.reporting import captions, paper
from anomalynet.reporting.aggregate import ArmMetrics, summarise
from anomalynet.reporting.arms import Arm
from anomalynet.reporting.measures import MEASURES
from anomalynet.runs.collect import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model, data set and metric; shares in percent, the rest in `unit`. None: not there, or
    undefined."""

    table: str
    model: str
    data: str
    metric: str
    printed: float | None
    repaired: float | None
    mean: float | None
    spread: float | None
    n: int
    split: str
    prevalence: float | None
    seeds: str
    folds: str
    unit: str
    status: str
    worlds: str


COLUMNS = tuple(field.name for field in fields(Row))


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under one title; `models` are the arms they were made from, in order."""

    name: str
    title: str
    metrics: tuple[str, ...]
    models: tuple[ArmMetrics, ...]
    rows: tuple[Row, ...]

    def row(self, model: str, metric: str) -> Row:
        """The row of an arm's name and a metric."""
        return next(row for row in self.rows if (row.model, row.metric) == (model, metric))


PAPER_TABLES = {
    "table_2_precision": ("Table 2. Precision", ("precision_normal", "precision_attack")),
    "table_3_recall": ("Table 3. Recall", ("recall_normal", "recall_attack")),
    "table_4_f1": ("Table 4. F1", ("f1_normal", "f1_attack")),
    "table_5_accuracy": (
        "Table 5. Accuracy",
        (
            "accuracy",
            "balanced_accuracy",
            "recall_normal",
            "recall_attack",
            "eq13_accuracy_normal",
            "eq13_accuracy_attack",
        ),
    ),
    "confusion": (
        "Confusion matrices",
        ("true_negatives", "false_positives", "false_negatives", "true_positives"),
    ),
}
"""Those with rows for the paper's models and other networks: file name → title, metrics."""

DECISIONS = (
    "precision_normal",
    "precision_attack",
    "recall_normal",
    "recall_attack",
    "f1_normal",
    "f1_attack",
    "accuracy",
    "balanced_accuracy",
)
RANKING = (
    "auroc",
    "auroc_fold_mean",
    "average_precision",
    "average_precision_fold_mean",
    "mcc",
    "precision_at_paper_prevalence",
    "accuracy_at_half",
    "false_alarms_per_day",
)


def defined(value: float, scale: float = 1.0) -> float | None:
    """A value for a table, None where it is NaN."""
    return None if math.isnan(value) else value * scale


FACTS = ("split", "prevalence", "seeds", "folds", "status", "worlds")


def facts(one: ArmMetrics) -> tuple[object, ...]:
    """What must stand beside every number of an arm that has runs, as `FACTS` names it."""
    arm = one.arm
    return (
        captions.split_text(arm),
        defined(captions.prevalence(one)),
        captions.seeds_text(arm),
        captions.folds_text(arm),
        arm.status,
        captions.worlds_text(arm),
    )


def metric_row(table: str, one: ArmMetrics, data: str, metric: str) -> Row:
    """An arm's row of a table, with the paper's numbers where it has any."""
    measure, summary = MEASURES[metric], one.summary(metric)
    is_paper = one.arm.kind == "paper"
    numbers = paper.load()
    return Row(
        table=table,
        model=one.arm.name,
        data=data,
        metric=metric,
        printed=numbers.printed(one.arm.experiment, metric) if is_paper else None,
        repaired=numbers.repaired(one.arm.experiment, metric) if is_paper else None,
        mean=defined(summary.mean, measure.scale),
        spread=defined(summary.spread, measure.scale),
        n=summary.n,
        split=captions.split_text(one.arm),
        prevalence=defined(captions.prevalence(one)),
        seeds=captions.seeds_text(one.arm),
        folds=captions.folds_text(one.arm) if one.values else "",
        unit=measure.unit,
        status=one.arm.status if one.arm.repetitions else "not run",
        worlds=captions.worlds_text(one.arm),
    )


def _table(
    name: str, title: str, metrics: Sequence[str], models: Sequence[ArmMetrics], data: str
) -> Table:
    rows = tuple(metric_row(name, one, data, metric) for one in models for metric in metrics)
    return Table(name, title, tuple(metrics), tuple(models), rows)


def paper_tables(models: Sequence[ArmMetrics], data: str) -> tuple[Table, ...]:
    """Tables 2–5 and the confusion matrices: the paper's models, run or not, then other
    networks."""
    networks = [one for one in models if one.arm.kind in ("paper", "deep")]
    return tuple(
        _table(name, title, metrics, networks, data)
        for name, (title, metrics) in PAPER_TABLES.items()
    )


def other_tables(models: Sequence[ArmMetrics], data: str) -> tuple[Table, ...]:
    """The classical and unsupervised models as Tables 2–5 show networks, then ranking and incidents
    for all models."""
    others = [one for one in models if one.arm.kind == "other"]
    return (
        _table(
            "classical_and_unsupervised",
            "Classical and unsupervised models",
            DECISIONS,
            others,
            data,
        ),
        _table(
            "ranking_and_incidents",
            "Ranking and incidents, all models",
            RANKING,
            [one for one in models if one.arm.repetitions],
            data,
        ),
    )


def training_rows(models: Sequence[ArmMetrics]) -> list[dict[str, str]]:
    """Table 1: the paper's training parameters beside those that each network's runs really had,
    and the epochs they ran."""
    rows = []
    for one in models:
        epochs = [
            float(record.result.epochs)
            for record in one.arm.records
            if record.result.epochs is not None
        ]
        if not epochs:
            continue
        for parameter, printed in paper.load().training.items():
            section = "model" if parameter == "dropout" else "training"
            used = {
                str(record.config.get(section, {}).get(parameter, "–"))
                for record in one.arm.records
            }
            rows.append(
                {
                    "model": one.arm.name,
                    "parameter": parameter,
                    "paper": str(printed),
                    "used": ", ".join(sorted(used)),
                }
            )
        several = f"{min(epochs):.0f}–{max(epochs):.0f}, mean {summarise(epochs).mean:.1f}"
        ran = several if len(set(epochs)) > 1 else f"{epochs[0]:.0f}"
        rows.append({"model": one.arm.name, "parameter": "epochs run", "paper": "", "used": ran})
    return rows


COSTS = {
    "train_seconds": "training, s a run",
    "score_seconds": "scoring, s a run",
    "microseconds_per_window": "inference in batches, µs a window",
    "microseconds_single": "inference of one window alone, µs",
    "device_seconds": "device time of all runs, s",
}
TOTALS = ("device_seconds",)
"""Sums over runs, which have no spread."""
_PRICES = (
    column for name in COSTS for column in ((name,) if name in TOTALS else (name, f"{name}_spread"))
)
COST_COLUMNS = ("model", "data", "runs", "parameters", *_PRICES)


def parameters_text(arm: Arm) -> str:
    """Parameters of an arm's models, from the fewest to the most where its runs differ; nothing for
    models without."""
    known = sorted(
        {record.result.parameters for record in arm.records if record.result.parameters is not None}
    )
    return f"{known[0]} … {known[-1]}" if len(known) > 1 else "".join(map(str, known))


def cost_rows(models: Sequence[ArmMetrics]) -> list[dict[str, str]]:
    """Parameters and durations, mean ± spread over runs: alone in depending on the machine, so kept
    apart from all other tables."""
    rows = []
    for one in models:
        if not one.arm.records:
            continue
        means = [name for name in COSTS if name not in TOTALS]
        costs = {
            name: summarise(
                record.timings[name] for record in one.arm.records if name in record.timings
            )
            for name in means
        }
        row = {
            "model": one.arm.name,
            "runs": str(len(one.arm.records)),
            "parameters": parameters_text(one.arm),
        }
        for name, cost in costs.items():
            row |= {
                name: _number(defined(cost.mean)),
                f"{name}_spread": _number(defined(cost.spread)),
            }
        timed = [
            seconds for record in one.arm.records if (seconds := device_seconds(record)) is not None
        ]
        row["device_seconds"] = _number(sum(timed) if timed else None)
        rows.append(row)
    return rows


def device_seconds(record: RunRecord) -> float | None:
    """How long a run kept devices busy: training on each of its devices, and scoring on one; None
    where it does not say."""
    if "train_seconds" not in record.timings:
        return None
    devices = record.config.get("hardware", {}).get("devices", 1)
    return float(
        devices * record.timings["train_seconds"] + record.timings.get("score_seconds", 0.0)
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def to_csv(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Comma separated, one header line; numbers with four decimals, nothing for None."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow(
            [_number(cell) if isinstance(cell, float) or cell is None else cell for cell in row]
        )
    return text.getvalue()


def table_csv(table: Table) -> str:
    """A tidy table as CSV."""
    return to_csv(COLUMNS, ([getattr(row, column) for column in COLUMNS] for row in table.rows))

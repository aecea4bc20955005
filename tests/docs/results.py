"""The README's results, made from the committed reports: `python -m tests.docs.results` writes
them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl

ROOT = Path(__file__).parents[2]
VERDICTS = {"holds": "hold", "does not hold": "do not hold", "no evidence": "without evidence"}

REPORTS = {
    "smart_city": "anomalynet reproduce --preset full",
    "skab": "anomalynet reproduce --preset full --data skab",
}
"""Committed report → the command that regenerates it."""

MODELS = {
    "cnn": "CNN",
    "lstm": "LSTM",
    "cnn_lstm": "CNN-LSTM",
    "hybrid": "Hybrid",
    "autoencoder": "Autoencoder †",
    "logistic": "Logistic",
    "random_forest": "Random forest",
    "gradient_boosting": "Gradient boosting",
    "isolation_forest": "Isolation forest †",
}
"""Name of a model → its title; † learns without labels."""

METRICS = {"f1_attack": "F1", "auroc_fold_mean": "AUROC", "average_precision_fold_mean": "AP"}
TABLES = ("table_4_f1", "classical_and_unsupervised", "ranking_and_incidents")

Rows = dict[tuple[str, str], dict[str, Any]]


def block() -> str:
    """The text between the README's result marks: a row per model, three columns per report."""
    found = {name: _rows(ROOT / "reports" / name / "tables") for name in REPORTS}
    heads = [f"{name} {title}" for name in REPORTS for title in METRICS.values()]
    lines = [f"| % | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for model, title in MODELS.items():
        rows = [found[name][model, metric] for name in REPORTS for metric in METRICS]
        cells = [f"{row['mean']:.1f} ± {row['spread']:.1f}" for row in rows]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    notes = (_note(name, found[name]) for name in REPORTS)
    return "\n".join([*lines, "", ""]) + "".join(notes)


def _rows(folder: Path) -> Rows:
    """(model, metric) → its row in the tables of a report."""
    tables = [pl.read_csv(folder / f"{one}.csv", infer_schema_length=None) for one in TABLES]
    rows = pl.concat(tables, how="diagonal_relaxed").drop_nulls("mean").iter_rows(named=True)
    return {(row["model"], row["metric"]): row for row in rows}


def _note(name: str, rows: Rows) -> str:
    """What a reader must know of a report's numbers, as an item of a list."""
    folder, one = ROOT / "reports" / name / "tables", rows["hybrid", "f1_attack"]
    probes = pl.read_csv(folder / "audit.csv").filter(pl.col("probe") == "row position")
    blind = probes.row(0, named=True)
    return (
        f"- **{name}** ([report](reports/{name}/report.md), `{REPORTS[name]}`):\n"
        f"  split `{one['split']}`, {one['folds']} folds pooled, {one['n']} repetitions, "
        f"{one['prevalence']:.1f} % attack.\n"
        f"  A probe of the row position alone reaches AUROC {100 * blind['auroc']:.1f}."
        f"{_claims(folder)}\n"
    )


def _claims(folder: Path) -> str:
    """How many of the paper's claims hold there, each by one metric or several; nothing in reports
    of earlier versions."""
    if not (folder / "claims.csv").is_file():
        return ""
    verdicts = pl.read_csv(folder / "claims.csv").unique(["claim", "metric"])["verdict"].to_list()
    counts = ", ".join(f"{verdicts.count(verdict)} {text}" for verdict, text in VERDICTS.items())
    return f"\n  Of the paper's claims, {len(verdicts)} questions in all: {counts}."


def written(readme: str) -> str:
    """A README with the block in its place."""
    marks = ("<!-- results -->", "<!-- /results -->")
    return re.sub(
        f"{marks[0]}.*{marks[1]}", lambda _: f"{marks[0]}\n{block()}{marks[1]}", readme, flags=re.S
    )


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")

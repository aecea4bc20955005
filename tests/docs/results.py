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
    "smart_city-quick": ("smart_city", "`anomalynet reproduce`"),
    "skab": ("SKAB", "seed 0 of `anomalynet reproduce --preset full --data skab`"),
}
"""Committed report → its title, and the command that makes it."""

MODELS = {
    "cnn": "CNN",
    "lstm": "LSTM",
    "cnn_lstm": "CNN-LSTM",
    "hybrid": "Hybrid",
    "hybrid_plus": "Hybrid plus",
    "random_forest": "Random forest",
    "gradient_boosting": "Gradient boosting",
    "logistic": "Logistic",
    "hybrid_injected": "Hybrid injected †",
    "autoencoder": "Autoencoder †",
    "isolation_forest": "Isolation forest †",
}
"""Name of a model → its title; † learns without labels."""

METRICS = {
    "f1_attack": "F1",
    "average_precision_fold_mean": "AP",
    "auroc_fold_mean": "AUROC",
}


def block() -> str:
    """The text between the README's result marks: a row per model, three columns per report."""
    found = {name: _values(ROOT / "reports" / name / "tables") for name in REPORTS}
    heads = [f"{title} {metric}" for title, _ in REPORTS.values() for metric in METRICS.values()]
    lines = [f"| % | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    best = {
        (name, metric): max(found[name][model, metric]["mean"] for model in MODELS)
        for name in REPORTS
        for metric in METRICS
    }
    for model, title in MODELS.items():
        cells = [
            _cell(found[name][model, metric], best[name, metric])
            for name in REPORTS
            for metric in METRICS
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(_note(name) for name in REPORTS), ""])


def _values(tables: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """(model, metric) → its row in a report's leaderboard."""
    rows = pl.read_csv(tables / "leaderboard.csv", infer_schema_length=None).iter_rows(named=True)
    return {(row["model"], row["metric"]): row for row in rows}


def _cell(row: dict[str, Any], best: float) -> str:
    spread = "" if row["spread"] is None else f" ± {row['spread']:.1f}"
    mean = f"{row['mean']:.1f}"
    return f"**{mean}**{spread}" if row["mean"] == best else mean + spread


def _note(name: str) -> str:
    """What a reader must know of a report's numbers, as an item of a list."""
    tables, (title, command) = ROOT / "reports" / name / "tables", REPORTS[name]
    one = pl.read_csv(tables / "table_4_f1.csv", infer_schema_length=None).row(0, named=True)
    probes = pl.read_csv(tables / "audit.csv").filter(sees="nothing").sort("auroc")
    probe = probes.row(-1, named=True)
    verdicts = pl.read_csv(tables / "claims.csv")["verdict"].to_list()
    counts = ", ".join(f"{verdicts.count(verdict)} {text}" for verdict, text in VERDICTS.items())
    repetitions = "one repetition" if one["n"] == 1 else f"{one['n']} repetitions"
    return (
        f"- [{title}](reports/{name}/report.md), {command}:\n"
        f"  {one['folds']} folds, {repetitions}, {one['prevalence']:.1f} % attack. "
        f"The {probe['probe']} alone, with no sensor, has\n"
        f"  AUROC {probe['auroc']:.1f}. Of {len(verdicts)} questions from the paper's claims: "
        f"{counts}."
    )


def written(readme: str) -> str:
    """A README with the block in its place."""
    marks = ("<!-- results -->", "<!-- /results -->")
    return re.sub(
        f"{marks[0]}.*{marks[1]}", lambda _: f"{marks[0]}\n{block()}{marks[1]}", readme, flags=re.S
    )


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")

"""The README's results, made from the committed reports: `python -m tests.docs.results` writes
them."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

ROOT = Path(__file__).parents[2]
REPORTS = {
    "smart_city": "anomalynet reproduce --preset full",
    "skab": "anomalynet reproduce --preset full --data skab",
    "smart_city-held_out_types-quick": "anomalynet reproduce data.split.policy=held_out_types",
}
"""Committed report → the command that regenerates it."""

MODELS = {
    "cnn": "CNN",
    "lstm": "LSTM",
    "cnn_lstm": "CNN-LSTM",
    "hybrid": "Hybrid",
    "autoencoder": "Autoencoder (no labels)",
    "logistic": "Logistic regression",
    "random_forest": "Random forest",
    "gradient_boosting": "Gradient boosting",
    "isolation_forest": "Isolation forest (no labels)",
}
METRICS = {
    "f1_attack": "F1 (attack)",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "auroc_fold_mean": "AUROC, fold mean",
    "average_precision_fold_mean": "AP, fold mean",
}


VERDICTS = {"holds": "hold", "does not hold": "do not hold", "no evidence": "without evidence"}


def block() -> str:
    """The text between the README's result marks."""
    return "\n".join(_section(name, command) for name, command in REPORTS.items())


def _section(name: str, command: str) -> str:
    folder = ROOT / "reports" / name / "tables"
    names = (
        "table_4_f1",
        "table_5_accuracy",
        "classical_and_unsupervised",
        "ranking_and_incidents",
    )
    table = pl.concat(
        [pl.read_csv(folder / f"{table}.csv", infer_schema_length=None) for table in names],
        how="diagonal_relaxed",
    )
    rows = {
        (row["model"], row["metric"]): row
        for row in table.iter_rows(named=True)
        if row["mean"] is not None
    }
    lines = []
    for model, title in MODELS.items():
        cells = [
            f"{rows[model, metric]['mean']:.2f} ± {rows[model, metric]['spread']:.2f}"
            for metric in METRICS
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    one = rows["hybrid", "f1_attack"]
    probes = {
        probe["probe"]: probe for probe in pl.read_csv(folder / "audit.csv").iter_rows(named=True)
    }
    blind = probes["row position"]
    worlds = (
        ", each in the world of its number"
        if "," in str(one["worlds"]) and one["worlds"] == one["seeds"]
        else ""
    )
    return (
        f"`{command}` ([report](reports/{name}/report.md)): {one['data']}, split by "
        f"{one['split']}, {one['folds']} folds pooled, test part "
        f"{one['prevalence']:.1f} % attack; percent, mean ± spread over {one['n']} repetitions "
        "(seed and assignment of folds "
        f"{one['seeds']}{worlds}){', few epochs' if name.endswith('-quick') else ''}. A probe "
        "that sees the row position and no sensor "
        f"reaches {100 * blind['accuracy']:.1f} % accuracy and AUROC {100 * blind['auroc']:.1f} "
        f"%.{_claims(folder)}\n\n"
        f"| | {' | '.join(METRICS.values())} |\n|---|{'---:|' * len(METRICS)}\n"
        + "\n".join(lines)
        + "\n"
    )


def _claims(folder: Path) -> str:
    """How many of the paper's claims hold there, each by one metric or several; nothing in reports
    of earlier versions."""
    if not (folder / "claims.csv").is_file():
        return ""
    judged = pl.read_csv(folder / "claims.csv").unique(["claim", "metric"])["verdict"].to_list()
    counts = ", ".join(f"{judged.count(verdict)} {told}" for verdict, told in VERDICTS.items())
    return f" Of the paper's claims, {len(judged)} questions in all: {counts}."


def written(readme: str) -> str:
    """A README with the block in its place."""
    marks = ("<!-- results -->", "<!-- /results -->")
    return re.sub(
        f"{marks[0]}.*{marks[1]}", lambda _: f"{marks[0]}\n{block()}{marks[1]}", readme, flags=re.S
    )


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")

"""Tables, charts and artifacts for W&B, made from the files of a finished run."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import wandb
from numpy.typing import NDArray

from anomalynet.metrics.kernels import alarm_counts
from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.schema import Result
from anomalynet.runs.scores import read

POINTS = 1000  # largest number of points of a curve
CELLS = {
    ("normal", "normal"): "true_negatives",
    ("normal", "attack"): "false_positives",
    ("attack", "normal"): "false_negatives",
    ("attack", "attack"): "true_positives",
}
"""(actual, predicted) → the metric that counts such steps."""


def charts(folder: RunFolder, result: Result) -> dict[str, Any]:
    """The table of metrics, and with labels the confusion matrix and precision-recall curve."""
    names = sorted({name.partition("/")[2] for name in result.metrics})
    parts = ("validation", "test")
    rows = [[name, *(result.metrics.get(f"{part}/{name}") for part in parts)] for name in names]
    found: dict[str, Any] = {"metrics": wandb.Table(columns=["metric", *parts], data=rows)}
    counts = [[*pair, result.metrics.get(f"test/{name}")] for pair, name in CELLS.items()]
    if known := [[*pair, int(count)] for *pair, count in counts if count is not None]:
        columns = ("Actual", "Predicted", "nPredictions")
        same, heading = {name: name for name in columns}, {"title": "Test part at the threshold"}
        cells = wandb.Table(columns=[*columns], data=known)
        plot = wandb.plot_table("wandb/confusion_matrix/v1", cells, same, heading)
        found["test/confusion_matrix"] = plot
    steps = read(
        folder.scores, lambda rows: rows.filter(split="test").drop_nulls(["label", "score"])
    )
    recall, precision = _precision_recall(steps["label"].to_numpy(), steps["score"].to_numpy())
    if len(recall):
        points = [list(pair) for pair in zip(recall, precision, strict=True)]
        table = wandb.Table(columns=["recall", "precision"], data=points)
        title = "Test part: precision over recall"
        curve = wandb.plot.line(table, "recall", "precision", title=title)
        found["test/precision_recall"] = curve
    return found


def _precision_recall(
    labels: NDArray[np.integer], scores: NDArray[np.float64]
) -> tuple[list[float], list[float]]:
    """Recall and precision at each different score, at most POINTS; empty without both classes."""
    if not 0 < labels.sum() < len(labels):
        return [], []
    true, false = (counts[1:] for counts in alarm_counts(labels, scores))
    shown = np.unique(np.linspace(0, len(true) - 1, POINTS).round().astype(int))
    recall, precision = true / true[-1], true / (true + false)
    return recall[shown].tolist(), precision[shown].tolist()


def facts(folder: RunFolder, result: Result) -> dict[str, Any]:
    """Further numbers for the summary, besides the metrics."""
    own = ("epochs", "best_epoch", "parameters", "threshold", "split")
    return {**{name: getattr(result, name) for name in own}, **read_json(folder.timings)}


def data_manifest(result: Result) -> wandb.Artifact:
    """A description of the data as an artifact, named by its fingerprint, without the data."""
    name = f"data-{result.fingerprint[:10]}"
    artifact = wandb.Artifact(name, "dataset", metadata={"name": result.data})
    parts = {
        name: {"series": list(part.series), "steps": part.steps, "windows": part.windows}
        for name, part in result.parts.items()
    }
    what: dict[str, Any] = {"name": result.data, "fingerprint": result.fingerprint}
    what |= {"channels": list(result.channels), "parts": parts}
    with artifact.new_file("manifest.json") as file:
        file.write(json.dumps(what, indent=2))
    return artifact


def model(folder: RunFolder, result: Result) -> wandb.Artifact | None:
    """The best checkpoint as an artifact; W&B reads it in place, without a copy."""
    path = folder.best if folder.best.exists() else folder.classical
    if not path.exists():
        return None
    metadata = {"threshold": result.threshold, "best_epoch": result.best_epoch}
    artifact = wandb.Artifact(f"model-{result.id}", "model", metadata=metadata)
    artifact.add_file(str(path), skip_cache=True, policy="immutable")
    return artifact

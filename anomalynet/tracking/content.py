"""What W&B shows of a finished run, an exported file, a sweep and a trial."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import wandb

from anomalynet.metrics.kernels import alarm_counts
from anomalynet.runs.audits import slug
from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.schema import Result
from anomalynet.runs.scores import read, read_incidents

POINTS = 1000  # largest number of points of a curve
EXAMPLES = 4  # incidents that are drawn, evenly spaced from the easiest to the hardest
AROUND = timedelta(minutes=30)  # least time shown before and after an incident


def log(run: wandb.Run, setup: Mapping[str, Any], folder: RunFolder) -> None:
    """Log a sweep's report, an exported file, or the result of a finished run."""
    if setup["job_type"] == "sweep":
        run.log({"report": wandb.Html(folder.path / "report.html", inject=False)})
    elif "onnx" in setup:
        _log_model(run, f"onnx-{setup['config']['run_id']}", Path(setup["onnx"]))
    else:
        _log_result(run, folder, folder.read_result())


def _log_result(run: wandb.Run, folder: RunFolder, result: Result) -> None:
    facts = {key: getattr(result, key) for key in ("epochs", "best_epoch", "parameters", "split")}
    # metrics of the chosen epoch, not of the last one: sorting by the summary ranks the runs
    run.summary.update(result.metrics | facts | {"threshold": result.threshold})
    run.summary.update(read_json(folder.timings))
    steps = read(folder.scores, lambda rows: rows.filter(split="test").drop_nulls("score"))
    charts = dict(_charts(steps.drop_nulls("label"))) | _incidents(folder, steps)
    run.log(charts, step=result.epochs or 0)
    what = {"name": result.data, "fingerprint": result.fingerprint, "channels": result.channels}
    data = wandb.Artifact(slug(result.data), "dataset", metadata=what)
    with data.new_file("manifest.json") as file:
        file.write(json.dumps(what, indent=2))
    # `use_artifact` raises offline, and waits for uploads online; so does `wandb sync` use it
    run._log_artifact(data, aliases=[result.fingerprint[:10]], use_after_commit=True)
    _log_model(run, f"model-{result.id}", folder.best if folder.best.exists() else folder.classical)


def _log_model(run: wandb.Run, name: str, path: Path) -> None:
    """Log a file as an artifact; W&B reads it in place, without a copy."""
    artifact = wandb.Artifact(name, "model")
    artifact.add_file(str(path), skip_cache=True, policy="immutable")
    run.log_artifact(artifact, aliases=["best", "latest"])


def _charts(steps: pl.DataFrame) -> Iterator[tuple[str, Any]]:
    """The confusion matrix and the precision-recall curve of the test part, if it has both classes;
    those of `wandb.plot` need pandas, or smooth the curve."""
    labels, scores = steps["label"].to_numpy(), steps["score"].to_numpy()
    if not 0 < labels.sum() < len(labels):
        return
    names, alarms = ["normal", "attack"], steps["alarm"].cast(int).to_list()
    matrix = wandb.plot.confusion_matrix(y_true=labels.tolist(), preds=alarms, class_names=names)
    yield "test/confusion_matrix", matrix
    true, false = (counts[1:] for counts in alarm_counts(labels, scores))
    shown = np.unique(np.linspace(0, len(true) - 1, POINTS).round().astype(int))
    curve = np.stack([true / true[-1], true / (true + false)], axis=1)[shown].tolist()
    table = wandb.Table(columns=["recall", "precision"], data=curve)
    title = "Test part: precision over recall"
    yield "test/precision_recall", wandb.plot.line(table, "recall", "precision", title=title)


def _incidents(folder: RunFolder, steps: pl.DataFrame) -> dict[str, Any]:
    """The table of the test part's incidents, and pictures of some; empty without incidents."""
    notes = read_incidents(folder.incidents)
    first = pl.col("time").filter("alarm").min() - pl.col("time").min()
    found = (
        steps.drop_nulls("incident")
        .group_by("incident", pl.col("kind").cast(pl.String))
        .agg(
            pl.col("label").max(),
            pl.col("series").cast(pl.String).sort_by("score").last(),
            start=pl.col("time").min(),
            end=pl.col("time").max(),
            steps=pl.len(),
            alarmed=pl.col("alarm").sum(),
            score=pl.col("score").max(),
            threshold=pl.col("threshold").first(),
            seconds_to_alarm=first.dt.total_seconds(),
        )
        .sort("score", "incident", descending=[True, False])
    )
    if found.is_empty():
        return {}
    known = [notes.get(number) for number in found["incident"]]
    more = {
        name: pl.Series([getattr(note, name, None) for note in known], strict=False)
        for name in ("type", "cause", "severity")
    }
    shown = found.with_columns(pl.col("start", "end").cast(pl.String), **more)
    table = wandb.Table(columns=[*shown.columns], data=[list(row) for row in shown.rows()])
    ranks = np.unique(np.linspace(0, len(found) - 1, EXAMPLES).round().astype(int))
    pictures = [_picture(found.row(int(rank), named=True), steps) for rank in ranks]
    return {"test/incidents": table, "test/examples": pictures}


def _picture(incident: Mapping[str, Any], steps: pl.DataFrame) -> wandb.Image:
    """The scores of one series around an incident, with the threshold."""
    start, length = incident["start"], incident["end"] - incident["start"]
    since, around = pl.col("time") - start, max(length, AROUND)
    own = steps.filter(
        since.is_between(-around, length + around),
        pl.col("series").cast(pl.String) == incident["series"],
    ).sort("time")
    minutes = own.select(since.dt.total_seconds() / 60).to_series()
    figure, axes = plt.subplots(figsize=(6.0, 2.2), layout="constrained")
    colour = "tab:red" if incident["label"] else "tab:grey"
    axes.axvspan(0, length.total_seconds() / 60, color=colour, alpha=0.2, lw=0)
    axes.plot(minutes.to_numpy(), own["score"].to_numpy(), lw=1)
    axes.axhline(incident["threshold"], color="black", ls="--", lw=0.8)
    title = f"{incident['kind']} (incident {incident['incident']}) in {incident['series']}"
    axes.set_title(f"{title}, {start:%Y-%m-%d %H:%M}", loc="left", fontsize=9)
    axes.set(xlabel="minutes", ylabel="score")
    return wandb.Image(figure, caption=title)


def log_trial(run: wandb.Run, trial: Mapping[str, Any]) -> None:
    """One trial of a search: a step for each of its runs, then its objectives."""
    for step, metrics in enumerate(trial["steps"]):
        run.log(metrics, step=step, commit=True)  # else it would overwrite the summary
    run.summary.update(trial["summary"])

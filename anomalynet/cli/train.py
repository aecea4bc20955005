"""`anomalynet train`."""

from __future__ import annotations

import argparse
import importlib.util
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli import arguments
from anomalynet.cli.output import (
    print_alarms,
    print_json,
    print_next,
    print_table,
    print_text,
    rounded,
    warn,
)
from anomalynet.errors import say

if TYPE_CHECKING:
    from anomalynet.config.load import Loaded
    from anomalynet.runs.schema import Result

SUMMARY = "train one experiment, choose its threshold on the validation part, and test it"

METRICS: tuple[str, ...] = ("precision_attack", "recall_attack", "f1_attack", "accuracy")
METRICS += ("balanced_accuracy", "mcc", "auroc", "average_precision")
"""Metrics in the printed table."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    text = "a name (`anomalynet ls experiments`) or the path of a YAML file"
    arguments.option(parser, "experiment", "EXPERIMENT", text, known=arguments.experiment_names)
    arguments.add_overrides(parser)
    arguments.add_runs(parser)
    arguments.option(parser, "--devices", "N", "devices that train this run together (DDP)", int)
    text = "if another process works on this run, name the process and end instead of waiting"
    arguments.flag(parser, "--no-wait", text)
    text = "name of the run's group in Weights & Biases; a sweep uses its own name"
    arguments.option(parser, "--group", "NAME", text)
    arguments.flag(parser, "--life-line", argparse.SUPPRESS)  # for sweeps: end when stdin closes
    arguments.add_json(parser)
    parser.epilog = (
        "Repeat the command to resume an interrupted run; a finished run is not trained again.\n"
        "A small simulated data set, for trying things out:\n"
        '  anomalynet train cnn data.worlds=3 data.scenario="duration=18h deployment.nodes=24"'
    )


def run(args: argparse.Namespace) -> int:
    """Train and test one run."""
    from anomalynet.config.load import load

    if args.life_line:
        from anomalynet.sweep.worker import end_with_stdin

        end_with_stdin()
    devices = [f"hardware.devices={args.devices}"] if args.devices is not None else []
    loaded = load(args.experiment, [*args.overrides, *devices])
    if "LOCAL_RANK" not in os.environ:
        say(f"{loaded.name}: preparing")

    from anomalynet.cli.progress import TrainingProgress
    from anomalynet.runs.code import made_by_other_code
    from anomalynet.runs.folder import BusyError, repair_note
    from anomalynet.training.run import planned_folder, train

    folder = planned_folder(loaded, args.runs)
    if "LOCAL_RANK" not in os.environ and not folder.finished:
        _announce_time(loaded)
    epochs = loaded.config.training.epochs
    with TrainingProgress(f"{loaded.name} {folder.path.name}", epochs) as progress:
        try:
            outcome = train(loaded, args.runs, listener=progress, wait=False, group=args.group)
        except BusyError as busy:
            if args.no_wait:
                raise
            say(f"{busy}; waiting for the process to end")
            outcome = train(loaded, args.runs, listener=progress, wait=True, group=args.group)
    if outcome is None:
        return 0
    path, result = outcome.folder.path, outcome.result
    if outcome.was_done:
        say(f"{path} is already done; change the seed, a key or the data set for another run")
        if made_by_other_code(outcome.folder.environment):
            warn([f"another version of the code made this run; to train it again, delete {path}"])
    if outcome.repaired:
        warn([repair_note(path, outcome.repaired)])
    warn(result.warnings)
    if args.json:
        from dataclasses import asdict

        print_json({"folder": str(path), "was_done": outcome.was_done, **asdict(result)})
        return 0
    _print_result(path, result)
    return 0


def _print_result(path: Path, result: Result) -> None:
    """Print metrics, or the faults that raise an alarm where there are no labels."""
    parts = ("validation", "test")
    rows = [
        {"metric": name, **{part: rounded(result.metrics.get(f"{part}/{name}")) for part in parts}}
        for name in METRICS
    ]
    title = f"{result.experiment} {result.id} on {result.data}, split {result.split}, "
    title += f"threshold {result.threshold:.4g}"
    test = result.parts["test"]
    if test.labelled:
        print_table(rows, title=title)
        share = result.metrics.get("test/prevalence")
        if share is not None:
            steps = f"test: {test.labelled - test.missed:,} steps with label and score"
            print(f"{steps}, {share:.1%} attack; accuracy without any alarm {1 - share:.4f}")
    else:
        print_alarms(title, path / "scores.parquet")
        _print_visible(path)
    print(path)
    export = f"anomalynet export {shlex.quote(str(path))} --out model.onnx"
    if importlib.util.find_spec("onnx") is None:
        export += "  # needs the extra export: see anomalynet doctor"
    print_next(export, *["anomalynet report"] * bool(test.labelled))


def _print_visible(path: Path) -> None:
    """Print which faults of single sensors the model alarms on."""
    from anomalynet.sweep.progress import duration
    from anomalynet.training.finished import open_run
    from anomalynet.training.visible import visible_faults

    run = open_run(path)
    rows = [
        {
            "sensor": one.sensor,
            "smallest shift": "none" if one.shift is None else f"{one.shift:g} {one.unit}".strip(),
            "stuck value": "yes" if one.stuck else "no",
        }
        for one in visible_faults(run)
    ]
    if rows:
        steps, period = run.config.data.window, run.data.prepared.period
        span = f" of {steps} readings" + (f", {duration(steps * period)}" if period else "")
        print_text(f"what raises an alarm in half of the ordinary windows{span}:")
        print_table(rows)
        if all((row["smallest shift"], row["stuck value"]) == ("none", "no") for row in rows):
            hint = (
                "" if run.config.model.name == "hybrid" else "; try `anomalynet train unlabelled`"
            )
            print_text(f"this model finds none of these{hint}")
        elif missed := [str(row["sensor"]) for row in rows if row["stuck value"] == "no"]:
            print_text(f"a stuck value is not found in {', '.join(missed)}")


def _announce_time(loaded: Loaded) -> None:
    """Print how long a run takes at most, if its model's usual speed is known."""
    from anomalynet.sweep.estimate import usual_seconds
    from anomalynet.sweep.progress import duration

    if (seconds := usual_seconds(loaded.config)) is not None:
        most = f"at most about {duration(seconds)}, by its usual speed on two CPU cores"
        say(f"{loaded.name}: {most}, without start-up")

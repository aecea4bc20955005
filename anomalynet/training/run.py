"""One run from configuration to result: the same for every model, on the command line and in a
sweep."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from anomalynet.config.identity import run_id
from anomalynet.config.load import Loaded
from anomalynet.config.model import in_user_file
from anomalynet.config.schema import Config
from anomalynet.config.show import as_yaml
from anomalynet.data import sources
from anomalynet.data.datamodule import TelemetryDataModule
from anomalynet.data.sources.simulated import world_of
from anomalynet.data.telemetry import Incident
from anomalynet.models import model_type
from anomalynet.models.base import Detector
from anomalynet.models.classical import Classical
from anomalynet.runs.files import read_json, write_json, write_text
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.incidents import IncidentNote, write_incidents
from anomalynet.runs.schema import Result
from anomalynet.tracking.run import catch_up, tracked
from anomalynet.training import evaluate
from anomalynet.training.architecture import architecture
from anomalynet.training.callbacks import Listener
from anomalynet.training.explain import explanations
from anomalynet.training.fit import Fitted, build_model, fit_classical, fit_network, store_threshold
from anomalynet.training.reproducibility import environment, prepare_process

PARTS: tuple[Literal["train", "validation", "test"], ...] = ("train", "validation", "test")
SCORED: tuple[Literal["validation", "test"], ...] = ("validation", "test")
"""The parts whose steps are scored."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `train` did: the run's folder and result, and whether it was there already."""

    folder: RunFolder
    result: Result
    was_done: bool


def planned_folder(loaded: Loaded, runs: str | Path) -> RunFolder:
    """Where a configuration's run lives, known before its data is parsed."""
    fingerprint = sources.fingerprint(loaded.config.data)
    return RunFolder(Path(runs) / loaded.name / run_id(loaded.config, fingerprint))


def train(
    loaded: Loaded,
    runs: str | Path,
    *,
    listener: Listener | None = None,
    wait: bool = True,
    group: str | None = None,
) -> Outcome | None:
    """Train, evaluate and store one run; does nothing where it is done, continues where it was cut.
    `group` is the name of the sweep that it belongs to, for W&B. None on ranks above 0 under DDP:
    they have trained, and rank 0 reports. Raises BusyError: another process works on it, and `wait`
    is off; DataError, RunError: the data or the training cannot be used; says why."""
    folder = planned_folder(loaded, runs)
    if int(os.environ.get("LOCAL_RANK", "0")) > 0:
        _fit(loaded.config, folder, listener)
        return None
    if folder.finished:
        catch_up(loaded, folder, group)
        return Outcome(folder, folder.read_result(), was_done=True)
    with folder.locked(wait=wait):
        if folder.finished:
            return Outcome(folder, folder.read_result(), was_done=True)
        folder.stop.unlink(missing_ok=True)
        folder.failed.unlink(missing_ok=True)
        write_text(folder.config, as_yaml(loaded, origin=True))
        if loaded.config.model.name.endswith(".py"):
            own = Path(loaded.config.model.name).read_text(encoding="utf-8")
            write_text(folder.model_file, own)
        try:
            with tracked(loaded, folder, listener, group) as listeners:
                module, fitted = _fit(loaded.config, folder, listeners)
                result = _evaluate(loaded, folder, module, fitted)
        except (RuntimeError, TypeError, ValueError, AttributeError, IndexError) as error:
            if not loaded.config.model.name.endswith(".py"):
                raise
            raise in_user_file(loaded.config.model.name, error) from error
    return Outcome(folder, result, was_done=False)


def _fit(
    config: Config, folder: RunFolder, listener: Listener | None
) -> tuple[TelemetryDataModule, Fitted]:
    prepare_process(config)
    module = TelemetryDataModule(config, train_target=model_type(config).trains_on)
    module.setup()
    if int(os.environ.get("LOCAL_RANK", "0")) == 0:
        write_json(folder.environment, environment(config, module.prepared.fingerprint))
    model = build_model(config, module)
    if isinstance(model, Classical):
        return module, fit_classical(config, module, model, folder)
    return module, fit_network(config, module, model, folder, listener)


def _evaluate(
    loaded: Loaded, folder: RunFolder, module: TelemetryDataModule, fitted: Fitted
) -> Result:
    config, model = loaded.config, fitted.model
    scored = {part: evaluate.score(model, module.windows(part)) for part in SCORED}
    steps = {part: module.steps(part, scored[part].scores) for part in SCORED}
    limit = evaluate.threshold(config.evaluation, steps["validation"])
    store_threshold(model, limit, folder)
    evaluate.scores_table(list(steps.values()), limit).write_parquet(folder.scores)
    write_incidents(folder.incidents, _notes(steps["test"], module.prepared.incident_table))
    if isinstance(model, Detector):  # what a report shows of a network beside its scores
        write_json(folder.architecture, architecture(config, module.shape))
        test, known = module.windows("test"), module.prepared.incident_table
        found = explanations(model, test, module.rows("test"), steps["test"], known)
        if found is not None:
            found.write_parquet(folder.explanations)
    metrics: dict[str, float | None] = {}
    for part in SCORED:
        values = evaluate.metrics(steps[part], limit, probability=model.probability)
        metrics |= {f"{part}/{name}": value for name, value in values.items()}
    split = config.data.split
    result = Result(
        id=folder.path.name,
        experiment=loaded.name,
        model=config.model.name,
        data=config.data.title,
        fingerprint=module.prepared.fingerprint,
        channels=tuple(channel.name for channel in module.prepared.channels),
        seed=config.seed,
        split=module.split.label,
        folds=split.folds,
        fold=split.fold,
        assignment=split.assignment,
        world=world_of(config.data),
        parts={part: module.summary(part) for part in PARTS},
        epochs=fitted.epochs,
        best_epoch=fitted.best_epoch,
        parameters=_parameters(model),
        threshold=limit,
        threshold_rule=config.evaluation.threshold,
        probability=model.probability,
        metrics=metrics,
        warnings=module.split.warnings,
    )
    seconds = sum(part.seconds for part in scored.values())
    windows = sum(len(part.scores) for part in scored.values())
    timings = {
        "score_seconds": seconds,
        "microseconds_per_window": 1e6 * seconds / max(windows, 1),
        "microseconds_single": evaluate.single_window_microseconds(model, module.windows("test")),
    }
    write_json(folder.timings, read_json(folder.timings) | timings)
    folder.write_result(result)
    return result


def _notes(steps: pl.DataFrame, known: Mapping[int, Incident]) -> dict[int, IncidentNote]:
    """What is known of the incidents that touch some steps."""
    numbers = steps["incident"].drop_nulls().unique().to_list()
    return {number: IncidentNote(**asdict(known[number])) for number in numbers if number in known}


def _parameters(model: Detector | Classical) -> int:
    if isinstance(model, Classical):
        return model.parameters
    return sum(weights.numel() for weights in model.parameters() if weights.requires_grad)

"""One run from configuration to result, the same for every model, from Python or a sweep."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import lightning as L
import numpy as np
import polars as pl

from anomalynet.config.identity import flatten, run_id
from anomalynet.config.load import Loaded, load
from anomalynet.config.model import in_user_file
from anomalynet.config.schema import Config
from anomalynet.config.show import as_yaml
from anomalynet.data import sources
from anomalynet.data.datamodule import SCORED, TelemetryDataModule, keys_of
from anomalynet.data.injection import kinds_of
from anomalynet.data.sources.simulated import world_of
from anomalynet.data.steps import fleet_warning, metrics, scores_table, threshold
from anomalynet.data.telemetry import Incident
from anomalynet.data.windows import Windows
from anomalynet.errors import UsageError, disk_errors
from anomalynet.models import WindowModel, model_type
from anomalynet.runs.files import read_json, write_json, write_parquet, write_text
from anomalynet.runs.folder import Listener, RunFolder
from anomalynet.runs.schema import Result
from anomalynet.runs.scores import IncidentNote, write_incidents
from anomalynet.tracking.run import catch_up, tracked
from anomalynet.training.explain import explanations
from anomalynet.training.fit import Fitted, TrainerOptions, build_model, fit
from anomalynet.training.reproducibility import environment, prepare_process

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

    from anomalynet.training.finished import FinishedRun

# What a user's own model may raise
OWN_ERRORS = (RuntimeError, TypeError, ValueError, AttributeError, IndexError, SystemExit)
SINGLES = 50  # windows whose scoring is timed one by one
PARTS: tuple[Literal["train", "validation", "test"], ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """What `train` did: the run's folder and result, and whether it was there already."""

    folder: RunFolder
    result: Result
    was_done: bool
    repaired: Mapping[str, str] = field(default_factory=dict)
    """Damaged files of a finished run, which was evaluated or trained again: name → what."""

    def open(self) -> FinishedRun:
        """The run with its scores, data and detector."""
        from anomalynet.training.finished import open_run

        return open_run(self.folder.path)


def planned_folder(loaded: Loaded, runs: str | Path) -> RunFolder:
    """Where a configuration's run lives, known before its data is parsed. Raises UsageError: an
    unknown kind of injected incident, so that no data is prepared for it."""
    kinds_of(loaded.config.training.injection)
    config = sources.completed(loaded.config)
    name = run_id(config, sources.fingerprint(config.data))
    return RunFolder(Path(runs) / loaded.name / name)


def train(
    experiment: Loaded | str,
    runs: str | Path = "runs",
    *,
    overrides: Sequence[str] = (),
    callbacks: Sequence[L.Callback] = (),
    logger: Logger | Sequence[Logger] | bool | None = None,
    progress: bool = False,
    trainer_kwargs: Mapping[str, Any] | None = None,
    listener: Listener | None = None,
    wait: bool = True,
    group: str | None = None,
    **keywords: Any,
) -> TrainingOutcome | None:
    """Train, evaluate and store one run, as `anomalynet train` does: nothing where it is done, and
    from the last epoch where it was cut.

        outcome = train("hybrid", data="skab", root="SKAB", progress=True, logger=CSVLogger("logs"))
        print(outcome.result.metrics["test/f1_attack"])

    Args:
        experiment: a name (`cnn`, `lstm`, `cnn_lstm`, `hybrid`, `hybrid_causal`, `autoencoder`,
            `logistic`, `random_forest`, `gradient_boosting`, `isolation_forest`), the path of a
            YAML file, or what `load_config` returns.
        runs: the folder of all runs; the run is written to `runs/<experiment>/<id>/`.
        overrides: `key=value` texts, with a name or path: `["training.epochs=5", "model.head=32"]`;
            `anomalynet show --keys` lists the keys.
        callbacks, logger, progress, trainer_kwargs: for Lightning's Trainer beside ours; progress
            shows its bar. Epochs, precision and devices are keys of `overrides` instead. They are
            not part of the run's identity: the same run is not trained again with others. Where
            callbacks or trainer_kwargs were given, environment.json names them under `trainer`, and
            the result carries a warning into every table.
        listener: is notified of steps and epochs.
        wait: for another process that works on the run, instead of a BusyError.
        group: the sweep that it belongs to, for W&B.
        keywords: those of `TelemetryDataModule` (data, root, window …), with a name or path.

    Returns:
        The outcome: `.result.id`, `.result.metrics` (`"test/f1_attack"`, `"validation/auroc"` …:
        float, None where undefined), `.folder.path`, and `.open()` for scores, data and model. None
        on ranks above 0 under DDP: they have trained, and rank 0 reports.

    Raises:
        BusyError: another process works on it, and `wait` is off.
        ConfigError: a key or value that does not exist.
        UsageError: no such experiment, or arguments that do not fit together.
        DataError, RunError: the data or the training cannot be used.
    """
    loaded = _loaded(experiment, overrides, keywords)
    config = sources.completed(loaded.config)
    new = flatten(config).items() - flatten(loaded.config).items()
    origins = loaded.origins | {key: "the data" for key, _ in new}
    loaded = replace(loaded, config=config, origins=origins)
    trainer_options = TrainerOptions(callbacks, logger, progress, trainer_kwargs or {})
    folder = planned_folder(loaded, runs)
    if int(os.environ.get("LOCAL_RANK", "0")) > 0:
        _fit(loaded.config, folder, listener, trainer_options)
        return None
    if folder.intact:
        catch_up(loaded, folder, group)
        return TrainingOutcome(folder, folder.read_result(checked=True), was_done=True)
    with disk_errors(folder.path), folder.locked(wait=wait):
        repaired = folder.repair()
        if folder.finished:
            result = folder.read_result(checked=True)
            return TrainingOutcome(folder, result, was_done=True, repaired=repaired)
        folder.stop.unlink(missing_ok=True)
        folder.failed.unlink(missing_ok=True)
        write_text(folder.config, as_yaml(loaded, origin=True))
        if loaded.config.model.name.endswith(".py"):
            own = Path(loaded.config.model.name).read_text(encoding="utf-8")
            write_text(folder.model_file, own)
        try:
            with tracked(loaded, folder, group):
                module, fitted = _fit(loaded.config, folder, listener, trainer_options)
                result = _evaluate(loaded, folder, module, fitted)
        except OWN_ERRORS as error:
            if not loaded.config.model.name.endswith(".py"):
                raise
            raise in_user_file(loaded.config.model.name, error) from error
    return TrainingOutcome(folder, result, was_done=False, repaired=repaired)


def _loaded(
    experiment: Loaded | str, overrides: Sequence[str], keywords: Mapping[str, Any]
) -> Loaded:
    if isinstance(experiment, str):
        return load(experiment, overrides, *keys_of(keywords))
    if given := [*overrides, *keywords]:
        what = f"train: a configuration that is loaded, and {', '.join(given)}"
        raise UsageError(what, "give them to load_config")
    return experiment


def _fit(
    config: Config, folder: RunFolder, listener: Listener | None, trainer_options: TrainerOptions
) -> tuple[TelemetryDataModule, Fitted]:
    prepare_process(config)
    module = TelemetryDataModule(config, train_target=model_type(config).trains_on)
    module.setup()
    if int(os.environ.get("LOCAL_RANK", "0")) == 0:
        # a run that is continued keeps the note of whoever began it
        earlier = read_json(folder.environment).get("trainer", {}) if folder.last.exists() else {}
        note = {"trainer": noted} if (noted := trainer_options.note or earlier) else {}
        seen = environment(config, module.prepared.fingerprint)
        write_json(folder.environment, seen | note)
    model = build_model(config, module)
    return module, fit(config, module, model, folder, listener, trainer_options)


def _evaluate(
    loaded: Loaded, folder: RunFolder, module: TelemetryDataModule, fitted: Fitted
) -> Result:
    config, model = loaded.config, fitted.model
    started = time.perf_counter()
    scores = {part: model.score_windows(module.windows(part)) for part in SCORED}
    seconds = time.perf_counter() - started
    steps = {part: module.steps(part, scores[part]) for part in SCORED}
    rule, reads_labels = config.evaluation, not module.reads_no_label
    limit = threshold(rule, steps["validation"], module.devices, reads_labels=reads_labels)
    model.set_threshold(limit)
    model.save(folder.best.with_suffix(model.suffix))
    write_parquet(folder.scores, scores_table(steps, limit))
    write_incidents(folder.incidents, _notes(steps["test"], module.prepared.incident_table))
    if (parts := model.architecture()) is not None:  # what a report shows beside the scores
        write_json(folder.architecture, parts)
    test, known = module.windows("test"), module.prepared.incident_table
    found = explanations(model, test, module.rows("test"), steps["test"], known)
    if found is not None:
        write_parquet(folder.explanations, found)
    measured: dict[str, float | None] = {}
    for part in SCORED:
        values = metrics(steps[part], limit, probability=model.probability)
        measured |= {f"{part}/{name}": value for name, value in values.items()}
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
        folds=module.split.folds,
        fold=split.fold,
        assignment=split.assignment,
        world=world_of(config.data),
        parts={part: module.summary(part) for part in PARTS},
        epochs=fitted.epochs,
        best_epoch=fitted.best_epoch,
        parameters=model.parameter_count,
        threshold=limit,
        threshold_rule=config.evaluation.threshold,
        probability=model.probability,
        metrics=measured,
        warnings=(
            *module.split.warnings,
            *_unlabelled_warnings(module, steps, limit),
            *_options_warning(folder),
        ),
    )
    windows = sum(map(len, scores.values()))
    timings = {
        "score_seconds": seconds,
        "microseconds_per_window": 1e6 * seconds / max(windows, 1),
        "microseconds_single": _single_window_microseconds(model, module.windows("test")),
    }
    write_json(folder.timings, read_json(folder.timings) | timings)
    folder.write_result(result)
    return result


def _unlabelled_warnings(
    module: TelemetryDataModule, steps: Mapping[Any, pl.DataFrame], limit: float
) -> list[str]:
    """What to expect of the threshold, and what to do, for data without labels."""
    found = fleet_warning(module.config.evaluation, [*steps.values()], limit, module.devices)
    if found and (names := module.drifted()):
        found.append(
            f"{', '.join(names)}: drifts, validation is beyond the readings of training, which "
            f"hides incidents; leave it out with data.without='{' '.join(names)}'"
        )
    return found


def _single_window_microseconds(model: WindowModel, windows: Windows) -> float | None:
    """Median time to score one window alone, without the first; None without windows."""
    known = [windows.gather(np.array([number])) for number in range(min(len(windows), SINGLES + 1))]
    durations = []
    for x in known:
        started = time.perf_counter()
        model.score_array(x)
        durations.append(1e6 * (time.perf_counter() - started))
    return float(np.median(durations[1:])) if len(durations) > 1 else None


def _notes(steps: pl.DataFrame, known: Mapping[int, Incident]) -> dict[int, IncidentNote]:
    """What is known of the incidents that touch some steps."""
    numbers = steps["incident"].drop_nulls().unique().to_list()
    return {number: IncidentNote(**asdict(known[number])) for number in numbers if number in known}


def _options_warning(folder: RunFolder) -> list[str]:
    """What a reader of any number from a run must know of who helped to train it."""
    note = read_json(folder.environment).get("trainer")
    if not note:
        return []
    arguments = [f"{name}={value}" for name, value in note["arguments"].items()]
    return [
        f"trained with {', '.join([*note['callbacks'], *arguments])}: another result may follow"
    ]

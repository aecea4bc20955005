"""The value of a run for each objective, and the decision to prune a trial.

The decision depends only on earlier trials and on the trial's own values in order, not on timing.
The pruner works on a copy of earlier trials in memory, so a continued search decides equally."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from anomalynet.errors import RunError
from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder
from anomalynet.sweep.search.settings import SearchSettings

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.trial import FrozenTrial

WARM_UP = 2  # epochs before the median pruner acts: the first ones are too noisy


def run_value(folder: RunFolder, objective: str) -> float:
    """An objective of one finished run: a metric on validation, microseconds per window
    (`latency`), or the number of trained weights (`parameters`). `validation/loss` is that of the
    best epoch. Raises RunError: it is undefined."""
    if objective == "latency":
        value = read_json(folder.timings).get("microseconds_per_window")
    elif objective == "parameters":
        value = folder.read_result().parameters
    elif objective == "validation/loss":
        lines = {line.get("epoch"): line.get(objective) for line in folder.read_progress()}
        value = lines.get(folder.read_result().best_epoch)
    else:
        value = folder.read_result().metrics.get(objective)
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise RunError(f"{objective} is undefined in {folder.path.parent.name}/{folder.path.name}")
    return float(value)


class Judge:
    """The pruner of one trial. `history`: all earlier trials in order; those with hidden results
    have the state RUNNING. `epochs`: largest number of epochs of the first run. `name`: of the
    study; Hyperband assigns brackets by it."""

    def __init__(
        self, settings: SearchSettings, history: Sequence[FrozenTrial], epochs: int, name: str
    ) -> None:
        import optuna

        self.study = optuna.create_study(
            study_name=name, directions=settings.directions, pruner=_pruner(settings, epochs)
        )
        self.study.add_trials(history)
        self.trial = self.study.ask()
        self.seen: dict[int, float] = {}

    def prune(self, step: int, value: float) -> bool:
        """Add the value of the next step; return whether to prune the trial."""
        self.seen[step] = value
        self.trial.report(value, step)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.trial.should_prune()

    @property
    def marks(self) -> dict[str, float]:
        """The pruner's notes on the trial, which it needs for later trials."""
        return dict(self.study.trials[-1].system_attrs)


def _pruner(settings: SearchSettings, epochs: int) -> BasePruner:
    from optuna import pruners

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if settings.pruner == "hyperband":
            return pruners.HyperbandPruner(min_resource=1, max_resource=max(epochs, 1))
        if settings.pruner == "wilcoxon":
            return pruners.WilcoxonPruner()
        return pruners.MedianPruner(n_warmup_steps=WARM_UP)

"""What a trial is worth, the mean of each objective over its runs, and whether it is given up
early: a function of the trials before it and of its own values in order, never of when one looks.
The pruner has a copy in memory of the trials before: an interrupted search decides again alike."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from anomalynet.errors import RunError
from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder
from anomalynet.sweep.search.settings import SearchSettings
from anomalynet.sweep.search.space import Params

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.trial import FrozenTrial

WARM_UP = 2  # epochs that the median pruner lets pass: the first say little


def run_value(folder: RunFolder, objective: str) -> float:
    """An objective of one finished run: a metric on validation, microseconds a window (`latency`),
    or trained weights (`parameters`). `validation/loss` is that of the epoch that was kept. Raises
    RunError: it is undefined there."""
    if objective == "latency":
        value = read_json(folder.timings).get("microseconds_per_window")
    elif objective == "parameters":
        value = folder.read_result().parameters
    elif objective == "validation/loss":
        lines = {line.get("epoch"): line.get(objective) for line in folder.read_progress()}
        value = lines.get(folder.read_result().best_epoch)
    else:
        value = folder.read_result().metrics.get(objective)
    if value is None or not math.isfinite(value):
        raise RunError(f"{objective} is undefined in {folder.path.parent.name}/{folder.path.name}")
    return float(value)


class Judge:
    """The pruner of one trial. `history`: every trial before it, in order; those that it must not
    know of are running ones. `epochs`: the most that its first run can have. `name`: of the study,
    by which Hyperband deals out its brackets."""

    def __init__(
        self,
        settings: SearchSettings,
        history: Sequence[FrozenTrial],
        params: Params,
        distributions: Mapping[str, BaseDistribution],
        epochs: int,
        name: str,
    ) -> None:
        import optuna

        self.pruner = _pruner(settings, epochs)
        storage, state = optuna.storages.InMemoryStorage(), optuna.trial.TrialState.RUNNING
        directions, pruner = settings.directions, self.pruner
        self.study = optuna.create_study(
            study_name=name, storage=storage, directions=directions, pruner=pruner
        )
        self.study.add_trials(history)
        space = dict(distributions)
        running = optuna.trial.create_trial(state=state, params=params, distributions=space)
        self._storage, self._id = storage, storage.create_new_trial(self.study._study_id, running)
        self.seen: dict[int, float] = {}

    def prune(self, step: int, value: float) -> bool:
        """Take the value of the next step, and say whether to give up."""
        self.seen[step] = value
        self._storage.set_trial_intermediate_value(self._id, step, value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.pruner.prune(self.study, self._storage.get_trial(self._id))

    @property
    def marks(self) -> dict[str, float]:
        """What the pruner noted of the trial, which it wants to know when it judges later ones."""
        return dict(self._storage.get_trial(self._id).system_attrs)


def _pruner(settings: SearchSettings, epochs: int) -> BasePruner:
    from optuna import pruners

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if settings.pruner == "hyperband":
            return pruners.HyperbandPruner(min_resource=1, max_resource=max(epochs, 1))
        if settings.pruner == "wilcoxon":
            return pruners.WilcoxonPruner()
        return pruners.MedianPruner(n_warmup_steps=WARM_UP)

"""What is pruned follows from the trials before and the values in order; a pruned trial's runs stop
after their epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anomalynet.sweep.launch import Launch
from anomalynet.sweep.search.loop import Search
from anomalynet.sweep.slots import Slot
from tests.sweep.search.fake import (
    EPOCHS,
    SPACE,
    FakeWorker,
    Quiet,
    carried_out,
    search_of,
    story,
    sweep_of,
)

MEDIAN = "{trials: 12, sampler: random, pruner: median}"


class Hurries(FakeWorker):
    """Is slow from the sixth trial on: the median prunes none of the first five."""

    def __init__(self, pause: float, runs: int) -> None:
        super().__init__()
        self.slow, self.runs = pause, runs

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        self.pause = self.slow if len(self.asked) >= 5 * self.runs else 0.0
        return super().ask(job)


def closely_watched(search: Search, worker: FakeWorker) -> None:
    """Run a search whose runs are looked at every 20 ms."""
    with Launch([Slot()], worker_factory=lambda slot: worker) as launch:
        real = launch.run
        launch.run = lambda jobs, watch, interval=0.02: real(jobs, watch, 0.02)  # type: ignore[method-assign]
        search.run(launch, Quiet())


@pytest.mark.slow
def test_a_pruned_run_stops_early_and_the_decision_is_that_of_one_who_looks_too_late(
    tmp_path: Path,
) -> None:
    """Slow epochs are caught under way, quick runs are over before anybody looks: both are pruned
    alike."""
    (tmp_path / "slow").mkdir()
    (tmp_path / "quick").mkdir()
    slow = search_of(tmp_path / "slow", sweep_of(tmp_path / "slow", MEDIAN))
    closely_watched(slow, Hurries(pause=0.08, runs=1))
    quick = carried_out(search_of(tmp_path / "quick", sweep_of(tmp_path / "quick", MEDIAN)))
    assert story(slow) == story(quick)
    pruned = [trial for trial in slow.store.trials() if trial.state.name == "PRUNED"]
    assert pruned
    for trial in pruned:
        (folder,) = slow.folders(trial)
        assert not folder.finished
        assert len(folder.read_progress()) < EPOCHS
        assert not folder.stop.exists()
        assert trial.values == [trial.intermediate_values[max(trial.intermediate_values)]]


def test_a_pruned_trial_is_worse_than_the_median_of_those_before_it(tmp_path: Path) -> None:
    trials = carried_out(search_of(tmp_path, sweep_of(tmp_path, MEDIAN))).store.trials()
    for place, trial in enumerate(trials):
        step = max(trial.intermediate_values)
        complete = [other for other in trials[:place] if other.state.name == "COMPLETE"]
        before = [other.intermediate_values[step] for other in complete]
        best = max(trial.intermediate_values.values())
        below = len(before) >= 5 and best < sorted(before)[len(before) // 2]
        if trial.state.name == "PRUNED":
            assert len(before) >= 5
            assert best < sorted(before)[(len(before)) // 2]
        elif len(before) % 2:
            assert not below


@pytest.mark.slow
def test_runs_that_wait_are_not_begun_for_a_trial_that_is_pruned(tmp_path: Path) -> None:
    text = SPACE.replace("seeds: [0]\n", "seeds: [0, 1, 2]\n")
    worker = Hurries(pause=0.05, runs=3)
    settings = "{trials: 10, sampler: random, pruner: median}"
    found = search_of(tmp_path, sweep_of(tmp_path, settings, text))
    closely_watched(found, worker)
    pruned = sum(state == "PRUNED" for state, _, _ in story(found))
    assert pruned
    assert len(worker.asked) == 3 * (10 - pruned) + pruned


def test_wilcoxon_compares_finished_runs_with_the_best_trials(tmp_path: Path) -> None:
    text = SPACE.replace("seeds: [0]\nfolds: [0]\n", "seeds: [0, 1]\nfolds: [0, 1, 2, 3]\n")
    settings = "{trials: 8, sampler: random, pruner: wilcoxon}"
    found = carried_out(search_of(tmp_path, sweep_of(tmp_path, settings, text)), slots=2)
    trials = found.store.trials()
    assert trials[0].state.name == "COMPLETE"
    assert list(trials[0].intermediate_values) == list(range(8))
    best = trials[0].value
    assert best is not None
    for trial in trials[1:]:
        if trial.state.name == "PRUNED":
            steps = len(trial.intermediate_values)
            assert 2 <= steps <= 8
            assert sum(trial.intermediate_values.values()) / steps < best
        else:
            assert trial.value is not None
            best = max(best, trial.value)
    assert any(trial.state.name == "PRUNED" for trial in trials)

"""A sweep in W&B: one group whose runs have each axis in their configuration, and a search's trials
as runs whose steps are its folds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anomalynet.config.identity import flatten_tree
from anomalynet.sweep.runner import SweepOutcome, run_sweep
from anomalynet.tracking.record import pending, upload
from tests.regression.training import in_process
from tests.tracking.reader import Read, parts, read
from tests.tracking.server import wandb_server
from tests.training.small import WORLD

ALONE = """\
# parts — what do the regularisation and the channels contribute?
experiment: logistic
design: one_at_a_time
folds: [0]
axes: {model.strength: [1.0, 0.01], data.without: [null, rssi_range]}
"""
SEARCH = """\
# strength — which strength ranks best?
experiment: logistic
design: search
folds: [0, 1]
axes: {model.strength: [1.0, 0.01]}
search: {trials: 2, sampler: grid, objectives: [validation/average_precision]}
"""
OVERRIDES = [*WORLD, "data.stride=8", "data.split.folds=3", "tracking=wandb"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_figures: None) -> Path:
    """A working folder; runs are trained in this process."""
    monkeypatch.chdir(tmp_path)
    in_process(monkeypatch)
    return tmp_path


def swept(text: str) -> SweepOutcome:
    Path("mine.yaml").write_text(text)
    return run_sweep("mine.yaml", overrides=OVERRIDES, slots=1)


def own_runs(label: str) -> dict[str, Read]:
    """The runs of the sweep itself, by their id."""
    return {(one := read(part)).run["run_id"]: one for part in parts(Path("runs/.sweeps") / label)}


def config_of(found: Read) -> dict[str, Any]:
    return flatten_tree(found.config)


def test_a_sweep_is_a_group_with_each_axis_in_every_configuration(here: Path) -> None:
    outcome = swept(ALONE)
    jobs = [job for job in outcome.jobs if job.state == "done"]
    found = {job.folder.path.name: read(*parts(job.folder.path)) for job in jobs}
    assert {one.run["run_group"] for one in found.values()} == {outcome.label}
    points = {
        (config_of(one)["model.strength"], config_of(one)["data.without"]) for one in found.values()
    }
    assert points == {(1.0, "null"), (0.01, "null"), (1.0, "rssi_range")}
    metric = "test/average_precision"
    results = {job.folder.path.name: job.folder.read_result().metrics[metric] for job in jobs}
    assert {name: one.summary[metric] for name, one in found.items()} == results
    (sweep,) = own_runs(outcome.label).values()
    assert (sweep.run["job_type"], sweep.run["run_group"]) == ("sweep", outcome.label)
    (page,) = Path(f"runs/.sweeps/{outcome.label}").glob("wandb/off*/files/media/html/*")
    text = page.read_text()
    assert "What do the regularisation and the channels contribute?" in text


@pytest.mark.slow
def test_a_trial_is_a_run_whose_steps_are_its_folds_and_sync_sends_it(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = swept(SEARCH)
    found = own_runs(outcome.label)
    names = [f"{outcome.label}-trial-{number}" for number in (0, 1)]
    for name, trial in zip(names, outcome.trials, strict=True):
        one = found[name]
        assert (one.run["job_type"], one.run["run_group"]) == ("trial", outcome.label)
        assert config_of(one)["model.strength"] == trial["model.strength"]
        objective = "validation/average_precision"
        assert one.summary[objective] == trial[objective]
        folds = [row[objective] for row in one.history]
        assert [row["_step"] for row in one.history] == [0, 1]
        assert sum(folds) / 2 == pytest.approx(trial[objective])
    again = swept(SEARCH)
    assert again.trials == outcome.trials
    assert own_runs(outcome.label).keys() == found.keys()

    folder = Path("runs/.sweeps") / outcome.label
    with wandb_server() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        assert upload(folder, 60) == "synced"
        assert not pending(folder)
        for name in names:
            assert len(server.history[name]) == 2
        run = outcome.jobs[0].folder
        assert upload(run.path, 60) == "synced"
        assert server.used == 1
        assert any(file.startswith("media/images/test/examples") for file in server.files)
        assert any(file.startswith("media/html/report") for file in server.files)

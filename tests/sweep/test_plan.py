"""A sweep is the list of runs that should exist."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from anomalynet.config import locate
from anomalynet.config.load import load
from anomalynet.config.schema import Config
from anomalynet.data.sources import completed
from anomalynet.errors import ConfigError, UsageError
from anomalynet.runs.files import write_json
from anomalynet.sweep.estimate import (
    SPEED,
    Cost,
    most_clusters,
    power_text,
    read_costs,
    seconds_left,
)
from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.jobs import jobs_of
from anomalynet.sweep.plan import arms, plan
from anomalynet.sweep.search.space import distributions
from anomalynet.sweep.search.study import check
from tests.training.small import imported

SIMULATED, REAL = "data.name=smart_city", "data.name=skab"
ONE_WORLD = [SIMULATED, "data.worlds=null"]


def written(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text)
    return str(path)


def test_data_that_brings_its_split_has_one_fold(tmp_path: Path) -> None:
    mine = f"data.name={imported(tmp_path, 'brought')}"
    for policy, folds in (("auto", {0}), ("given", {0}), ("group", {0, 1, 2, 3, 4})):
        chosen = [mine, f"data.split.policy={policy}"]
        runs = plan(read_sweep("paper_models", "quick"), chosen)
        assert {run.loaded.config.data.split.fold for run in runs} == folds


@pytest.mark.parametrize("name", sorted(set(locate.files("sweeps")) - {"base"}))
@pytest.mark.parametrize("preset", ["quick", pytest.param("full", marks=pytest.mark.slow)])
def test_every_shipped_sweep_plans(name: str, preset: str) -> None:
    sweep = read_sweep(name, preset)
    if sweep.design == "search":
        assert plan(sweep) == []
        assert distributions(sweep.axes).keys() == sweep.axes.keys() and sweep.axes
        check(sweep, [])
        return
    runs = plan(sweep)
    assert runs
    assert sum(arm.reference for arm in arms(sweep)) == 1
    assert len({str((run.loaded.name, run.loaded.config)) for run in runs}) == len(runs)


def test_paper_models_is_models_by_folds_by_seeds() -> None:
    def configs(preset: str, data: str = SIMULATED) -> list[Config]:
        return [run.loaded.config for run in plan(read_sweep("paper_models", preset), [data])]

    quick, full = configs("quick"), configs("full")
    assert (len(quick), len(full)) == (11 * 3 * 1, 11 * 5 * 3)
    assert {(one.data.worlds, one.data.scenario) for one in quick} == {("3", "duration=2d")}
    assert {(one.data.worlds, one.data.scenario) for one in full} == {("6", None)}
    assert {one.data.split.fold for one in quick} == {0, 1, 2}
    real = configs("quick", REAL)
    assert len(real) == 11 * 5 * 1
    assert {one.data.scenario for one in real} == {None}
    assert {one.training.epochs for one in full} == {100, 8}  # a cycle is planned for its epochs
    assert {one.training.schedule for one in full if one.training.epochs == 8} == {"one_cycle"}
    assert all(one.data.split.assignment == one.seed for one in full)
    repetitions = [one.seed for one in full]
    assert repetitions == sorted(repetitions)


def test_each_seed_has_its_own_world_of_simulated_data_alone(tmp_path: Path) -> None:
    text = "experiments: [cnn, logistic]\nseeds: [0, 5]\nfolds: [0, 2]\nworlds: seed"
    sweep = read_sweep(written(tmp_path, text), "quick")
    runs = plan(sweep, ONE_WORLD)
    assert [run.expected for run in runs[:6]] == [
        *(("cnn", 0, fold, 0) for fold in (0, 2)),
        *(("logistic", 0, fold, 0) for fold in (0, 2)),
        *(("cnn", 5, fold, 5) for fold in (0, 2)),
    ]
    assert len(runs) == 2 * 2 * 2
    assert all(run.axis["data.world"] == run.loaded.config.data.world for run in runs)
    alone = [completed(load(run.arm.experiment, ONE_WORLD, run.axis).config) for run in runs]
    assert [run.loaded.config for run in runs] == alone
    real = plan(sweep, [REAL])
    assert len(real) == 2 * 2 * 2
    assert {run.expected[3] for run in real} == {None}
    assert all("data.world" not in run.axis for run in real)


def test_a_world_of_the_command_line_wins(tmp_path: Path) -> None:
    text = "experiments: [cnn]\nfolds: [0]\nworlds: seed"
    sweep = read_sweep(written(tmp_path, text), "quick")
    (run,) = plan(sweep, [*ONE_WORLD, "data.world=7"])
    assert run.expected == ("cnn", 0, 0, 7)
    (run,) = plan(replace(sweep, worlds=None), ONE_WORLD)
    assert run.expected == ("cnn", 0, 0, 0)
    (run,) = plan(replace(sweep, worlds=None), [SIMULATED])
    assert run.expected == ("cnn", 0, 0, None), "six worlds in one data set"


def test_axes_multiply_and_the_command_line_wins(tmp_path: Path) -> None:
    axes = "axes: {model.attention: [true, false], data.window: [16, 32]}\n"
    sweep = written(tmp_path, f"experiments: [hybrid]\nseeds: [4]\nfolds: [0, 2]\n{axes}")
    runs = plan(read_sweep(sweep, "quick"), ["training.epochs=3", "data.window=8"])
    assert len(runs) == 4
    configs = [run.loaded.config for run in runs]
    assert {(one.data.window, one.training.epochs) for one in configs} == {(8, 3)}
    assert {(one.seed, one.data.split.fold) for one in configs} == {(4, 0), (4, 2)}


def test_all_folds_are_those_of_the_configuration() -> None:
    runs = plan(read_sweep("paper_models", "quick"), ["data.split.folds=3"])
    assert {run.loaded.config.data.split.fold for run in runs} == {0, 1, 2}


MISTAKES = {
    "experimint: [cnn]": "mine.yaml:1: unknown key 'experimint'; did you mean 'experiment'?",
    "experiments: cnn": "mine.yaml:1: experiments: expected a list",
    "+seeds: [a]": "mine.yaml:2: seeds: expected a list of int",
    "experiment: [cnn]": "mine.yaml:1: experiment: expected a name, not ['cnn']",
    "+exclude: {a: 1}": "mine.yaml:2: unknown key 'exclude.a'",
    "+exclude: [a]": "mine.yaml:2: exclude: expected a list of dict, not ['a']",
    "+report: {metric: test/ap}": "mine.yaml:2: report.metric: unknown metric 'test/ap'",
    "+exclude: [{model.pool: 1}]\naxes: {model.pool: [1]}": "mine.yaml:2: exclude: every arm",
    "+exclude: [{model.pol: 1}]\naxes: {model.pool: [1, 2]}": "did you mean 'model.pool'?",
    "+arms: {wide: 3}": "mine.yaml:2: arms.wide: expected keys and values, not 3",
    "+presets: {quick: 3}": "mine.yaml:2: presets.quick: expected keys and values, not 3",
    "+folds: [7]": "mine.yaml:2: folds: there is no fold 7 of 5",
    "+report: {reference: {model.pol: 1}}\naxes: {model.pool: [1]}": "mine.yaml:2: unknown key",
    "+report: {metric: test/event_recall}": "unknown metric 'test/event_recall'",
    "+search: {trials: 3}": "mine.yaml:2: search.trials needs `design: search`",
    "+axes: {data.window: 8}": "mine.yaml:2: axes.data.window: expected a list or {low",
    "extends: bse.yaml": "mine.yaml:1: extends 'bse.yaml', neither in",
    "+design: fractorial": "mine.yaml:2: unknown design 'fractorial'; did you mean 'factorial'?",
    "+worlds: [0, 1]": "mine.yaml:2: worlds: expected `seed`, not [0, 1]",
    "seeds: [0]": "missing key 'experiment' or 'experiments'",
    "+folds: [5]": "there is no fold 5 of 5",
    "+axes: {model.kernl: [3]}": "mine.yaml:2: unknown key 'model.kernl'",
    "+axes: {model.kernel: [3, 4]}": "mine.yaml:2: model.kernel: must be odd",
    "+arms: {other: {data.windw: 3}}": "mine.yaml:2: unknown key 'data.windw'",
    "+presets: {quick: {model.pol: 3}}": "mine.yaml:2: unknown key 'model.pol'",
}
"""What is wrong in a sweep file, where `+` stands for one line, `experiments: [cnn]`."""


@pytest.mark.parametrize("text", MISTAKES)
def test_each_mistake_has_one_clear_message(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text.replace("+", "experiments: [cnn]\n", 1))
    with pytest.raises(ConfigError) as caught:
        plan(read_sweep(path, "quick"))
    assert MISTAKES[text] in str(caught.value)
    assert len(caught.value.problems) == 1


def test_an_unknown_preset_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="full, quick"):
        read_sweep("paper_models", "slow")


def test_an_estimate_is_what_was_measured_times_what_is_left(tmp_path: Path) -> None:
    planned = plan(read_sweep("paper_models", "full"), [SIMULATED])
    some = ("cnn", "logistic", "lstm")
    jobs = jobs_of([run for run in planned if run.arm.experiment in some], tmp_path)
    before = ("cnn", 4, 8.0, 3), ("cnn", 4, 80.0, 8), ("logistic", None, 3.0, 3)
    for name, epochs, seconds, stride in before:
        folder = tmp_path / name / f"{stride:010}"
        result = {"version": 1, "experiment": name, "data": "smart_city", "epochs": epochs}
        write_json(folder / "result.json", result)
        write_json(folder / "timings.json", {"train_seconds": seconds, "score_seconds": 0.0})
        data = f"{{scenario: null, worlds: '6', window: 32, stride: {stride}, view: node}}"
        training = "{batch_size: 32, windows_per_epoch: 20000}"
        text = f"data: {data}\ntraining: {training}\n"
        (folder / "config.yaml").write_text(text)
    costs = read_costs(tmp_path, jobs)
    assert costs == {"cnn": Cost(2.0, True), "logistic": Cost(3.0, False)}
    fit, score, _ = SPEED["lstm"]  # 30 nodes for 4 days in six worlds, a frame in 30 s
    steps = 6 * 30 * 4 * 24 * 120
    usual = 100 * (20_000 * fit / 1e3 + 20_000 * score / 1e6) + steps * score / 1e6
    measured = 15 * 100 * 2.0 + 15 * 3.0
    left, unmeasured = seconds_left(tmp_path, jobs, 2)
    assert left == pytest.approx((measured + 15 * usual) / 2)
    assert unmeasured == ["lstm"]
    known = [job for job in jobs if job.run.loaded.name != "lstm"]
    assert seconds_left(tmp_path, known, 2) == ((15 * 100 * 2.0 + 15 * 3.0) / 2, [])
    other = jobs_of(plan(read_sweep("paper_models", "quick"), ["data.name=healthcare"]), tmp_path)
    assert read_costs(tmp_path, other) == {}


def test_a_plan_says_what_its_tests_can_show(tmp_path: Path) -> None:
    """Two cells in each of three worlds are at most six clusters: 4 · 2/2⁶ = 0.125."""
    few, many = (
        jobs_of(plan(read_sweep("components", preset), [SIMULATED, f"data.worlds={n}"]), tmp_path)
        for preset, n in (("quick", 3), ("full", 6))
    )
    assert [most_clusters(own) for own in (few, many)] == [6, 12]
    alone = [job for job in few if job.run.loaded.config.data.split.fold == 0]
    assert most_clusters(alone) == 2  # one world of the three is tested
    assert "p is never below 0.125; at least 8 are needed" in power_text(few)
    assert f"p not below {4 * 2 / 2**12:.3g}" in power_text(many)
    assert power_text(few[:1]) == ""

"""A sweep varies what its file says: what would be lost, merged or never used is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomalynet.cli.main import main
from anomalynet.errors import ConfigError, UsageError
from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.plan import plan
from anomalynet.sweep.runner import run_sweep
from anomalynet.sweep.search.study import check

BASE = "experiment: hybrid\nseeds: [0, 1]\nfolds: [0]\n"

MODEL = """\
from dataclasses import dataclass
from anomalynet.config.model import ModelConfig

@dataclass(kw_only=True, slots=True, frozen=True)
class Config(ModelConfig):
    word: str = "yes"
"""


def written(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(BASE + text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "line", "named"),
    [
        ("axes: {seed: [7, 8]}", 4, ("axes.seed", "'seeds'")),
        ("axes: {seed: {low: 1, high: 3, step: 1}}", 4, ("axes.seed: ", "'seeds'")),
        ("axes: {data.split.fold: [0, 1]}", 4, ("axes.data.split.fold", "'folds'")),
        ("worlds: seed\naxes: {data.world: [1, 2]}", 5, ("axes.data.world", "'seeds'")),
        ("arms: {other: {seed: 9}}", 4, ("arms.other.seed", "'seeds'")),
        ("presets: {quick: {data.split.fold: 3}}", 4, ("data.split.fold", "'folds'")),
        ("report: {reference: {seed: 3}}", 4, ("report.reference.seed", "axis")),
        ("axes: {hardware.threads: [1, 2]}", 4, ("axes.hardware.threads", "the same run")),
        ("axes: {tracking: [disabled, wandb]}", 4, ("axes.tracking", "the same run")),
        ("worlds: [3, 4]", 4, ("worlds", "data.worlds")),
        ("axes: {model.pool: [1, 2, 1]}", 4, ("axes.model.pool", "duplicate")),
        ("report: {reference: {experiment: cnn}}", 4, ("report.reference.experiment", "'cnn'")),
        ("report: {reference: {data.window: 8}}", 4, ("report.reference.data.window", "axis")),
        ("axes: {model.pool: [1]}\nreport: {reference: {model.pool: 3}}", 5, ("3", "model.pool")),
        ("design: search\naxes: {model.pool: [1]}\nsearch: {objectives: []}", 6, ("objectives",)),
    ],
)
def test_a_key_that_would_be_lost_is_refused_where_it_is_set(
    tmp_path: Path, text: str, line: int, named: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_sweep(written(tmp_path, text), "quick")
    (problem,) = caught.value.problems
    assert problem.where.endswith(f"mine.yaml:{line}")
    assert all(word in str(problem) for word in named)


def test_worlds_can_be_an_axis_where_the_sweep_has_no_list_of_them(tmp_path: Path) -> None:
    runs = plan(read_sweep(written(tmp_path, "axes: {data.world: [1, 2]}"), "quick"))
    assert {run.loaded.config.data.world for run in runs} == {1, 2}
    assert {run.arm.name for run in runs} == {"data.world=1", "data.world=2"}


@pytest.mark.parametrize(
    ("text", "override"),
    [
        ("axes: {data.window: [16, 32]}", "data.window=8"),
        ("axes: {model.hidden: {low: 8, high: 16, step: 8}}", "model.hidden=32"),
        (
            "axes: {model.pool: [1, 2]}\narms: {raw: {data.calibration_rows: 0}}",
            "data.calibration_rows=50",
        ),
        ("design: search\naxes: {data.window: [16, 32]}", "data.window=8"),
    ],
)
def test_an_override_of_what_is_varied_is_refused(tmp_path: Path, text: str, override: str) -> None:
    with pytest.raises(UsageError, match=override.partition("=")[0]):
        run_sweep(written(tmp_path, text), overrides=[override], plan_only=True)


@pytest.mark.parametrize(
    "text",
    [
        "axes: {model.pool: [1, 2]}\narms: {narrow: {model.pool: 1}}",
        "arms: {one: {data.window: 16}, two: {data.window: 16}}",
    ],
)
def test_two_arms_of_one_configuration_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(read_sweep(written(tmp_path, text), "quick"))
    (problem,) = caught.value.problems
    names = ("model.pool=1", "narrow") if "axes" in text else ("one", "two")
    assert all(repr(name) in problem.what for name in names)


def test_one_model_for_all_experiments_is_refused(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text("experiments: [cnn, lstm]\nfolds: [0]\n")
    with pytest.raises(UsageError, match=r"model\.name"):
        run_sweep(tmp_path / "two.yaml", overrides=["model.name=hybrid"], plan_only=True)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("axes: {data.stride: [8, 10]}\nexclude: [{data.stride: 010}]", "data.stride"),
        ("axes: {data.stride: [8, 10]}\nexclude: [{experiment: cnn}]", "experiment: cnn"),
        ("axes: {data.stride: [8, 10]}\nexclude: [{data.stride: 10}, {data.stride: 9}]", "9"),
        (
            "design: one_at_a_time\naxes: {model.pool: [1, 2], data.window: [16, 32]}\n"
            "exclude: [{model.pool: 1, data.window: 16}]",
            "model.pool: 1, data.window: 16",
        ),
        ("design: search\naxes: {data.window: [16, 32]}\nexclude: [{data.window: 8}]", "8"),
        (
            "design: search\naxes: {data.window: {low: 8, high: 16}}\nexclude: [{data.window: 4}]",
            "data.window",
        ),
    ],
)
def test_an_exclusion_of_nothing_is_refused(tmp_path: Path, text: str, named: str) -> None:
    sweep = read_sweep(written(tmp_path, text), "quick")
    with pytest.raises(ConfigError, match="exclude: ") as caught:
        check(sweep, []) if sweep.design == "search" else plan(sweep)
    (problem,) = caught.value.problems
    assert named in str(problem) and "mine.yaml:" in problem.where


def test_an_exclusion_of_an_experiment_that_is_left_out_is_none(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(
        "experiments: [cnn, hybrid]\nfolds: [0]\naxes: {model.pool: [1, 2]}\n"
        "exclude: [{experiment: cnn, model.pool: 1}]\n"
    )
    outcome = run_sweep(tmp_path / "two.yaml", experiments=["hybrid"], plan_only=True)
    assert len(outcome.jobs) == 2


@pytest.mark.parametrize("values", ["[no, 'yes']", "[1.50, 'yes']", "[null, 'yes']"])
def test_text_of_a_users_model_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MODEL)
    text = f"presets: {{quick: {{model.name: ./mine.py}}}}\naxes: {{model.word: {values}}}"
    sweep = read_sweep(written(tmp_path, text), "quick")
    with pytest.raises(ConfigError, match=r"mine\.yaml:5.*model\.word"):
        plan(sweep)
    text = "presets: {quick: {model.name: ./mine.py}}\naxes: {model.word: ['no', 'yes']}"
    runs = plan(read_sweep(written(tmp_path, text), "quick"))
    words = {getattr(run.loaded.config.model, "word", None) for run in runs}
    assert words == {"no", "yes"}


def test_a_key_that_is_given_twice_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "cnn", "seed=1", "seed=2", "training.epochs=3", "training.epochs=3"]) == 0
    found = capsys.readouterr()
    assert "seed: 2" in found.out
    assert found.err.count("\n") == 1 and "seed=2" in found.err and "seed=1" in found.err
    assert main(["reproduce", "--data", "skab", "data.name=healthcare"]) == 2
    assert "data.name=healthcare" in capsys.readouterr().err

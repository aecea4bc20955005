"""A sweep as W&B's YAML: what an agent would run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from anomalynet.config.load import load
from anomalynet.errors import UsageError
from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.plan import plan
from anomalynet.sweep.wandb_yaml import as_wandb, wandb_sweep

GRID: dict[str, Any] = {
    "name": "attention",
    "experiments": ["hybrid"],
    "seeds": [0, 1],
    "folds": [0, 2],
    "axes": {"model.attention": [True, False], "training.learning_rate": [0.001, 0.00001]},
    "settings": {"training.epochs": 6, "data.subset": None},
    "design": "factorial",
    "runs": 16,
}


def parsed(**changes: Any) -> dict[str, Any]:
    text: dict[str, Any] = yaml.safe_load(wandb_sweep(**{**GRID, **changes}))
    return text


def agent_command(sweep: dict[str, Any], values: dict[str, object]) -> list[str]:
    """The command line that W&B's agent makes of a sweep and the values it chose, by W&B's own code
    for the macros."""
    macros = create_sweep_command_args(
        {"args": {key: {"value": value} for key, value in values.items()}}
    )
    macros["env"] = []
    return [
        word
        for part in sweep["command"]
        for word in (macros[part[2:-1]] if part.startswith("${") else [part])
    ]


def test_a_factorial_sweep_is_a_grid_over_its_axes_seeds_and_folds() -> None:
    sweep = parsed(overrides=["data.name=skab"])
    assert (sweep["name"], sweep["method"], sweep["project"]) == ("attention", "grid", "anomalynet")
    assert sweep["metric"] == {"name": "validation/average_precision", "goal": "maximize"}
    assert sweep["parameters"] == {
        "model.attention": {"values": [True, False]},
        "training.learning_rate": {"values": [0.001, 0.00001]},
        "seed": {"values": [0, 1]},
        "data.split.fold": {"values": [0, 2]},
    }
    values: dict[str, object] = {
        "model.attention": False,
        "training.learning_rate": 0.00001,
        "seed": 1,
        "data.split.fold": 2,
    }
    words = agent_command(sweep, values)
    assert words[:3] == ["anomalynet", "train", "hybrid"]
    config = load(words[2], words[3:]).config
    wanted = load(
        "hybrid", ["data.name=skab", "tracking=wandb"], {**GRID["settings"], **values}
    ).config
    assert config == wanted


def test_a_key_of_the_command_line_is_no_parameter() -> None:
    sweep = parsed(overrides=["seed=7", "model.attention=true"])
    assert list(sweep["parameters"]) == ["training.learning_rate", "data.split.fold"]
    assert sweep["command"][-3:] == ["seed=7", "model.attention=true", "tracking=wandb"]


@pytest.mark.parametrize(
    "changes",
    [
        {"design": "one_at_a_time"},
        {"experiments": ["cnn", "hybrid"]},
        {"axes": {"data.split.purge": [None, 5]}},
    ],
    ids=["one at a time", "several experiments", "an empty value"],
)
def test_what_a_grid_cannot_say_becomes_the_number_of_the_run(changes: dict[str, Any]) -> None:
    sweep = parsed(**changes, runs=3, preset="full", overrides=["data.name=skab"])
    assert (sweep["method"], sweep["parameters"]) == ("grid", {"only": {"values": [1, 2, 3]}})
    words = [
        "anomalynet",
        "sweep",
        "attention",
        "--preset",
        "full",
        "--only=2",
        "data.name=skab",
        "tracking=wandb",
    ]
    assert agent_command(sweep, {"only": 2}) == words


def test_a_search_gives_ranges() -> None:
    axes = {
        "training.learning_rate": {"low": 1e-5, "high": 1e-2, "log": True},
        "model.dropout": {"low": 0.0, "high": 0.5},
        "model.hidden": {"low": 16, "high": 128, "step": 16},
        "data.clip": {"low": 1.5, "high": 2.0, "step": 0.25},
        "model.autoencoder_depth": {"low": 0, "high": 4},
        "model.channels": {"low": 8, "high": 256, "log": True},
        "data.window": [16, 32],
    }
    sweep = parsed(design="search", axes=axes, runs=30, metric="validation/loss")
    assert (sweep["method"], sweep["run_cap"]) == ("bayes", 30)
    assert sweep["metric"] == {"name": "validation/loss", "goal": "minimize"}
    assert sweep["parameters"] == {
        "training.learning_rate": {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-2},
        "model.dropout": {"distribution": "uniform", "min": 0.0, "max": 0.5},
        "model.hidden": {"values": [16, 32, 48, 64, 80, 96, 112, 128]},
        "data.clip": {"values": [1.5, 1.75, 2.0]},
        "model.autoencoder_depth": {"distribution": "int_uniform", "min": 0, "max": 4},
        "model.channels": {"distribution": "q_log_uniform_values", "q": 1, "min": 8, "max": 256},
        "data.window": {"values": [16, 32]},
        "seed": {"value": 0},
        "data.split.fold": {"value": 0},
    }


def test_a_metric_of_which_less_is_better_is_minimised() -> None:
    assert parsed(metric="validation/false_alarms_per_day")["metric"]["goal"] == "minimize"


def test_a_sweep_file_as_it_stands() -> None:
    read = read_sweep("paper_models", "quick")
    sweep = yaml.safe_load(as_wandb(read, ["data.name=skab"], "paper_models"))
    assert sweep["parameters"]["only"]["values"][-1] == len(plan(read, ["data.name=skab"]))
    assert sweep["command"][1:5] == ["anomalynet", "sweep", "paper_models", "--preset"]


def test_designs_of_shipped_sweeps() -> None:
    def written(name: str) -> dict[str, Any]:
        parsed: dict[str, Any] = yaml.safe_load(
            as_wandb(read_sweep(name, "quick"), ["data.name=skab"], name)
        )
        return parsed

    assert set(written("components")["parameters"]) == {"only"}
    assert set(written("attention")["parameters"]) == {
        "only"
    }  # one combination makes no sense, which W&B cannot be told
    loss = written("loss")
    assert loss["parameters"]["training.loss"] == {"values": ["mse", "cross_entropy"]}
    assert loss["command"][1:4] == ["anomalynet", "train", "hybrid"]
    tuned = written("tune_hybrid")
    assert (tuned["method"], tuned["run_cap"], tuned["metric"]["name"]) == (
        "bayes",
        30,
        "validation/average_precision",
    )
    assert tuned["parameters"]["training.learning_rate"]["distribution"] == "log_uniform_values"


def test_a_search_over_values_that_w_and_b_cannot_pass_on_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "experiment: cnn\ndesign: search\naxes: {data.split.purge: [null, 8]}\n"
    )
    with pytest.raises(UsageError, match="cannot try empty values"):
        as_wandb(read_sweep(str(tmp_path / "mine.yaml"), ""), [], "mine.yaml")

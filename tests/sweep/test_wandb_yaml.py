"""A sweep as W&B's YAML: what an agent would run, and which sweeps W&B cannot be given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from anomalynet.config.load import load
from anomalynet.errors import UsageError
from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.plan import as_wandb

GRID = """\
experiment: hybrid
seeds: [0, 1]
folds: [0, 2]
axes: {model.attention: [true, false], training.learning_rate: [0.001, 0.00001]}
presets: {quick: {training.epochs: 6, data.subset: null}}
"""


def written(folder: Path, text: str, *overrides: str) -> dict[str, Any]:
    path = folder / "mine.yaml"
    path.write_text(text)
    found: dict[str, Any] = yaml.safe_load(
        as_wandb(read_sweep(str(path), "quick"), overrides, "mine")
    )
    return found


def test_a_factorial_sweep_is_a_grid_over_its_axes_seeds_and_folds(tmp_path: Path) -> None:
    sweep = written(tmp_path, GRID, "data.name=skab")
    assert (sweep["name"], sweep["method"], sweep["project"]) == ("mine", "grid", "anomalynet")
    assert sweep["metric"] == {"name": "validation/average_precision", "goal": "maximize"}
    assert sweep["parameters"] == {
        "model.attention": {"values": [True, False]},
        "training.learning_rate": {"values": [0.001, 0.00001]},
        "seed": {"values": [0, 1]},
        "data.split.fold": {"values": [0, 2]},
    }
    values: dict[str, object] = {"model.attention": False, "training.learning_rate": 0.00001}
    values |= {"seed": 1, "data.split.fold": 2}
    given = {key: {"value": value} for key, value in values.items()}
    macros = {**create_sweep_command_args({"args": given}), "env": []}
    parts = [macros[part[2:-1]] if part[0] == "$" else [part] for part in sweep["command"]]
    words = [word for part in parts for word in part]
    assert words[:3] == ["anomalynet", "train", "hybrid"]
    settings = {"training.epochs": 6, "data.subset": None, **values}
    wanted = load("hybrid", ["data.name=skab", "tracking=wandb"], settings).config
    assert load(words[2], words[3:]).config == wanted


def test_a_key_of_the_command_line_is_no_parameter(tmp_path: Path) -> None:
    sweep = written(tmp_path, GRID, "seed=7", "model.attention=true")
    assert list(sweep["parameters"]) == ["training.learning_rate", "data.split.fold"]
    assert sweep["command"][-3:] == ["seed=7", "model.attention=true", "tracking=wandb"]


@pytest.mark.parametrize(
    "change",
    [
        "design: one_at_a_time",
        "exclude: [{model.attention: true}]",
        "arms: {flat: {model.pool: 1}}",
        "worlds: seed",
        "axes: {data.split.purge: [null, 5]}",
        "design: search",
    ],
)
def test_what_is_no_plain_grid_is_refused(tmp_path: Path, change: str) -> None:
    key = change.partition(":")[0]
    kept = [line for line in GRID.splitlines() if not line.startswith(f"{key}:")]
    with pytest.raises(UsageError, match="use `anomalynet sweep` without --as wandb"):
        written(tmp_path, "\n".join([*kept, change]))

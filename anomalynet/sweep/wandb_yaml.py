"""Writes a sweep as the YAML of a W&B sweep whose agents call `anomalynet train`: start it with
`wandb sweep FILE`, then `wandb agent`."""

from __future__ import annotations

import os
from collections.abc import Sequence

import yaml

from anomalynet.config.show import scalar
from anomalynet.errors import UsageError
from anomalynet.sweep.axes import levels
from anomalynet.sweep.file import Sweep
from anomalynet.sweep.plan import plan


def as_wandb(sweep: Sweep, overrides: Sequence[str], given: str) -> str:
    """The YAML of a plain grid. Each key of the sweep becomes a parameter of W&B, except those of
    the overrides, which win. `given`: the sweep as the user named it. Raises UsageError: the sweep
    is not a plain grid of one experiment over numbers, texts, true and false."""
    runs = plan(sweep, overrides)
    values = {key: levels(axis) for key, axis in sweep.axes.items() if sweep.design == "factorial"}
    folds = sorted({run.loaded.config.data.split.fold for run in runs})
    values |= {"seed": list(sweep.seeds), "data.split.fold": list(folds)}
    varied = len(sweep.experiments) > 1 or sweep.exclude or sweep.extras or sweep.worlds == "seed"
    fixed = {text.partition("=")[0] for text in overrides}
    every = [value for key, own in values.items() if key not in fixed for value in own]
    plain = all(isinstance(value, bool | int | float | str) for value in every)
    if sweep.design != "factorial" or varied or not plain:
        raise UsageError(
            f"{sweep.name}: W&B supports only a plain grid: `design: factorial` of one "
            "experiment, without `exclude`, `arms`, `worlds: seed`, empty values and lists",
            "use `anomalynet sweep` without --as wandb",
        )
    parameters = {key: {"values": own} for key, own in values.items() if key not in fixed}
    set_before = fixed | parameters.keys()
    always = [f"{key}={scalar(v)}" for key, v in sweep.settings.items() if key not in set_before]
    command = ["${env}", "anomalynet", "train", sweep.experiments[0], "${args_no_hyphens}"]
    text = {
        "name": given,
        "project": os.environ.get("WANDB_PROJECT", "anomalynet"),
        "program": "anomalynet",
        "method": "grid",
        "metric": {"name": "validation/average_precision", "goal": "maximize"},
        "parameters": parameters,
        "command": [*command, *always, *overrides, "tracking=wandb"],
    }
    return yaml.safe_dump(text, sort_keys=False, allow_unicode=True)

"""A sweep as the YAML of a W&B sweep whose agents call this command line: `wandb sweep FILE`, then
`wandb agent`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from anomalynet.config.show import scalar
from anomalynet.errors import UsageError
from anomalynet.metrics.suite import METRICS
from anomalynet.sweep.axes import Axis, Range, levels
from anomalynet.sweep.file import Sweep
from anomalynet.sweep.plan import plan

METRIC = "validation/average_precision"


def wandb_sweep(
    *,
    name: str,
    experiments: Sequence[str],
    seeds: Sequence[int],
    folds: Sequence[int],
    axes: Mapping[str, Any],
    settings: Mapping[str, object],
    design: str,
    runs: int,
    metric: str = METRIC,
    preset: str = "quick",
    overrides: Sequence[str] = (),
) -> str:
    """The YAML text.

    Factorial designs and searches of one experiment give each key as a parameter, to `anomalynet
    train`. What W&B cannot express (one axis at a time, several experiments, an axis of empty
    values) becomes one parameter, the number of the run, to `anomalynet sweep NAME --only`.

    Args:
        name: of the sweep.
        experiments: the names.
        seeds: each with every fold.
        folds: as numbers, never "all".
        axes: key → values, or for a search → `{"low": …, "high": …, "log": …, "step": …}`.
        settings: what the preset sets in every run.
        design: `factorial`, `one_at_a_time` or `search`.
        runs: number of the sweep's runs; of trials for a search.
        metric: what is best, by its name in W&B.
        preset: of the sweep.
        overrides: `key=value` arguments; they win, so their keys are no parameters.
    """
    fixed = {text.partition("=")[0] for text in overrides}
    parameters = {key: _parameter(values) for key, values in axes.items() if key not in fixed}
    if design != "search":
        parameters |= {"seed": {"values": list(seeds)}, "data.split.fold": {"values": list(folds)}}
    else:
        parameters |= {"seed": {"value": seeds[0]}, "data.split.fold": {"value": folds[0]}}
    parameters = {key: value for key, value in parameters.items() if key not in fixed}
    if (
        len(experiments) == 1
        and design != "one_at_a_time"
        and all(map(_expressible, parameters.values()))
    ):
        always = [
            f"{key}={scalar(value)}"
            for key, value in settings.items()
            if key not in fixed | parameters.keys()
        ]
        command = [
            "anomalynet",
            "train",
            experiments[0],
            "${args_no_hyphens}",
            *always,
            *overrides,
            "tracking=wandb",
        ]
    else:
        parameters = {"only": {"values": list(range(1, runs + 1))}}
        command = [
            "anomalynet",
            "sweep",
            name,
            *(["--preset", preset] if preset else []),
            "${args}",
            *overrides,
            "tracking=wandb",
        ]
    text: dict[str, Any] = {
        "name": name,
        "project": os.environ.get("WANDB_PROJECT", "anomalynet"),
        "program": "anomalynet",
        "method": "bayes" if design == "search" and "only" not in parameters else "grid",
        "metric": {"name": metric, "goal": _goal(metric)},
        "parameters": parameters,
        "command": ["${env}", *command],
    }
    if design == "search":
        text["run_cap"] = runs
    return yaml.safe_dump(text, sort_keys=False, allow_unicode=True)


def _parameter(values: Any) -> dict[str, Any]:
    """A parameter of W&B: a list of values, or a range with its distribution."""
    if not isinstance(values, Mapping):
        return {"values": list(values)}
    low, high, step = values["low"], values["high"], values.get("step")
    whole = all(isinstance(value, int) for value in (low, high, step or 1))
    kind = "log_uniform_values" if values.get("log") else "uniform"
    if whole and not values.get("log") and step in (None, 1):
        return {"distribution": "int_uniform", "min": low, "max": high}
    if step is not None and not values.get(
        "log"
    ):  # W&B rounds to multiples of the step, which need not start at `low`
        count = int((high - low) / step + 1e-9) + 1
        return {"values": [low + step * number for number in range(count)]}
    if step is None and not whole:
        return {"distribution": kind, "min": low, "max": high}
    return {"distribution": f"q_{kind}", "q": step or 1, "min": low, "max": high}


def _expressible(parameter: Mapping[str, Any]) -> bool:
    """Whether `key=value` in Python's spelling is read back as the same value: not so None and
    lists."""
    values = parameter.get("values", [parameter.get("value", 0)])
    return all(isinstance(value, bool | int | float | str) for value in values)


def _goal(metric: str) -> str:
    known = METRICS.get(metric.rpartition("/")[2])
    smaller = known.direction == "min" if known else metric.endswith("loss")
    return "minimize" if smaller else "maximize"


def as_wandb(sweep: Sweep, overrides: Sequence[str], given: str) -> str:
    """The YAML of a sweep that was read from its file; a comment says what W&B's form of it leaves
    out.

    Args:
        sweep: as read.
        overrides: `key=value` arguments.
        given: how the sweep was named: agents call it by that.

    Raises:
        ConfigError: a configuration of the sweep that cannot be.
        UsageError: a search over values that W&B cannot pass on.
    """
    search = sweep.design == "search"
    planned = plan(sweep, overrides)
    worlds = sorted({run.loaded.config.data.world for run in planned})
    axes: dict[str, Any] = {key: _plain(axis, search=search) for key, axis in sweep.axes.items()}
    if search and not all(_expressible(_parameter(values)) for values in axes.values()):
        raise UsageError(
            f"{sweep.name}: W&B cannot try empty values or lists",
            "anomalynet sweep can, without --as wandb",
        )
    whole_product = (
        sweep.design == "factorial"
        and not sweep.exclude
        and not sweep.extras
        and sweep.worlds != "seed"
    )
    text = wandb_sweep(
        name=given,
        experiments=sweep.experiments,
        seeds=sweep.seeds,
        folds=(sweep.folds or [0])
        if search
        else sorted({run.loaded.config.data.split.fold for run in planned}),
        axes={**axes, **({"data.world": worlds} if sweep.worlds and len(worlds) > 1 else {})},
        settings=sweep.settings,
        design="search" if search else "factorial" if whole_product else "one_at_a_time",
        runs=sweep.search.trials if search else len(planned),
        metric=sweep.search.objectives[0] if search else METRIC,
        preset=sweep.preset,
        overrides=overrides,
    )
    lost = (
        "# A trial here is one run and one objective; `anomalynet sweep` takes the mean over "
        "the sweep's seeds, folds and worlds.\n"
    )
    return (lost if search else "") + text


def _plain(axis: Axis, *, search: bool) -> Any:
    """An axis as `wandb_sweep` takes it: a search's range with its ends, everything else as its
    levels."""
    if not (search and isinstance(axis, Range)):
        return levels(axis)
    return {
        "low": axis.low,
        "high": axis.high,
        "log": axis.log,
        **({} if axis.step is None else {"step": axis.step}),
    }

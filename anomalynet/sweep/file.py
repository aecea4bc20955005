"""Reads a sweep file: which configurations it asks for, by which design, and how its report judges
them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from anomalynet.config import locate
from anomalynet.config.leaves import Leaf
from anomalynet.config.load import chain, nearest_key
from anomalynet.errors import ConfigError, Problem, UsageError
from anomalynet.metrics.suite import METRICS
from anomalynet.reporting.ablation.design import NOT_OF_STEPS
from anomalynet.sweep.axes import Axis, axis_key, read_axes
from anomalynet.sweep.search.settings import SearchSettings, read_search

Design = Literal["one_at_a_time", "factorial", "search"]

KEYS = (
    "experiment",
    "experiments",
    "design",
    "worlds",
    "seeds",
    "folds",
    "exclude",
    "axes.<key>",
    "arms.<name>.<key>",
    "report.metric",
    "report.reference.<key>",
    "search.trials",
    "search.sampler",
    "search.pruner",
    "search.objectives",
    "search.batch",
    "search.seed",
    "presets.<name>.<key>",
)
_OPEN = ("axes.", "arms.", "report.reference.")
_WHOLE = tuple(key for key in KEYS if "<" not in key)


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep file, read with one of its presets."""

    name: str
    experiments: list[str]
    seeds: list[int]
    folds: list[int] | None
    """None: every fold of the configuration."""
    worlds: list[int] | Literal["seed"] | None = None
    """Seeds of simulated worlds, each with every seed and fold. `seed`: each seed has a world of
    its own, the one of its number. None: that of the configuration; other data has one world
    anyway."""
    design: Design = "factorial"
    """`one_at_a_time`: the reference, and each axis varied alone. `factorial`: every combination.
    `search`: Optuna proposes."""
    axes: dict[str, Axis] = field(default_factory=dict)
    exclude: list[dict[str, object]] = field(default_factory=list)
    """Combinations that make no sense: an arm that has all values of one of them is left out."""
    extras: dict[str, dict[str, object]] = field(default_factory=dict)
    """Named arms beside the axes: what each sets."""
    settings: dict[str, object] = field(default_factory=dict)
    """What the preset sets in every run."""
    reference: dict[str, object] = field(default_factory=dict)
    """Levels that the other arms are compared with; of axes that are not here, those of the
    experiment."""
    metric: str = "test/average_precision"
    """What the report judges by."""
    search: SearchSettings = field(default_factory=SearchSettings)
    question: str = ""
    preset: str = ""
    """The preset it was read with; empty where the file has none."""
    places: dict[str, str] = field(default_factory=dict)
    """File and line of each key of a configuration that it sets, and of each key of its own."""

    def excludes(self, experiment: str, values: Mapping[str, object]) -> bool:
        """Whether values of an experiment are a combination that makes no sense."""
        known = {"experiment": experiment, **values}
        return any(one.items() <= known.items() for one in self.exclude)


def read_sweep(name: str, preset: str) -> Sweep:
    """Read a sweep by name or path, with one of its presets.

    Raises:
        UsageError: no such sweep or preset.
        ConfigError: every problem, with file, line and the nearest valid key.
    """
    path = locate.find("sweeps", name)
    levels, problems = chain(path, "sweeps")
    leaves = {leaf.key: leaf for level in levels for leaf in level}
    flat = [
        leaf
        for key, leaf in leaves.items()
        if key.startswith("presets.") and key.count(".") < 2 and leaf.value
    ]
    problems += [
        Problem(leaf.where, f"{leaf.key}: expected keys and values, not {leaf.value!r}")
        for leaf in flat
    ]
    presets = {key.split(".")[1] for key in leaves if key.startswith("presets.")}
    if presets and preset not in presets:
        raise UsageError(
            f"{path.name} has no preset {preset!r}", f"it has {', '.join(sorted(presets))}"
        )
    prefix = f"presets.{preset}."
    chosen = {
        key.removeprefix(prefix): leaf for key, leaf in leaves.items() if key.startswith(prefix)
    }
    values = {key: leaf for key, leaf in leaves.items() if not key.startswith("presets.")}
    values |= {key: chosen.pop(key) for key in list(chosen) if key in _WHOLE}
    return _sweep(path, values, chosen, preset if presets else "", problems)


def _sweep(
    path: Path,
    values: dict[str, Leaf],
    settings: dict[str, Leaf],
    preset: str,
    problems: list[Problem],
) -> Sweep:
    unknown = [key for key in values if key not in _WHOLE and not key.startswith(_OPEN)]
    problems += [
        Problem(values[key].where, f"unknown key {key!r}", nearest_key(key, _WHOLE))
        for key in unknown
    ]
    flat = [key for key in values if key.startswith("arms.") and key.count(".") < 2]
    problems += [
        Problem(values[key].where, f"{key}: expected keys and values, not {values[key].value!r}")
        for key in flat
    ]
    problems += [*_shape_problems(values), *_exclude_problems(values)]
    design: Any = values["design"].value if "design" in values else "factorial"
    if design not in get_args(Design):
        near = difflib.get_close_matches(str(design), get_args(Design), n=1)
        problems.append(
            Problem(values["design"].where, f"unknown design {design!r}", near[0] if near else None)
        )
    axes, wrong = read_axes(values, search=design == "search")
    search, more = read_search(
        {key: leaf for key, leaf in values.items() if key.startswith("search.")}, design == "search"
    )
    problems += [*wrong, *more, *_metric_problem(values)]
    if not {"experiment", "experiments"} & values.keys() and not problems:
        problems.append(Problem(path.name, "names no experiments"))
    if problems:
        raise ConfigError(problems)
    return Sweep(
        name=path.stem,
        experiments=values["experiments"].value
        if "experiments" in values
        else [values["experiment"].value],  # type: ignore[arg-type, list-item]
        seeds=_list(values, "seeds") or [0],
        folds=None
        if "folds" in values and values["folds"].value == "all"
        else _list(values, "folds"),
        worlds=_list(values, "worlds"),
        design=design,
        axes=axes,
        exclude=_list(values, "exclude") or [],
        extras=_extras(values),
        settings={key: leaf.value for key, leaf in settings.items()},
        reference=_below(values, "report.reference."),
        metric=str(values["report.metric"].value)
        if "report.metric" in values
        else "test/average_precision",
        search=search,
        question=locate.summary(path),
        preset=preset,
        places=_places(values, settings),
    )


def _list(values: Mapping[str, Leaf], key: str) -> Any:
    return values[key].value if key in values else None


def _below(values: Mapping[str, Leaf], prefix: str) -> dict[str, object]:
    return {
        key.removeprefix(prefix): leaf.value
        for key, leaf in values.items()
        if key.startswith(prefix)
    }


def _places(values: Mapping[str, Leaf], settings: Mapping[str, Leaf]) -> dict[str, str]:
    found = {key.removeprefix("report.reference."): leaf.where for key, leaf in values.items()}
    found |= {key: leaf.where for key, leaf in settings.items()}
    found |= {
        key.split(".", 2)[2]: leaf.where for key, leaf in values.items() if key.startswith("arms.")
    }
    return found | {
        axis_key(key, leaf)[0]: leaf.where
        for key, leaf in values.items()
        if key.startswith("axes.")
    }


def _extras(values: Mapping[str, Leaf]) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for full, value in _below(values, "arms.").items():
        name, _, key = full.partition(".")
        found.setdefault(name, {})[key] = value
    return found


def _metric_problem(values: Mapping[str, Leaf]) -> list[Problem]:
    if "report.metric" not in values:
        return []
    leaf = values["report.metric"]
    known = [f"test/{name}" for name in METRICS if name not in NOT_OF_STEPS]
    if leaf.value in known:
        return []
    near = difflib.get_close_matches(str(leaf.value), known, n=1)
    return [
        Problem(
            leaf.where, f"report.metric: unknown metric {leaf.value!r}", near[0] if near else None
        )
    ]


def _exclude_problems(values: Mapping[str, Leaf]) -> list[Problem]:
    """Keys that no arm has: nothing would ever be excluded by them."""
    leaf = values.get("exclude")
    if leaf is None or not isinstance(leaf.value, list):
        return []
    varied = {axis_key(key, own)[0] for key, own in values.items() if key.startswith("axes.")}
    known = sorted(
        {
            "experiment",
            *varied,
            *(key.split(".", 2)[-1] for key in values if key.startswith("arms.")),
        }
    )
    strange = dict.fromkeys(
        key for one in leaf.value if isinstance(one, dict) for key in one if key not in known
    )
    return [
        Problem(leaf.where, f"exclude: no axis or arm sets {key!r}", nearest_key(str(key), known))
        for key in strange
    ]


def _shape_problems(values: Mapping[str, Leaf]) -> list[Problem]:
    wanted = {"experiments": str, "worlds": int, "seeds": int, "folds": int, "exclude": dict}
    problems = []
    for key, kind in wanted.items():
        leaf = values.get(key)
        if leaf is None or (key, leaf.value) in (("folds", "all"), ("worlds", "seed")):
            continue
        if not (isinstance(leaf.value, list) and leaf.value):
            problems.append(Problem(leaf.where, f"{key}: expected a list, not {leaf.value!r}"))
        elif not all(type(item) is kind for item in leaf.value):
            problems.append(
                Problem(
                    leaf.where, f"{key}: expected a list of {kind.__name__}, not {leaf.value!r}"
                )
            )
        elif key == "worlds" and any(world < 0 for world in leaf.value):
            problems.append(
                Problem(leaf.where, f"worlds: a world is at least 0, not {leaf.value!r}")
            )
    if "experiment" in values and not isinstance(values["experiment"].value, str):
        problems.append(
            Problem(
                values["experiment"].where,
                f"experiment: expected a name, not {values['experiment'].value!r}",
            )
        )
    return problems

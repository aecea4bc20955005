"""Reads a sweep file: which configurations it asks for, by which design, and by which metric its
report compares them. A small one, `mine.yaml`, for `run_sweep("mine.yaml")`:

    experiment: hybrid
    axes: {model.attention: [true, false], training.learning_rate: [0.001, 0.003]}
    seeds: [0, 1]
    folds: [0]
    presets: {quick: {training.epochs: 5, data.stride: 8}}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from anomalynet.config import locate
from anomalynet.config.leaves import Leaf
from anomalynet.config.load import chain, nearest, nearest_key, with_text
from anomalynet.errors import ConfigError, Problem, UsageError
from anomalynet.metrics.suite import METRICS
from anomalynet.reporting.measures import NOT_OF_STEPS
from anomalynet.sweep.axes import Axis, axis_key, has, read_axes
from anomalynet.sweep.search.settings import SearchSettings, read_search

Design = Literal["one_at_a_time", "factorial", "search"]

_OPEN = ("axes.", "arms.", "report.reference.")
_WHOLE = (
    *("experiment", "experiments", "design", "worlds", "seeds", "folds", "exclude"),
    "report.metric",
    *(f"search.{setting.name}" for setting in fields(SearchSettings)),
)
"""The keys of a sweep file. Keys of configurations follow the prefixes in `_OPEN` and the name of a
preset (`presets.quick.training.epochs`)."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep file, read with one of its presets."""

    name: str
    experiments: list[str]
    seeds: list[int]
    folds: list[int] | None  # None: every fold of the configuration
    worlds: Literal["seed"] | None = None
    """`seed`: each seed is run on the simulated world with the same number. None: on the worlds of
    the configuration."""
    design: Design = "factorial"
    """`one_at_a_time`: the reference, and each axis varied alone. `factorial`: every combination.
    `search`: Optuna proposes."""
    axes: dict[str, Axis] = field(default_factory=dict)
    exclude: list[dict[str, object]] = field(default_factory=list)
    """Combinations that make no sense: an arm with all values of one of them is skipped."""
    extras: dict[str, dict[str, object]] = field(default_factory=dict)
    """Arms besides those of the axes: name → the values that it sets."""
    settings: dict[str, object] = field(default_factory=dict)
    """The values that the preset sets in every run."""
    reference: dict[str, object] = field(default_factory=dict)
    """Levels of the arm that the others are compared with. An axis that is missing here has the
    experiment's level."""
    metric: str = "test/average_precision"  # by which the report compares arms
    search: SearchSettings = field(default_factory=SearchSettings)
    question: str = ""
    preset: str = ""  # that the file was read with; empty if it has no presets
    locations: dict[str, str] = field(default_factory=dict)
    """File and line of each key in the file, keys of configurations without their prefix."""

    def only(self, experiments: Sequence[str]) -> Sweep:
        """The sweep of some of its experiments, or of others."""
        here = [one for one in self.exclude if one.get("experiment") in (None, *experiments)]
        return replace(self, experiments=list(experiments), exclude=here)

    def excludes(self, experiment: str, values: Mapping[str, object]) -> bool:
        """Whether the file excludes an experiment with these values."""
        point = {"experiment": experiment, **values}
        return any(excluded.items() <= point.items() for excluded in self.exclude)


def read_sweep(name: str, preset: str) -> Sweep:
    """Read a sweep by name or path, with one of its presets. Raises UsageError: no such preset;
    ConfigError: every problem, with file, line and the nearest valid key."""
    path = locate.find("sweeps", name)
    levels, problems = chain(path, "sweeps")
    leaves = {
        leaf.key: replace(leaf, value=with_text(leaf.key, leaf.value, leaf.text))
        for level in levels
        for leaf in level
    }
    own = {key: leaf for key, leaf in leaves.items() if key.startswith("presets.")}
    problems += [_no_keys(leaf) for key, leaf in own.items() if key.count(".") < 2 and leaf.value]
    presets = {key.split(".")[1] for key in own}
    if presets and preset not in presets:
        hint = f"it has {', '.join(sorted(presets))}"
        raise UsageError(f"{path.name} has no preset {preset!r}", hint)
    chosen = _below(own, f"presets.{preset}.")
    values = {key: leaf for key, leaf in leaves.items() if key not in own}
    values |= {key: chosen.pop(key) for key in list(chosen) if key in _WHOLE}
    return _sweep(path, values, chosen, preset if presets else "", problems)


def _no_keys(leaf: Leaf) -> Problem:
    what = f"{leaf.key}: expected keys and values, not {leaf.value!r}"
    what += "; the arm without changes is there already" * leaf.key.startswith("arms.")
    return Problem(leaf.where, what)


def _sweep(
    path: Path, values: dict[str, Leaf], settings: dict[str, Leaf], preset: str, old: list[Problem]
) -> Sweep:
    arms = _below(values, "arms.")
    problems = [
        *old,
        *_key_problems(values),
        *(_no_keys(leaf) for key, leaf in arms.items() if "." not in key),
        *_shape_problems(values),
        *_exclude_problems(values, arms),
        *_repetition_problems(values, settings),
    ]
    design = _value(values, "design", "factorial")
    if design not in get_args(Design):
        near = nearest(str(design), get_args(Design))
        problems.append(Problem(values["design"].where, f"unknown design {design!r}", near))
    searched = design == "search"
    axes, wrong = read_axes(values, search=searched)
    search, more = read_search(_below(values, "search."), searched)
    problems += [*wrong, *more, *_metric_problems(values)]
    problems += _reference_problems(values, axes, design)
    named = [values[key] for key in ("experiment", "experiments") if key in values]
    if len(named) != 1 and not problems:
        both = "give 'experiment' or 'experiments', not both, here or in the file that is extended"
        what = both if named else "missing key 'experiment' or 'experiments'"
        problems.append(Problem(named[-1].where if named else path.name, what))
    if problems:
        raise ConfigError(problems)
    extras: dict[str, dict[str, object]] = {}
    for full, leaf in arms.items():
        name, _, key = full.partition(".")
        extras.setdefault(name, {})[key] = leaf.value
    reference = _below(values, "report.reference.")
    folds = _value(values, "folds")
    return Sweep(
        name=path.stem,
        experiments=_value(values, "experiments") or [values["experiment"].value],
        seeds=_value(values, "seeds", [0]),
        folds=None if folds == "all" else folds,
        worlds=_value(values, "worlds"),
        design=design,
        axes=axes,
        exclude=_value(values, "exclude", []),
        extras=extras,
        settings={key: leaf.value for key, leaf in settings.items()},
        reference={key: leaf.value for key, leaf in reference.items()},
        metric=_value(values, "report.metric", "test/average_precision"),
        search=search,
        question=locate.summary(path),
        preset=preset,
        locations=_locations(values, settings),
    )


def _key_problems(values: Mapping[str, Leaf]) -> Iterator[Problem]:
    for key, leaf in values.items():
        if key not in _WHOLE and not key.startswith(_OPEN):
            yield Problem(leaf.where, f"unknown key {key!r}", nearest_key(key, _WHOLE))


def _value(values: Mapping[str, Leaf], key: str, default: object = None) -> Any:
    return values[key].value if key in values else default


def _below(values: Mapping[str, Leaf], prefix: str) -> dict[str, Leaf]:
    return {key[len(prefix) :]: leaf for key, leaf in values.items() if key.startswith(prefix)}


def _locations(values: Mapping[str, Leaf], settings: Mapping[str, Leaf]) -> dict[str, str]:
    leaves = {key.removeprefix("report.reference."): leaf for key, leaf in values.items()}
    leaves |= settings
    leaves |= {key.partition(".")[2]: leaf for key, leaf in _below(values, "arms.").items()}
    for key, leaf in values.items():
        if key.startswith("axes."):
            leaves[axis_key(key, leaf)[0]] = leaf
    return {key: leaf.where for key, leaf in leaves.items()}


def _metric_problems(values: Mapping[str, Leaf]) -> Iterator[Problem]:
    known = [f"test/{name}" for name in METRICS if name not in NOT_OF_STEPS]
    if (leaf := values.get("report.metric")) and leaf.value not in known:
        what = f"report.metric: unknown metric {leaf.value!r}"
        yield Problem(leaf.where, what, nearest(str(leaf.value), known))


def _reference_problems(
    values: Mapping[str, Leaf], axes: Mapping[str, Axis], design: Design
) -> Iterator[Problem]:
    """A problem for each level of `report.reference` that no arm can have."""
    experiments = _value(values, "experiments") or [_value(values, "experiment")]
    for key, leaf in _below(values, "report.reference.").items():
        name = f"report.reference.{key}"
        if key == "experiment" and leaf.value not in experiments:
            yield Problem(leaf.where, f"{name}: {leaf.value!r} is not among the experiments")
        elif key != "experiment" and key not in axes:
            near = nearest_key(key, list(axes))
            yield Problem(leaf.where, f"unknown key {name!r}: it is not an axis", near)
        elif key in axes and design == "factorial" and not has(axes[key], leaf.value):
            yield Problem(leaf.where, f"{name}: {leaf.value!r} is not a level of this axis")


def _exclude_problems(values: Mapping[str, Leaf], arms: Mapping[str, Leaf]) -> Iterator[Problem]:
    """A problem for each excluded key that no arm sets: it would never exclude anything."""
    leaf = values.get("exclude")
    if leaf is None or not isinstance(leaf.value, list):
        return
    varied = {axis_key(key, own)[0] for key, own in values.items() if key.startswith("axes.")}
    known = sorted({"experiment", *varied, *(key.partition(".")[2] for key in arms)})
    keys = dict.fromkeys(key for own in leaf.value if isinstance(own, dict) for key in own)
    for key in (key for key in keys if key not in known):
        near = nearest_key(str(key), known)
        yield Problem(leaf.where, f"exclude: no axis or arm sets {key!r}", near)


def _repetition_problems(
    values: Mapping[str, Leaf], settings: Mapping[str, Leaf]
) -> Iterator[Problem]:
    """A problem for each key that the sweep sets in every run, so that another value of it would be
    lost, and for each varied key that changes no result: all its levels would be the same run."""
    lists = {"seed": "seeds", "data.split.fold": "folds"}
    lists |= {"data.world": "seeds"} if "worlds" in values else {}
    varied, fixed = {}, {key: (key, leaf) for key, leaf in settings.items()}
    for full, leaf in values.items():
        key = axis_key(full, leaf)[0]
        if full.startswith("axes."):
            varied[f"axes.{key}"] = key, leaf
        elif full.startswith("arms."):
            varied[full] = full.split(".", 2)[-1], leaf
    for name, (key, leaf) in {**varied, **fixed}.items():
        if key in lists:
            what = f"{name}: every arm is run with each of the sweep's {lists[key]}"
            yield Problem(leaf.where, what, lists[key])
        elif name in varied and key.startswith(("hardware.", "tracking")):
            what = f"{name}: changes no result, so that all its levels would be the same run"
            yield Problem(leaf.where, what)


def _shape_problems(values: Mapping[str, Leaf]) -> Iterator[Problem]:
    wanted = {"experiments": str, "seeds": int, "folds": int, "exclude": dict}
    for key, kind in wanted.items():
        leaf = values.get(key)
        if leaf is None or (key, leaf.value) == ("folds", "all"):
            continue
        if not (isinstance(leaf.value, list) and leaf.value):
            yield Problem(leaf.where, f"{key}: expected a list, not {leaf.value!r}")
        elif not all(type(item) is kind for item in leaf.value):
            what = f"{key}: expected a list of {kind.__name__}, not {leaf.value!r}"
            yield Problem(leaf.where, what)
        elif len(set(map(str, leaf.value))) < len(leaf.value):
            yield Problem(leaf.where, f"{key}: duplicate values in {leaf.value!r}")
    if (leaf := values.get("worlds")) and leaf.value != "seed":
        what = f"worlds: expected `seed`, not {leaf.value!r}; data.worlds lists worlds"
        yield Problem(leaf.where, what)
    if (leaf := values.get("experiment")) and not isinstance(leaf.value, str):
        yield Problem(leaf.where, f"experiment: expected a name, not {leaf.value!r}")

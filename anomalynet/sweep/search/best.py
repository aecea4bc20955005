"""The best trials of a search as experiments of their own, which `anomalynet train` takes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from anomalynet.config import locate
from anomalynet.config.leaves import read_overrides
from anomalynet.config.show import scalar
from anomalynet.runs.files import write_text
from anomalynet.sweep.file import Sweep

MOST = 10
"""Points of a Pareto front that get a file."""


def write_best(
    sweep: Sweep, overrides: Sequence[str], best: Mapping[int, Mapping[str, object]], out: Path
) -> dict[int, str]:
    """Write `best.yaml`, or with several objectives `pareto_<trial>.yaml` for each of the first
    points; earlier ones go.

    Args:
        sweep: the search.
        overrides: `key=value` arguments that every run had.
        best: trial → what it was tried with.
        out: folder of the report.

    Returns: the file of each trial that has one.
    """
    several = len(sweep.search.objectives) > 1
    names = {
        place: f"pareto_{place}.yaml" if several else "best.yaml" for place in list(best)[:MOST]
    }
    for place, name in names.items():
        write_text(out / name, _text(sweep, overrides, place, best[place], out))
    for path in [*out.glob("pareto_*.yaml"), out / "best.yaml"]:
        if path.name not in names.values():
            path.unlink(missing_ok=True)
    return names


def _text(
    sweep: Sweep, overrides: Sequence[str], place: int, params: Mapping[str, object], out: Path
) -> str:
    given = {leaf.key: leaf.value for leaf in read_overrides(overrides)}
    values = {
        key: value
        for key, value in {**sweep.settings, **params, **given}.items()
        if not key.startswith("hardware.")
    }
    lines = [
        f"# best of {sweep.name} — what trial {place} tried; judged by "
        f"{', '.join(sweep.search.objectives)}"
    ]
    lines.append(f"extends: {scalar(_parent(sweep.experiments[0], out))}")
    for section in dict.fromkeys(key.partition(".")[0] for key in values):
        own = {key: value for key, value in values.items() if key.partition(".")[0] == section}
        if list(own) == [section]:
            lines.append(f"{section}: {scalar(own[section])}")
        else:
            lines += [
                f"{section}:",
                *(f"  {key.partition('.')[2]}: {scalar(value)}" for key, value in own.items()),
            ]
    return "\n".join(lines) + "\n"


def _parent(experiment: str, out: Path) -> str:
    """What `extends` says: the name of an experiment, or the way to its file."""
    path = locate.find("experiments", experiment)
    return os.path.relpath(path, out) if experiment.endswith((".yaml", ".yml")) else path.name

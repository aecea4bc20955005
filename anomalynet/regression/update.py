"""Adds new results to a baseline; results of other environments are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from anomalynet.errors import RunError
from anomalynet.regression.baseline import (
    DEFAULTS,
    VERSION,
    Baseline,
    Entry,
    Environment,
    Golden,
    Repeated,
    write_baseline,
)
from anomalynet.regression.finding import Part
from anomalynet.regression.statistical import means
from anomalynet.regression.suite import RegressionSuite
from anomalynet.regression.verdict import Measured

R = TypeVar("R", Golden, Repeated)


def update_baseline(
    path: Path,
    old: Baseline | None,
    measured: Measured,
    reason: str,
    complete: Iterable[RegressionSuite],
) -> int:
    """Write a baseline with one more update, and return that update's number. `complete`: parts
    whose other experiments are removed from the baseline. Raises RunError: a run failed."""
    if measured.failed:
        reasons = "\n".join(failure.sentence() for failure in measured.failed)
        raise RunError(reasons, f"{path} was not changed")
    kept = {one.part: one.names for one in complete}
    new = add_update(old, measured, reason, f"{datetime.now(UTC):%Y-%m-%d}", kept)
    write_baseline(path, new)
    return len(new.history)


def add_update(
    baseline: Baseline | None,
    measured: Measured,
    reason: str,
    date: str,
    complete: Mapping[Part, Iterable[str]],
) -> Baseline:
    """A baseline with one more update. New results replace those of the same experiment and
    environment.

    Args:
        baseline: None for the first update.
        complete: part → all experiments that it has now; others are removed from the baseline.
            Parts that are missing here are not changed.
    """
    old = baseline or Baseline(VERSION, DEFAULTS, {}, [])
    update = len(old.history) + 1
    code = measured.code
    here = measured.environment
    goldens = {
        name: Golden(update=update, code=code, run=run, values=values)
        for name, (run, values) in measured.golden.items()
    }
    repeated = {
        name: Repeated(update=update, code=code, run=run, runs=[*runs])
        for name, (run, runs) in measured.statistical.items()
    }
    before = old.environments.get(here, Environment())
    now = Environment(golden=before.golden | goldens, statistical=before.statistical | repeated)
    environments = {
        key: Environment(
            _kept(one.golden, complete.get("golden")),
            _kept(one.statistical, complete.get("statistical")),
        )
        for key, one in sorted({**old.environments, here: now}.items())
    }
    entry = Entry(
        date=date,
        commit=measured.commit,
        reason=reason,
        environment=here,
        code=code,
        means={name: means(runs) for name, (_, runs) in measured.statistical.items()},
    )
    return Baseline(VERSION, old.tolerances, environments, [*old.history, entry])


def _kept(records: Mapping[str, R], names: Iterable[str] | None) -> dict[str, R]:
    """The records of the experiments `names`, sorted by name; all if `names` is None."""
    if names is None:
        return dict(records)
    return {name: records[name] for name in sorted(records.keys() & set(names))}

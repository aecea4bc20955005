"""Looks through the readings of an import for what makes results look better or worse than they
are: columns that give the label away, sentinels, values that 32-bit floats cannot tell apart."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anomalynet.data.importing.read import POSITION, Table
from anomalynet.metrics.kernels import ranking_metrics

FEWEST = 20  # readings, below which chance explains too much
VALUES = 20_000_000  # in memory at once, or one sensor
SAMPLE = 100_000  # readings that stand for a sensor where all would take long
MOST_STATES = 50  # distinct values of a sensor with states
SENTINELS = (-99.0, -999.0, -9999.0, -99999.0, 9999.0, 99999.0)  # one reading is enough
SEPARATES = 0.999  # AUROC of a sensor alone
COLLAPSED = 0.1  # share of distinct values that 32-bit floats lose
DEVICE = re.compile(r"(?i:(^|[^a-z])(id|unit)|(device|sensor|station|node|mote)[_ -]?(id)?)$|Id$")
"""Names of columns that name devices."""

Floats = NDArray[np.float64]
Labels = NDArray[np.int8]

GIVEN_AWAY = {
    "counter": "rises in every row, like a row counter or a clock",
    "copy": "has values that occur with one label only",
    "refinement": "has values other than the usual one in attacks only",
    "separates": f"separates attack from normal alone (AUROC at least {SEPARATES})",
}


def find_warnings(table: Table, keys: pl.DataFrame) -> list[str]:
    """Warnings about sensors, each with the option that cures it. All readings of one sensor are in
    memory at once, as the keys are.

    - Empty and constant sensors.
    - Columns that give the answer away: row counters; columns of at most `MOST_STATES` values that
      each occur with one label only, or whose values other than the most frequent occur in attacks
      only; columns whose AUROC alone is at least `SEPARATES`.
    - Likely sentinels: the minimum or maximum of a sensor, not 0, in at least three rows (one of
      `SENTINELS`) and less than half of them, further from its other values than these lie apart.
    - Whole numbers in a column named like one of devices, where the table has no series.
    - Values that are distinct, but equal as 32-bit floats even after their mean is subtracted.

    `keys`: of the rows that are kept, with position, series and final labels.
    """
    names = table.form.channels
    label = keys["label"].fill_null(-1).to_numpy()
    position = keys[POSITION].to_numpy()
    same_series = (keys["series"] == keys["series"].shift(1))[1:].to_numpy()
    found: dict[str, list[str]] = defaultdict(list)
    sentinels: dict[float, list[str]] = defaultdict(list)
    warnings = []
    size = max(1, VALUES // max(1, table.rows.count()))
    for start in range(0, len(names), size):
        group = table.readings.select(names[start : start + size]).collect()
        for name, values in ((column.name, column.to_numpy()) for column in group.iter_columns()):
            known = values[~np.isnan(values)]
            if not len(known):
                warnings.append(f"sensor {name!r} has no readings")
                continue
            low, high = float(known.min()), float(known.max())
            if low == high:
                warnings.append(f"sensor {name!r} is constant ({low:g})")
                continue
            for value in _sentinels(known, low, high):
                sentinels[value].append(name)
            if _collapses(known):
                found["collapse"].append(name)
            kept = values[position]
            if _is_counter(known, kept, same_series):
                found["counter"].append(name)
            elif reason := _gives_away(kept, label):
                found[reason].append(name)
            may = table.roles.series is None and DEVICE.search(name) and not (known % 1).any()
            found["device"] += [name] * bool(may and len(np.unique(known)) <= len(known) / 2)
    warnings += [
        f"sensor {name!r} has few whole numbers, as names of devices have: use --series "
        f"{shlex.quote(name)} if rows are of several devices, or --ignore it"
        for name in found["device"]
    ]
    for reason, what in GIVEN_AWAY.items():
        if found[reason]:
            warnings.append(
                f"{_listed(found[reason])} {what}: it may give the label "
                f"away; use --ignore {shlex.quote(','.join(found[reason]))}"
            )
    for value, columns in sentinels.items():
        warnings.append(
            f"{_listed(columns)}: {value:.15g} looks like a word for a missing reading; use "
            f"--null {value:.15g} if it is one"
        )
    if found["collapse"]:
        warnings.append(
            f"{_listed(found['collapse'])} has distinct values that are equal as 32-bit floats, "
            "even after the mean is subtracted: subtract an offset or remove outliers in the file"
        )
    return warnings


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"sensor {', '.join(map(repr, names[:5]))}{more}"


def _sentinels(known: Floats, low: float, high: float) -> list[float]:
    found = []
    for value in (low, high):
        others = known[known != value]
        fewest = 1 if value in SENTINELS else 3
        if value == 0 or not fewest <= len(known) - len(others) < len(others):
            continue
        near, far = float(others.min()), float(others.max())
        distance = near - value if value == low else value - far
        if distance > far - near > 0:
            found.append(value)
    return found


def _collapses(known: Floats) -> bool:
    some = known[:: -(-len(known) // SAMPLE)]
    distinct = len(np.unique(some))
    return len(np.unique((some - some.mean()).astype(np.float32))) < (1 - COLLAPSED) * distinct


def _is_counter(known: Floats, kept: Floats, same_series: NDArray[np.bool_]) -> bool:
    """Whether readings rise in every row of the files (or fall, where the newest are first), or by
    1 from row to row of each series."""
    if len(known) < FEWEST:
        return False
    steps = np.diff(known)
    if (steps > 0).all() or (steps < 0).all():
        return True
    inside = np.diff(kept)[same_series]
    inside = inside[~np.isnan(inside)]
    return len(inside) >= FEWEST and bool((inside == 1).all())


def _gives_away(values: Floats, label: Labels) -> str | None:
    judged = (label >= 0) & ~np.isnan(values)
    values, label = values[judged], label[judged]
    attacks = int(label.sum())
    if min(attacks, len(label) - attacks) < 5 or len(label) < FEWEST:
        return None
    if len(np.unique(values[:SAMPLE])) <= MOST_STATES:
        states, index = np.unique(values, return_inverse=True)
        if 1 < len(states) <= min(MOST_STATES, len(label) // 5):
            rows, attacked = np.bincount(index), np.bincount(index, label)
            if ((attacked == 0) | (attacked == rows)).all():
                return "copy"
            usual = rows.argmax()
            rare = np.delete(rows, usual).sum()
            # At least five rows, which are in attacks by chance in less than 1 % of such columns.
            implied = (np.delete(attacked, usual) == np.delete(rows, usual)).all()
            if implied and rare >= 5 and (attacks / len(label)) ** rare < 0.01:
                return "refinement"
    for every in (-(-len(label) // SAMPLE), 1):  # a sample excludes most sensors quickly
        auroc = ranking_metrics(label[::every], values[::every])["auroc"]
        if max(auroc, 1 - auroc) < SEPARATES - 0.01 * (every > 1):
            return None
    return "separates"

"""Which incidents are the positive class (§3.1.6): a choice of the experiment, not of the data."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import polars as pl

from anomalynet.data.telemetry import Telemetry
from anomalynet.errors import DataError

CAUSES = ("attack", "fault", "environment")

Policy = Literal["attack", "any", "fault", "environment"]


def relabel(telemetry: Telemetry, policy: Policy, name: str) -> Telemetry:
    """Label rows by the cause of their incident; the columns `incident` and `kind` stay as they
    are.

    `attack`: 1 in an incident whose cause is attack, 0 in one of another cause; where the cause is
    unknown, the source's label stands. `any`: 1 in every incident and where the source says so.
    `fault`, `environment`: 1 in an incident of that cause, 0 in one of another; what the source
    calls an attack without a cause is unlabelled, for it may be of any.

    Args:
        name: of the data, for the message.

    Raises:
        DataError: no incident has the cause.
    """
    causes = {
        number: one.cause.lower()
        for number, one in telemetry.incidents.items()
        if one.cause and one.cause.lower() in CAUSES
    }
    if policy in ("fault", "environment") and policy not in causes.values():
        known = sorted(set(causes.values()))
        raise DataError(
            f"data.label={policy}: no incident of {name} has the cause {policy}",
            f"it has {', '.join(known)}: data.label={known[0]}, or data.label=any"
            if known
            else "its causes are not known: data.label=attack",
        )
    label, incident = pl.col("label"), pl.col("incident")
    if policy == "any":
        chosen = pl.when(incident.is_not_null()).then(1).otherwise(label)
    elif not causes:
        return telemetry
    else:
        cause = incident.replace_strict(causes, default=None, return_dtype=pl.String)
        other = label if policy == "attack" else pl.when(label == 0).then(0)
        chosen = pl.when(cause.is_not_null()).then(cause == policy).otherwise(other)
    expression = chosen.cast(pl.Int8).alias("label")
    return replace(
        telemetry,
        frame=telemetry.frame.with_columns(expression),
        parts=tuple(part.with_columns(expression) for part in telemetry.parts),
    )

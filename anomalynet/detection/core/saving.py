"""A detector's state as arrays that need no pickle, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from anomalynet.detection.core.preparation import Preparation
from anomalynet.detection.core.table import Array, Table
from anomalynet.detection.model import Model
from anomalynet.errors import UsageError

VERSION = 1
"""Of what is kept and what it means."""


class About(NamedTuple):
    """What is no number a device.

    Attributes:
        names: of the devices.
        sources: as `Clocks.state`.
        counts: readings refused, by kind.
    """

    names: list[str]
    sources: list[tuple[str, int, int, int]]
    counts: dict[str, int]


def save(model: Model, about: About, table: Table, preparation: Preparation) -> dict[str, Array]:
    """Copies of everything."""
    facts = {
        "version": VERSION,
        "run": model.contract.run,
        "fingerprint": model.fingerprint,
        **about._asdict(),
    }
    text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    return {**table.snapshot(), "about": text, "commissioning": preparation.commissioning()}


def load(model: Model, state: Mapping[str, Array], table: Table, preparation: Preparation) -> About:
    """Put the arrays back; the rest is returned.

    Raises: UsageError if they are another model's or version's, or damaged; then nothing changed.
    """
    try:
        facts: dict[str, Any] = json.loads(bytes(state["about"]))
        if facts["version"] != VERSION:
            raise UsageError("the saved state is of another version", "start without it")
        if (facts["run"], facts["fingerprint"]) != (model.contract.run, model.fingerprint):
            raise UsageError(
                f"the saved state is of another model: run {facts['run']}",
                "use that model, or start without the state",
            )
        about = About(
            list(facts["names"]),
            [tuple(source) for source in facts["sources"]],
            dict(facts["counts"]),
        )
        _check(state, about, table, preparation)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"the saved state is damaged: {error!r}", "start without it") from None
    table.restore(state, len(about.names))
    preparation.resume(state["commissioning"])
    return about


def _check(
    state: Mapping[str, Array], about: About, table: Table, preparation: Preparation
) -> None:
    devices = len(about.names)
    table.check(state, devices)
    calibrating = int((state["calibrated"] < preparation.wanted).sum()) if preparation.wanted else 0
    commissioning = state["commissioning"]
    if commissioning.dtype != np.float32 or commissioning.shape != (
        calibrating,
        preparation.wanted,
        preparation.sensors,
    ):
        raise ValueError("commissioning")
    if len(set(about.names)) != devices or not all(isinstance(name, str) for name in about.names):
        raise ValueError("names")
    if any(
        not isinstance(name, str) or not all(isinstance(number, int) for number in rest)
        for name, *rest in about.sources
    ):
        raise ValueError("sources")
    owner = state["owner"]
    if devices and not (owner.min() >= 0 and owner.max() < len(about.sources)):
        raise ValueError("owner")

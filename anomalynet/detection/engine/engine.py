"""All devices of one model, without clock and I/O: equal messages give equal steps and events."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from anomalynet.detection.engine.devices import Array, DamagedError, Table
from anomalynet.detection.engine.following import Following
from anomalynet.detection.engine.grid import Grid
from anomalynet.detection.engine.intake import NEVER, Clocks, Intake
from anomalynet.detection.engine.pipeline import Pipeline
from anomalynet.detection.model import Model
from anomalynet.detection.records import Message, Outcome
from anomalynet.documents import json_value
from anomalynet.errors import UsageError
from anomalynet.metrics.events import AlarmRule

VERSION = 4  # of what a state folder has and what it means
LONGEST_LATENESS = 365 * 86_400  # seconds
SPARE_SOURCES = 1000  # sources beyond two a device that are remembered though no device is theirs


class Engine:
    """Devices, from their first reading on. How messages are grouped into calls does not matter to
    a device, but for the last bit of a score: a network computes many at a time in another order
    than one.

    A device belongs to the source whose reading of it was the last that counted; that source's
    clock tells when it is silent. `max_devices`: further ones are refused and counted; `allowed`:
    the devices that may be; None: any; `lateness`: seconds that a source's readings may come after
    its clock has passed them; `recalibrate`: also devices that the model knows are calibrated anew,
    by their first readings. Raises UsageError: the lateness or the number of devices cannot be.
    """

    def __init__(
        self,
        model: Model,
        rule: AlarmRule,
        *,
        max_devices: int = 100_000,
        allowed: Collection[str] | None = None,
        lateness: float = 0.0,
        recalibrate: bool = False,
    ) -> None:
        if not 0 <= lateness < LONGEST_LATENESS:
            what = f"lateness must be in [0, {LONGEST_LATENESS}) seconds, got {lateness:g}"
            raise UsageError(what)
        if max_devices < 1:
            raise UsageError(f"at most {max_devices} devices leaves none", "1 or more")
        self.model, self.contract, self.rule = model, model.contract, rule
        self.lateness, self._known = lateness, {} if recalibrate else model.contract.known
        contract, table = model.contract, Table()
        self._table, self._max_devices = table, max_devices
        late = round(lateness * 1e6)
        self._grid = Grid(contract, table, late)
        self._clocks = Clocks(self._grid.far)
        self._intake = Intake(self._clocks, len(contract.sensors), max_devices, allowed)
        refused = self._intake.refused
        self._pipeline = Pipeline(model, rule, lambda row: self.names[row], table, refused)
        self._following = Following(self._grid, self._clocks, self._pipeline, table, refused, late)

    @property
    def names(self) -> list[str]:
        """Of the devices, by number."""
        return self._intake.names

    @property
    def counts(self) -> dict[str, int]:
        """Readings that were refused, by kind; those of `state lost` were not: their values were
        too large for the network."""
        return dict(self._intake.refused)

    def clocks(self) -> Mapping[str, int]:
        """Microseconds up to which each source is complete, despite a single wrong time stamp."""
        return dict(zip(self._clocks.names, self._clocks.now, strict=True))

    def process(self, messages: Sequence[Message]) -> Outcome:
        """Everything that these messages make certain."""
        if len(self._clocks) > 2 * self._max_devices + SPARE_SOURCES:
            self._following.forget_sources()
        known, batch = len(self.names), self._intake.read(messages)
        if len(self.names) > known:
            self._table.grow(len(self.names))
            self._grid.add(self.names, known)
            self._pipeline.preparation.know(self.names, known, self._known)
            self._table["owner"][known : len(self.names)] = self._intake.owners
            self._intake.owners.clear()
        self._following.follow(batch)
        return self._pipeline.taken()

    def finish(self) -> Outcome:
        """Nothing more comes: what was missed for certain but for the lateness."""
        if self._grid.period is not None:
            self._following.tick(range(len(self._clocks)), 0)
        return self._pipeline.taken()

    def states(self) -> dict[str, int]:
        """Devices by state; the first of these that fits: alarm, silent (its last step had no
        reading, or its segment ended), calibrating, filling (its window), scoring."""
        table, rows = self._table, self._table.rows
        silent = (table["laid"][:rows] > 0) | table["ended"][:rows]
        facts = {"alarm": table["raised"][:rows] != NEVER, "silent": silent}
        facts["calibrating"] = self._pipeline.preparation.calibrating()
        facts["filling"] = table["steps"][:rows] < self.contract.window
        left, found = np.ones(rows, np.bool_), {}
        for name, fact in facts.items():
            found[name] = int((left & fact).sum())
            left &= ~fact
        return {**found, "scoring": int(left.sum())}

    def snapshot(self) -> dict[str, Array]:
        """All state, copied, in arrays for `np.savez` and `np.load(allow_pickle=False)`."""
        facts = {"version": VERSION, "run": self.contract.run}
        facts |= {"fingerprint": self.model.fingerprint, "names": self.names}
        facts |= {"sources": self._clocks.state(), "counts": self.counts}
        text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        commissioning = self._pipeline.preparation.commissioning()
        return {**self._table.snapshot(), "about": text, "commissioning": commissioning}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from a snapshot; the rule, the lateness and the limits may be others than when it
        was made. Raises: UsageError if it is another model's, DamagedError if it is damaged; then
        nothing changed."""
        try:
            facts: dict[str, Any] = json_value(bytes(state["about"]), limited=False)
            if facts["version"] != VERSION:
                raise UsageError("the saved state is of another version", "start without it")
            if (facts["run"], facts["fingerprint"]) != (self.contract.run, self.model.fingerprint):
                what = f"the saved state is of another model: run {facts['run']}"
                raise UsageError(what, "use that model, or start without the state")
            names, counts = list(facts["names"]), dict(facts["counts"])
            sources = [tuple(source) for source in facts["sources"]]
            self._check(state, names, sources)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"the saved state is damaged: {error!r}"
            raise DamagedError(what, "start without it") from None
        self._table.restore(state, len(names))
        self._pipeline.preparation.resume(state["commissioning"])
        self._clocks.restore(sources)
        self._intake.restore(names, counts)
        self._grid.add(self.names, 0)

    def _check(self, state: Mapping[str, Array], names: list[Any], sources: list[Any]) -> None:
        self._table.check(state, len(names))
        preparation, commissioning = self._pipeline.preparation, state["commissioning"]
        calibrating = int((state["calibrated"] < preparation.wanted).sum())
        expected = (calibrating, preparation.wanted, preparation.sensors)
        if commissioning.dtype != np.float64 or commissioning.shape != expected:
            raise ValueError("commissioning")
        if len(set(names)) != len(names) or not all(isinstance(name, str) for name in names):
            raise ValueError("names")
        for name, *numbers in sources:
            if not isinstance(name, str) or not all(isinstance(each, int) for each in numbers):
                raise ValueError("sources")
        owner = state["owner"]
        if names and not (owner.min() >= 0 and owner.max() < len(sources)):
            raise ValueError("owner")

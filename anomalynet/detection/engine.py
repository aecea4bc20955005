"""All devices of one model: messages in, steps and events out. No wall clock and no I/O: the same messages give the same outcome."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from anomalynet.detection.alarm_states import Alarms
from anomalynet.detection.alarms import AlarmRule
from anomalynet.detection.events import Event
from anomalynet.detection.grid import Grid, Round
from anomalynet.detection.model import Model
from anomalynet.detection.preparation import Preparation, Prepared
from anomalynet.detection.readings import Message
from anomalynet.detection.scoring import scorer
from anomalynet.detection.steps import Array, Outcome, Steps, joined
from anomalynet.detection.table import Table
from anomalynet.errors import UsageError

VERSION = 1
"""Of the snapshot."""


class Engine:
    """Devices, from their first reading on.

    How messages are grouped into calls changes nothing but the last digits of scores, which depend on how many the network sees at once.

    Args:
        max_devices: further ones are refused and counted; so are sources.
        allowed: the devices that may be; None: any.
        lateness: seconds that a source's readings may come after its clock has passed them.
    """

    def __init__(
        self,
        model: Model,
        rule: AlarmRule,
        *,
        max_devices: int = 100_000,
        allowed: Collection[str] | None = None,
        lateness: float = 0.0,
    ) -> None:
        self.model, self.contract, self.rule = model, model.contract, rule
        self._grid = Grid(self.contract, max_devices, allowed, lateness)
        self._table = Table()
        self._preparation = Preparation(self.contract, self._table)
        self._scorer = scorer(model, self._table)
        self._alarms = Alarms(self.contract, rule, self._table, self._grid.names)

    @property
    def names(self) -> list[str]:
        """Of the devices, by number."""
        return self._grid.names

    @property
    def counts(self) -> dict[str, int]:
        """Readings that were refused, by kind."""
        return self._grid.counts

    def clocks(self) -> dict[str, int]:
        """Each source's clock, in microseconds; one wrong time stamp does not move it."""
        return {name: source.clock for name, source in zip(self._grid.source_names, self._grid.sources, strict=True)}

    def process(self, messages: Sequence[Message]) -> Outcome:
        """Everything that these messages make certain."""
        rounds = self._grid.place(messages)
        self._table.grow(len(self.names))
        parts: list[Steps] = []
        events: list[Event] = []
        for one in rounds:
            self._compute(one, parts, events)
        return Outcome(joined(parts, len(self.contract.channels)), events)

    def states(self) -> dict[str, int]:
        """Devices by state: calibrating, filling (the window is not full), scoring, silent (no reading at the last step), alarm."""
        calibrating, alarm = self._preparation.calibrating(), self._alarms.standing()
        filling = ~calibrating & (self._table["steps"][: len(self.names)] < self.contract.window)
        silent = np.array([device.laid > 0 for device in self._grid.devices], np.bool_) & ~calibrating & ~alarm
        named = {"calibrating": calibrating, "filling": filling & ~silent & ~alarm, "silent": silent, "alarm": alarm}
        found = {name: int(mask.sum()) for name, mask in named.items()}
        return {**found, "scoring": len(self.names) - sum(found.values())}

    def snapshot(self) -> dict[str, Array]:
        """All state in arrays that `np.savez` writes and `np.load(allow_pickle=False)` reads; copies."""
        counts = self.counts
        return {
            "version": np.array(VERSION),
            "model": np.array(self.model.fingerprint),
            "counted": np.array(list(counts), np.str_),
            "counts": np.array(list(counts.values()), np.int64),
            **{f"grid {name}": array for name, array in self._grid.snapshot().items()},
            **{f"table {name}": array for name, array in self._table.snapshot().items()},
        }

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from a snapshot.

        Raises: UsageError if it is damaged, of another version or of another model; then nothing has changed.
        """
        try:
            if int(state["version"]) != VERSION or str(state["model"]) != self.model.fingerprint:
                raise UsageError("the saved state is of another model or version", "start with another --state, or export the run again")
            table = {name.removeprefix("table "): array for name, array in state.items() if name.startswith("table ")}
            grid = {name.removeprefix("grid "): array for name, array in state.items() if name.startswith("grid ")}
            counts = dict(zip(state["counted"].tolist(), state["counts"].tolist(), strict=True))
            self._table.check(table, len(grid["names"]))
            self._grid.restore(grid)
        except (KeyError, ValueError, TypeError) as error:
            raise UsageError(f"the saved state is damaged: {error!r}", "start without it") from None
        self._grid.counts = counts
        self._table.restore(table, len(self.names))
        self._alarms.names = self._grid.names

    def _compute(self, one: Round, parts: list[Steps], events: list[Event]) -> None:
        order = np.argsort(np.array(one.rows), kind="stable")
        rows, times = np.array(one.rows, np.int64)[order], np.array(one.times, np.int64)[order]
        fresh = np.array(one.fresh, np.bool_)[order]
        if fresh.any():
            begun = rows[fresh]
            self._preparation.forget_silence(begun, np.array(one.forgotten)[order][fresh])
            events += self._alarms.end(begun, times[fresh])
            self._scorer.start(begun)
        values = [one.values[at] for at in order.tolist()]
        observed = np.array([value is not None for value in values], np.bool_)
        read = np.array([value for value in values if value is not None], np.float32).reshape(-1, len(self.contract.sensors))
        if observed.any():
            parts.append(self._advance(rows[observed], times[observed], read, events))
        if not observed.all():
            parts.append(self._advance(rows[~observed], times[~observed], None, events))

    def _advance(self, rows: Array, times: Array, values: Array | None, events: list[Event]) -> Steps:
        prepared = self._preparation.advance(rows, values)
        ready = np.ones(len(rows), np.bool_) if prepared.ready is None else prepared.ready
        some = rows[ready]
        outputs: dict[str, Array] = {}
        if len(some):
            step = prepared if prepared.ready is None else Prepared(prepared.held[ready], prepared.calibrated[ready], None)
            scored = self._scorer.push(some, step)
            outputs = scored.outputs
            if scored.ready is not None:
                some = some[scored.ready]
                ready[np.flatnonzero(ready)[~scored.ready]] = False
            if len(some):
                events += self._alarms.follow(some, times[ready], outputs)
        return Steps(
            row=rows,
            time=times,
            observed=np.full(len(rows), values is not None),
            values=prepared.calibrated,
            score=_spread(outputs.get("score"), ready).astype(np.float64),
            error=_spread(outputs["error"], ready) if "error" in outputs else None,
            attention=_spread(outputs["attention"], ready) if "attention" in outputs else None,
        )


def _spread(values: Array | None, ready: Array) -> Array:
    """Values of the ready steps at their places, NaN at the others."""
    if values is not None and ready.all():
        return values
    found = np.full((len(ready), *(values.shape[1:] if values is not None else ())), np.nan, np.float32 if values is None else values.dtype)
    if values is not None:
        found[ready] = values
    return found

"""How soon a detector tells of each type of incident, and how often for nothing, on a world that
its model never saw.

    python -m tests.benchmarks.incidents --model model.onnx [--world N] [--scenario 'duration=7d …']
    [--label any] [--hits 1/1 --hits 3/5]

Streams the simulated world through the exported model and the real engine, as its gateways would
have sent it, and prints Markdown. `silent` is the share of an incident's steps in which nothing was
heard: where it is 100 %, silence is all there is to detect. `chance` is the share of incidents in
which a false alarm would have fallen anyway, at the rate at which they come in unlabelled time. A
delay counts from the first labelled step on any device to the first alarm inside the incident; an
alarm that stands already when an incident begins does not detect it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from anomalynet.config.load import load_data_config
from anomalynet.data import sources
from anomalynet.data.telemetry import Telemetry
from anomalynet.detection.engine.engine import Engine
from anomalynet.detection.evaluation import Evaluation, Labels, Watch
from anomalynet.detection.model import Model
from anomalynet.detection.records import Message, Reading
from anomalynet.detection.replay.publish import Sent, detector_rows, gateways, messages
from anomalynet.metrics.events import AlarmRule, delay_quantile
from anomalynet.simulation.incidents.taxonomy import TYPES

BATCH = 64
"""Messages scored together."""


def stream(
    telemetry: Telemetry, rows: pl.LazyFrame, sensors: tuple[str, ...]
) -> Iterator[list[Message]]:
    """The world's messages, some at a time."""

    def message(one: Sent) -> Message:
        readings = (
            Reading(name, time, tuple(values.get(sensor, np.nan) for sensor in sensors))
            for name, time, values in one.readings
        )
        return Message(one.gateway, tuple(readings), one.time)

    with tempfile.TemporaryDirectory() as scratch:
        batch: list[Message] = []
        for one in messages(rows, telemetry.period, gateways(telemetry), "world", Path(scratch)):
            batch.append(message(one))
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch


@dataclass(slots=True)
class Truth:
    """What the world holds: labels, and steps of all devices: normal ones, those of each incident,
    and silent ones of each type."""

    labels: Labels = field(default_factory=Labels)
    normal: int = 0
    incidents: dict[str, Counter[int]] = field(default_factory=dict)
    silent: Counter[str] = field(default_factory=Counter)

    def silence(self, kind: str) -> float:
        """Share of a type's steps in which nothing was heard."""
        return self.silent[kind] / self.incidents[kind].total()

    def chance(self, kind: str, false_alarms: int) -> float:
        """Share of a type's incidents that so many alarms would meet without looking."""
        steps = np.array(list(self.incidents[kind].values()))
        return float(np.mean(1 - np.exp(-steps * false_alarms / max(self.normal, 1))))


def evaluate(
    engines: dict[str, Engine], telemetry: Telemetry
) -> tuple[dict[str, Evaluation], Truth]:
    """Each engine's evaluation, and what it was compared with."""
    rows = detector_rows(telemetry)
    contract = next(iter(engines.values())).contract
    watches = {name: Watch(contract.period) for name in engines}
    for batch in stream(telemetry, rows, tuple(sensor.name for sensor in contract.sensors)):
        for name, engine in engines.items():
            watches[name].add(engine.process(batch))
    for name, engine in engines.items():
        watches[name].add(engine.finish())
    truth = Truth()
    heard = pl.any_horizontal(pl.col(sensor.name).is_not_null() for sensor in contract.sensors)
    columns = rows.select(
        "device", pl.col("time").to_physical(), "label", "incident", "kind", heard.alias("heard")
    )
    for frame in columns.collect_batches(maintain_order=True):
        for device, time, label, incident, kind, was_heard in frame.iter_rows():
            truth.labels.add(device, time, label, None if incident is None else str(incident), kind)
            if label == 1:
                truth.incidents.setdefault(kind, Counter())[incident] += 1
                truth.silent[kind] += not was_heard
            else:
                truth.normal += label == 0
    found = {
        name: truth.labels.evaluate(watch.alarms, *watch.days) for name, watch in watches.items()
    }
    return found, truth


def show(found: dict[str, Evaluation], truth: Truth) -> None:
    """Print the tables."""
    heads = [f"detected {name} | chance (%) | delay (min)" for name in found]
    print(f"| type | cause | silent (%) | incidents | {' | '.join(heads)} |")
    print("|:--|:--|--:|--:|" + "--:|--:|--:|" * len(found))
    for kind in [name for name in TYPES if name in truth.incidents]:
        cells = []
        for evaluation in found.values():
            delays = evaluation.kinds[kind]
            detected = np.isfinite(delays)
            chance = 100 * truth.chance(kind, evaluation.outcome.false_alarms)
            cells += [
                f"{detected.sum()} ({100 * detected.mean():.0f} %)",
                f"{chance:.0f}",
                f"{delay_quantile(delays) / 60:.0f}" if detected.any() else "–",
            ]
        count = len(next(iter(found.values())).kinds[kind])
        print(
            f"| {kind} | {TYPES[kind].cause} | {100 * truth.silence(kind):.0f} | {count} | "
            f"{' | '.join(cells)} |"
        )
    rates = "false | false per fleet-day | false per device-day | incidents detected"
    print(f"\n| alarm rule | alarms | {rates} |\n|:--|--:|--:|--:|--:|--:|")
    for name, evaluation in found.items():
        known, delays = evaluation.to_json(), evaluation.outcome.delays
        hits, every = int(np.isfinite(delays).sum()), len(delays)
        of_fleet, of_device = (
            known[f"false_alarms_per_{who}_day"] or 0.0 for who in ("fleet", "device")
        )
        counts = (
            f"{known['alarms']:,} | {known['false_alarms']:,} | {of_fleet:.1f} | {of_device:.3f}"
        )
        print(f"| {name} | {counts} | {hits} of {every} ({100 * hits / max(every, 1):.0f} %) |")


def main() -> None:
    """Stream and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--name", default="smart_city", help="scenario")
    parser.add_argument("--world", type=int, default=1000, help="not that of the model's training")
    parser.add_argument("--scenario", help="changes of the scenario, as data.scenario")
    kinds = ("attack", "any", "fault", "environment")
    parser.add_argument("--label", choices=kinds, default="any", help="incidents to detect")
    parser.add_argument("--hits", action="append", help="alarm rules K/N (default: 1/1 and 3/5)")
    parser.add_argument("--threshold", type=float, help="default: the model's")
    parser.add_argument("--clear", type=float, default=1.0, help="share of the threshold")
    args = parser.parse_args()
    keys = [f"data.world={args.world}", f"data.label={args.label}"]
    if args.scenario:
        keys.append(f"data.scenario={args.scenario}")
    telemetry = sources.load(load_data_config(args.name, keys))
    model = Model(args.model)
    engines = {}
    for hits in args.hits or ("1/1", "3/5"):
        k, n = map(int, hits.split("/"))
        rule = AlarmRule(threshold=args.threshold, k=k, n=n, clear=args.clear)
        engines[f"{k} of {n}"] = Engine(model, rule)
    found, truth = evaluate(engines, telemetry)
    engine = next(iter(engines.values()))
    contract, days = model.contract, next(iter(found.values())).outcome.fleet_days
    limit = f"{contract.threshold:.4g} ({contract.threshold_rule})"
    if args.threshold is not None:
        limit = f"{args.threshold:g}"
    print(
        f"{contract.experiment} {contract.run} on {args.name}, world {args.world}: "
        f"{len(engine.names)} devices, {days:.1f} days, threshold {limit}\n"
    )
    show(found, truth)
    refused = ", ".join(f"{count} {kind}" for kind, count in engine.counts.items())
    print(f"\nrefused readings: {refused or 'none'}")


if __name__ == "__main__":
    main()

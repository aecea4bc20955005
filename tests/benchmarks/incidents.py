"""How soon a detector tells of each type of incident, and how often for nothing, on a world that its model never saw.

    python -m tests.benchmarks.incidents --model model.onnx [--world N] [--scenario 'duration=7d …'] [--label any] [--hits 1/1 --hits 3/5]

Streams the simulated world through the exported model and the real engine, as its gateways would have sent it, and prints Markdown.
`silent` is the share of an incident's steps in which nothing was heard: where it is 100 %, silence is all there is to detect.
A delay counts from the first labelled step on any device to the first alarm inside the incident; an alarm that stands already when an
incident begins does not detect it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from anomalynet.config.load import load_data_config
from anomalynet.data import sources
from anomalynet.data.telemetry import Telemetry
from anomalynet.detection.alarms import AlarmRule
from anomalynet.detection.engine import Engine
from anomalynet.detection.evaluation import Evaluation, Labels
from anomalynet.detection.model import Model
from anomalynet.detection.readings import Message, Reading
from anomalynet.replay.messages import Sent, gateways, messages
from anomalynet.replay.rows import detector_rows
from anomalynet.simulation.incidents import TYPES

BATCH = 64
"""Messages scored together."""


def stream(telemetry: Telemetry, rows: pl.LazyFrame, sensors: tuple[str, ...]) -> Iterator[list[Message]]:
    """The world's messages, some at a time."""

    def message(one: Sent) -> Message:
        readings = (Reading(name, time, tuple(values.get(sensor, np.nan) for sensor in sensors)) for name, time, values in one.readings)
        return Message(one.gateway, tuple(readings), one.time)

    with tempfile.TemporaryDirectory() as scratch:
        batch: list[Message] = []
        for one in messages(rows, telemetry.period, gateways(telemetry), "world", Path(scratch)):
            batch.append(message(one))
            if len(batch) == BATCH:
                yield batch
                batch = []
        yield batch


def evaluate(engines: dict[str, Engine], telemetry: Telemetry) -> tuple[dict[str, Evaluation], dict[str, float]]:
    """Each engine's evaluation, and the share of silent steps of each type."""
    rows = detector_rows(telemetry)
    contract = next(iter(engines.values())).contract
    alarms: dict[str, list[tuple[str, int]]] = {name: [] for name in engines}
    for batch in stream(telemetry, rows, tuple(sensor.name for sensor in contract.sensors)):
        for name, engine in engines.items():
            alarms[name] += [(event.device, event.time) for event in engine.process(batch).events if event.kind == "alarm"]
    for name, engine in engines.items():
        alarms[name] += [(event.device, event.time) for event in engine.finish().events if event.kind == "alarm"]
    labels, steps, silent = Labels(), Counter[str](), Counter[str]()
    heard = pl.any_horizontal(pl.col(sensor.name).is_not_null() for sensor in contract.sensors)
    columns = rows.select("device", pl.col("time").to_physical(), "label", "incident", "kind", heard.alias("heard"))
    for frame in columns.collect_batches(maintain_order=True):
        for device, time, label, incident, kind, was_heard in frame.iter_rows():
            labels.add(device, time, label, None if incident is None else str(incident), kind)
            if label == 1:
                steps[kind] += 1
                silent[kind] += not was_heard
    return {name: labels.evaluate(found) for name, found in alarms.items()}, {kind: silent[kind] / steps[kind] for kind in steps}


def show(found: dict[str, Evaluation], silent: dict[str, float], devices: int) -> None:
    """Print the tables."""
    heads = [f"detected {name} | delay (min) {name}" for name in found]
    print(f"| type | cause | silent (%) | incidents | {' | '.join(heads)} |")
    print("|:--|:--|--:|--:|" + "--:|--:|" * len(found))
    for kind in [name for name in TYPES if name in silent]:
        cells = []
        for evaluation in found.values():
            one = evaluation.kinds[kind]
            share = one.detected / one.incidents
            cells += [f"{one.detected} ({100 * share:.0f} %)", f"{np.median(one.delays) / 60:.0f}" if one.delays else "–"]
        count = next(iter(found.values())).kinds[kind].incidents
        print(f"| {kind} | {TYPES[kind].cause} | {100 * silent[kind]:.0f} | {count} | {' | '.join(cells)} |")
    print("\n| alarm rule | alarms | false | false a day | false a device and day | incidents detected |")
    print("|:--|--:|--:|--:|--:|--:|")
    for name, evaluation in found.items():
        hits, every = (sum(getattr(kind, what) for kind in evaluation.kinds.values()) for what in ("detected", "incidents"))
        each = evaluation.false_per_day or 0.0
        counts = f"{evaluation.alarms:,} | {evaluation.false_alarms:,} | {each:.1f} | {each / devices:.3f}"
        print(f"| {name} | {counts} | {hits} of {every} ({100 * hits / max(every, 1):.0f} %) |")


def main() -> None:
    """Stream and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--name", default="smart_city", help="scenario")
    parser.add_argument("--world", type=int, default=1000, help="seed of the world; the model must have been trained on another")
    parser.add_argument("--scenario", help="changes of the scenario, as data.scenario")
    parser.add_argument("--label", choices=("attack", "any", "fault", "environment"), default="any", help="incidents to detect")
    parser.add_argument("--hits", action="append", help="alarm rules K/N (default: 1/1 and 3/5)")
    parser.add_argument("--clear", type=float, default=1.0)
    args = parser.parse_args()
    keys = [f"data.world={args.world}", f"data.label={args.label}", *([f"data.scenario={args.scenario}"] if args.scenario else [])]
    telemetry = sources.load(load_data_config(args.name, keys))
    model = Model(args.model)
    engines = {}
    for hits in args.hits or ("1/1", "3/5"):
        k, n = map(int, hits.split("/"))
        engines[f"{k} of {n}"] = Engine(model, AlarmRule(k=k, n=n, clear=args.clear))
    found, silent = evaluate(engines, telemetry)
    engine = next(iter(engines.values()))
    contract = model.contract
    print(f"{contract.experiment} {contract.run} on {args.name}, world {args.world}: {len(engine.names)} devices, "
          f"{next(iter(found.values())).days:.1f} days, threshold {contract.threshold:.4g} ({contract.threshold_rule})\n")  # fmt: skip
    show(found, silent, len(engine.names))
    print("\nrefused readings: " + (", ".join(f"{count} {kind}" for kind, count in engine.counts.items()) or "none"))


if __name__ == "__main__":
    main()

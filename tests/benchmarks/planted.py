"""Whether the README's way from readings without labels to alarms finds faults that were planted.

    python -m tests.benchmarks.planted [--seeds 0 1 2 3] [--before] [TRAIN-KEY=VALUE …]

Each seed makes four devices of a plant, a reading every five minutes for fourteen days, with a
daily cycle, levels that wander, gaps of up to 65 minutes (one or two a device and day) and, with
`--battery`, a battery that runs down. The last four days are `live.csv`. They hold three faults: a
temperature 2 degrees up for 2.5 hours on one device (its noise: 0.15, its daily cycle: ±4), a
humidity that stays for 3 hours on another, a vibration of three times its size for 2 hours on a
third. The commands are those of the quick start. Prints which faults `detect` names among its three
highest stretches, and all alarms per device and day.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

STEP, DAYS, LIVE, START = 300, 14, 4, 1_750_000_000
DAY = 86_400 // STEP


class Fault(NamedTuple):
    """One planted fault."""

    kind: str
    device: str
    first: float  # seconds since 1970
    last: float


def plant(seed: int, folder: Path, battery: bool = False, before: bool = False) -> list[Fault]:
    """Writes history.csv and live.csv. Returns the faults of the latter; `before`: the same are in
    the former too, five days earlier."""
    random, size = np.random.default_rng(seed), DAYS * DAY
    begin, hours = (DAYS - LIVE) * DAY, np.arange(DAYS * DAY) * STEP / 3600
    planted = {1: ("temperature", 1.4, 30), 2: ("humidity", 2.4, 40), 3: ("vibration", 1.75, 24)}
    faults, parts = list[Fault](), list[pl.DataFrame]()
    for number in range(4):
        level = np.repeat(random.normal(0, 0.75, DAYS), DAY)
        wander = 0.3 * np.cumsum(random.normal(0, 0.03, size))
        cycle = 4 * np.sin(2 * np.pi * (hours - 9) / 24 + 0.2 * number)
        temperature = 21 + cycle + wander + level + random.normal(0, 0.15, size)
        day = (hours % 24 > 7) & (hours % 24 < 18)
        values = {
            "temperature": temperature,
            "humidity": 55 - 1.6 * (temperature - 21) + random.normal(0, 0.8, size),
            "vibration": np.exp(random.normal(-1, 0.2, size)) * (1 + 0.5 * day),
        }
        if battery:
            values["battery"] = 3.6 - 0.2 * hours / (24 * DAYS) + random.normal(0, 0.004, size)
        if number in planted:
            kind, days, steps = planted[number]
            first = begin + int(days * DAY)
            for start in (first, first - 5 * DAY) if before else (first,):
                own = values[kind][start : start + steps]
                own[:] = {"temperature": own + 2, "humidity": own[0], "vibration": 3 * own}[kind]
            times = (START + STEP * at for at in (first, first + steps))
            faults.append(Fault(kind, f"dev{number}", *times))
        heard = np.ones(size, np.bool_)
        for at in random.integers(0, size, random.poisson(1.5 * DAYS)):
            heard[at : at + random.integers(2, 14)] = False
        time = START + STEP * np.arange(size)
        frame = pl.DataFrame({"time": time, "device": [f"dev{number}"] * size, **values})
        parts.append(frame.filter(pl.Series(heard)))
    every = pl.concat(parts).sort("time", "device")
    now = START + STEP * begin
    for name, own in (("history", pl.col("time") < now), ("live", pl.col("time") >= now)):
        table = every.filter(own).with_columns(pl.from_epoch("time"))
        table.write_csv(folder / f"{name}.csv", float_precision=4)
    return faults


def detected(folder: Path, keys: list[str]) -> dict[str, Any]:
    """What `detect --json` says of live.csv after the quick start's commands."""

    def run(*words: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "anomalynet", *words, "--json"]
        where = {**os.environ, "ANOMALYNET_DATA": str(folder / "data")}
        done = subprocess.run(command, cwd=folder, env=where, capture_output=True, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    run("data", "import", "history.csv", "--name", "plant", "--time", "time", "--series", "device")
    trained = run("train", "unlabelled", "data.name=plant", *keys)
    run("export", trained["id"], "--out", "model.onnx")
    return run("detect", "live.csv", "--model", "model.onnx", "--hits", "3/5")


def ranks(faults: list[Fault], highest: list[dict[str, Any]]) -> dict[str, int]:
    """Kind → the number of the stretch that overlaps the fault, from 1, or its three hours after;
    0: none of those named."""
    found = dict.fromkeys((fault.kind for fault in faults), 0)
    for rank, one in enumerate(highest, 1):
        first, last = (
            datetime.fromisoformat(one[key]).astimezone(UTC).timestamp()
            for key in ("time", "until")
        )
        for fault in faults:
            late = fault.last + 3 * 3600
            if one["device"] == fault.device and first <= late and last >= fault.first:
                found[fault.kind] = found[fault.kind] or rank
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3])
    parser.add_argument("--battery", action="store_true", help="with a sensor that drifts")
    parser.add_argument("--before", action="store_true", help="with the same faults in the history")
    parser.add_argument("keys", nargs="*", metavar="KEY=VALUE", help="for `anomalynet train`")
    chosen = parser.parse_args()
    print("seed\ttemperature\thumidity\tvibration\talarms per device and day", flush=True)
    for seed in chosen.seeds:
        with tempfile.TemporaryDirectory() as name:
            faults = plant(seed, Path(name), chosen.battery, chosen.before)
            found = detected(Path(name), chosen.keys)
        places = ranks(faults, found["highest"][:3]).values()
        daily = found["alarms"] / found["device_days"]
        print(seed, *(place or "–" for place in places), f"{daily:.2f}", sep="\t", flush=True)


if __name__ == "__main__":
    main()

"""Rows of the simulation: beside ns-3, and in several processes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from anomalynet.data.gateway import telemetry_of_cell
from anomalynet.simulation.load import load_scenario
from anomalynet.simulation.world import simulate_worlds
from tests.benchmarks.measure import Measured, Report, compared, take_turns, timed, value

NS3_SECONDS = 5.9
"""A star of 50 nodes, 1 h at 10 s, in ns-3 3.44's C++ on a machine like this one: 18,007 frames.
Installing it takes 520 MB and 90 s, so it was measured once and does not take turns."""

STAR = ("deployment.nodes=50", "duration=1h", "sampling.period=10")
WORLD = ("deployment.nodes=30", "duration=24h")
WORLDS = 2


def simulated(
    folder: Path, changes: tuple[str, ...], worlds: int, workers: int, *, twin: bool = True
) -> float:
    """Seconds of so many worlds, with the twin that says what is visible or without."""
    shutil.rmtree(folder, ignore_errors=True)
    scenarios = {
        folder / str(seed): load_scenario("smart_city", [*changes, f"seed={seed}"])
        for seed in range(worlds)
    }
    folder.mkdir(parents=True)
    made = {path.parent / path.name: one for path, one in scenarios.items()}
    refine = telemetry_of_cell if twin else None
    return timed(lambda: simulate_worlds(made, workers=workers, refine=refine))


def simulation(folder: Path, rounds: int, report: Report) -> list[Measured]:
    """A star beside ns-3; then worlds with one worker and with two."""
    place = folder / "simulated-here"
    simulated(place, STAR, 1, 1)  # imports and compiles
    star = [simulated(place, STAR, 1, 1) for _ in range(rounds)]
    other = [NS3_SECONDS] * rounds
    alone = float(np.median([simulated(place, STAR, 1, 1, twin=False) for _ in range(rounds)]))
    note = f"{alone:.2f} s without the twin; ns-3's seconds were measured on another day"
    against = "ns-3, C++, without twin"
    title = "50 nodes, 1 h at 10 s, with twin"
    rows = [compared(title, {"ours": star, "ns-3": other}, against, "faster", 15.0, note=note)]
    arms = {
        "two": lambda: simulated(place, WORLD, WORLDS, 2),
        "one": lambda: simulated(place, WORLD, WORLDS, 1),
    }
    found = take_turns(arms, rounds)
    title = f"{WORLDS} worlds × 24 h × 30 nodes, two workers"
    rest = float(np.median(found["two"]) - np.median(found["one"]) / 2)
    note = f"{rest:.2f} s more than half: two processes start and import, the worlds differ"
    rows.append(compared(title, found, "one worker", "faster", 1.9, note=note))
    each = [one / (WORLDS * 30) for one in found["one"]]
    shutil.rmtree(place)
    return [*rows, value("a node-day, one core", each, "s")]

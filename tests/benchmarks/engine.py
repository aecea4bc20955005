"""What a reading costs: eager PyTorch, the exported models, the whole engine, and two detectors of
other libraries, on one thread.

`window` reads the last 32 steps for every reading, `step` carries its state. The engine's rows hold
everything from a message on: grid, calibration, buffers, the model, the alarm rule. The line of
river is left out where river is missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch

from anomalynet.detection.contract import Contract
from anomalynet.detection.model import Model
from tests.benchmarks.measure import Measured, Report, value
from tests.benchmarks.models import exported

Call = Callable[[], object]
FLEET = 64
WHOLE = "whole engine, step: hybrid_causal"
WARM = 40


def session(path: Path) -> tuple[onnxruntime.InferenceSession, Contract]:
    """As a detector opens it."""
    found = Model(path)
    return found.session, found.contract


def normal(*shape: int) -> npt.NDArray[np.float32]:
    """Made-up readings."""
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def eager(experiment: str, contract: Contract, batch: int) -> Call:
    """A network of the experiment's sizes on windows."""
    from anomalynet.config.load import load
    from anomalynet.data.windows import WindowShape
    from anomalynet.models import build
    from anomalynet.models.base import Detector

    shape = WindowShape(contract.window, len(contract.channels))
    network = build(load(experiment).config, shape)
    assert isinstance(network, Detector)
    network.eval()
    windows = torch.from_numpy(normal(batch, *shape))

    def call() -> object:
        with torch.inference_mode():
            return network.score(windows)

    return call


def window(path: Path, batch: int) -> Call:
    """The exported network on windows."""
    model, contract = session(path)
    feed = {"readings": normal(batch, contract.window, len(contract.channels))}
    return lambda: model.run(None, feed)


def step(path: Path, batch: int) -> Call:
    """The exported network on the next reading of each device, its state in buffers that are bound
    once."""
    model, contract = session(path)
    shapes = contract.carried.items()
    state = {name: np.zeros((batch, *shape), np.float32) for name, shape in shapes}
    states = np.zeros((batch, contract.window, contract.width), np.float32)
    slot = np.zeros((batch, contract.window), np.float32)
    inputs = {"reading": normal(batch, len(contract.channels)), **state}
    inputs |= {"states": states, "slot": slot}
    names = [output.name for output in model.get_outputs()]
    outputs = dict(zip(names, model.run(names, inputs), strict=True))
    binding = model.io_binding()
    for name, array in inputs.items():
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(array))
    for name, array in outputs.items():
        binding.bind_ortvalue_output(name, onnxruntime.OrtValue.ortvalue_from_numpy(array))
    place = 0

    def call() -> object:
        nonlocal place
        slot[:, place], place = 0, (place + 1) % contract.window
        slot[:, place] = 1
        model.run_with_iobinding(binding)
        for name, array in state.items():
            array[:] = outputs[f"{name}_next"]
        states[:, place] = outputs["hidden_next"]
        return outputs["score"]

    return call


def engine(path: Path, devices: int) -> Call:
    """Messages of one gateway with a reading a device, through the whole engine."""
    from anomalynet.detection.engine.engine import Engine
    from anomalynet.detection.records import Message, Reading
    from anomalynet.metrics.events import AlarmRule

    model = Model(path)
    contract = model.contract
    whole, random, moment = Engine(model, AlarmRule()), np.random.default_rng(0), 0
    names = [f"node-{number}" for number in range(devices)]
    values = [tuple(row) for row in random.normal(size=(devices, len(contract.sensors))).tolist()]

    def call() -> object:
        nonlocal moment
        moment += round((contract.period or 1) * 1e6)
        readings = (Reading(name, moment, row) for name, row in zip(names, values, strict=True))
        return whole.process([Message("gateway", tuple(readings), moment)])

    for _ in range(contract.calibration_rows + contract.window):
        call()
    return call


def half_space_trees(contract: Contract, batch: int) -> Call:
    """River's half-space trees: score a reading, then learn it, as its documentation does."""
    from river.anomaly import HalfSpaceTrees

    trees = HalfSpaceTrees(n_trees=25, height=15, window_size=250, seed=0)
    rows = np.random.default_rng(0).uniform(size=(4096, len(contract.sensors))).tolist()
    names = [sensor.name for sensor in contract.sensors]
    readings = [dict(zip(names, row, strict=True)) for row in rows]
    turn = 0

    def call() -> object:
        nonlocal turn
        for _ in range(batch):
            turn = (turn + 1) % len(readings)
            trees.score_one(readings[turn])
            trees.learn_one(readings[turn])
        return None

    for _ in range(600 // batch):
        call()  # until there is a reference window to score with
    return call


def isolation_forest(contract: Contract, batch: int) -> Call:
    """scikit-learn's isolation forest on the statistics of windows, taken from the windows each
    time."""
    from sklearn.ensemble import IsolationForest

    from anomalynet.data.statistics import statistics

    windows = normal(1024, contract.window, len(contract.channels))
    forest = IsolationForest(random_state=0).fit(statistics(windows))
    some = windows[:batch]
    return lambda: forest.score_samples(statistics(some))


def measure(arms: dict[str, Call], rounds: int, devices: int) -> dict[str, np.ndarray]:
    """Microseconds a reading of each call, arm by arm; the faster an arm, the more calls it makes
    in a round."""
    calls = {}
    for name, call in arms.items():
        started = time.perf_counter()
        for _ in range(WARM):
            call()
        calls[name] = int(np.clip(0.1 / ((time.perf_counter() - started) / WARM), 4, 400))
    found: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(rounds):
        for name, call in arms.items():
            for _ in range(calls[name]):
                started = time.perf_counter()
                call()
                found[name].append((time.perf_counter() - started) / devices)
    return {name: 1e6 * np.array(durations) for name, durations in found.items()}


def table(measured: dict[str, np.ndarray]) -> str:
    """A Markdown row an arm."""
    lines = ["| µs a reading | p50 | p99 | readings/s |", "|---|---:|---:|---:|"]
    for name, durations in measured.items():
        p50, p99 = np.percentile(durations, [50, 99])
        lines.append(f"| {name} | {p50:.1f} | {p99:.1f} | {1e6 / durations.mean():,.0f} |")
    return "\n".join(lines)


def engine_rows(folder: Path, rounds: int, report: Report) -> list[Measured]:
    """One device, and a fleet."""
    torch.set_num_threads(1)
    window_model, causal = (exported(name, folder) for name in ("hybrid", "hybrid_causal"))
    plain = exported("hybrid_causal", folder, "data.evidence_channels=false", name="plain")
    contract = session(window_model)[1]
    rows = []
    for devices in (1, FLEET):
        arms: dict[str, Call] = {
            "eager hybrid": eager("hybrid", contract, devices),
            "eager hybrid_causal": eager("hybrid_causal", contract, devices),
            "window: hybrid": window(window_model, devices),
            "step: hybrid_causal": step(causal, devices),
            "whole engine, window: hybrid": engine(window_model, devices),
            WHOLE: engine(causal, devices),
            "the same without evidence channels": engine(plain, devices),
            "isolation forest of scikit-learn": isolation_forest(contract, devices),
        }
        try:
            arms["river half-space trees"] = half_space_trees(contract, devices)
        except ImportError:
            report.left_out["river"] = "not installed (pip install river): its lines are missing"
        measured = measure(arms, rounds, devices)
        each = "one device" if devices == 1 else f"{devices} devices at once"
        report.texts[f"A reading, {each}"] = table(measured)
        rows += _rows(measured, each, devices)
    return rows


def _rows(measured: dict[str, np.ndarray], each: str, devices: int) -> list[Measured]:
    """What is to be reached: a time alone, a ratio in a fleet. Rounds are tenths of the calls."""

    def rounds(name: str) -> list[float]:
        parts = np.array_split(measured[name], min(10, len(measured[name])))
        return [float(np.median(one)) for one in parts]

    ours, network = rounds(WHOLE), rounds("step: hybrid_causal")
    rest = float(np.median(ours) - np.median(network))
    note = (
        f"the network alone takes {np.median(network):.1f} µs in a loop of its own; {rest:.1f} µs "
    )
    note += "are calls of NumPy and Python from grid to alarm, and a network cold in the caches"
    found = [
        value(
            f"a reading through the engine, {each}",
            ours,
            "µs",
            100.0 if devices == 1 else None,
            note,
        )
    ]
    evidence = rounds("the same without evidence channels")
    pairs = tuple(a / b for a, b in zip(ours, evidence, strict=False))
    title, against = f"evidence channels, {each}", "the engine without them"
    medians = float(np.median(ours)), float(np.median(evidence))
    found.append(Measured(title, medians[0], "µs", "slower", pairs, against, medians[1]))
    for other in ("river half-space trees", "eager hybrid_causal"):
        if other in measured:
            theirs = rounds(other)
            ratios = tuple(b / a for a, b in zip(ours, theirs, strict=False))
            goal = 30.0 if devices > 1 and other.startswith("river") else None
            medians = float(np.median(ours)), float(np.median(theirs))
            known = (ratios, other, medians[1], goal)
            title = f"engine, {each}, beside {other}"
            found.append(Measured(title, medians[0], "µs", "faster", *known, note if goal else ""))
    return found

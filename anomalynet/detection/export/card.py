"""The model card of an exported file: what its users need to know. All its numbers are measured."""

from __future__ import annotations

from collections.abc import Mapping

from anomalynet.data import sources
from anomalynet.detection.contract import Contract, Sensor
from anomalynet.detection.export.verify import BATCHES, MEASURED, PARTS, TOLERANCE, Loss, Parity
from anomalynet.metrics.suite import METRICS
from anomalynet.reporting.formats.markdown import grid
from anomalynet.training.finished import FinishedRun


def card(
    run: FinishedRun,
    contract: Contract,
    parity: Parity,
    losses: Mapping[str, Loss],
    refused: Mapping[str, str],
) -> str:
    """The card in Markdown. `losses`: file name → its loss, the float32 file first; `refused`:
    variant that could not be made → reason."""
    file = next(iter(losses))
    reads = f"It reads the last {contract.window} steps of a device"
    if contract.form == "step":
        reads = "It reads a device step by step, carries a state on, pays attention to its last "
        reads += f"{contract.window} states,"
    score = "larger scores are more unusual; it is not a probability."
    if contract.probability:
        score = "the model's probability of an anomaly."
    sections = [
        f"# {contract.experiment} on {contract.data}",
        f"`{file}` is the run `{contract.run}` of the experiment `{contract.experiment}`, "
        "exported by anomalynet for real-time detection. "
        f"{reads} and gives each step a score: {score}",
        f"    anomalynet detect readings.csv --model {file}",
        "`anomalynet detect --help` lists the sources of readings; the file does not need PyTorch.",
        *_data(run, contract),
        *_decision(contract),
        *_metrics(run, contract),
        *_interface(contract),
        *_files(contract, parity, losses, refused),
        *_limits(run, contract, losses[file]),
    ]
    return "\n\n".join(sections) + "\n"


def _data(run: FinishedRun, contract: Contract) -> list[str]:
    info = sources.info(run.config.data.name)
    parts = run.result.parts.items()
    steps = [f"{name} {part.steps} steps of {len(part.series)} series" for name, part in parts]
    rows = {
        "data": f"{contract.data}: {info.title}",
        "content": f"SHA-256 `{contract.fingerprint}`",
        "licence of the data": info.licence,
        "licence of this file": contract.licence,
        "split": f"{contract.split}, fold {run.result.fold + 1} of {run.result.folds}",
        "parts": ", ".join(steps),
        "seed": str(contract.seed),
        "world": None if run.result.world is None else str(run.result.world),
        "hash of the code": f"`{contract.code}`",
    }
    known = [(name, value) for name, value in rows.items() if value is not None]
    return ["## Trained on", grid(("", ""), known)]


def _decision(contract: Contract) -> list[str]:
    silence = "ends the segment" if contract.breaks else "is scored as well"
    missing = f"the last one for {contract.hold} steps, then " if contract.hold else ""
    calibrated = "none; only the training part's mean and deviation normalise"
    if count := contract.calibration_rows:
        given = {"deviation": "mean and deviation", "offset": "mean, subtracted"}
        calibrated = f"a device's first {count} readings, assumed normal, are not scored; they "
        calibrated += f"give: {given[contract.calibration]}"
        if contract.known:
            calibrated += f"; {len(contract.known)} devices of the training data keep theirs"
    period = "none: readings are events" if contract.period is None else f"{contract.period:g} s"
    rows = {
        "time between readings": period,
        "window": f"{contract.window} steps",
        "silence": f"up to {contract.max_gap} steps become steps without a reading; a longer one "
        f"{silence}",
        "a missing value": f"{missing}the sensor's zero",
        "calibration": calibrated,
        "bound": "none" if contract.clip is None else f"{contract.clip:g} deviations",
        "alarm": f"score ≥ {contract.threshold:.6g}, chosen on the validation part by the rule "
        f"`{contract.threshold_rule}`",
    }
    sensors = [
        (one.name, "" if one.unit in ("", "1") else one.unit, _range(one))
        for one in contract.sensors
    ]
    if contract.mask:
        added = "0 … 1, share of missing sensors at a step; added by the detector"
        sensors.append((contract.channels[-1], "", added))
    heading = ("channel", "unit", "range")
    return ["## From readings to alarms", grid(("", ""), rows.items()), grid(heading, sensors)]


def _range(sensor: Sensor) -> str:
    if sensor.minimum is None and sensor.maximum is None:
        return "unbounded"
    low, high = ("" if end is None else f"{end:g}" for end in (sensor.minimum, sensor.maximum))
    return f"{low} … {high}"


def _metrics(run: FinishedRun, contract: Contract) -> list[str]:
    if not any(run.result.parts[part].labelled for part in PARTS):
        return ["## Measured", "The data has no labels, so nothing was measured."]
    values = contract.metrics
    rows = []
    for metric in METRICS.values():
        found = [number(values.get(f"{part}/{metric.name}"), metric.unit) for part in PARTS]
        if any(found):
            rows.append((metric.title, metric.unit, *found))
    measured = grid(("metric", "unit", *PARTS), rows)
    shown = ["## Measured", "At the threshold above, measured by the run.", measured]
    share, accuracy = values.get("test/prevalence"), values.get("test/accuracy")
    if share is not None and accuracy is not None:
        says = "normal" if share <= 0.5 else "attack"
        shown.append(
            f"Always predicting {says} is right in {100 * max(share, 1 - share):.2f} % of the test "
            f"steps; this model in {100 * accuracy:.2f} %."
        )
    return shown


def _limits(run: FinishedRun, contract: Contract, loss: Loss) -> list[str]:
    neighbours = "A reading also contains the sensors of neighbouring nodes (`temperature.1`): "
    neighbours += "they must be joined before."
    holds = (
        f"The file holds {len(contract.reference.windows)} ordinary windows of the training data, "
    )
    holds += (
        f"and names and calibration of {len(contract.known)} devices: share it as you would these."
    )
    differs = "Its scores differ from the stored ones of the run, which a GPU or another version "
    differs += "of the code made."
    found = [
        f"It was tested only on {contract.data}, not on other networks, sensors, sampling periods "
        "or attacks.",
        "The first readings of a device are assumed normal; an attack in them shifts all later "
        "scores.",
        *contract.warnings,
        *([holds] if contract.reference.windows or contract.known else []),
        *([neighbours] if run.config.data.view != "node" else []),
        *([] if loss.difference <= TOLERANCE else [differs]),
    ]
    return ["## Limits", "\n".join(f"- {line}" for line in found)]


def _interface(contract: Contract) -> list[str]:
    """Inputs and outputs of the graph."""
    wide = f"batch × {len(contract.channels)}"
    calibrated = "calibrated, 0 where a sensor is missing"
    meanings = {
        "readings": calibrated,
        "reading": calibrated,
        "features": "12 statistics of each calibrated channel of the window",
        "states": "the last states",
        "slot": "1 at the position of this step among them",
    }
    inputs = [
        (name, "float32", " × ".join(map(str, ("batch", *shape))), meaning)
        for name, shape in contract.inputs.items()
        for meaning in [meanings.get(name, "state, 0 at first")]
    ]
    why = "The statistics are not part of the graph: the detector computes them as training did, "
    why += "because a tree may decide differently on the last bit of a value."
    outputs = {
        "score": ("batch", "larger: more likely an anomaly"),
        "error": (wide, "squared error of the reconstruction of each channel"),
        "attention": ("batch × parts", f"weights over {contract.attention_axis}, sum 1"),
    }
    given = [(name, "float32", *outputs[name]) for name in contract.outputs if name in outputs]
    heading = ("name", "type", "shape", "meaning")
    notes = [why] if contract.form == "statistics" else []
    return ["## Inputs", grid(heading, inputs), *notes, "## Outputs", grid(heading, given)]


def _files(
    contract: Contract, parity: Parity, losses: Mapping[str, Loss], refused: Mapping[str, str]
) -> list[str]:
    """Size, time and loss of each file, and the comparison of the float32 file."""
    heading = ["file", "variant", "bytes", "µs per window", "largest difference", "other alarms"]
    pairs = [(part, metric) for part in PARTS for metric in MEASURED]
    known = [
        (part, metric)
        for part, metric in pairs
        if any(loss.metrics[f"{part}/{metric}"] is not None for loss in losses.values())
    ]
    heading += [f"{METRICS[metric].title} ({part})" for part, metric in known]
    rows = [
        (
            f"`{name}`",
            loss.variant,
            str(loss.bytes),
            f"{loss.microseconds:.0f}",
            f"{loss.difference:.1e}",
            f"{loss.alarms} of {loss.steps}",
            *(number(loss.metrics[f"{part}/{metric}"]) for part, metric in known),
        )
        for name, loss in losses.items()
    ]
    sizes = ", ".join(f"{parity.batches[size]:.1e} in batches of {size}" for size in BATCHES)
    compared = (
        f"`{next(iter(losses))}` was compared with the run's model on {parity.windows} "
        f"windows: largest difference {sizes}"
    )
    if parity.carried is not None:
        compared += f", {parity.carried:.1e} over the whole test part with carried state"
    return [
        "## Files",
        grid(heading, rows),
        "µs per window: median, one window at a time on one thread of the machine that exported. "
        "Differences and other alarms: compared with the stored scores of the run; relative for "
        f"scores above 1. {compared}; a file with more than {TOLERANCE:g} is not exported. "
        "The threshold in the file is the run's; where a score of the validation part is so near "
        "that rounding could change its alarm, it is midway between two other scores.",
        *(f"Variant {name} was not made: {why}." for name, why in refused.items()),
    ]


def number(value: float | None, unit: str = "") -> str:
    """A measured number as text; empty if undefined."""
    return "" if value is None else f"{value:.0f}" if unit == "count" else f"{value:.4f}"

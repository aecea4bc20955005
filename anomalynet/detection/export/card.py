"""The model card: what someone must know who runs a file that a run was exported to. Every number
in it was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from anomalynet.data import sources
from anomalynet.detection.contract import Contract, Sensor
from anomalynet.detection.export.verify import BATCHES, MEASURED, PARTS, TOLERANCE, Loss, Parity
from anomalynet.metrics.suite import METRICS
from anomalynet.training.finished import FinishedRun


def card(
    run: FinishedRun,
    contract: Contract,
    parity: Parity,
    losses: Mapping[str, Loss],
    refused: Mapping[str, str],
) -> str:
    """The card in Markdown.

    Args:
        losses: name of the file → what it costs; the float32 file first.
        refused: variants that there are none of, and why.
    """
    file = next(iter(losses))
    sections = [
        f"# {contract.model} on {contract.data}",
        f"`{file}` is the run `{contract.run}` of the experiment `{contract.experiment}`, "
        "exported by anomalynet for real-time detection. "
        f"{_reads(contract)} and gives each step a score: {_score(contract)}",
        f"    anomalynet detect readings.csv --model {file}",
        "`anomalynet detect --help` says where readings can come from; the file needs no PyTorch.",
        *_data(run, contract),
        *_decision(contract),
        *_metrics(contract),
        *_interface(contract),
        *_files(contract, parity, losses, refused),
        *_limits(run, contract, losses[file]),
    ]
    return "\n\n".join(sections) + "\n"


def _reads(contract: Contract) -> str:
    if contract.form == "step":
        return (
            "It reads a device step by step, carries a state on, pays attention to its last "
            f"{contract.window} states,"
        )
    return f"It reads the last {contract.window} steps of a device"


def _score(contract: Contract) -> str:
    if contract.probability:
        return "the probability of an attack, as the model sees it."
    return "the larger, the more unusual; no probability."


def _data(run: FinishedRun, contract: Contract) -> list[str]:
    info = sources.info(run.config.data.name)
    parts = run.result.parts
    steps = ", ".join(
        f"{name} {part.steps} steps of {len(part.series)} series" for name, part in parts.items()
    )
    rows = {
        "data": f"{contract.data}: {info.title}",
        "content": f"SHA-256 `{contract.fingerprint}`",
        "licence of the data": info.licence,
        "licence of this file": contract.licence,
        "split": f"{contract.split}, fold {run.result.fold + 1} of {run.result.folds}",
        "parts": steps,
        "seed": str(contract.seed),
        "world": None if run.result.world is None else str(run.result.world),
        "hash of the code": f"`{contract.code}`",
    }
    known = [(name, value) for name, value in rows.items() if value is not None]
    return ["## Trained on", table(("", ""), known)]


def _decision(contract: Contract) -> list[str]:
    silence = "ends the segment" if contract.breaks else "is scored all the same"
    missing = f"the last one for {contract.hold} steps, then " if contract.hold else ""
    calibrated = "none; the training part's mean and deviation alone normalise"
    if count := contract.calibration_rows:
        divided = contract.calibration == "deviation"
        calibrated = (
            f"a device's first {count} readings, assumed normal, are not scored; of them: "
            f"{'mean and deviation' if divided else 'mean, subtracted'}"
        )
    rows = {
        "time between readings": "none: readings are events"
        if contract.period is None
        else f"{contract.period:g} s",
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
        added = "0 … 1, share of sensors missing at a step: the detector adds it"
        sensors.append((contract.channels[-1], "", added))
    heading = ("channel", "unit", "can be")
    return ["## From readings to alarms", table(("", ""), rows.items()), table(heading, sensors)]


def _range(sensor: Sensor) -> str:
    if sensor.minimum is None and sensor.maximum is None:
        return "anything"
    low, high = ("" if end is None else f"{end:g}" for end in (sensor.minimum, sensor.maximum))
    return f"{low} … {high}"


def _metrics(contract: Contract) -> list[str]:
    values = contract.metrics
    rows = []
    for metric in METRICS.values():
        found = [values.get(f"{part}/{metric.name}") for part in PARTS]
        if any(value is not None for value in found):
            numbers = [number(value, metric.unit) for value in found]
            rows.append((metric.title, metric.unit, *numbers))
    if not rows:
        return ["## Measured", "The data has no labels: nothing was measured."]
    measured = table(("metric", "unit", *PARTS), rows)
    shown = ["## Measured", "At the threshold above, by the run itself.", measured]
    share, accuracy = values.get("test/prevalence"), values.get("test/accuracy")
    if share is not None and accuracy is not None:
        says = "normal" if share <= 0.5 else "attack"
        shown.append(
            f"Always saying {says} is right in {100 * max(share, 1 - share):.2f} % of the test "
            f"steps; this model in {100 * accuracy:.2f} %."
        )
    return shown


def _limits(run: FinishedRun, contract: Contract, loss: Loss) -> list[str]:
    found = [
        f"It was tested on {contract.data} alone: other networks, sensors, sampling periods and "
        "attacks were not tried.",
        "The first readings of a device are taken for normal; an attack in them shifts "
        "everything that follows.",
        *contract.warnings,
    ]
    if run.config.data.view != "node":
        found.append(
            "A reading holds the sensors of neighbouring nodes, too (`temperature.1`): someone "
            "must put them together."
        )
    if not loss.difference <= TOLERANCE:
        found.append(
            "Its scores differ from those that the run stored: a GPU or other code made those."
        )
    return ["## Limits", "\n".join(f"- {line}" for line in found)]


def _interface(contract: Contract) -> list[str]:
    """Inputs and outputs of the graph."""
    wide, steps = f"batch × {len(contract.channels)}", f"batch × {contract.window}"
    what = "calibrated, 0 where a sensor is missing"
    inputs, why = [], []
    if contract.form == "window":
        inputs = [("readings", "float32", f"{steps} × {len(contract.channels)}", what)]
    elif contract.form == "step":
        carried = {
            name: " × ".join(map(str, ("batch", *shape)))
            for name, shape in contract.carried.items()
        }
        inputs = [
            ("reading", "float32", wide, what),
            *((name, "float32", shape, "state, 0 at first") for name, shape in carried.items()),
            ("states", "float32", f"{steps} × {contract.width}", "the last states"),
            ("slot", "float32", steps, "1 at the place of this step among them"),
        ]
    else:
        what = "12 statistics of each calibrated channel of the window"
        inputs = [("features", "float32", f"batch × {12 * len(contract.channels)}", what)]
        why = [
            "The statistics are no part of the graph: the detector computes them with the "
            "function that training used, bit for bit, because a tree may decide otherwise on the "
            "last bit of one."
        ]
    outputs = {
        "score": ("batch", "the larger, the more an attack"),
        "error": (wide, "squared error of the reconstruction of each channel"),
        "attention": ("batch × parts", f"weights over {contract.attention_axis}, sum 1"),
    }
    given = [(name, "float32", *outputs[name]) for name in contract.outputs if name in outputs]
    heading = ("name", "type", "shape", "meaning")
    return ["## Inputs", table(heading, inputs), *why, "## Outputs", table(heading, given)]


def _files(
    contract: Contract, parity: Parity, losses: Mapping[str, Loss], refused: Mapping[str, str]
) -> list[str]:
    """What each file costs, and how the float32 one was compared with the run's model."""
    heading = ["file", "variant", "bytes", "µs a window", "largest difference", "other alarms"]
    heading += [f"{METRICS[metric].title} ({part})" for part in PARTS for metric in MEASURED]
    rows = [
        (
            f"`{name}`",
            loss.variant,
            str(loss.bytes),
            f"{loss.microseconds:.0f}",
            f"{loss.difference:.1e}",
            f"{loss.alarms} of {loss.steps}",
            *(number(loss.metrics[f"{part}/{metric}"]) for part in PARTS for metric in MEASURED),
        )
        for name, loss in losses.items()
    ]
    sizes = ", ".join(f"{parity.batches[size]:.1e} in batches of {size}" for size in BATCHES)
    told = (
        f"`{next(iter(losses))}` was compared with the run's model on {parity.windows} "
        f"windows: largest difference {sizes}"
    )
    if parity.carried is not None:
        told += f", {parity.carried:.1e} over the whole test part with its state carried"
    return [
        "## Files",
        table(heading, rows),
        "µs a window: median, one window at a time on one thread of the machine that exported. "
        "Differences and other alarms are those to the scores that the run stored; those above 1 "
        f"differ relative to themselves. {told}; more than {TOLERANCE:g} is not exported. "
        "The threshold in the file lies at most 1e-6 below the run's, so that rounding loses no "
        "alarm; a score between the two is an other alarm.",
        *(f"There is no variant {name}: {why}." for name, why in refused.items()),
    ]


def number(value: float | None, unit: str = "") -> str:
    """A measured number; nothing where it is undefined."""
    return "" if value is None else f"{value:.0f}" if unit == "count" else f"{value:.4f}"


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heading, ["---"] * len(heading), *rows]
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)

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
        *_metrics(run, contract),
        *interface(contract),
        *files(contract, parity, losses, refused),
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
    period = "none: readings are events" if contract.period is None else f"{contract.period:g} s"
    silence = "ends the segment" if contract.breaks else "is scored all the same"
    if not contract.calibration_rows:
        calibrated = "none; the training part's mean and deviation alone normalise"
    else:
        divided = (
            "mean and deviation" if contract.calibration == "deviation" else "mean, subtracted"
        )
        calibrated = (
            f"a device's first {contract.calibration_rows} readings, assumed normal, are not "
            f"scored; of them: {divided}"
        )
    rows = [
        ("time between readings", period),
        ("window", f"{contract.window} steps"),
        (
            "silence",
            f"up to {contract.max_gap} steps become steps without a reading; a longer one "
            f"{silence}",
        ),
        (
            "a missing value",
            f"the last one for {contract.hold} steps, then the sensor's zero"
            if contract.hold
            else "the sensor's zero",
        ),
        ("calibration", calibrated),
        ("bound", "none" if contract.clip is None else f"{contract.clip:g} deviations"),
        (
            "alarm",
            f"score ≥ {contract.threshold:.6g}, chosen on the validation part by the rule "
            f"`{contract.threshold_rule}`",
        ),
    ]
    sensors = [
        (one.name, "" if one.unit in ("", "1") else one.unit, _range(one))
        for one in contract.sensors
    ]
    if contract.mask:
        sensors.append(
            (
                contract.channels[-1],
                "",
                "0 … 1, share of sensors missing at a step: the detector adds it",
            )
        )
    return [
        "## From readings to alarms",
        table(("", ""), rows),
        table(("channel", "unit", "can be"), sensors),
    ]


def _range(sensor: Sensor) -> str:
    if sensor.minimum is None and sensor.maximum is None:
        return "anything"
    low, high = ("" if end is None else f"{end:g}" for end in (sensor.minimum, sensor.maximum))
    return f"{low} … {high}"


def _metrics(run: FinishedRun, contract: Contract) -> list[str]:
    values = contract.metrics
    shown = [
        metric
        for metric in METRICS.values()
        if any(values.get(f"{part}/{metric.name}") is not None for part in PARTS)
    ]
    if not shown:
        return ["## Measured", "The data has no labels: nothing was measured."]
    rows = [
        (
            metric.title,
            metric.unit,
            *(number(values.get(f"{part}/{metric.name}"), metric.unit) for part in PARTS),
        )
        for metric in shown
    ]
    found = [
        "## Measured",
        "At the threshold above, by the run itself.",
        table(("metric", "unit", *PARTS), rows),
    ]
    share, accuracy = values.get("test/prevalence"), values.get("test/accuracy")
    if share is not None and accuracy is not None:
        common = max(share, 1 - share)
        says = "normal" if share <= 0.5 else "attack"
        found.append(
            f"Always saying {says} is right in {100 * common:.2f} % of the test steps; this "
            f"model in {100 * accuracy:.2f} %."
        )
    return found


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


def interface(contract: Contract) -> list[str]:
    """Inputs and outputs of the graph."""
    width = len(contract.channels)
    inputs = {
        "window": [
            (
                "readings",
                "float32",
                f"batch × {contract.window} × {width}",
                "in the units above, NaN where a sensor is missing",
            ),
            (
                "offset",
                "float64",
                f"batch × {width}",
                "of the device's calibration; 0 for the mask",
            ),
            ("scale", "float64", f"batch × {width}", "likewise; 1 for the mask"),
        ],
        "step": [
            (
                "reading",
                "float32",
                f"batch × {width}",
                "in the units above, NaN where a sensor is missing",
            ),
            (
                "offset, scale",
                "float64",
                f"batch × {width}",
                "of the device's calibration; 0 and 1 for the mask",
            ),
            *(
                (name, "float32", " × ".join(map(str, ("batch", *shape))), "state, 0 at first")
                for name, shape in contract.carried.items()
            ),
            (
                "states",
                "float32",
                f"batch × {contract.window} × {contract.width}",
                "the last states",
            ),
            (
                "slot",
                "float32",
                f"batch × {contract.window}",
                "1 at the place of this step among them",
            ),
        ],
        "statistics": [
            (
                "features",
                "float32",
                f"batch × {12 * width}",
                "12 statistics of each calibrated channel of the window",
            )
        ],
    }[contract.form]
    outputs = {
        "score": ("batch", "the larger, the more an attack"),
        "error": (f"batch × {width}", "squared error of the reconstruction of each channel"),
        "attention": ("batch × parts", f"weights over {contract.attention_axis}, sum 1"),
    }
    given = [(name, "float32", *outputs[name]) for name in contract.outputs if name in outputs]
    heading = ("name", "type", "shape", "meaning")
    why = (
        [
            "The statistics are no part of the graph: the detector computes them with the "
            "function that training used, bit for bit, because a "
            "tree may decide otherwise on the last bit of one."
        ]
        if contract.form == "statistics"
        else []
    )
    return ["## Inputs", table(heading, inputs), *why, "## Outputs", table(heading, given)]


def files(
    contract: Contract, parity: Parity, losses: Mapping[str, Loss], refused: Mapping[str, str]
) -> list[str]:
    """What each file costs, and how the float32 one was compared with the run's model."""
    names = [f"{part}/{name}" for part in PARTS for name in MEASURED]
    heads = [f"{METRICS[metric].title} ({part})" for part in PARTS for metric in MEASURED]
    rows = [
        (
            f"`{name}`",
            loss.variant,
            str(loss.bytes),
            f"{loss.microseconds:.0f}",
            f"{loss.difference:.1e}",
            f"{loss.alarms} of {loss.steps}",
            *(number(loss.metrics[metric]) for metric in names),
        )
        for name, loss in losses.items()
    ]
    sizes = ", ".join(f"{parity.batches[size]:.1e} in batches of {size}" for size in BATCHES)
    told = (
        f"`{next(iter(losses))}` was compared with the run's model on {parity.windows} "
        f"windows: largest difference {sizes}"
    )
    if parity.calibration is not None:
        told += f", {parity.calibration:.1e} where it calibrates readings itself"
    if parity.carried is not None:
        told += f", {parity.carried:.1e} over the whole test part with its state carried"
    return [
        "## Files",
        table(
            (
                "file",
                "variant",
                "bytes",
                "µs a window",
                "largest difference",
                "other alarms",
                *heads,
            ),
            rows,
        ),
        "µs a window: median, one window at a time on one thread of the machine that exported. "
        "Differences and other alarms are those "
        "to the scores that the run stored; those above 1 differ relative to themselves. "
        f"{told}; more than {TOLERANCE:g} is not exported. "
        "The threshold in the file lies at most 1e-6 below the run's, so that rounding loses no "
        "alarm; a score between the two is an "
        "other alarm.",
        *(f"There is no variant {name}: {why}." for name, why in refused.items()),
    ]


def number(value: float | None, unit: str = "") -> str:
    """A measured number; nothing where it is undefined."""
    return "" if value is None else f"{value:.0f}" if unit == "count" else f"{value:.4f}"


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    )

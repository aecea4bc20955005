"""The model card: what someone must know who runs a file that a run was exported to. Every number
in it was measured."""

from __future__ import annotations

from collections.abc import Mapping

from anomalynet.data import sources
from anomalynet.detection.contract import Contract, Sensor
from anomalynet.detection.export.card_file import files, interface, number, table
from anomalynet.detection.export.losses import PARTS, Loss
from anomalynet.detection.export.verify import TOLERANCE, Parity
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

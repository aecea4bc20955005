"""The part of a model card that describes the file itself: its inputs and outputs, and what each
variant costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from anomalynet.detection.contract import Contract
from anomalynet.detection.export.losses import MEASURED, PARTS, Loss
from anomalynet.detection.export.verify import BATCHES, TOLERANCE, Parity
from anomalynet.metrics.suite import METRICS


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

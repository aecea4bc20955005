"""Tables that are true: made from a confusion matrix and rounded."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from anomalynet.metrics.kernels import Confusion, decision_metrics
from anomalynet.reporting.paper.table_audit.cone import METRICS, Rounding
from anomalynet.reporting.paper.table_audit.read import PrintedRow, PrintedTable
from anomalynet.reporting.paper.table_audit.table import TableAudit, audit_table

MOST = 10**6
MODES = {"half up": ROUND_HALF_UP, "half even": ROUND_HALF_EVEN, "truncate": ROUND_DOWN}


def values(matrix: Sequence[int]) -> dict[str, float]:
    """Every metric of (tn, fp, fn, tp), as a fraction; NaN where undefined."""
    found = decision_metrics(Confusion(*matrix))
    return {name: found[name] for name in METRICS}


def text(value: float, decimals: int, percent: bool, mode: str = "half even") -> str:
    """A fraction as a table prints it, with two decimals fewer in percent."""
    shown = Decimal(value) * (100 if percent else 1)
    return str(
        shown.quantize(Decimal(1).scaleb(-decimals if percent else -decimals - 2), MODES[mode])
    )


def cells(
    matrix: Sequence[int],
    columns: Sequence[str],
    decimals: int,
    percent: bool = True,
    mode: str = "half even",
    undefined: str = "–",
) -> dict[str, str]:
    """Some columns of a matrix's row; MCC is never in percent. An undefined metric is printed as
    `undefined`, `0` or `1` or nothing."""
    found = values(matrix)
    printed = {}
    for name in columns:
        value = float(undefined) if math.isnan(found[name]) and undefined != "–" else found[name]
        printed[name] = (
            "–" if math.isnan(value) else text(value, decimals, percent and name != "mcc", mode)
        )
    return {name: shown for name, shown in printed.items() if shown != "–"}


def matrix(rng: random.Random) -> tuple[int, int, int, int]:
    """Counts over all orders of magnitude up to a million; one in seven is 0."""
    while True:
        tn, fp, fn, tp = (
            0 if rng.random() < 1 / 7 else int(MOST ** rng.random()) for _ in range(4)
        )
        if tn + fp + fn + tp:
            return tn, fp, fn, tp


def audited(row: dict[str, str], rounding: Rounding = "half") -> TableAudit:
    """The audit of a table of one row, its unit unknown."""
    return audit_table(PrintedTable("honest", (PrintedRow("one", 1, row),), ()), rounding=rounding)

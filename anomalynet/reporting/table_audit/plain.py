"""An audit as plain values, for JSON; shares as fractions."""

from __future__ import annotations

from typing import Any

from anomalynet.reporting.table_audit.cone import Interval
from anomalynet.reporting.table_audit.row import RowAudit
from anomalynet.reporting.table_audit.table import TableAudit


def _ends(bounds: Interval | None) -> list[float] | None:
    return None if bounds is None else [float(bounds[0]), float(bounds[1])]


def _row(row: RowAudit) -> dict[str, Any]:
    return {
        "model": row.model,
        "line": row.line,
        "possible": row.possible,
        "printed": {name: cell.text for name, cell in row.cells.items()},
        "conflicts": [list(names) for names in row.conflicts],
        "repairs": [
            [
                {
                    "column": one.column,
                    "printed": one.printed,
                    "value": one.value,
                    "needed": _ends(one.needed),
                    "slip": one.slip,
                }
                for one in repair
            ]
            for repair in row.repairs
        ],
        "f1": dict(row.f1),
        "implied": {name: _ends(bounds) for name, bounds in row.implied.items()},
        "prevalence": _ends(row.prevalence),
        "prevalence_by_class": {name: _ends(bounds) for name, bounds in row.readings.items()},
    }


def plain(audit: TableAudit) -> dict[str, Any]:
    """The audit as dictionaries, lists, texts and numbers; intervals as [low, high] in
    fractions."""
    return {
        "table": audit.name,
        "unit": audit.unit,
        "reread": audit.reread,
        "rounding": audit.rounding,
        "possible": audit.possible,
        "rows": [_row(row) for row in audit.rows],
        "one_test_set": [
            {
                "reading": one.reading,
                "possible": one.complete,
                "prevalence": _ends(one.prevalence),
                "agree": list(one.agree),
                "others": {model: _ends(bounds) for model, bounds in one.others.items()},
            }
            for one in audit.agreements
        ],
        "recipes": [
            {
                "model": model,
                "column": one.column,
                "recipe": one.recipe,
                "printed": one.printed.text,
                "made": _ends(one.made),
                "fits": one.fits,
            }
            for model, found in audit.recipes.items()
            for one in found
        ],
        "ignored": list(audit.ignored),
    }

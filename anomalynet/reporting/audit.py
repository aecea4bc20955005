"""The leakage audit in a report: what trivial probes reach on the same windows, beside what the
models reach."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.markdown import grid
from anomalynet.reporting.section import Section
from anomalynet.reporting.tables import to_csv
from anomalynet.runs.collect import RunRecord

AuditResult = Mapping[str, Any]
"""`anomalynet.data.audit.AuditResult` as it was stored: plain values."""

COLUMNS = (
    "data",
    "probe",
    "sees",
    "auroc",
    "accuracy",
    "majority",
    "verdict",
    "split",
    "prevalence",
    "steps",
    "folds",
)
SEES = {"nothing": "no sensor", "channel": "one channel", "everything": "every channel"}


def audit_section(audit: AuditResult | None, models: Sequence[ArmMetrics]) -> Section:
    """The probes as a table, or how to get them; their CSV has a header alone without an audit."""
    return Section(
        ["## Leakage audit", _text(audit, models)], {"tables/audit.csv": _csv(audit).encode()}
    )


def _csv(audit: AuditResult | None) -> str:
    """One line a probe, shares as fractions."""
    lines = [{**audit, **probe} for probe in audit["probes"]] if audit else []
    return to_csv(COLUMNS, ([line.get(column) for column in COLUMNS] for line in lines))


def _best_auroc(models: Sequence[ArmMetrics]) -> float:
    found = [one.summary("auroc").mean for one in models]
    return max((value for value in found if not math.isnan(value)), default=math.nan)


def warnings(audit: AuditResult | None, models: Sequence[ArmMetrics]) -> tuple[str, ...]:
    """What the audit warns of, and which probe without any sensor ranks at least as well as every
    model."""
    if not audit:
        return ()
    blind = [
        probe
        for probe in audit["probes"]
        if probe["sees"] == "nothing" and probe["auroc"] is not None
    ]
    best = _best_auroc(models)
    ahead = [
        f"{probe['probe']} {100 * probe['auroc']:.2f} %"
        for probe in blind
        if probe["auroc"] >= best
    ]
    told = [
        "A probe that sees no sensor ranks at least as well as the best model (AUROC, pooled, "
        f"{100 * best:.2f} %): {', '.join(ahead)}."
    ]
    leaks = [
        f"{probe['probe']} (AUROC {100 * probe['auroc']:.2f} %)"
        for probe in blind
        if probe["verdict"]
    ]
    given = [
        f"The labels can be told without looking at a sensor, from {', '.join(leaks)}: see the "
        "leakage audit."
    ]
    known = {
        warning
        for one in models
        for record in one.arm.records
        for warning in record.result.warnings
    }
    new = [warning for warning in audit["warnings"] if warning not in known]
    return (*new, *(given if leaks else ()), *(told if ahead else ()))


def _world(audit: AuditResult, records: Sequence[RunRecord]) -> str:
    """Which of the runs' simulated worlds was audited."""
    worlds = {
        record.result.world
        for record in records
        if record.result.fingerprint == audit["fingerprint"]
    } - {None}
    return f", world {worlds.pop()}" if len(worlds) == 1 else ""


def _text(audit: AuditResult | None, models: Sequence[ArmMetrics]) -> str:
    records = [record for one in models for record in one.arm.records]
    if not audit:
        return (
            "The audit has not been run; `anomalynet audit "
            f"{records[0].result.data.split('/', maxsplit=1)[0]}` runs it."
        )
    lines = [
        [
            probe["probe"],
            SEES.get(probe["sees"], probe["sees"]),
            "–" if probe["auroc"] is None else f"{100 * probe['auroc']:.2f}",
            f"{100 * probe['accuracy']:.2f}",
            probe["verdict"] or "–",
        ]
        for probe in audit["probes"]
    ]
    caption = (
        "> **What each probe reaches that sees no more than its name says**, percent. Data: "
        f"{audit['data']}{_world(audit, records)}. Split: {audit['split']}; folds: "
        f"{audit['folds']}, pooled; assignment {audit['assignment']}; windows of "
        f"{audit['window']} steps. Test part: {audit['steps']} steps, "
        f"{100 * audit['prevalence']:.2f} % attack; always saying the commoner class is right in "
        f"{100 * audit['majority']:.2f} %. Rule: {audit['rule']}. Numbers: "
        "[audit.csv](tables/audit.csv)."
    )
    notes = [f"> ⚠ {warning}" for warning in audit["warnings"]]
    if audit["refused"]:
        both = sum(day["normal"] > 0 and day["attack"] > 0 for day in audit["days"])
        notes.append(
            f"> A chronological split is refused: {audit['refused']} {both} of "
            f"{len(audit['days'])} days have both classes."
        )
    if audit["fingerprint"] not in {record.result.fingerprint for record in records}:
        notes.append("> The audit saw another version of the data than the runs: run it again.")
    table = grid(["Probe", "sees", "AUROC", "Accuracy at 0.5", "verdict"], lines, "llrrl")
    return table + "\n\n" + "\n>\n".join([caption, *notes])

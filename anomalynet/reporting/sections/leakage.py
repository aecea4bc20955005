"""The section on the leakage audit: trivial probes on the same windows, beside the models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.formats.markdown import grid
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.tables import to_csv

AuditResult = Mapping[str, Any]  # `anomalynet.data.audit.AuditResult` as stored in JSON

COLUMNS: tuple[str, ...] = ("data", "probe", "sees", "auroc", "accuracy", "majority", "verdict")
COLUMNS += ("split", "prevalence", "steps", "folds")
SEES = {"nothing": "no sensor", "channel": "one channel", "everything": "every channel"}


def audit_section(audit: AuditResult | None, models: Sequence[ArmMetrics]) -> Section:
    """The probes as a table, or how to get them; without an audit, the CSV has only a header."""
    lines = [{**audit, **probe} for probe in audit["probes"]] if audit else []
    csv = to_csv(COLUMNS, ([line.get(column) for column in COLUMNS] for line in lines))
    parts = ["## Leakage audit", _text(audit, models)]
    return Section(parts, {"tables/audit.csv": csv.encode()})


def warnings(audit: AuditResult | None, models: Sequence[ArmMetrics]) -> tuple[str, ...]:
    """The audit's warnings, and the probes without sensors that rank no worse than every model."""
    if not audit:
        return ()
    results = [record.result for one in models for record in one.arm.records]
    in_results = {warning for result in results for warning in result.warnings}
    found = [warning for warning in audit["warnings"] if warning not in in_results]
    aurocs = (one.summary("auroc_pooled").mean for one in models)
    best = max((value for value in aurocs if not math.isnan(value)), default=math.nan)
    leaks, ahead = [], []
    for probe in audit["probes"]:
        if probe["sees"] != "nothing" or (auroc := probe["auroc"]) is None:
            continue
        if probe["verdict"]:
            leaks.append(f"{probe['probe']} (AUROC {100 * auroc:.2f} %)")
        if auroc >= best:
            ahead.append(f"{probe['probe']} {100 * auroc:.2f} %")
    if leaks:
        how = f"without any sensor, from {', '.join(leaks)}"
        found.append(f"The labels can be guessed {how}: see the leakage audit.")
    if ahead:
        found.append(
            "A probe that sees no sensor ranks at least as well as the best model (AUROC, scores "
            f"pooled, {100 * best:.2f} %): {', '.join(ahead)}."
        )
    return tuple(found)


def _text(audit: AuditResult | None, models: Sequence[ArmMetrics]) -> str:
    results = [record.result for one in models for record in one.arm.records]
    if not audit:
        command = f"anomalynet audit {results[0].data.split('/', maxsplit=1)[0]}"
        return f"The audit has not been run; `{command}` runs it."
    audited = {one.world for one in results if one.fingerprint == audit["fingerprint"]} - {None}
    world = f", world {audited.pop()}" if len(audited) == 1 else ""
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
        "> **Results of probes, each of which sees only what its name says**, percent. Data: "
        f"{audit['data']}{world}. Split: {audit['split']}; folds: "
        f"{audit['folds']}, pooled; assignment {audit['assignment']}; windows of "
        f"{audit['window']} steps. Test part: {audit['steps']} steps, "
        f"{100 * audit['prevalence']:.2f} % attack; always predicting the more common class is "
        f"right in {100 * audit['majority']:.2f} %. Rule: {audit['rule']}. Numbers: "
        "[audit.csv](tables/audit.csv)."
    )
    notes = [f"> ⚠ {warning}" for warning in audit["warnings"]]
    if audit["refused"]:
        both = sum(day["normal"] > 0 and day["attack"] > 0 for day in audit["days"])
        notes.append(
            f"> A chronological split is refused: {audit['refused']} {both} of "
            f"{len(audit['days'])} days have both classes."
        )
    if audit["fingerprint"] not in {result.fingerprint for result in results}:
        notes.append("> The audit used another version of the data than the runs: run it again.")
    table = grid(["Probe", "sees", "AUROC", "Accuracy at 0.5", "verdict"], lines, "llrrl")
    return table + "\n\n" + "\n>\n".join([caption, *notes])

"""The section on the leakage audit: trivial probes on the same windows, beside the models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anomalynet.metrics.kernels import ratio, stratified_pairs
from anomalynet.reporting.aggregate import ArmMetrics, jackknife, summarise
from anomalynet.reporting.arms import Repetition
from anomalynet.reporting.captions import ReportContext, Section
from anomalynet.reporting.formats.markdown import grid
from anomalynet.reporting.tables import Row, csv_file, defined
from anomalynet.runs.scores import read_test_steps

Float64 = NDArray[np.float64]
AuditResult = Mapping[str, Any]  # `anomalynet.data.audit.AuditResult` as stored in JSON

COLUMNS: tuple[str, ...] = ("data", "probe", "sees", "auroc", "accuracy", "majority", "verdict")
COLUMNS += ("split", "prevalence", "steps", "folds")
SHARES = ("auroc", "accuracy", "majority", "prevalence")  # in the CSV as everywhere, percent
SEES = {"nothing": "no sensor", "channel": "one channel", "everything": "every channel"}


POSITIONS = ("row position", "fraction of the recording", "timestamp")
NEAR = 25  # rows: steps of the same stratum are at most so far apart in their recordings


def audit_section(audit: AuditResult | None, context: ReportContext) -> Section:
    """The probes as a table, or how to get them; without an audit, the CSV has only a header. If a
    position gives the label away, a table of what the models rank right beyond it."""
    lines = [{**audit, **probe} for probe in audit["probes"]] if audit else []
    rows: list[Row] = [{column: line.get(column) for column in COLUMNS} for line in lines]
    for row in rows:
        row |= {name: 100 * row[name] for name in SHARES if isinstance(row[name], float)}
    parts, files = ["## Leakage audit", _text(audit, context)], csv_file("audit", rows, COLUMNS)
    if position_leaks(audit) and context.run:
        positions = [_position(one, context.data) for one in context.run]
        parts.append(_position_table(context, positions))
        files |= csv_file("positions", positions)
    return Section(parts, files)


def position_leaks(audit: AuditResult | None) -> bool:
    """Whether a position gives the label away."""
    probes = audit["probes"] if audit else ()
    return any(probe["probe"] in POSITIONS and probe["verdict"] for probe in probes)


def within_positions(one: ArmMetrics) -> tuple[float, float, float, int]:
    """AUROC of an attack against normal steps of nearly its position, pooled over the folds, mean
    over the repetitions. The position is the row number in the recording's test part.

    Returns AUROC, its 95 % interval by the jackknife over recordings, and the number of pairs."""
    every = one.of(pairs).values()

    def without(name: str = "") -> float:
        nothing = np.zeros(2)
        return summarise(ratio(*(total - own.get(name, nothing))) for total, own in every).mean

    names = sorted({name for _, own in every for name in own})
    interval = jackknife(value := without(), [without(name) for name in names])
    return value, *interval, round(sum(total[1] for total, _ in every))


def pairs(repetition: Repetition) -> tuple[Float64, dict[str, Float64]]:
    """Pairs within strata that are ranked right, and all, float64 (2,): of a repetition, and those
    of them that each recording takes part in."""
    position = pl.int_range(pl.len()).over("series")
    steps = pl.concat(
        read_test_steps(record).with_columns(position.alias("row")).drop_nulls(["label", "score"])
        for record in repetition.records
    )
    label, score = steps["label"].to_numpy(), steps["score"].to_numpy()
    names, recording = np.unique(steps["series"].to_numpy(), return_inverse=True)
    stratum, attack = steps["row"].to_numpy() // NEAR, label == 1
    both = np.stack(stratified_pairs(label, score, stratum))
    # a pair inside a recording belongs to two of its steps, and is counted for one
    inside = stratified_pairs(label, score, stratum * len(names) + recording)
    lost = both - np.where(attack, np.stack(inside), 0)
    sums = np.stack([np.bincount(recording, one, len(names)) for one in lost], axis=1)
    return both[:, attack].sum(axis=1), dict(zip(names.tolist(), sums, strict=True))


def _position(one: ArmMetrics, data: str) -> Row:
    within, low, high, count = within_positions(one)
    shares = {"auroc_pooled": one.summary("auroc_pooled").mean, "auroc_within": within}
    shares |= {"low": low, "high": high}
    percent = {name: defined(100 * value) for name, value in shares.items()}
    return {"model": one.arm.name, "data": data, **percent, "pairs": count}


def _position_table(context: ReportContext, rows: Sequence[Row]) -> str:
    lines = []
    for one, row in zip(context.run, rows, strict=True):
        shares = [row[name] for name in ("auroc_pooled", "auroc_within", "low", "high")]
        pooled, within, *ends = ("–" if share is None else f"{share:.2f}" for share in shares)
        name = one.arm.title + context[one].sign
        lines.append([name, pooled, within, " to ".join(ends), str(row["pairs"])])
    header = ["Model", "AUROC, pooled", f"AUROC within {NEAR} rows", "95 % interval", "pairs"]
    note = (
        f"An attack is compared only with normal steps in the same {NEAR} rows of their "
        "recordings. Percent, scores pooled over the folds; interval: jackknife over recordings."
    )
    caption = context.caption("Ranking beyond the position", note, "positions.csv")
    return grid(header, lines, "lrrrr") + "\n\n" + caption


def probe_line(audit: AuditResult | None, models: Sequence[ArmMetrics]) -> str:
    """What detectors without sensors reach, in one line."""
    if not audit:
        return "**Leakage probes:** not run; " + _how(models)
    blind = [
        probe
        for probe in audit["probes"]
        if probe["sees"] == "nothing" and probe["auroc"] is not None
    ]
    if not blind:
        return "**Leakage probes:** none without a sensor could be judged."
    most = max(blind, key=lambda probe: float(probe["auroc"]))
    aurocs = (one.summary("auroc_pooled").mean for one in models)
    best = max((value for value in aurocs if not math.isnan(value)), default=math.nan)
    ahead = most["auroc"] >= best
    against = "**at least as much as" if ahead else "less than"
    text = (
        f"**Leakage probes:** the {most['probe']} alone, without any sensor, ranks with AUROC "
        f"{100 * most['auroc']:.2f} %, {against} the best model{'**' * ahead} ({100 * best:.2f} %, "
        "scores pooled)"
    )
    leaks = [probe["probe"] for probe in blind if probe["verdict"]]
    return text + (f"; the labels can be guessed from {', '.join(leaks)}." if leaks else ".")


def warnings(audit: AuditResult | None, models: Sequence[ArmMetrics]) -> tuple[str, ...]:
    """The audit's warnings that no run has."""
    results = [record.result for one in models for record in one.arm.records]
    in_results = {warning for result in results for warning in result.warnings}
    return tuple(one for one in (audit["warnings"] if audit else ()) if one not in in_results)


def _how(models: Sequence[ArmMetrics]) -> str:
    data = next(record.result.data for one in models for record in one.arm.records)
    return f"`anomalynet audit {data.split('/', maxsplit=1)[0]}` runs them."


def _text(audit: AuditResult | None, context: ReportContext) -> str:
    results = [record.result for one in context.models for record in one.arm.records]
    if not audit:
        return f"The probes have not been run: {_how(context.models)}"
    audited = {one.world for one in results if one.fingerprint == audit["fingerprint"]} - {None}
    world = f" World {audited.pop()}." if len(audited) == 1 else ""
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
    note = (
        f"Percent; each sees only what its name says.{world} Split: {audit['split']}; folds: "
        f"{audit['folds']}, pooled; windows of {audit['window']} steps; {audit['steps']} steps, "
        f"{100 * audit['prevalence']:.2f} % attack, the commoner class is "
        f"{100 * audit['majority']:.2f} %. Rule: {audit['rule']}."
    )
    notes = []
    if audit["refused"]:
        both = sum(day["normal"] > 0 and day["attack"] > 0 for day in audit["days"])
        notes.append(
            f"> A chronological split is refused: {audit['refused']} {both} of "
            f"{len(audit['days'])} days have both classes."
        )
    if audit["fingerprint"] not in {result.fingerprint for result in results}:
        notes.append("> The audit used another version of the data than the runs: run it again.")
    table = grid(["Probe", "sees", "AUROC", "Accuracy at 0.5", "verdict"], lines, "llrrl")
    caption = context.caption("Leakage probes", note, "audit.csv")
    return table + "\n\n" + "\n>\n".join([caption, *notes])

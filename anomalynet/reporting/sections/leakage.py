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
from anomalynet.reporting.arms import Arm, Repetition
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.formats.markdown import grid
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.tables import defined, to_csv
from anomalynet.runs.scores import read_test_steps

Float64 = NDArray[np.float64]
AuditResult = Mapping[str, Any]  # `anomalynet.data.audit.AuditResult` as stored in JSON

COLUMNS: tuple[str, ...] = ("data", "probe", "sees", "auroc", "accuracy", "majority", "verdict")
COLUMNS += ("split", "prevalence", "steps", "folds")
SEES = {"nothing": "no sensor", "channel": "one channel", "everything": "every channel"}


POSITIONS = ("row position", "fraction of the recording", "timestamp")
NEAR = 25  # rows: steps of the same stratum are at most so far apart in their recordings
POSITION_COLUMNS = ("model", "data", "auroc_pooled", "auroc_within", "low", "high", "pairs")


def audit_section(audit: AuditResult | None, context: ReportContext) -> Section:
    """The probes as a table, or how to get them; without an audit, the CSV has only a header. If a
    position gives the label away, a table of what the models rank right beyond it.

    Raises RunError: the scores of a run cannot be read.
    """
    lines = [{**audit, **probe} for probe in audit["probes"]] if audit else []
    csv = to_csv(COLUMNS, ([line.get(column) for column in COLUMNS] for line in lines))
    parts = ["## Leakage audit", _text(audit, context.models)]
    files: dict[str, bytes] = {"tables/audit.csv": csv.encode()}
    if any(line["probe"] in POSITIONS and line["verdict"] for line in lines) and context.run:
        rows = [[one.arm.name, context.data, *_position_values(one)] for one in context.run]
        files["tables/positions.csv"] = to_csv(POSITION_COLUMNS, rows).encode()
        parts.append(_position_table(context, rows))
    return Section(parts, files)


def within_positions(arm: Arm) -> tuple[float, float, float, int]:
    """AUROC of an attack against normal steps of nearly its position, pooled over the folds, mean
    over the repetitions. The position is the row number in the recording's test part.

    Returns: AUROC; its 95 % interval by the jackknife, which leaves out one recording at a time;
    the number of pairs. Source: not in the paper
    """
    every = [_pairs(repetition) for repetition in arm.counted]

    def without(name: str = "") -> float:
        nothing = np.zeros(2)
        return summarise(ratio(*(total - own.get(name, nothing))) for total, own in every).mean

    names = sorted({name for _, own in every for name in own})
    interval = jackknife(value := without(), [without(name) for name in names])
    return value, *interval, round(sum(total[1] for total, _ in every))


def _pairs(repetition: Repetition) -> tuple[Float64, dict[str, Float64]]:
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
    pairs = np.stack(stratified_pairs(label, score, stratum))
    # a pair inside a recording belongs to two of its steps, and is counted for one
    inside = stratified_pairs(label, score, stratum * len(names) + recording)
    lost = pairs - np.where(attack, np.stack(inside), 0)
    sums = np.stack([np.bincount(recording, one, len(names)) for one in lost], axis=1)
    return pairs[:, attack].sum(axis=1), dict(zip(names.tolist(), sums, strict=True))


def _position_values(one: ArmMetrics) -> list[float | int | None]:
    *shares, pairs = one.summary("auroc_pooled").mean, *within_positions(one.arm)
    return [*map(defined, shares), pairs]


def _position_table(context: ReportContext, rows: Sequence[Sequence[Any]]) -> str:
    lines = []
    for one, (_, _, *shares, pairs) in zip(context.run, rows, strict=True):
        pooled, within, *ends = ("–" if share is None else f"{100 * share:.2f}" for share in shares)
        name = one.arm.title + context[one].sign
        lines.append([name, pooled, within, " to ".join(ends), f"{pairs:,}"])
    header = ["Model", "AUROC, pooled", f"AUROC within {NEAR} rows", "95 % interval", "pairs"]
    note = (
        "The position gives the label away. *Within*: an attack is compared only with normal steps "
        f"in the same {NEAR} rows of their recordings. Percent, scores pooled over the folds; "
        "interval: jackknife over recordings."
    )
    caption = context.caption("Ranking beyond the position", context.run, "positions.csv", note)
    return grid(header, lines, "lrrrr") + "\n\n" + caption


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

"""Writes a report: `report.md`, `tables/*.csv`, `figures/*`; the same runs give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anomalynet.errors import NothingToCompareError
from anomalynet.reporting import audit as audits
from anomalynet.reporting import captions, incident_figure, incident_tables, markdown, prose, worlds
from anomalynet.reporting.aggregate import RULE, ArmMetrics, aggregate
from anomalynet.reporting.arms import ExpectedRuns, arms
from anomalynet.reporting.figures import TITLES, draw_all
from anomalynet.reporting.findings import best_models
from anomalynet.reporting.incidents import IncidentTable
from anomalynet.reporting.incidents import incident_tables as count_incidents
from anomalynet.reporting.paper_audit import paper_audit_section
from anomalynet.reporting.tables import COST_COLUMNS, COSTS, Table, cost_rows, other_tables, paper_tables, table_csv, to_csv, training_rows
from anomalynet.reporting.write import write_files
from anomalynet.runs.collect import RunRecord

TRAINING_COLUMNS = ("table", "model", "data", "parameter", "paper", "used")


def _caption(title: str, models: Sequence[ArmMetrics], everything: Sequence[ArmMetrics], csv: str | None = None) -> str:
    """What must be known to read a table or figure: facts, gaps, other code, and every warning that touches it."""
    shown = [one.arm for one in models]
    source = f" Numbers: [{csv}](tables/{csv})." if csv else ""
    lines = [f"**{title}.** {captions.facts(models)}{source}"]
    lines += captions.notes(shown, [one.arm for one in everything])
    lines += [f"⚠ {warning}" for warning in captions.warnings(shown)]
    return "\n>\n".join(f"> {line}" for line in lines)


def _figure(name: str, models: Sequence[ArmMetrics], everything: Sequence[ArmMetrics]) -> str:
    title = TITLES[name]
    return f"![{title}, percent, {captions.short_facts(models)}](figures/{name}.svg)\n\n{_caption(title, models, everything)}"


def _paper_sections(tables: Mapping[str, Table], training: Sequence[Mapping[str, str]], everything: Sequence[ArmMetrics]) -> list[str]:
    signs = captions.marks([one.arm for one in everything])
    networks = [one for one in everything if one.arm.name in {row["model"] for row in training}]
    parts = [
        "## The paper's tables and figures",
        "### Table 1. Training parameters",
        markdown.training(training, [one.arm for one in networks]) if networks else "No network has been trained yet.",
        _caption("Table 1. Training parameters, the paper's and those the runs had", networks, everything, "table_1_training.csv"),
    ]
    shown = (
        ("table_2_precision", "figure_2_precision", prose.precision_note()),
        ("table_3_recall", "figure_3_recall", prose.RECALL_NOTE),
        ("table_4_f1", "figure_4_f1", prose.F1_NOTE),
        ("table_5_accuracy", "figure_5_accuracy", prose.accuracy_note()),
    )
    for name, figure, note in shown:
        table = tables[name]
        parts += [
            f"### {table.title}",
            markdown.comparison(table, signs),
            _caption(f"{table.title}, percent", table.models, everything, f"{name}.csv"),
        ]
        parts += [note, _figure(figure, table.models, everything)]
    confusion = tables["confusion"]
    return [
        *parts,
        "### Confusion matrices",
        _figure("figure_6_confusion", confusion.models, everything),
        "Numbers: [confusion.csv](tables/confusion.csv).",
    ]


def _other_sections(tables: Mapping[str, Table], everything: Sequence[ArmMetrics]) -> list[str]:
    signs = captions.marks([one.arm for one in everything])
    parts = []
    for name in ("classical_and_unsupervised", "ranking_and_incidents"):
        table = tables[name]
        body = markdown.matrix(table, signs) if table.models else "No such model has been run yet."
        parts += [f"## {table.title}", body]
        if table.models:
            parts.append(_caption(table.title, table.models, everything, f"{name}.csv"))
    return parts


def _incident_sections(tables: Sequence[IncidentTable], everything: Sequence[ArmMetrics]) -> list[str]:
    """Nothing where no type of incident is known."""
    if not tables:
        return []
    run = [one for one in everything if one.arm.records]
    signs = captions.marks([one.arm for one in everything])
    title = f"{incident_figure.TITLE}, percent of scored steps"
    figure = f"![{title}, {captions.short_facts(run)}](figures/{incident_figure.NAME}.svg)\n\n{_caption(title, run, everything)}"
    parts = ["## By incident", incident_tables.NOTE, figure]
    for table in tables:
        title = incident_tables.TITLES[table.name]
        parts += [
            f"### {title}",
            "Incidents detected, percent:",
            incident_tables.detected(table, signs),
            "Steps alarmed, percent:",
            incident_tables.alarmed(table, signs),
            incident_tables.counts_text(table),
            _caption(f"{title} of incident", run, everything, f"{table.name}.csv"),
        ]
    return parts


def _world_section(everything: Sequence[ArmMetrics]) -> list[str]:
    """Nothing where there are not several worlds."""
    if not worlds.several(everything):
        return []
    run = [one for one in everything if one.values]
    signs = captions.marks([one.arm for one in everything])
    return ["## Spread over worlds", worlds.NOTE, worlds.section(run, signs), _caption("Spread over worlds", run, everything, "worlds.csv")]


def _document(
    title: str,
    tables: Mapping[str, Table],
    training: Sequence[Mapping[str, str]],
    costs: Sequence[Mapping[str, str]],
    everything: Sequence[ArmMetrics],
    audit: Mapping[str, Any] | None,
    incidents: Sequence[IncidentTable],
) -> str:
    all_arms = [one.arm for one in everything]
    run_warnings = captions.warnings(all_arms)
    notes = captions.notes(all_arms, all_arms)
    duplicates = [
        f"Left out, because another run has their configuration, seed and fold: {', '.join(arm.duplicates)}."
        for arm in all_arms
        if arm.duplicates
    ]
    findings = [f"- {sentence}" for sentence in best_models(everything)] or [
        "Fewer than two models have a complete repetition: nothing to compare."
    ]
    parts = [
        f"# {title}",
        prose.abstract(everything),
        *([f"> **Warning.** {warning}" for warning in (*run_warnings, *audits.warnings(audit, everything))]),
        *(["\n".join(f"- {note}" for note in (*notes, *duplicates))] if notes or duplicates else []),
        "## Which model is ahead",
        "\n".join(findings),
        "Differences are means over shared repetitions with their standard deviation; nothing here is a claim of significance.",
        "## How to read the tables",
        prose.HOW_TO_READ,
        RULE,
        *_paper_sections(tables, training, everything),
        *paper_audit_section().parts,
        *_other_sections(tables, everything),
        *_incident_sections(incidents, everything),
        *_world_section(everything),
        "## Leakage audit",
        audits.section(audit, everything),
        "## Cost",
        markdown.cost(costs, {arm.name: arm.title for arm in all_arms}, COSTS),
        "Mean ± standard deviation over runs, on the machine that ran them; no other table depends on it. "
        "Numbers: [cost.csv](tables/cost.csv).",
        "## Appendix: the runs",
        markdown.runs(all_arms),
    ]
    return "\n\n".join(parts) + "\n"


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> bytes:
    return to_csv(columns, ([row[column] for column in columns] for row in rows)).encode()


def _drawn(tables: Sequence[Table], incidents: Sequence[IncidentTable], models: Sequence[ArmMetrics]) -> dict[str, bytes]:
    by_type = {name: content for table in incidents[:1] for name, content in incident_figure.draw(table, models).items()}
    return draw_all(tables) | by_type


def write_report(
    records: Sequence[RunRecord],
    out: Path,
    expected: ExpectedRuns | None = None,
    audit: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Path:
    """Write the report of one data set's runs into the folder `out`, and return the path of its `report.md`.

    Everything is computed before the first file is replaced, and `report.md` is replaced last; other files in `out` stay as they are.

    Args:
        records: finished runs, all of one data set, in any order.
        expected: the (experiment, seed, fold, world) that a sweep wants; without it, every fold of every seed that has a run.
        audit: the leakage audit's result for this data set, None where it has not been run.
        title: heading; by default the name of the data set.

    Raises:
        NothingToCompareError: there is no run.
        UsageError: the runs are of several data sets.
        RunError: the scores or the incidents of a run cannot be read.
    """
    if not records:
        raise NothingToCompareError("a report needs at least one finished run", "anomalynet train EXPERIMENT")
    data = records[0].result.data
    models = aggregate(arms(records, expected))
    tables = {table.name: table for table in (*paper_tables(models, data), *other_tables(models, data))}
    incidents = count_incidents([one.arm for one in models])
    training, costs = training_rows(models), cost_rows(models)
    files = {f"tables/{name}.csv": table_csv(table).encode() for name, table in tables.items()}
    titled = [{"table": "table_1_training", "data": data, **row} for row in training]
    files["tables/table_1_training.csv"] = _csv(TRAINING_COLUMNS, titled)
    priced = [{"data": data, **row} for row in costs]
    files["tables/cost.csv"] = _csv(COST_COLUMNS, priced)
    files["tables/audit.csv"] = audits.csv(audit).encode()
    files |= paper_audit_section().files
    files |= {f"tables/{table.name}.csv": incident_tables.csv(table, models, data).encode() for table in incidents}
    if worlds.several(models):
        files["tables/worlds.csv"] = worlds.csv(models, data).encode()
    files |= {f"figures/{name}": content for name, content in _drawn(list(tables.values()), incidents, models).items()}
    files["report.md"] = _document(title or f"Report on {data}", tables, training, costs, models, audit, incidents).encode()
    return write_files(out, files)

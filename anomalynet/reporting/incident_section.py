"""The section "By incident": what became of each kind of incident, for every model."""

from __future__ import annotations

from collections.abc import Sequence

from anomalynet.reporting import captions, incident_figure, incident_tables
from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.incidents import incident_tables as count_incidents
from anomalynet.reporting.section import Section, caption, figure


def incident_section(everything: Sequence[ArmMetrics], data: str) -> Section:
    """Empty where no type of incident is known.

    Raises:
        RunError: the scores or the incidents of a run cannot be read.
    """
    tables = count_incidents([one.arm for one in everything])
    if not tables:
        return Section()
    run = [one for one in everything if one.arm.records]
    signs = captions.marks([one.arm for one in everything])
    title = f"{incident_figure.TITLE}, percent of scored steps"
    parts = [
        "## By incident",
        incident_tables.NOTE,
        figure(incident_figure.NAME, title, run, everything),
    ]
    for table in tables:
        heading = incident_tables.TITLES[table.name]
        parts += [
            f"### {heading}",
            "Incidents detected, percent:",
            incident_tables.detected(table, signs),
            "Steps alarmed, percent:",
            incident_tables.alarmed(table, signs),
            incident_tables.counts_text(table),
            caption(f"{heading} of incident", run, everything, f"{table.name}.csv"),
        ]
    files = {
        f"tables/{table.name}.csv": incident_tables.csv(table, everything, data).encode()
        for table in tables
    }
    return Section(
        parts,
        files
        | {
            f"figures/{name}": content
            for name, content in incident_figure.draw(tables[0], everything).items()
        },
    )

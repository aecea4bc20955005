"""The section "The paper's tables, audited": the same findings in every report, and the numbers
that they are based on, computed from the printed cells. A test computes the findings again."""

from __future__ import annotations

from dataclasses import astuple
from functools import cache
from importlib.resources import files

from anomalynet.reporting.formats.markdown import grid
from anomalynet.reporting.paper import published
from anomalynet.reporting.paper.table_audit import TableAudit, audit_table, parse
from anomalynet.reporting.paper.table_audit.sentences import span
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.tables import to_csv

CSV = "tables/paper_audit.csv"
COLUMNS: tuple[str, ...] = ("model", "class", "implied_prevalence", "least", "most")
COLUMNS += ("printed_precision", "implied_precision")

FINDINGS = """\
For CNN, LSTM, CNN-LSTM and Hybrid no confusion matrix gives the printed row within its rounding; \
this is proven, not estimated (`anomalynet audit-table --paper`).

- *One test set, by the normal rows.* One class's precision and both recalls determine the share \
of attack. The normal rows of CNN, LSTM and CNN-LSTM give 71.36, 71.37 and 71.38 %. Within their \
rounding they share 71.34 to 71.38 %: one test set, 71.37 % attack. Hybrid's own gives 68.1 %, \
which is impossible for that test set.
- *None by the attack rows.* With their printed attack precisions CNN, LSTM and CNN-LSTM would \
need 30.5, 46.5 and 57.1 % attack; of the 4 rows no two agree.
- *One cell per row.* Replacing a single cell makes these rows possible, and no other single cell \
does: CNN precision_attack 93.86 → 98.86 (one digit differs), LSTM precision_attack 95.31 → 98.31 \
(one digit differs) and CNN-LSTM precision_attack 95.6 → 97.6 (one digit differs). The printed \
F1s then follow within their rounding. Hybrid needs 2 other cells: precision_attack 96.24 → 98.85 \
with f1_normal 95.45 → 96.49. Its repaired row instead uses 71.37 % as the others do, which is an \
assumption.
- *Impossible F1.* Printed above both its precision and its recall: LSTM (attack), CNN-LSTM \
(attack) and Hybrid (attack); below both: Hybrid (normal); between them, but not their harmonic \
mean: CNN (attack).
- *Accuracy only from precisions.* One classifier has one accuracy; eq. 13 as used gives one per \
class and uses no recall. For the hybrid it gives 96.21 (printed 96.16) and 95.53 (printed \
95.33), mean 95.87 (printed 95.745, then 95.73). Of the 8 accuracies in Table 5 it gives none \
within rounding; for the other models it is off by up to 9.1 points."""

NUMBERS = f"""\
Implied prevalence: computed from the class's printed precision and both printed recalls. Implied \
precision: at 71.37 % attack with the printed recalls. Numbers: [paper_audit.csv]({CSV})."""

COUNTS = """\
Repaired confusion matrices per 10,000 windows at 71.37 % attack, from the printed recalls. Tables \
2–5 compute the hybrid's repaired cells from these counts, which may change the last digit."""


@cache
def audit() -> TableAudit:
    """The audit of the printed tables, as by `anomalynet audit-table --paper`."""
    file = files("anomalynet.reporting.paper").joinpath("paper_tables.yaml")
    table = parse(file.read_text(encoding="utf-8"), file.name, ".yaml", under="printed")
    return audit_table(table, unit="percent")


def paper_audit_section() -> Section:
    """The findings, the prevalence that each precision implies, and the repaired matrices.

    Source: §4, Tables 2–5, eq. 13.
    """
    numbers, rows = published.load(), []
    lines: list[list[object]] = []
    for row in audit().rows:
        for class_, bounds in row.readings.items():
            prevalence = numbers.implied_prevalence(row.model, class_)
            printed = numbers.printed_cells[row.model][f"precision_{class_}"]
            implied = numbers.implied_precision(row.model, class_)
            ends = [100 * float(end) for end in bounds]
            lines.append([row.model, class_, prevalence, *ends, printed, implied])
            shares = [f"{prevalence:.2f}", span(bounds, "percent").removesuffix(" %")]
            shares += [f"{printed:.2f}", f"{implied:.2f}"]
            rows.append([published.TITLES[row.model], class_, *shares])
    header = ["Model", "Class", "implied prevalence, %", "within rounding"]
    header += ["printed precision", "implied precision"]
    matrices = [
        [title, *map(str, astuple(numbers.repaired_counts(model)))]
        for model, title in published.TITLES.items()
    ]
    names = [name.replace("_", " ") for name in published.COUNTS]
    parts = ["## The paper's tables, audited", FINDINGS, grid(header, rows, "llrrrr"), NUMBERS]
    parts += [COUNTS, grid(["Model", *names], matrices, "lrrrr")]
    return Section(parts, {CSV: to_csv(COLUMNS, lines).encode()})

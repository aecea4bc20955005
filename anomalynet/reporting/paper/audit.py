"""The paper's Tables 2–5, audited: a section of a report, every number of it computed from what the
paper prints."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from functools import cache
from importlib.resources import files

from anomalynet.metrics.kernels import Confusion, ratio
from anomalynet.reporting.formats.markdown import grid
from anomalynet.reporting.paper import published
from anomalynet.reporting.paper.table_audit import TableAudit, audit_table, parse
from anomalynet.reporting.paper.table_audit.cells import Interval
from anomalynet.reporting.paper.table_audit.sentences import span
from anomalynet.reporting.paper.table_audit.table import Agreement
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.tables import to_csv

WINDOWS = 10_000
CLASSES = ("normal", "attack")
CSV = "tables/paper_audit.csv"
COLUMNS: tuple[str, ...] = ("model", "class", "implied_prevalence", "least", "most")
COLUMNS += ("printed_precision", "implied_precision")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one class's precision says of the test set, and what it must be on the common one;
    percent."""

    model: str
    class_: str
    prevalence: float  # from the cells as printed
    bounds: Interval  # the same within their rounding, as a fraction
    printed: float
    implied: float


@cache
def audit() -> TableAudit:
    """The printed tables as `anomalynet audit-table` sees them."""
    text = (
        files("anomalynet.reporting.paper")
        .joinpath("paper_tables.yaml")
        .read_text(encoding="utf-8")
    )
    return audit_table(parse(text, "paper_tables.yaml", ".yaml", under="printed"), unit="percent")


@cache
def common_prevalence() -> float:
    """Share of attack, percent with two decimals: the mean of the normal rows that can be of one
    test set."""
    agree = _agreement("normal").agree
    shares = [published.load().implied_prevalence(model, "normal") for model in agree]
    return round(sum(shares) / len(agree), 2)


def _agreement(class_: str) -> Agreement:
    return next(one for one in audit().agreements if one.reading == class_)


def repaired_shares(model: str) -> tuple[float, float, float, float]:
    """Shares of tn, fp, fn, tp that the printed recalls give at the common prevalence."""
    cells, attack = published.load().printed_cells[model], common_prevalence() / 100
    kept, found = cells["recall_normal"] / 100, cells["recall_attack"] / 100
    return (1 - attack) * kept, (1 - attack) * (1 - kept), attack * (1 - found), attack * found


def repaired_matrix(model: str) -> Confusion:
    """The same as whole counts per 10 000 windows that add up to the classes' sizes."""
    tn, _, _, tp = (round(WINDOWS * share) for share in repaired_shares(model))
    attack = round(WINDOWS * common_prevalence() / 100)
    return Confusion(tn, WINDOWS - attack - tn, attack - tp, tp)


def implied_precision(model: str, class_: str) -> float:
    """A class's precision at the common prevalence with the printed recalls, percent."""
    tn, fp, fn, tp = repaired_shares(model)
    return 100 * (ratio(tn, tn + fn) if class_ == "normal" else ratio(tp, tp + fp))


def readings() -> list[Reading]:
    """One for each model and class."""
    numbers = published.load()
    return [
        Reading(
            model=row.model,
            class_=class_,
            prevalence=numbers.implied_prevalence(row.model, class_),
            bounds=row.readings[class_],
            printed=numbers.printed_cells[row.model][f"precision_{class_}"],
            implied=implied_precision(row.model, class_),
        )
        for row in audit().rows
        for class_ in CLASSES
    ]


def _listed(found: list[str]) -> str:
    return f"{', '.join(found[:-1])} and {found[-1]}" if len(found) > 1 else "".join(found)


def _one_test_set() -> list[str]:
    """Which rows share a test set, by each class."""
    normal, attack = (_agreement(class_) for class_ in CLASSES)
    of = {(one.model, one.class_): one for one in readings()}
    agree = _listed([published.TITLES[model] for model in normal.agree])
    points = _listed([f"{of[model, 'normal'].prevalence:.2f}" for model in normal.agree])
    others = "; ".join(
        f"{published.TITLES[model]}'s own gives {of[model, 'normal'].prevalence:.1f} %"
        for model in normal.others
    )
    needed = _listed([f"{of[model, 'attack'].prevalence:.1f}" for model in normal.agree])
    shared = "no two agree" if len(attack.agree) == 1 else f"{len(attack.agree)} agree"
    return [
        "*One test set, by the normal rows.* One class's precision and both recalls determine the "
        f"share of attack. The normal rows of {agree} give {points} %. Within their rounding they "
        f"share {span(normal.prevalence, 'percent')}: one test set, {common_prevalence()} % "
        f"attack. {others}, which no test set of the others has.",
        f"*None by the attack rows.* With their printed attack precisions {agree} would need "
        f"{needed} % attack; of the {len(audit().rows)} rows {shared}.",
    ]


def _repairs() -> list[str]:
    """What must be replaced in each row, and whether a slip explains it."""
    single, told = [], []
    for row in audit().rows:
        title = published.TITLES[row.model]
        if len(row.repairs) == 1 and len(row.repairs[0]) == 1:
            one = row.repairs[0][0]
            slip = f" ({one.slip})" if one.slip else ""
            single.append(f"{title} {one.column} {one.printed} → {one.value}{slip}")
        elif row.repairs:
            cells = [
                [f"{one.column} {one.printed} → {one.value}" for one in repair]
                for repair in row.repairs
            ]
            ways = map(" with ".join, cells)
            told.append(f"{title} needs {len(row.repairs[0])} other cells: {'; or '.join(ways)}.")
    return [
        "*One cell a row.* Replacing a single cell makes these rows possible, and no other single "
        f"cell does: {_listed(single)}. The printed F1s then follow within their rounding. "
        f"{' '.join(told)} Its repaired row takes the others' {common_prevalence()} % instead, "
        "which is an assumption."
    ]


def _impossible_f1() -> list[str]:
    """F1 that no precision and recall give, by how it lies to them."""
    said = {
        "above": "above both its precision and its recall",
        "below": "below both",
        "not the mean": "between them, but not their harmonic mean",
    }
    told = []
    for verdict, text in said.items():
        where = [
            f"{published.TITLES[row.model]} ({class_})"
            for row in audit().rows
            for class_, found in row.f1.items()
            if found == verdict
        ]
        told += [f"{text}: {_listed(where)}"] if where else []
    return [f"*Impossible F1.* Printed {'; '.join(told)}."] if told else []


def _recipe() -> list[str]:
    """Eq. 13 as the paper uses it."""
    numbers = published.load()
    cells, headline = numbers.printed_cells["hybrid"], numbers.headline_accuracy
    made = list(published.eq13(cells["precision_normal"], cells["precision_attack"]).values())
    printed = cells["accuracy_normal"], cells["accuracy_attack"]
    every = [(model, one) for model, found in audit().recipes.items() for one in found]
    tried = [(model, one) for model, one in every if one.recipe == "precisions alone"]
    furthest = max(
        100 * abs(float(sum(one.made) / 2) - float(one.printed.low + one.printed.high) / 2)
        for model, one in tried
        if model != "hybrid"
    )
    return [
        "*Accuracy from precisions alone.* One classifier has one accuracy; eq. 13 as used makes "
        f"one a class and never looks at a recall. For the hybrid it gives {made[0]:.2f} (printed "
        f"{printed[0]}) and {made[1]:.2f} (printed {printed[1]}), mean {sum(made) / 2:.2f} "
        f"(printed {headline['calculation']}, then {headline['abstract']}). Of the {len(tried)} "
        f"accuracies in Table 5 it gives {sum(one.fits for _, one in tried) or 'none'} within "
        f"rounding; for the other models it is off by up to {furthest:.1f} points."
    ]


def paper_audit_section() -> Section:
    """The findings, the prevalence that each precision implies, and the repaired matrices; the same
    bytes every time.

    Source: §4, Tables 2–5, eq. 13.
    """
    wrong = [published.TITLES[row.model] for row in audit().rows if not row.possible]
    found = readings()
    header = ["Model", "Class", "implied prevalence, %", "within rounding"]
    header += ["printed precision", "implied precision"]
    rows = []
    for one in found:
        bounds = span(one.bounds, "percent").removesuffix(" %")
        shares = [f"{one.prevalence:.2f}", bounds, f"{one.printed:.2f}", f"{one.implied:.2f}"]
        rows.append([published.TITLES[one.model], one.class_, *shares])
    names = [name.replace("_", " ") for name in published.COUNTS]
    matrices = [
        [title, *map(str, astuple(repaired_matrix(model)))]
        for model, title in published.TITLES.items()
    ]
    counts = grid(["Model", *names], matrices, "lrrrr")
    findings = [*_one_test_set(), *_repairs(), *_impossible_f1(), *_recipe()]
    parts = [
        "## The paper's tables, audited",
        f"For {_listed(wrong)} no confusion matrix gives the printed row within its rounding; "
        "that is proven, not estimated (`anomalynet audit-table --paper`).",
        "\n".join(f"- {finding}" for finding in findings),
        grid(header, rows, "llrrrr"),
        "Implied prevalence: what the class's printed precision and both printed recalls give. "
        f"Implied precision: at {common_prevalence()} % attack with the printed recalls. Numbers: "
        f"[paper_audit.csv]({CSV}).",
        f"Repaired confusion matrices per {WINDOWS:,} windows at {common_prevalence()} % attack, "
        "from the printed recalls. Tables 2–5 "
        f"take the hybrid's repaired cells from these whole counts, which may change a last digit.",
        counts,
    ]
    lines: list[list[object]] = []
    for one in found:
        ends = [100 * float(end) for end in one.bounds]
        lines.append([one.model, one.class_, one.prevalence, *ends, one.printed, one.implied])
    return Section(parts, {CSV: to_csv(COLUMNS, lines).encode()})

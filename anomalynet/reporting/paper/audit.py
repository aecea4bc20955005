"""The section "The paper's tables, audited"; its numbers are computed from the printed ones."""

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
    """The prevalence that a row of one class implies; percent."""

    model: str
    class_: str
    prevalence: float  # implied by the cells as printed
    bounds: Interval  # prevalences that the cells allow within their rounding, fractions
    printed: float  # the printed precision
    implied: float  # the precision at the common prevalence


@cache
def audit() -> TableAudit:
    """The audit of the printed tables, as by `anomalynet audit-table --paper`."""
    text = (
        files("anomalynet.reporting.paper")
        .joinpath("paper_tables.yaml")
        .read_text(encoding="utf-8")
    )
    return audit_table(parse(text, "paper_tables.yaml", ".yaml", under="printed"), unit="percent")


@cache
def common_prevalence() -> float:
    """Share of attack, percent with two decimals: mean of the normal rows of one test set."""
    agree = _agreement("normal").agree
    shares = [published.load().implied_prevalence(model, "normal") for model in agree]
    return round(sum(shares) / len(agree), 2)


def _agreement(class_: str) -> Agreement:
    return next(one for one in audit().agreements if one.reading == class_)


def repaired_shares(model: str) -> tuple[float, float, float, float]:
    """Shares of tn, fp, fn, tp that follow from the printed recalls at the common prevalence."""
    cells, attack = published.load().printed_cells[model], common_prevalence() / 100
    kept, found = cells["recall_normal"] / 100, cells["recall_attack"] / 100
    return (1 - attack) * kept, (1 - attack) * (1 - kept), attack * (1 - found), attack * found


def repaired_matrix(model: str) -> Confusion:
    """The repaired shares as whole counts per 10 000 windows that add up to the classes' sizes."""
    tn, _, _, tp = (round(WINDOWS * share) for share in repaired_shares(model))
    attack = round(WINDOWS * common_prevalence() / 100)
    return Confusion(tn, WINDOWS - attack - tn, attack - tp, tp)


def implied_precision(model: str, class_: str) -> float:
    """A class's precision at the common prevalence with the printed recalls, percent."""
    tn, fp, fn, tp = repaired_shares(model)
    return 100 * (ratio(tn, tn + fn) if class_ == "normal" else ratio(tp, tp + fp))


def readings() -> list[Reading]:
    """One reading per model and class."""
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
    """Sentences on which rows can share a test set, by each class."""
    normal, attack = (_agreement(class_) for class_ in CLASSES)
    by_row = {(one.model, one.class_): one for one in readings()}
    agree = _listed([published.TITLES[model] for model in normal.agree])
    points = _listed([f"{by_row[model, 'normal'].prevalence:.2f}" for model in normal.agree])
    others = "; ".join(
        f"{published.TITLES[model]}'s own gives {by_row[model, 'normal'].prevalence:.1f} %"
        for model in normal.others
    )
    needed = _listed([f"{by_row[model, 'attack'].prevalence:.1f}" for model in normal.agree])
    shared = "no two agree" if len(attack.agree) == 1 else f"{len(attack.agree)} agree"
    return [
        "*One test set, by the normal rows.* One class's precision and both recalls determine the "
        f"share of attack. The normal rows of {agree} give {points} %. Within their rounding they "
        f"share {span(normal.prevalence, 'percent')}: one test set, {common_prevalence()} % "
        f"attack. {others}, which is impossible for that test set.",
        f"*None by the attack rows.* With their printed attack precisions {agree} would need "
        f"{needed} % attack; of the {len(audit().rows)} rows {shared}.",
    ]


def _repairs() -> list[str]:
    """A sentence on the cells to replace in each row, and whether a slip explains them."""
    single, several = [], []
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
            needs = f"{title} needs {len(row.repairs[0])} other cells"
            several.append(f"{needs}: {'; or '.join(ways)}.")
    return [
        "*One cell per row.* Replacing a single cell makes these rows possible, and no other "
        f"single cell does: {_listed(single)}. The printed F1s then follow within their rounding. "
        f"{' '.join(several)} Its repaired row instead uses {common_prevalence()} % as the others "
        "do, which is an assumption."
    ]


def _impossible_f1() -> list[str]:
    """A sentence on printed F1s that their precision and recall cannot give."""
    descriptions = {
        "above": "above both its precision and its recall",
        "below": "below both",
        "not the mean": "between them, but not their harmonic mean",
    }
    phrases = []
    for verdict, text in descriptions.items():
        cells = [
            f"{published.TITLES[row.model]} ({class_})"
            for row in audit().rows
            for class_, found in row.f1.items()
            if found == verdict
        ]
        phrases += [f"{text}: {_listed(cells)}"] if cells else []
    return [f"*Impossible F1.* Printed {'; '.join(phrases)}."] if phrases else []


def _recipe() -> list[str]:
    """A sentence on eq. 13 as the paper uses it."""
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
        "*Accuracy only from precisions.* One classifier has one accuracy; eq. 13 as used gives "
        f"one per class and uses no recall. For the hybrid it gives {made[0]:.2f} (printed "
        f"{printed[0]}) and {made[1]:.2f} (printed {printed[1]}), mean {sum(made) / 2:.2f} "
        f"(printed {headline['calculation']}, then {headline['abstract']}). Of the {len(tried)} "
        f"accuracies in Table 5 it gives {sum(one.fits for _, one in tried) or 'none'} within "
        f"rounding; for the other models it is off by up to {furthest:.1f} points."
    ]


def paper_audit_section() -> Section:
    """The findings, the prevalence that each precision implies, and the repaired matrices. The
    result is always the same.

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
        "this is proven, not estimated (`anomalynet audit-table --paper`).",
        "\n".join(f"- {finding}" for finding in findings),
        grid(header, rows, "llrrrr"),
        "Implied prevalence: computed from the class's printed precision and both printed recalls. "
        f"Implied precision: at {common_prevalence()} % attack with the printed recalls. Numbers: "
        f"[paper_audit.csv]({CSV}).",
        f"Repaired confusion matrices per {WINDOWS:,} windows at {common_prevalence()} % attack, "
        "from the printed recalls. Tables 2–5 "
        f"compute the hybrid's repaired cells from these counts, which may change the last digit.",
        counts,
    ]
    lines: list[list[object]] = []
    for one in found:
        ends = [100 * float(end) for end in one.bounds]
        lines.append([one.model, one.class_, one.prevalence, *ends, one.printed, one.implied])
    return Section(parts, {CSV: to_csv(COLUMNS, lines).encode()})

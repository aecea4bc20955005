"""Writes the result of a check as terminal table, Markdown, GitHub annotations and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from anomalynet.errors import counted
from anomalynet.regression import finding
from anomalynet.regression.baseline import Entry
from anomalynet.regression.finding import Finding, interval, number
from anomalynet.regression.history import sparkline, values_of
from anomalynet.reporting.formats.markdown import grid

SHOWN = 3  # largest number of differing quantities per golden in a table; JSON has all

BAD = {
    finding.REGRESSION: "regression",
    finding.FAILED: "failed run",
    finding.MISSING: "missing number",
    finding.NEW: "number without baseline",
}
FINE = {finding.IMPROVEMENT: "improved", finding.INSUFFICIENT_DATA: finding.INSUFFICIENT_DATA}
LEVELS = dict.fromkeys(BAD, "error")
LEVELS |= {finding.IMPROVEMENT: "notice", finding.INSUFFICIENT_DATA: "warning"}
"""Verdict → level of GitHub's annotation."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a check."""

    baseline: str  # the file, as the user named it
    environment: str  # of the runs now
    findings: Sequence[Finding]  # every comparison
    history: Sequence[Entry]
    exit_code: int

    def verdict(self) -> str:
        """The result in one sentence."""
        count = Counter(one.verdict for one in self.findings)
        bad = [counted(n, word) for key, word in BAD.items() if (n := count[key])]
        fine = [f"{n} {word}" for key, word in FINE.items() if (n := count[key])]
        nothing = "nothing could be compared" if self.exit_code else "no regression"
        summary = "; ".join([", ".join(bad) or nothing, *fine])
        scope = f"{len(self.findings)} comparisons with {self.baseline}, {self.environment}"
        return f"{summary} ({scope})"


def shown(findings: Sequence[Finding]) -> list[Finding]:
    """The findings; for a golden with many differences only the first ones and a count."""
    kept: list[Finding] = []
    groups = dict.fromkeys((one.part, one.experiment) for one in findings)
    for part, name in sorted(groups, key=lambda group: group[0]):  # goldens first
        own = [one for one in findings if (one.part, one.experiment) == (part, name)]
        if part == "golden" and len(own) > SHOWN + 1:
            more = Finding(part, name, f"and {len(own) - SHOWN} more", own[SHOWN].verdict)
            own = [*own[:SHOWN], more]
        kept += own
    return kept


def rows(answer: Answer) -> list[dict[str, object]]:
    """Rows for a terminal table. `history`: sparkline that ends now; empty for goldens."""
    table: list[dict[str, object]] = []
    for one in shown(answer.findings):
        past = values_of(answer.history, one.experiment, one.metric)
        table.append(
            {
                "part": one.part,
                "experiment": one.experiment,
                "metric": one.metric,
                "baseline": "" if one.before is None else number(one.before),
                "now": "" if one.now is None else number(one.now),
                "difference": "" if one.difference is None else f"{one.difference:+.3g}",
                "interval": interval(one),
                "verdict": one.verdict + (f" ({one.note})" if one.note else ""),
                "history": "" if one.part == "golden" else sparkline([*past, one.now]),
            }
        )
    return table


RULES = """\
Goldens: networks are trained for 20 optimiser steps, classical models completely; losses, metrics \
and 64 scores per part of the split are compared.
Statistical: means over the runs of the smoke sweep; a regression is a mean loss beyond the \
tolerance whose 95 % bootstrap
interval over worlds excludes zero and whose sign-flip p is below 0.05.
"""


def markdown(answer: Answer) -> str:
    """A summary for a pull request: the verdict, the table, the tolerances."""
    table = rows(answer)
    sign = "❌" if answer.exit_code else "✅"
    cells = ([str(cell) for cell in row.values()] for row in table)
    shown_rows = [grid(list(table[0]), cells, "lllrrrlll")] if table else []
    verdict = f"{sign} {answer.verdict()}"
    return "\n".join(["## anomalynet check", "", verdict, "", *shown_rows, "", RULES])


def github_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """GitHub workflow commands: an error for each finding that fails the check, a notice for an
    improvement, a warning for insufficient data."""
    for one in shown(findings):
        if level := LEVELS.get(one.verdict):
            yield command(level, f"{one.part} {one.verdict} {one.experiment}", one.sentence())


def command(level: str, title: str, text: str) -> str:
    """One GitHub workflow command, escaped for its runner."""
    for sign, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
        title = title.replace(sign, code)
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{level} title={title}::{text}"


def as_json(answer: Answer) -> dict[str, object]:
    """All comparisons as a JSON object."""
    findings = [asdict(one) | {"difference": one.difference} for one in answer.findings]
    facts = {name: getattr(answer, name) for name in ("exit_code", "baseline", "environment")}
    return {"verdict": answer.verdict(), **facts, "findings": findings}

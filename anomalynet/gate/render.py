"""The gate's answer for people, for pull requests and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from anomalynet.gate.baseline import Entry
from anomalynet.gate.finding import (
    FAILED,
    GONE,
    IMPROVEMENT,
    NEW,
    PARTS,
    REGRESSION,
    UNTESTABLE,
    Finding,
    interval,
    number,
)
from anomalynet.gate.history import course, sparkline
from anomalynet.reporting.markdown import grid

SHOWN = 3
"""Quantities of one experiment's golden that a table shows; JSON has all."""

BAD = (REGRESSION, FAILED, GONE, NEW)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a check found.

    Attributes:
        baseline: the file, as the user named it.
        environment: of the runs now.
        findings: every comparison.
        history: of the baseline.
        exit_code: of the command.
    """

    baseline: str
    environment: str
    findings: Sequence[Finding]
    history: Sequence[Entry]
    exit_code: int

    def verdict(self) -> str:
        """One sentence."""
        words = [
            (REGRESSION, "regression"),
            (FAILED, "failed run"),
            (GONE, "number gone"),
            (NEW, "number without baseline"),
        ]
        told = [
            f"{count} {word}{'s' if count > 1 else ''}"
            for key, word in words
            if (count := self._count(key))
        ]
        fine = [
            f"{count} {word}"
            for key, word in ((IMPROVEMENT, "improved"), (UNTESTABLE, UNTESTABLE))
            if (count := self._count(key))
        ]
        head = (
            ", ".join(told)
            if told
            else "nothing could be compared"
            if self.exit_code
            else "no regression"
        )
        return (
            "; ".join([head, *fine])
            + f" ({len(self.findings)} comparisons with {self.baseline}, {self.environment})"
        )

    def _count(self, verdict: str) -> int:
        return sum(finding.verdict == verdict for finding in self.findings)


def shown(findings: Sequence[Finding]) -> list[Finding]:
    """The findings, of each golden that changed only the first few and how many more there are."""
    kept: list[Finding] = []
    for part in PARTS:
        for name in dict.fromkeys(
            finding.experiment for finding in findings if finding.part == part
        ):
            own = [
                finding
                for finding in findings
                if (finding.part, finding.experiment) == (part, name)
            ]
            if part == "golden" and len(own) > SHOWN + 1:
                more = Finding(part, name, f"and {len(own) - SHOWN} more", own[SHOWN].verdict)
                own = [*own[:SHOWN], more]
            kept += own
    return kept


def rows(answer: Answer) -> list[dict[str, object]]:
    """A table for people."""
    return [
        {
            "part": finding.part,
            "experiment": finding.experiment,
            "metric": finding.metric,
            "baseline": _cell(finding.before),
            "now": _cell(finding.now),
            "difference": "" if finding.difference is None else f"{finding.difference:+.3g}",
            "interval": interval(finding),
            "verdict": finding.verdict + (f" ({finding.note})" if finding.note else ""),
            "history": _line(answer, finding),
        }
        for finding in shown(answer.findings)
    ]


def _cell(value: float | None) -> str:
    return "" if value is None else number(value)


def _line(answer: Answer, finding: Finding) -> str:
    """The metric's course with the value of now at its end; goldens have none."""
    if finding.part == "golden":
        return ""
    return sparkline([*course(answer.history, finding.experiment, finding.metric), finding.now])


def markdown(answer: Answer) -> str:
    """A summary for a pull request: the verdict, the table, the tolerances."""
    table = rows(answer)
    lines = [
        "## anomalynet check",
        "",
        f"{'❌' if answer.exit_code else '✅'} {answer.verdict()}",
        "",
    ]
    if table:
        lines.append(
            grid(
                list(table[0]), ([str(cell) for cell in row.values()] for row in table), "lllrrrlll"
            )
        )
    lines += [
        "",
        "Goldens: 20 optimiser steps of each network, classical models whole; losses, metrics "
        "and 64 scores a part are compared.",
        "Statistical: means over the runs of the smoke sweep; a regression is a mean loss beyond "
        "the tolerance whose 95 % bootstrap",
        "interval over worlds leaves zero out and whose sign-flip p is below 0.05.",
        "",
    ]
    return "\n".join(lines)


def github_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """GitHub's workflow commands: an error for what fails the check, a notice for what improved or
    cannot be tested."""
    for finding in shown(findings):
        if finding.verdict in BAD:
            yield _command("error", finding)
        elif finding.verdict == IMPROVEMENT:
            yield _command("notice", finding)
        elif finding.verdict == UNTESTABLE:
            yield _command("warning", finding)


def _command(level: str, finding: Finding) -> str:
    return command(
        level, f"{finding.part} {finding.verdict} {finding.experiment}", finding.sentence()
    )


def command(level: str, title: str, text: str) -> str:
    """One of GitHub's workflow commands, escaped as its runner reads it."""
    for sign, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
        title = title.replace(sign, code)
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{level} title={title}::{text}"


def as_json(answer: Answer) -> dict[str, object]:
    """Everything that was compared, for programs."""
    findings = [
        {**asdict(finding), "difference": finding.difference} for finding in answer.findings
    ]
    return {
        "verdict": answer.verdict(),
        "exit_code": answer.exit_code,
        "baseline": answer.baseline,
        "environment": answer.environment,
        "findings": findings,
    }

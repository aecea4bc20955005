"""What `check` prints, writes and tells GitHub."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli.output import print_json, print_table
from anomalynet.errors import AnomalynetError, NothingToCompareError, RegressionError, RunError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anomalynet.gate.asked import Asked
    from anomalynet.gate.baseline import Baseline
    from anomalynet.gate.render import Answer
    from anomalynet.gate.verdict import Measured


def update(
    args: argparse.Namespace,
    parts: Sequence[Asked],
    old: Baseline | None,
    measured: Measured,
    *,
    whole: bool,
) -> int:
    """Write the baseline with one more update.

    Args:
        args: the command's.
        parts: what was asked.
        old: None for the first.
        measured: what was trained.
        whole: whether every experiment was, so that others in the baseline are gone for good.

    Raises:
        RunError: a run failed; the file is as it was.
    """
    from datetime import UTC, datetime

    from anomalynet.cli.launching import say
    from anomalynet.gate.baseline import write_baseline
    from anomalynet.gate.history import short
    from anomalynet.gate.update import updated

    if measured.failed:
        raise RunError(
            "\n".join(failure.sentence() for failure in measured.failed),
            f"{args.against} is as it was",
        )
    names = (
        {one.part: [Path(name).stem for name in one.sweep.experiments] for one in parts}
        if whole
        else {}
    )
    new = updated(old, measured, args.update.strip(), f"{datetime.now(UTC):%Y-%m-%d}", names)
    write_baseline(args.against, new)
    told = {
        "baseline": str(args.against),
        "update": len(new.history),
        "environment": measured.environment,
        "commit": measured.commit,
    }
    if args.json:
        print_json(told)
    else:
        say(
            f"update {len(new.history)}: {measured.environment}, commit "
            f"{short(measured.commit) or 'unknown'}"
        )
        print(args.against)
    return 0


def answer(args: argparse.Namespace, baseline: Baseline, measured: Measured) -> int:
    """Print, annotate and write what was found.

    Raises:
        RegressionError, RunError, NothingToCompareError: by the exit code.
    """
    from anomalynet.gate import render
    from anomalynet.gate.verdict import exit_code, findings

    found = findings(measured, baseline)
    told = render.Answer(
        str(args.against), measured.environment, found, baseline.history, exit_code(found)
    )
    if args.json:
        print_json(render.as_json(told))
    else:
        print_table(render.rows(told))
        print(told.verdict())
    _tell_github(told, os.environ, to_stderr=args.json)
    if args.out is not None:
        from anomalynet.runs.files import write_json, write_text

        write_text(args.out / "check.md", render.markdown(told))
        write_json(args.out / "check.json", render.as_json(told))
    bad = [finding.sentence() for finding in render.shown(found) if finding.verdict in render.BAD]
    hint = 'if it is meant: anomalynet check --update "reason"'
    if told.exit_code == RegressionError.exit_code:
        raise RegressionError("\n".join(bad), hint)
    if told.exit_code == RunError.exit_code:
        raise RunError("\n".join(bad))
    if told.exit_code == NothingToCompareError.exit_code:
        raise NothingToCompareError("\n".join(bad) or told.verdict(), hint)
    return 0


def _tell_github(answer: Answer, environment: Mapping[str, str], *, to_stderr: bool) -> None:
    """Annotations on the pull request, and the summary of the job; nothing outside GitHub
    Actions."""
    from anomalynet.gate import render

    if environment.get("GITHUB_ACTIONS") == "true":
        for line in render.github_lines(answer.findings):
            print(line, file=sys.stderr if to_stderr else sys.stdout)
    if summary := environment.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(render.markdown(answer) + "\n")


def tell_github_of(error: AnomalynetError, environment: Mapping[str, str]) -> None:
    """The same for what stopped the check before anything was trained."""
    from anomalynet.gate.render import command

    if environment.get("GITHUB_ACTIONS") == "true":
        print(command("error", "anomalynet check", error.message), file=sys.stderr)
    if summary := environment.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(f"## anomalynet check\n\n❌ {error.message}\n\n")


def history(args: argparse.Namespace, wanted: Sequence[str] | None) -> int:
    """Show, or draw, how the metrics went; of all experiments, or of some."""
    from anomalynet.gate import history as course
    from anomalynet.gate.baseline import read_baseline

    baseline = read_baseline(args.against)
    known = {name for name, _ in course.series(baseline.history)}
    for name in wanted or ():
        if name not in known:
            raise NothingToCompareError(
                f"{args.against}: its history has no {name!r}", f"it has {', '.join(sorted(known))}"
            )
    if args.out is not None:
        from anomalynet.gate.figure import draw_history
        from anomalynet.runs.files import write_bytes

        write_bytes(
            args.out, draw_history(baseline.history, wanted)[args.out.suffix.removeprefix(".")]
        )
    if args.json:
        print_json([course.entry_json(entry, wanted) for entry in baseline.history])
        return 0
    print_table(course.updates(baseline.history), title="updates")
    print_table(course.rows(baseline.history, wanted), title="metrics")
    return 0

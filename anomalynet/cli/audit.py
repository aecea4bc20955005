"""`anomalynet audit`: how well labels can be guessed without the sensors."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from anomalynet.cli.arguments import add_data, add_json, add_runs, data_config, option, seed
from anomalynet.cli.output import print_json, print_table

if TYPE_CHECKING:
    from anomalynet.runs.audits import AuditResult

SUMMARY = "show how well labels can be guessed from position, time, gaps, or one channel"

EPILOG = """\
examples:
  anomalynet audit skab data.root=/path/to/SKAB
  anomalynet audit ton_iot data.subset=fridge data.calibration_rows=0
  anomalynet audit mine data.split.policy=blocked --json > audit.json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.epilog = EPILOG
    add_data(parser)
    option(parser, "--seed", "N", "seed of the probes (default: 0)", seed, 0)
    add_runs(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Audit a data set, or each subset of a collection whose subsets share no channels."""
    from anomalynet.data import sources
    from anomalynet.data.audit import audit
    from anomalynet.runs.audits import write_audit
    from anomalynet.sweep.progress import audit_progress

    config = data_config(args)
    info, configs = sources.info(config.name), [config]
    if info.needs_subset and config.subset is None:
        configs = [replace(config, subset=subset) for subset in info.subsets]
    results = []
    for own in configs:
        progress = audit_progress(own.title)
        found = audit(own, args.seed, progress=progress)
        progress("")
        results.append(found.to_dict())
        write_audit(args.runs, results[-1])
        if not args.json:
            _print(found)
    if args.json:
        print_json(results)
    return 0


def _print(found: AuditResult) -> None:
    if found.refused:
        print(f"{found.data}: a chronological split is refused: {found.refused}")
        both = sum(day.normal > 0 and day.attack > 0 for day in found.days) or "none"
        days = f"days with both classes: {both} of {len(found.days)}"
        print(f"{days}; interleaved blocks are used instead")
        names = ("day", "normal", "attack")
        print_table([{name: getattr(day, name) for name in names} for day in found.days])
    title = f"{found.data}: {found.split}, {found.folds} folds pooled, windows of {found.window} "
    title += f"steps, {found.steps:,} test steps, {found.prevalence:.1%} attack"
    sees = {"nothing": "no sensor", "channel": "one channel", "everything": "every channel"}
    rows: list[dict[str, object]] = [
        {
            "probe": probe.probe,
            "sees": sees[probe.sees],
            "AUROC": "–" if probe.auroc is None else f"{probe.auroc:.3f}",
            "accuracy at 0.5": f"{probe.accuracy:.1%}",
            "majority": f"{found.majority:.1%}",
            "verdict": probe.verdict or "–",
        }
        for probe in found.probes
    ]
    print_table(rows, title=title)
    print(f"rule: {found.rule}")
    for warning in found.warnings:
        print(f"warning: {warning}")
    print()

"""On what, by which code and in how long the runs of a report were made, from what each run says of
itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from anomalynet.reporting.tables import device_seconds
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder

REPORT = "anomalynet report"
"""A command that trains nothing."""


def provenance(records: Sequence[RunRecord], command: str | None = None) -> str:
    """Hardware, versions, code, device time and the command that makes it all again, as sentences.

    What a run does not say, as those of earlier versions, is left out; where runs differ, each is
    counted.
    """
    environments = [read_json(RunFolder(record.folder).environment) for record in records]
    told = [
        _sentence("Hardware", (_machine(one) for one in environments if one)),
        _sentence("Software", (_software(one) for one in environments if one)),
        _sentence("Code", (f"`{record.code[:10]}`" for record in records if record.code)),
        _time(records),
        f"`{command}` {'writes this report' if command.startswith(REPORT) else 'makes it'} again."
        if command
        else "",
    ]
    return " ".join(filter(None, told))


def _sentence(name: str, values: Iterable[str]) -> str:
    """What most runs share; where they differ, how many have which."""
    counts = Counter(filter(None, values))
    if len(counts) < 2:
        return f"{name}: {next(iter(counts))}." if counts else ""
    ordered = sorted(counts, key=lambda value: (-counts[value], value))
    told = "; ".join(f"{value} ({_counted(counts[value], 'run')})" for value in ordered)
    return f"{name}: {told}."


def _machine(environment: Mapping[str, Any]) -> str:
    """The processors and graphics cards of a run's machine, and how many threads and devices the
    run had of them."""
    gpus = Counter(map(str, environment.get("gpus") or ()))
    cards = ", ".join(f"{count} × {name}" for name, count in sorted(gpus.items())) or "no GPU"
    cores, threads, devices = (environment.get(name) for name in ("cores", "threads", "devices"))
    parts = [
        f"{cores} CPU cores ({environment.get('cpu', 'kind unknown')})" if cores else "",
        cards,
        str(environment.get("platform", "")),
    ]
    used = [_counted(threads, "thread"), _counted(devices, "device")]
    return ", ".join(filter(None, parts)) + (
        f"; {' and '.join(filter(None, used))} a run" if any(used) else ""
    )


def _counted(number: object, noun: str) -> str:
    return "" if number is None else f"{number} {noun}{'' if number == 1 else 's'}"


def _software(environment: Mapping[str, Any]) -> str:
    packages = environment.get("packages") or {}
    named = [
        f"{name} {packages[name]}"
        for name in ("anomalynet", "torch", "lightning", "scikit-learn")
        if packages.get(name)
    ]
    return ", ".join(
        [*named, *([f"Python {environment['python']}"] if environment.get("python") else [])]
    )


def _time(records: Sequence[RunRecord]) -> str:
    """The sum of the runs' training and scoring."""
    timed = [seconds for record in records if (seconds := device_seconds(record)) is not None]
    if not timed:
        return ""
    silent = len(records) - len(timed)
    return (
        f"Device time: {sum(timed):.0f} s of training and "
        f"scoring{f' ({silent} of {len(records)} runs do not say)' if silent else ''}."
    )

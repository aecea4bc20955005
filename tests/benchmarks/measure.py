"""What every row of the benchmark shares: arms that take turns, ratios with their spread, and what
is written of them."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np

PACKAGES: tuple[str, ...] = (
    "torch",
    "lightning",
    "scikit-learn",
    "polars",
    "numpy",
    "onnxruntime",
    "optuna",
)
PACKAGES += ("pandas", "pyarrow", "river")

BEFORE = {
    "epoch of hybrid, batch 32": 1.12,
    "epoch of cnn, batch 32": 1.28,
    "overhead per step, linear model": 0.64,
    "`train` of one epoch on 2,000 windows": 1.43,
    "runs per hour of `reproduce` (quick)": 3.5,
    "audit, 22,683 × 1": 69,
    "a reading through the engine, one device": 198,
    "engine, 64 devices at once, beside river": 19,
    "10,000 devices at a reading a second: p99": 275,
    "10,000 devices at a reading a second: detector": 29,
}
"""How the name of a row begins → its ratio before the work on speed, measured on another day on a
machine of this kind; rows that are missing were not measured then."""

HISTORY = 10  # earlier measurements that a new one is compared with
LEAST_NOISE = 0.05  # relative; a ratio that moved by less has not changed

Kind = Literal["slower", "faster", "value"]


class LeftOutError(Exception):
    """A row cannot be measured here; the message says why."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One line of the report."""

    name: str
    ours: float  # median, in `unit`
    unit: str
    kind: Kind
    """What `ratios` are: `slower`, ours ÷ the other's seconds; `faster`, the other's ÷ ours;
    `value`, ours itself."""
    ratios: tuple[float, ...]  # one per round
    against: str = "–"
    other: float | None = None  # median of the other arm, in `unit`
    goal: float | None = None  # to be at most this, or at least where `faster`
    note: str = ""

    @property
    def ratio(self) -> float:
        """The median."""
        return float(np.median(self.ratios))

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles of the rounds."""
        low, high = np.quantile(self.ratios, [0.25, 0.75])
        return float(low), float(high)

    @property
    def missed_by(self) -> float:
        """By which share of what was to be reached it fell short; 0 where nothing is missing."""
        if self.goal is None:
            return 0.0
        short = self.goal / self.ratio if self.kind == "faster" else self.ratio / self.goal
        return max(short - 1, 0.0)


@dataclass(slots=True)
class Report:
    """All that one command measured."""

    rows: list[Measured] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)  # row → why
    texts: dict[str, str] = field(default_factory=dict)  # heading → Markdown of a row's own table


def take_turns(arms: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each arm in each round: A B A B, so that a machine whose speed drifts moves both.
    A first round is thrown away where there is more than one."""
    found: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(rounds + (rounds > 1)):
        for name, arm in arms.items():
            seconds = arm()
            if number or rounds == 1:
                found[name].append(seconds)
    return found


def compared(
    name: str,
    found: Mapping[str, Sequence[float]],
    against: str,
    kind: Literal["slower", "faster"],
    goal: float | None = None,
    unit: str = "s",
    note: str = "",
) -> Measured:
    """A row of two arms that took turns, ours first."""
    ours, other = found.values()
    pairs = zip(ours, other, strict=True)
    ratios = tuple(a / b if kind == "slower" else b / a for a, b in pairs)
    medians = float(np.median(ours)), float(np.median(other))
    return Measured(name, medians[0], unit, kind, ratios, against, medians[1], goal, note)


def value(
    name: str, found: Sequence[float], unit: str, goal: float | None = None, note: str = ""
) -> Measured:
    """A row without another arm: smaller is better."""
    median = float(np.median(found))
    return Measured(name, median, unit, "value", tuple(found), goal=goal, note=note)


def timed(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def command(*words: str, **environment: str) -> float:
    """Seconds of a process. Raises RuntimeError: it failed; with the end of what it wrote."""
    started = time.perf_counter()
    known = {**os.environ, **environment}
    done = subprocess.run(words, env=known, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}\n{done.stderr[-2000:]}")
    return time.perf_counter() - started


def machine() -> dict[str, Any]:
    """Where it was measured."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory": f"{memory:.0f} GB",
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "load": round(os.getloadavg()[0], 2),  # of the minute before
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def to_json(report: Report, where: Mapping[str, Any]) -> str:
    """One line: the machine, and each row with its rounds."""
    rows = [{**asdict(row), "ratio": row.ratio, "missed_by": row.missed_by} for row in report.rows]
    left = {
        "left_out": report.left_out,
        "texts": report.texts,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    return json.dumps({**left, "machine": where, "rows": rows})


def to_markdown(report: Report, where: Mapping[str, Any], words: str) -> str:
    """The report as a page."""
    packages = ", ".join(f"{name} {one}" for name, one in where["packages"].items() if one)
    lines = [
        "# Performance",
        "",
        f"Written by `{words}`. {where['cpu']}, {where['cores']} cores, {where['memory']}; "
        f"{where['platform']}, Python {where['python']}, {packages}; load {where['load']} at the "
        "start.",
        "",
        "Arms take turns in one run. A ratio is the median over rounds, with its quartiles. "
        "*Before* was measured on another day, ahead of the work on speed.",
        "",
        "| row | ours | against | theirs | ratio [quartiles] | before | goal | |",
        "|---|---:|---|---:|---:|---:|---:|---|",
        *map(_line, report.rows),
    ]
    missed = [f"- {row.name}: {row.note}" for row in report.rows if row.note and row.missed_by]
    notes = [f"- {row.name}: {row.note}" for row in report.rows if row.note and not row.missed_by]
    lines += ["", "Why rows miss their goal:", "", *missed] if missed else []
    lines += ["", "Notes:", "", *notes] if notes else []
    for heading, text in report.texts.items():
        lines += ["", f"## {heading}", "", text.rstrip()]
    if report.left_out:
        lines += ["", "## Not measured", ""]
        lines += [f"- {name}: {why}" for name, why in report.left_out.items()]
    return "\n".join(lines) + "\n"


def _distance(share: float) -> str:
    return f"{100 * share:.0f} %" if share < 1 else f"a factor of {1 + share:.3g}"


def _line(row: Measured) -> str:
    low, high = row.spread
    other = "–" if row.other is None else f"{row.other:.4g} {row.unit}"
    sign = "" if row.kind == "value" else " ×"
    ratio = f"{row.ratio:.3g}{sign} [{low:.3g}–{high:.3g}]"
    goal, verdict = "–", ""
    if row.goal is not None:
        goal = f"{'≥' if row.kind == 'faster' else '≤'} {row.goal:g}{sign}"
        verdict = f"misses by {_distance(row.missed_by)}" if row.missed_by else "reached"
    before = next(
        (f"{old:g}{sign}" for name, old in BEFORE.items() if row.name.startswith(name)), "–"
    )
    cells = [row.name, f"{row.ours:.4g} {row.unit}", row.against, other, ratio]
    cells += [before, goal, verdict]
    return f"| {' | '.join(cells)} |"


def worsened(new: Sequence[Measured], earlier: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which rows are worse than before by more than their own noise: than the median of the last
    measurements by more than the larger of their quartile distance, the new one's, and 5 %."""
    found = []
    for row in new:
        rows = [one for each in earlier[-HISTORY:] for one in each["rows"]]
        before = [one["ratio"] for one in rows if one["name"] == row.name]
        if len(before) < 3:
            continue
        middle = float(np.median(before))
        distances = [np.subtract(*np.quantile(one, [0.75, 0.25])) for one in (before, row.ratios)]
        noise = max(*map(float, distances), LEAST_NOISE * middle)
        loss = (middle - row.ratio) if row.kind == "faster" else (row.ratio - middle)
        if loss > noise:
            what = f"{row.name}: {row.ratio:.3g}, {middle:.3g} before"
            found.append(f"{what}: worse by {loss:.2g}, more than its noise of {noise:.2g}")
    return found

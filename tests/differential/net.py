"""Both sides, the cases between them, and what came out."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.differential.baseline import COMMIT, ROOT, unpack
from tests.differential.case import Case
from tests.differential.cases import CASES
from tests.differential.compare import Comparison, Difference
from tests.differential.expected import EXPECTED, Expected
from tests.differential.running import Side


@dataclass
class Report:
    """What was compared, and what differs."""

    commands: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    renamed: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    cases: list[str] = field(default_factory=list)

    def add(self, found: Comparison) -> None:
        """Add a case."""
        self.cases.append(found.case.name)
        self.commands += sum(bool(step.argv) for step in found.case.steps)
        self.counts += found.counts
        self.differences += found.differences
        self.renamed += sum(one != two for one, two in found.ids.items())
        for outcome in (found.old, found.new):
            self.seconds[outcome.side.name] = (
                self.seconds.get(outcome.side.name, 0.0) + outcome.seconds
            )

    def unexpected(self, expected: Iterable[Expected] = EXPECTED) -> list[Difference]:
        """Differences that nothing explains."""
        known = tuple(expected)
        return [one for one in self.differences if not any(entry.matches(one) for entry in known)]

    def unused(self, expected: Iterable[Expected] = EXPECTED) -> list[Expected]:
        """Entries that explain nothing."""
        return [entry for entry in expected if not any(map(entry.matches, self.differences))]


class Net:
    """Runs cases on both sides; old's outcomes stay in the cache.

    Args:
        cache: folder of old's outcomes.
        work: folder of new's outcomes; emptied first unless `keep`.
        new: source tree that is put on PYTHONPATH.
        baseline: interpreter that has the baseline installed; None: its wheel is unpacked into the
            cache and run by `python`.
    """

    def __init__(
        self,
        cache: Path,
        work: Path,
        new: Path,
        python: str,
        baseline: str | None = None,
        prefix: tuple[str, ...] = (),
        *,
        keep: bool = False,
    ) -> None:
        data = real_data()
        if not keep:
            shutil.rmtree(work, ignore_errors=True)
        installed = None if baseline else unpack(cache / f"wheel-{COMMIT}", python)
        self.old = Side(
            "old", baseline or python, installed, cache / COMMIT, data, prefix, keep=True
        )
        self.new = Side("new", python, new.resolve(), work, data, prefix, keep=keep, old=self.old)
        for side in (self.old, self.new):
            side.folder.mkdir(parents=True, exist_ok=True)
            side.folder = side.folder.resolve()
            _check(side)

    def compare(self, case: Case) -> Comparison:
        """Run a case on both sides, as far as that was not done, and compare."""
        return Comparison(case, self.old.outcome(case, CASES), self.new.outcome(case, CASES)).run()

    def run(
        self,
        cases: Iterable[Case],
        jobs: int,
        say: Callable[[str], None],
        *,
        old_only: bool = False,
    ) -> Report:
        """All of them, some at a time."""
        report, wanted = Report(), list(cases)

        def one(case: Case) -> Comparison | None:
            if old_only:
                self.old.outcome(case, CASES)
                return None
            return self.compare(case)

        with ThreadPoolExecutor(jobs) as pool:
            for case, found in zip(wanted, pool.map(one, wanted), strict=True):
                if found:
                    report.add(found)
                    times = f"{found.old.seconds:.0f} s old, {found.new.seconds:.0f} s new"
                    say(f"{case.name}: {len(found.differences)} differences, {times}")
                else:
                    say(f"{case.name}: run")
        return report


def real_data() -> Path:
    """The folder that holds `skab`, `lwsndr` and `ton_iot`."""
    return Path(os.environ.get("ANOMALYNET_TEST_DATA", ROOT.parent / "shared" / "data")).resolve()


def runnable(case: Case) -> bool:
    """Whether what it needs is there: real data, Mosquitto."""
    if (
        any("{data}" in word for step in case.steps for word in step.argv)
        and not real_data().is_dir()
    ):
        return False
    return (
        not case.broker
        or shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin") is not None
    )


def _check(side: Side) -> None:
    """Each side must run its own program."""
    code = "import anomalynet; print(anomalynet.__file__)"
    empty = Case("", ())
    with tempfile.TemporaryDirectory() as here:
        command = [side.python, "-c", code]
        done = subprocess.run(
            command,
            cwd=here,
            env=side.environment(empty, Path(here)),
            capture_output=True,
            text=True,
            check=True,
        )
    found = Path(done.stdout.strip())
    if side.path is not None and not found.is_relative_to(side.path):
        raise SystemExit(f"{side.name}: {found} would be run instead of {side.path}")

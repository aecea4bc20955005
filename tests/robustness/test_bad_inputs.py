"""Every bad input ends in one message: no traceback, nothing unexpected, nothing lost."""

from __future__ import annotations

import resource
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pytest
from _pytest.mark import ParameterSet

from anomalynet.data.prepared import block_checksums
from anomalynet.runs import checksums
from anomalynet.runs.sweeps import SweepRecord, SweepRun, write_sweep
from tests.conftest import ROOT
from tests.robustness import scene
from tests.robustness.bad_inputs import BADNESS, EMPTY, GOOD, READERS, Case, cases

CASES = list(cases())
PUBLISHED = ("published CSV", "published Markdown")
OTHERWISE = {"detect devices": "", "sweep file": "the sweep"}
"""Area → what its messages may name in place of the spoiled file; empty: no reading is left, which
any text may say."""
LONGEST = 8  # seconds for one case
MEMORY = 4 << 30  # bytes more than now
MAY_APPEAR = (".lock", "data/.fingerprints.json")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene with some more files; no test changes it."""
    made = scene.made(tmp_path_factory.getbasetemp())
    folder = scene.copy(made, tmp_path_factory.mktemp("bad") / "good")
    for name, content in GOOD.items():
        (folder / name).write_text(content, encoding="utf-8")
    rows = (folder / "readings.csv").read_text(encoding="utf-8").splitlines(keepends=True)[:301]
    one = "".join(",".join(row.split(",")[1:4]) + "\n" for row in rows)
    (folder / "one.csv").write_text(one, encoding="utf-8")
    labels = ["label\n", *(f"{int(n % 50 > 40)}\n" for n in range(300))]
    (folder / "labels.csv").write_text("".join(labels), encoding="utf-8")
    shutil.copy(ROOT / "reports/baseline.json", folder / "baseline.json")
    arm, run = "data.calibration=offset", scene.run_id(folder, "logistic")
    job = SweepRun(1, "logistic", run, arm, "seed 0 fold 0", 100)
    label, began = "pair-plant-quick", "2026-11-29T15:26:59+00:00"
    record = SweepRecord(label, "pair.yaml", "quick", (), 1, began, f"reports/{label}", (job,))
    write_sweep(folder / "runs", record)
    return folder


@pytest.fixture(scope="module")
def place(good: Path) -> Path:
    """A copy, in which every case finds and leaves the same files; in it a detector was killed,
    which read half of its file."""
    place = scene.copy(good, good.with_name("place"))
    scene.half_way(place)
    shutil.rmtree(good / "state")
    shutil.copytree(place / "state", good / "state")
    for name in ("stdin.jsonl", "live.alarms"):
        shutil.copy(place / name, good / name)
    return place


class TooLong(BaseException):
    """No `Exception`, which commands would catch."""


@contextmanager
def limited() -> Iterator[None]:
    """End what takes too long or too much memory."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (size * resource.getpagesize() + MEMORY, hard))
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGALRM, before)


def restore(place: Path, good: Path) -> None:
    """Make a copy equal to the original again."""
    for name, kind in scene.changes(scene.tree(good), scene.tree(place)).items():
        path = place / name
        if kind == "new":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        elif name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            if path.is_dir():
                shutil.rmtree(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(good / name, path)
    (place / "state/lock").unlink()  # what failed in this process may hold it
    (place / "state/lock").touch()
    for path in sorted(place.rglob("*"), reverse=True):  # folders that are empty now
        if path.is_dir() and not (good / path.relative_to(place)).exists():
            path.rmdir()


def reseal(paths: Sequence[Path]) -> None:
    """Give the folders of files the checksums of what is in them."""
    for path in paths:
        folder = next(one for one in path.parents if (one / checksums.FILE).exists())
        known = checksums.read(folder)
        assert known and path.relative_to(folder).as_posix() in known
        blocks = all(isinstance(digest, list) for _, digest in known.values())
        checksums.write(folder, known, checksum=block_checksums if blocks else None)


def problems(case: Case, place: Path, ids: dict[str, str]) -> list[str]:
    """What is wrong with how a command took its bad input."""
    names: list[str] = []
    for pattern, spoil in case.spoiled.items():
        found = sorted(place.glob(pattern))
        assert found, pattern
        names += [path.name for path in found]
        for path in found:
            content = path.read_bytes()
            path.unlink()
            if spoil is not None:
                path.write_bytes(spoil(content))
        if case.resealed:
            reseal(found)
    before = scene.tree(place)
    words = case.words.replace("{logistic}", ids["logistic"]).replace("{hybrid}", ids["hybrid"])
    try:
        with limited():
            ended = scene.call(words, place)
    except TooLong:
        return [f"took more than {LONGEST} s"]
    except BaseException as error:
        return [f"ended by {type(error).__name__}: {error}"[:300]]
    told = replace(case, fine=case.fine.replace("{fingerprint}", ids["fingerprint"]))
    wrong = [*_told(told, ended, names), *_left(case, ended, before, place)]
    return wrong and [*wrong, f"it said: {(ended.err + ended.out).strip()[-300:]!r}"]


def _told(case: Case, ended: scene.Ended, names: Sequence[str]) -> Iterator[str]:
    """What is wrong with exit code and messages. `names`: of the spoiled files."""
    told = ended.err + ended.out
    phrase = case.fine.removeprefix("says ") if case.fine.startswith("says ") else ""
    verdict = ended.code == 1 and ended.out and case.area in ("audit-table", *PUBLISHED)
    if phrase and not ended.code and phrase not in told:
        yield f"exit code 0, but it does not say {phrase!r}"
    if ended.code not in (0, 1, 2, 4) or (ended.code == 0 and not case.fine):
        yield f"exit code {ended.code}"
    if "Traceback" in told or "unexpected" in told:
        yield "traceback or unexpected"
    if ended.code and not verdict:
        if not ended.err.strip() or ended.err.count("  → ") > 1:
            yield "not one message"
        where = [Path(name).stem for name in names]
        where += [OTHERWISE[case.area]] if case.area in OTHERWISE else []
        lost = case.badness == "missing" or case.resealed  # then it may name the whole
        if names and not lost and not any(name in ended.err for name in where):
            yield f"it names none of {where}"
        words = [word.partition("=")[0].lstrip("-") for word in case.words.split()]
        if "→" not in ended.err and not any(name in ended.err for name in [*where, *words]):
            yield "neither what is wrong is named nor what to do"
    if len(ended.err) > 3_000:
        yield f"a message of {len(ended.err)} characters"
    if any(ord(sign) < 32 and sign not in "\n\t\r" for sign in told):
        yield "control characters are printed"


def _left(case: Case, ended: scene.Ended, before: dict[str, str], place: Path) -> Iterator[str]:
    """What is wrong with the files."""
    for name, kind in scene.changes(before, scene.tree(place)).items():
        if name.endswith((".md", ".csv", ".jsonl")) and kind != "lost":
            written = (place / name).read_text(encoding="utf-8", errors="replace")
            signs = ("\x1b", "<script>") if name.endswith(".md") else ("\x1b",)
            yield from (f"{sign!r} in {name}" for sign in signs if sign in written)
        hidden = any(part.startswith(".") for part in Path(name).parts)
        state = name.startswith("state/") and not ended.code  # old snapshots go
        may = name.endswith(MAY_APPEAR) or state or (case.fine and kind != "lost" and not hidden)
        if not may and (kind != "new" or hidden):
            yield f"{kind}: {name}"


def parameters() -> Iterator[ParameterSet]:
    """All cases; after the first of a cell of the table they are slow."""
    known: set[tuple[str, str]] = set()
    for case in CASES:
        cell = case.area, case.badness
        marks = [pytest.mark.slow] * (cell in known)
        yield pytest.param(case, id=case.name, marks=marks)
        known.add(cell)


@pytest.mark.parametrize("case", [*parameters()])
def test_a_bad_input_is_one_message_and_costs_nothing(
    case: Case, place: Path, good: Path, no_figures: None
) -> None:
    ids = {name: scene.run_id(good, name) for name in ("logistic", "hybrid")}
    result = good / "runs/logistic" / ids["logistic"] / "result.json"
    ids["fingerprint"] = scene.read_json(result)["fingerprint"]
    try:
        found = problems(case, place, ids)
        assert not found, "\n".join(found)
    finally:
        restore(place, good)


@pytest.mark.parametrize("reader", READERS)
def test_the_good_input_of_each_reader_works(
    reader: str, place: Path, good: Path, no_figures: None
) -> None:
    ids = {name: scene.run_id(good, name) for name in ("logistic", "hybrid")}
    words = READERS[reader][1].format(**ids)
    try:
        ended = scene.call(words, place)
        assert ended.code == 0, ended.err
    finally:
        restore(place, good)


def test_the_table_has_every_cell_that_makes_sense() -> None:
    for area in dict.fromkeys(case.area for case in CASES):
        tried = {case.badness for case in CASES if case.area == area}
        assert {*BADNESS} - tried == EMPTY.get(area, set()), area
    assert len(CASES) >= 780

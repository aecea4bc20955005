"""Every bad input ends in one message: no traceback, nothing unexpected, nothing lost."""

from __future__ import annotations

import json
import resource
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from tests.conftest import ROOT
from tests.robustness import scene
from tests.robustness.bad_inputs import BADNESS, GOOD, READERS, Case, cases

CASES = list(cases())
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
    (folder / "one.csv").write_text("".join(",".join(row.split(",")[1:4]) + "\n" for row in rows), encoding="utf-8")
    labels = ["label\n", *(f"{int(n % 50 > 40)}\n" for n in range(300))]
    (folder / "labels.csv").write_text("".join(labels), encoding="utf-8")
    shutil.copy(ROOT / "reports/baseline.json", folder / "baseline.json")
    (folder / "runs/.sweeps").mkdir()
    record = sweep_record(scene.run_id(folder, "logistic"))
    (folder / "runs/.sweeps/pair-plant-quick.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def place(good: Path) -> Path:
    """A copy, in which every case finds and leaves the same files."""
    return scene.copy(good, good.with_name("place"))


def sweep_record(run: str) -> dict[str, object]:
    """As a sweep writes it."""
    job = {"number": 1, "experiment": "logistic", "id": run, "arm": "data.calibration=offset"}
    job |= {"place": "seed 0 fold 0", "epochs": 100, "closed": False}
    record = {"label": "pair-plant-quick", "sweep": "pair.yaml", "preset": "quick"}
    record |= {"overrides": [], "slots": 1, "started": "2026-11-29T15:26:59+00:00"}  # type: ignore[dict-item]
    return {**record, "report": "reports/pair-plant-quick", "runs": [job], "trials": None,
            "reported": None, "pid": 1, "host": "elsewhere"}


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


def problems(case: Case, place: Path, ids: dict[str, str]) -> list[str]:
    """What is wrong with how a command took its bad input."""
    for pattern, spoil in case.spoiled.items():
        found = sorted(place.glob(pattern))
        assert found, pattern
        for path in found:
            content = path.read_bytes()
            path.unlink()
            if spoil is not None:
                path.write_bytes(spoil(content))
    before = scene.tree(place)
    words = case.words.replace("{logistic}", ids["logistic"]).replace("{hybrid}", ids["hybrid"])
    try:
        with limited():
            ended = scene.call(words, place)
    except TooLong:
        return [f"took more than {LONGEST} s"]
    except BaseException as error:
        return [f"ended by {type(error).__name__}: {error}"[:300]]
    told, found = ended.err + ended.out, []
    if case.fine and ended.code:
        found.append(f"exit code {ended.code}, though {case.fine}")
    if not case.fine and ended.code not in (1, 2, 4):
        found.append(f"exit code {ended.code}")
    if "Traceback" in told or "unexpected" in told:
        found.append("traceback or unexpected")
    if ended.code and (not ended.err.strip() or ended.err.count("  → ") > 1):
        found.append("not one message")
    if len(ended.err) > 3_000:
        found.append(f"a message of {len(ended.err)} characters")
    if any(ord(sign) < 32 and sign not in "\n\t\r" for sign in told):
        found.append("control characters are printed")
    for name, kind in scene.changes(before, scene.tree(place)).items():
        hidden = any(part.startswith(".") for part in Path(name).parts)
        if name.endswith(MAY_APPEAR) or (case.fine and kind != "lost" and not hidden):
            continue
        if kind != "new" or hidden:
            found.append(f"{kind}: {name}")
    return found and [*found, f"it said: {told.strip()[-300:]!r}"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_input_is_one_message_and_costs_nothing(
    case: Case, place: Path, good: Path, no_figures: None
) -> None:
    ids = {name: scene.run_id(good, name) for name in ("logistic", "hybrid")}
    try:
        assert problems(case, place, ids) == []
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
        assert ended.code == (2 if reader == "own model" else 0), ended.err
    finally:
        restore(place, good)


def test_the_table_has_every_cell_that_makes_sense() -> None:
    filled = Counter(case.badness for case in CASES)
    assert filled.keys() == set(BADNESS)
    assert len(CASES) >= 480

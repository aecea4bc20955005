"""One flipped bit, or the second half of a file missing: refused or repaired, never believed. All
files of a scene, at night; each kind is damaged by quick tests of its own in this folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.robustness import scene
from tests.robustness.scene import Ended

Damage = Callable[[bytes], bytes]

FRESH = f"train logistic {scene.DATA} seed=5 --runs runs2 --json"
"""Reads all parts of the data."""
STATE = ("state", "live.alarms")
UNREAD = ("model.md", "hybrid.md", ".lock", "lock", ".fingerprints.json")
"""Files that no command reads (cards), that are empty, or whose damage costs time alone."""


def flipped(share: float) -> Damage:
    """One bit is another, at a share of the file."""

    def damage(good: bytes) -> bytes:
        at = min(int(share * len(good)), len(good) - 1)
        return good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :]

    return damage


def truncated(good: bytes) -> bytes:
    """The first half."""
    return good[: len(good) // 2]


SHARES = (0.02, 0.2, 0.35, 0.5, 0.65, 0.8, 0.98)
DAMAGES = {**{f"a bit at {share:.0%}": flipped(share) for share in SHARES}, "truncated": truncated}


def metrics(ended: Ended) -> Any:
    """The numbers in what a command printed."""
    found = json.loads(ended.out)
    return {key: found[key] for key in ("metrics", "threshold") if key in found}


@dataclass(frozen=True, slots=True)
class Group:
    """Files that belong together.

    files: patterns. result: what comes of them in a scene, in values that no clock changes; raises
    RefusedError. prepare: what is done first.
    """

    files: tuple[str, ...]
    result: Callable[[Path], Any]
    prepare: Callable[[Path], None] = field(default=lambda place: None)


class RefusedError(Exception):
    """A command ended with another exit code than 0."""


def called(words: str, place: Path) -> Ended:
    """A command that worked. Raises RefusedError: with its message."""
    ids = {name: scene.run_id(place, name) for name in ("logistic", "hybrid")}
    ended = scene.call(words.format(**ids), place)
    if ended.code:
        raise RefusedError(ended.err)
    return ended


def of_run(place: Path) -> Any:
    """What is reported of the runs, and what their models give."""
    called("report", place)
    found = {*place.glob("reports/*/*.md"), *place.glob("reports/*/tables/*.csv")}
    written = {path.name: path.read_text() for path in found}
    tested = [metrics(called(f"test {{{one}}} --json", place)) for one in ("logistic", "hybrid")]
    done = [called(f"{words} --json", place).out for words in (scene.CLASSICAL, scene.NETWORK)]
    return written, tested, done


def of_set(place: Path) -> Any:
    """What is known of the imported data."""
    return called("data info plant --json", place).out


def of_cache(place: Path) -> Any:
    """What a run that reads all of the data becomes."""
    shutil.rmtree(place / "runs2", ignore_errors=True)
    return metrics(called(FRESH, place))


def of_models(place: Path) -> Any:
    """The scores and alarms of exported models."""
    found = []
    for name in ("model", "hybrid"):
        for old in place.glob("new.*"):
            old.unlink()
        words = (
            f"detect readings.csv --model {name}.onnx --alarms new.jsonl --scores new.csv --json"
        )
        summary = called(words, place).out
        found.append((summary, *((place / each).read_text() for each in ("new.jsonl", "new.csv"))))
    return found


def killed(place: Path) -> None:
    """A detector has read the first half of its file and was killed."""
    scene.half_way(place)
    for name in STATE:
        source = place / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, place / "kept" / name)


def of_state(place: Path) -> Any:
    """The alarms of the whole file, with the second half that is read now."""
    try:
        told = called(scene.RESUMED, place).err
        if "journal-" in told:  # the rest is there, and what was lost is reported
            raise RefusedError(told)
        return (place / "live.alarms").read_text()
    finally:
        shutil.rmtree(place / "state")
        shutil.copytree(place / "kept/state", place / "state")
        shutil.copy(place / "kept/live.alarms", place / "live.alarms")


def own_cache(place: Path) -> None:
    """Only the data of one run is prepared."""
    shutil.rmtree(place / "data/prepared")
    of_cache(place)


GROUPS = {
    "run": Group(("runs/*/*/**/*",), of_run),
    "imported set": Group(("data/plant/*",), of_set),
    "cache": Group(("data/prepared/*/*",), of_cache, own_cache),
    "exported model": Group(("*.onnx",), of_models),
    "state of a detector": Group(("state/*",), of_state, killed),
}


@pytest.fixture
def place(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the scene."""
    return scene.copy(scene.made(tmp_path_factory.getbasetemp()), tmp_path / "place")


def problems(group: Group, place: Path) -> Iterator[str]:
    """What was believed, or refused without a message."""
    group.prepare(place)
    truth = group.result(place)
    assert group.result(place) == truth  # what is compared does not change by itself
    kept = scene.copy(place, place.with_name("kept"))
    names = sorted({path.relative_to(place) for one in group.files for path in place.glob(one)})
    for name in names:
        path = place / name
        if not path.is_file() or path.name in UNREAD or path.stat().st_size == 0:
            continue
        for how, damage in DAMAGES.items():
            if path.name.startswith("journal-") and how == "truncated":
                continue  # a torn end is what a kill leaves: nobody can know of more
            path.write_bytes(damage((kept / name).read_bytes()))
            try:
                if group.result(place) != truth:
                    yield f"{name}, {how}: believed, other results"
            except RefusedError as refused:
                if (told := str(refused).strip()) == "" or "unexpected" in told:
                    yield f"{name}, {how}: {told[:200]}"
            except (Exception, SystemExit) as error:
                yield f"{name}, {how}: raised {type(error).__name__}: {str(error)[:200]}"
            for each in scene.changes(scene.tree(kept), scene.tree(place)):
                if (place / each).is_file() and not (kept / each).exists():
                    (place / each).unlink()
                elif (kept / each).is_file():
                    (place / each).parent.mkdir(parents=True, exist_ok=True)
                    (place / each).write_bytes((kept / each).read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("name", GROUPS)
def test_damage_of_every_file_at_several_places_is_refused_or_repaired(
    name: str, place: Path, no_figures: None
) -> None:
    group = GROUPS[name]
    assert list(problems(group, place)) == []

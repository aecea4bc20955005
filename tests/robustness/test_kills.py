"""A command that was killed at any moment, and then repeated, ends as if nothing had happened."""

from __future__ import annotations

import json
import random
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal, cast

import numpy as np
import pytest
import torch

from tests.robustness import scene
from tests.robustness.kills import Forked, Kill, Zygote

DURATIONS = ("timings.json", "cost.md", "cost.csv", ".fingerprints.json")
"""Files that hold durations or times of files: no two runs of a command write the same."""


NUMBERED = ("state/snapshot-", "state/journal-")
VARIED = ("timings.json", "last.ckpt", ".skops", "checksums.json")  # the last: of the others
"""Files of a run that are not compared byte by byte, by the ends of their names."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command to kill.

    words: {logistic} and {hybrid} stand for ids of runs. without: what of the scene it must not
    find. probe: a command that works at any time, whatever was killed; its output is one of those
    from before and after.
    """

    words: str
    without: tuple[str, ...] = ()
    probe: str | None = None


NEW_IMPORT = scene.IMPORT.replace("readings.csv", "other.csv")
OTHER = ("runs", "data/prepared", "world", "state")
FRESH = ("runs", "data/prepared")

COMMANDS = {
    "train": Command(scene.NETWORK, FRESH),
    "train of a classical model": Command(scene.CLASSICAL, FRESH),
    "sweep": Command("sweep pair.yaml --slots 1", (*FRESH, "reports")),
    "import": Command(scene.IMPORT, (*OTHER, "data")),
    "import --replace": Command(f"{NEW_IMPORT} --replace", OTHER, "data info plant --json"),
    "export": Command("export {logistic} --out new.onnx"),
    "export --replace": Command("export {logistic} --out hybrid.onnx --replace"),
    "export of variants": Command("export {hybrid} --out new.onnx --variants int8"),
    "report": Command("report --format csv", ("reports",)),
    "detect --state": Command(f"{scene.DETECT} --fsync", ("state", "alarms.jsonl", "scores.csv")),
}
RANDOM = {"export of variants": 5, "train of a classical model": 15}
"""How often each is killed at random, where it is not 25 times; 220 in all."""


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    """The process that forks commands."""
    with Zygote() as found:
        yield found


def settled(folder: Path) -> dict[str, str]:
    """A digest of each file below a folder, without durations, times of files, and process ids. A
    detector's snapshots and journals, whose numbers grow with each start, are named by their age:
    0 is the newest."""
    found = {}
    tree = scene.tree(folder)
    numbered = sorted((name for name in tree if name.startswith(NUMBERED)), reverse=True)
    for name, digest in tree.items():
        kind = name.partition("-")[0]
        own = [one for one in numbered if one.startswith(f"{kind}-")]
        age = own.index(name) if name in own else -1
        shown = name if age < 0 else f"{kind}-{age}{Path(name).suffix}"
        found[shown] = "any" if age > 0 else _content(folder, name) or digest
    return found


def _content(folder: Path, name: str) -> str:
    """What is compared of a file that has more than that; empty for all others."""
    path = folder / name
    if path.name in DURATIONS:
        return "any"
    if name.startswith("state/snapshot-"):  # but for the paths of this copy of the scene
        with np.load(path) as archive:
            arrays = dict(archive)
        own = json.loads(arrays.pop("service").tobytes())
        own["place"], own["scores"] = json.loads(own["place"])["offset"], own["scores"][1]
        return repr((own, sorted((each, arrays[each].tobytes()) for each in arrays)))
    if path.suffix == ".skops":  # a ZIP file has times, and skops numbers objects by address
        with zipfile.ZipFile(path) as archive:
            members = [archive.read(one) for one in archive.namelist()]
        return repr(sorted(re.sub(rb"\d{9,}", b"N", member) for member in members))
    if path.name == "checksums.json":  # also of the files that are compared by their content
        known = scene.read_json(path)
        return repr({one: known[one] for one in known if not one.endswith(VARIED)})
    if path.name == "last.ckpt":  # Lightning counts what it did since it was started
        saved = torch.load(path, weights_only=True)
        return _digest({key: saved[key] for key in saved if key != "loops"})
    if path.suffix == ".md" and path.parent == folder:  # a card has latencies
        lines = path.read_text(encoding="utf-8").splitlines()
        return "\n".join(line for line in lines if "µs" not in line and not line.startswith("| `"))
    if "/.sweeps/" in f"/{name}":
        record = scene.read_json(path)
        return json.dumps({key: record[key] for key in record if key not in ("started", "pid")})
    return ""


def _digest(value: object) -> str:
    """Of tensors in dicts and lists, bit for bit."""
    if isinstance(value, torch.Tensor):
        return sha256(value.numpy().tobytes()).hexdigest()
    if isinstance(value, dict):
        return repr({key: _digest(own) for key, own in value.items()})
    if isinstance(value, list | tuple):
        return repr([_digest(own) for own in value])
    return repr(value)


@dataclass
class Trial:
    """A command, and how it ends undisturbed."""

    command: Command
    base: Path
    folder: Path
    zygote: Zygote
    killed: int = 0  # how often it was really killed

    def __post_init__(self) -> None:
        ids = {name: scene.run_id(self.base, name) for name in ("logistic", "hybrid")}
        self.words = self.command.words.format(**ids)
        whole = self.fresh("undisturbed")
        self.before = self.probed(whole) if self.command.probe else ""
        ended = self.zygote.run(self.words, whole)
        assert ended.code == 0, ended.err
        self.calls, self.seconds, self.end = len(ended.calls), ended.seconds, settled(whole)
        self.after = self.probed(whole) if self.command.probe else ""

    def fresh(self, name: str) -> Path:
        """A new copy of the scene, without what the command shall make."""
        place = scene.copy(self.base, self.folder / name)
        for gone in self.command.without:
            path = place / gone
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        return place

    def probed(self, place: Path) -> str:
        """What the probe prints."""
        assert self.command.probe
        ended = self.zygote.run(self.command.probe, place)
        return ended.out if ended.code == 0 else f"probe: exit code {ended.code}: {ended.err}"

    def problems(self, kill: Kill) -> list[str]:
        """What is wrong after a kill and the same command again; empty if nothing is."""
        place, found = self.fresh("killed"), []
        killed = self.zygote.run(self.words, place, kill)
        at = killed.calls[-1] if killed.calls else "nothing"
        shown = f"killed {kill.when} call {kill.call}, {at}:"
        if kill.seconds is not None:
            shown = f"killed after {kill.seconds:.3f} s, the last call {at}:"
        self.killed += killed.code == -9
        if killed.code not in (-9, 0):
            found.append(f"{shown} exit code {killed.code}: {killed.err}")
        if self.command.probe and (seen := self.probed(place)) not in (self.before, self.after):
            found.append(f"{shown} {seen}")
        again = self.zygote.run(self.words, place)
        wrong = scene.changes(self.end, settled(place))
        # where nothing is left to do, "exists already" is right
        failed = "Traceback" in again.err or (again.code and "exists" not in again.err)
        told = f"exit code {again.code}: {again.err.strip()}" if again.code or failed else ""
        if wrong or failed:
            found.append(f"{shown} again: {told} other files: {wrong}")
        shutil.rmtree(place)
        return found


@pytest.fixture
def trial(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    zygote: Zygote,
) -> Trial:
    """The trial of the command of this name."""
    base = scene.made(tmp_path_factory.getbasetemp())
    return Trial(COMMANDS[request.param], base, tmp_path, zygote)


def at_calls(trial: Trial, *whens: Literal["before", "after"], every: int = 1) -> list[str]:
    """The problems after a kill at each call, or at every so many."""
    kills = [Kill(number, when) for number in range(1, trial.calls + 1, every) for when in whens]
    assert kills
    found = [problem for kill in kills for problem in trial.problems(kill)]
    assert trial.killed >= 0.9 * len(kills)  # a sweep makes not always as many calls
    return found


@pytest.mark.parametrize("trial", ["export"], indirect=True)
def test_killed_before_a_change_of_a_folder_and_repeated_it_ends_as_undisturbed(
    trial: Trial,
) -> None:
    assert at_calls(trial, "before", every=3) == []


@pytest.mark.slow
@pytest.mark.parametrize("trial", COMMANDS, indirect=True)
def test_killed_before_and_after_each_change_of_a_folder_and_repeated(trial: Trial) -> None:
    assert at_calls(trial, "before", "after") == []


@pytest.mark.slow
@pytest.mark.parametrize("trial", COMMANDS, indirect=True)
def test_killed_at_random_moments_and_repeated(
    trial: Trial, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.params["trial"]
    drawn = random.Random(name)
    moments = [drawn.uniform(0, trial.seconds) for _ in range(RANDOM.get(name, 25))]
    found = [problem for each in moments for problem in trial.problems(Kill(seconds=each))]
    assert trial.killed >= len(moments) / 2  # it may end earlier than undisturbed
    assert found == []


class Lying:
    """In place of a zygote: commands that nothing kills, and whose repetition fails."""

    def __init__(self) -> None:
        self.ends = [(0, ""), (0, ""), (1, "Traceback")]

    def run(self, words: str, folder: Path, kill: Kill | None = None) -> Forked:
        code, err = self.ends.pop(0)
        return Forked(code, "", err, ("fsync",), 0.1)


def test_a_repetition_that_fails_and_a_kill_that_never_was_are_seen(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = scene.made(tmp_path_factory.getbasetemp())
    with pytest.raises(AssertionError, match="killed"):
        at_calls(Trial(COMMANDS["export"], base, tmp_path / "a", cast(Zygote, Lying())), "before")
    trial = Trial(COMMANDS["export"], base, tmp_path / "b", cast(Zygote, Lying()))
    (problem,) = trial.problems(Kill(1))
    assert "Traceback" in problem

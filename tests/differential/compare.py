"""Compare what two sides left of a case, by value."""

from __future__ import annotations

import fnmatch
import json
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from tests.differential import readers
from tests.differential.case import Case
from tests.differential.ignored import FILES, KEYS, RENAMED
from tests.differential.running import Outcome

_ID = re.compile(r"(?<![0-9a-f])(?:[0-9a-f]{16}|[0-9a-f]{10})(?![0-9a-f])")
_RUN = re.compile(r"[0-9a-f]{10}")


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs."""

    case: str
    file: str
    key: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.case}: {self.file}: {self.key}: {_short(self.old)} → {_short(self.new)}"


@dataclass
class Comparison:
    """Of one case: values compared by kind, and what differs."""

    case: Case
    old: Outcome
    new: Outcome
    counts: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)
    """New id → old id: a run's id may change, if each stands for one of the old."""

    def run(self) -> Comparison:
        """Compare exit codes, what was printed, and every file."""
        self._pair_runs()
        for number, (old, new) in enumerate(zip(self.old.steps, self.new.steps, strict=True), 1):
            self._step(f"step {number}", old, new)
        self._files()
        return self

    def _step(self, where: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        self.counts["exit code"] += 1
        if old["code"] != new["code"] or old["signalled"] != new["signalled"]:
            self._differs(where, "exit code", old["code"], f"{new['code']}: {new['stderr'][-300:]}")
            return
        (kind, left), (_, right) = readers.printed(old["stdout"]), readers.printed(new["stdout"])
        self._same(f"{where} stdout", "", left, right, f"stdout {kind}")
        if "Traceback" in new["stderr"] and "Traceback" not in old["stderr"]:
            self._differs(where, "stderr", "", new["stderr"][-300:])
        if old["code"] not in (0, -9):
            told = self._renamed(self._plain(new["stderr"], self.new))
            for word in readers.named(self._plain(old["stderr"], self.old)):
                self.counts["message"] += 1
                if word.strip("'") not in told and not _RUN.fullmatch(word):
                    self._differs(f"{where} stderr", word, word, told.strip()[:200])

    def _files(self) -> None:
        old, new = _tree(self.old.here), _tree(self.new.here)
        renamed = {self._renamed(name): path for name, path in new.items()}
        for name in sorted({*old, *renamed}):
            self.counts["file"] += 1
            if name not in old or name not in renamed:
                self._differs(name, "exists", str(name in old), str(name in renamed))
                continue
            kind, left = readers.read(old[name])
            other, right = readers.read(renamed[name])
            if kind != other:
                self._differs(name, "kind", kind, other)
            elif kind == "parquet":
                self._frames(name, left, right)
            elif kind == "md":
                self._tables(name, left["tables"], right["tables"])
                self._same(name, "prose", left["prose"], right["prose"], kind)
            elif kind != "existence":
                self._same(name, "", left, right, kind)

    def _frames(self, name: str, old: pl.DataFrame, new: pl.DataFrame) -> None:
        old, new = old.rename(_today), new.rename(_today)
        if dict(old.schema) != dict(new.schema) or old.height != new.height:
            self._differs(
                name,
                "schema",
                f"{old.height} rows {dict(old.schema)}",
                f"{new.height} rows {dict(new.schema)}",
            )
            if old.height != new.height or set(old.columns) != set(new.columns):
                return
        for column in old.columns:
            left, right = old[column], new[column]
            if column in KEYS:
                continue
            if left.equals(right, check_dtypes=True, null_equal=True):
                self.counts["parquet"] += left.len()
            else:
                self._same(name, column, left.to_list(), right.to_list(), "parquet")

    def _tables(self, name: str, old: list[list[list[str]]], new: list[list[list[str]]]) -> None:
        if len(old) != len(new):
            self._differs(name, "tables", [table[0] for table in old], [table[0] for table in new])
            return
        for number, (left, right) in enumerate(zip(old, new, strict=True), 1):
            kept = [at for at, heading in enumerate(left[0]) if heading not in KEYS]
            where = f"table {number}"
            if [len(row) for row in left] != [len(row) for row in right]:
                self._differs(name, where, left, right)
                continue
            for at in kept:
                one, two = ([row[at] for row in table] for table in (left, right))
                self._same(name, f"{where} {one[0]}", one, two, "md")

    def _same(self, file: str, key: str, old: Any, new: Any, kind: str) -> None:
        if isinstance(old, dict) and isinstance(new, dict):
            old = {_today(name): one for name, one in old.items()}
            new = {
                self._renamed(_today(name)) if isinstance(name, str) else name: one
                for name, one in new.items()
            }
            for name in dict.fromkeys((*old, *new)):
                here = f"{key}.{name}".lstrip(".")
                if name in KEYS:
                    continue
                if name in old and name in new:
                    self._same(file, here, old[name], new[name], kind)
                else:
                    self._differs(file, here, old.get(name, "missing"), new.get(name, "missing"))
        elif isinstance(old, list) and isinstance(new, list):
            old, new = self._in_order(old, new)
            if len(old) != len(new):
                self._differs(
                    file, key or "length", f"{len(old)} values {old}", f"{len(new)} values {new}"
                )
                return
            for at, (left, right) in enumerate(zip(old, new, strict=True)):
                self._same(file, f"{key}[{at}]", left, right, kind)
        else:
            self.counts[kind] += 1
            if not self._equal(old, new):
                self._differs(file, key, old, new)

    def _in_order(self, old: list[Any], new: list[Any]) -> tuple[list[Any], list[Any]]:
        """Lists of runs by old's ids, where ids changed and with them perhaps the order."""
        changed = any(one != two for one, two in self.ids.items())
        if not changed or not all(
            isinstance(one, dict) and _RUN.fullmatch(str(one.get("id"))) for one in (*old, *new)
        ):
            return old, new
        return (
            sorted(old, key=lambda one: str(one["id"])),
            sorted(new, key=lambda one: self._renamed(str(one["id"]))),
        )

    def _equal(self, old: Any, new: Any) -> bool:
        if isinstance(old, str) and isinstance(new, str):
            return _today(old) == new or self._equal_text(
                self._plain(old, self.old), self._plain(new, self.new)
            )
        if isinstance(old, float) and isinstance(new, float) and math.isnan(old):
            return math.isnan(new)
        return bool(old == new) and isinstance(old, bool) == isinstance(new, bool)

    def _equal_text(self, old: str, new: str) -> bool:
        if old == new or (_number(old) is not None and _number(old) == _number(new)):
            return True
        if _ID.sub("#", old) == _ID.sub("#", new):
            pairs = zip(_ID.findall(old), _ID.findall(new), strict=True)
            return all(self._pair(left, right) for left, right in pairs)
        if min(len(old.split()), len(new.split())) >= 4:  # prose: its words may change
            left, right = readers.values(old), readers.values(new)
            if left != right and len(left) == len(right):
                return all(self._equal_text(one, two) for one, two in zip(left, right, strict=True))
            self.counts["prose with other words"] += left == right
            return left == right
        return False

    def _pair(self, old: str, new: str) -> bool:
        """Whether `new` stands for `old`, as everywhere before in this case."""
        if self.ids.setdefault(new, old) != old:
            return False
        return sum(value == old for value in self.ids.values()) == 1

    def _plain(self, text: str, outcome: Outcome) -> str:
        """A text without the places where its side worked."""
        side = outcome.side
        home = side.home(self.case, outcome.here)
        text = text.replace(str(outcome.here), "<case>").replace(str(home), "<data>")
        if side.path is not None:
            text = text.replace(str(side.path), "<code>")
        text = re.sub(r"/\S*/site-packages/(?=anomalynet/)", "<code>/", text)
        return text.replace("<code>/anomalynet/_shipped", "<code>")

    def _renamed(self, name: str) -> str:
        return _ID.sub(lambda match: self.ids.get(match[0], match[0]), name)

    def _pair_runs(self) -> None:
        """Runs whose ids changed are paired within their folder by their configurations."""
        old, new = _runs(self.old.here), _runs(self.new.here)
        for parent in old.keys() | new.keys():
            mine, other = old.get(parent, {}), new.get(parent, {})
            common = mine.keys() & other.keys()
            self.ids |= {run: run for run in common}
            left = sorted((text, run) for run, text in mine.items() if run not in common)
            right = sorted((text, run) for run, text in other.items() if run not in common)
            self.ids |= {two: one for (_, one), (_, two) in zip(left, right, strict=False)}

    def _differs(self, file: str, key: str, old: object, new: object) -> None:
        self.differences.append(Difference(self.case.name, file, key, str(old), str(new)))


def _tree(here: Path) -> dict[str, Path]:
    found = {path.relative_to(here).as_posix(): path for path in here.rglob("*") if path.is_file()}
    return {
        name: path
        for name, path in found.items()
        if not any(
            fnmatch.fnmatch(path.name, glob) or fnmatch.fnmatch(name, glob) for glob in FILES
        )
    }


def _runs(here: Path) -> dict[str, dict[str, str]]:
    """Parent folder → id → configuration of its runs."""
    found: dict[str, dict[str, str]] = {}
    for path in here.rglob("config.yaml"):
        if _RUN.fullmatch(path.parent.name):
            text = json.dumps(yaml.safe_load(path.read_text()), sort_keys=True, default=str)
            parent = path.parent.parent.relative_to(here).as_posix()
            found.setdefault(parent, {})[path.parent.name] = text
    return found


def _today(name: Any) -> Any:
    """A key or a word of the baseline as it is today."""
    for before, after in RENAMED.items():
        if isinstance(name, str) and (name == before or name.endswith(f"/{before}")):
            return f"{name.removesuffix(before)}{after}"
    return name


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _short(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:157]}…"

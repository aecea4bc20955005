"""What a case is: a short named list of commands."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One command, and what happens around it.

    Attributes:
        argv: arguments of `anomalynet`; empty for a step that only writes, removes or publishes.
            `{data}` is the folder of real data, `{port}` the case's broker, `@runs/cnn/*` the one
            path that matches.
        stdin: what the command reads.
        files: name and content of files that are written first.
        append: name and content that is added to files first.
        remove: files that are deleted first.
        until: a glob and a number of lines: the command is signalled when a file has as many.
        signal: 9 or 15, sent when `until` is reached.
        publish: messages for the broker, sent to the topic `readings/g` once the command runs.
    """

    argv: tuple[str, ...] = ()
    stdin: str = ""
    files: tuple[tuple[str, str | bytes], ...] = ()
    append: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()
    until: tuple[str, int] | None = None
    signal: int = 9
    publish: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A list of steps in a folder of its own.

    Attributes:
        after: a case whose folder, as the old side left it, is the start of this one on both sides:
            what old made, new must read.
        own_data: whether the data home is the case's folder `data`, which is compared too; else one
            home serves all cases of a side.
        broker: whether the case needs Mosquitto.
    """

    name: str
    steps: tuple[Step, ...]
    after: str = ""
    own_data: bool = False
    broker: bool = False

    def digest(self, bases: dict[str, Case]) -> str:
        """Ten hex digits of the definition and of what it starts from."""
        base = bases[self.after].digest(bases) if self.after else ""
        return hashlib.sha256(f"{self!r}{base}".encode()).hexdigest()[:10]

"""Runs commands in forks of a process that has imported everything, and kills them: at a moment, or
before or after the n-th call of those that change a folder or wait for the disk."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, Literal, cast

ROOT = Path(__file__).parents[2]

CALLS = ("rename", "replace", "link", "fsync", "fdatasync", "unlink", "remove", "rmdir")
"""Functions of `os` before and after which a command is killed."""

IMPORTED = """
anomalynet.cli.main anomalynet.data.importing.import_table anomalynet.detection.export.export_run
anomalynet.detection.service.stream anomalynet.reporting.render anomalynet.sweep.launch
anomalynet.sweep.report anomalynet.sweep.runner anomalynet.sweep.worker anomalynet.training.run
anomalynet.models.hybrid anomalynet.models.classical tests.robustness.scene
onnxruntime onnxscript.optimizer onnxscript.rewriter skops.io
"""
"""What commands import late: once here instead of once per kill."""

LONGEST = 60.0  # seconds after which a command hangs
NOTED = 300  # the descriptor of the file that their names go to
RECORD = 16  # bytes in it per call


@dataclass(frozen=True, slots=True)
class Kill:
    """When a command kills itself (`call`, the number of one of `CALLS`, from 1), or is killed
    after some `seconds`. Neither: it is only watched."""

    call: int = 0
    when: Literal["before", "after"] = "before"
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Forked:
    """How a command ended: its exit code (-9: killed), what it printed, the calls that it made, and
    its duration."""

    code: int
    out: str
    err: str
    calls: tuple[str, ...]
    seconds: float


class Zygote:
    """A process that has imported everything and used nothing; it forks once per command. Start it
    as a context manager."""

    def __init__(self) -> None:
        one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
        one |= {"MPLBACKEND": "agg", "ANOMALYNET_DATA": "data", "PYTHONPATH": str(ROOT)}
        pipe: Any = subprocess.PIPE
        command = [sys.executable, "-m", "tests.robustness.kills"]
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, env={**os.environ, **one}
        )

    def run(self, words: str, folder: Path, kill: Kill | None = None) -> Forked:
        """Run a command in a folder; what it started has ended too when this returns."""
        assert self.process.stdin and self.process.stdout
        job = {"words": words, "folder": str(folder), "kill": asdict(kill or Kill())}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        reply = json.loads(self.process.stdout.readline())
        reply["calls"] = tuple(reply["calls"])
        return Forked(**reply)

    def __enter__(self) -> Zygote:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(timeout=60)


def serve() -> None:
    """Fork one child for each line of stdin, and say on stdout how it ended."""
    for name in IMPORTED.split():
        importlib.import_module(name)

    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # Orphans of a killed command become children of this process, which waits for them.
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    for line in sys.stdin:
        replies.write(json.dumps(_carry_out(**json.loads(line))) + "\n")
        replies.flush()


def _carry_out(words: str, folder: str, kill: dict[str, Any]) -> dict[str, Any]:
    place = Path(folder)
    beside = {name: place.with_name(f"{place.name}.{name}") for name in ("out", "err", "calls")}
    for path in beside.values():
        path.write_bytes(b"")
    began = time.monotonic()
    if (child := os.fork()) == 0:
        _child(words, place, Kill(**kill), beside)
    longest = LONGEST if kill["seconds"] is None else kill["seconds"]
    status = None
    while status is None:
        pid, ended = os.waitpid(child, os.WNOHANG)
        if pid:
            status = ended
        elif time.monotonic() > began + longest:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        else:
            time.sleep(0.002)
    seconds = time.monotonic() - began
    with contextlib.suppress(ChildProcessError):  # the workers of a sweep end with it
        while True:
            os.waitpid(-1, 0)
    out, err, calls = (path.read_text(encoding="utf-8") for path in beside.values())
    code = os.waitstatus_to_exitcode(status)
    found = {"code": code, "out": out, "err": err, "calls": calls.split()}
    for path in beside.values():
        path.unlink()
    return {**found, "seconds": seconds}


def _child(words: str, folder: Path, kill: Kill, beside: dict[str, Path]) -> None:
    """Never returns."""
    code = 70
    try:
        for name, number in (("out", 1), ("err", 2)):
            os.dup2(os.open(beside[name], os.O_WRONLY | os.O_APPEND), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(folder)
        from anomalynet.cli.main import main
        from anomalynet.detection.service import stream
        from anomalynet.reporting import figures
        from anomalynet.sweep import launch
        from tests.robustness.scene import Ending

        cast("Any", stream).Followed = Ending
        # takes most of a report's time, and is written likewise
        cast("Any", figures).drawn = lambda *_: {}
        watch(kill, beside["calls"])
        if words.startswith("sweep"):
            spare = [Worker() for _ in range(3)]
            library = SimpleNamespace(PIPE=None, Popen=lambda *_, **__: spare.pop())
            cast("Any", launch).subprocess = library
        code = main(shlex.split(words))
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 71
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def watch(kill: Kill, log: Path) -> None:
    """Note the calls of `CALLS` in a file, those of this process and of its workers; at one of
    them, kill the process that makes it and its parent."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), NOTED)
    main_process = os.getpid()

    def die() -> None:
        os.kill(main_process, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    def patched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **keywords: Any) -> Any:
            os.write(NOTED, f"{name:{RECORD - 1}}\n".encode())
            number = os.lseek(NOTED, 0, os.SEEK_CUR) // RECORD
            if number == kill.call and kill.when == "before":
                die()
            try:
                return function(*arguments, **keywords)
            finally:
                if number == kill.call:
                    die()

        return call

    for name in CALLS:
        setattr(os, name, patched(name, getattr(os, name)))


class Worker:
    """In place of `subprocess.Popen` where a sweep starts its workers: a fork, made before anything
    was used (polars' threads do not survive a fork), that needs no imports."""

    def __init__(self) -> None:
        inner, outer = zip(os.pipe(), os.pipe(), os.pipe(), strict=True)
        ends = (inner[0], outer[1], outer[2])
        if (pid := os.fork()) == 0:
            _work(ends)
        for end in ends:
            os.close(end)
        self.pid, self.returncode = pid, cast("int | None", None)
        self.stdin: IO[str] = os.fdopen(outer[0], "w")
        self.stdout: IO[str] = os.fdopen(inner[1], "r")
        self.stderr: IO[str] = os.fdopen(inner[2], "r")

    def poll(self) -> int | None:
        """See subprocess."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """See subprocess."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def kill(self) -> None:
        """See subprocess."""
        os.kill(self.pid, signal.SIGKILL)


def _work(ends: tuple[int, int, int]) -> None:
    """Be the worker of a sweep; never returns."""
    from anomalynet.sweep.worker import main

    try:
        os.setsid()
        for number, end in enumerate(ends):
            os.dup2(end, number)
        os.closerange(3, NOTED)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
        main()
    finally:
        os._exit(1)


if __name__ == "__main__":
    serve()

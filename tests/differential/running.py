"""Run a case on one side: its steps in a fresh folder, with signals, stdin and a broker."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from tests.differential.case import Case, Step

LIMIT = 900.0
"""Seconds for one command, waiting for a free core included."""

BROKER = """listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_interval 1
max_queued_messages 0
user root
"""

OTHER_CODE = "0000000000"


@dataclass
class Side:
    """One of the two programs.

    Attributes:
        python: the interpreter.
        path: the folder with `anomalynet`, put first on PYTHONPATH; None where it is installed.
        folder: its cases lie in `cases/`, its data home is `data/`.
        prefix: words put before every command.
        keep: whether an outcome that is already there is used again.
    """

    name: str
    python: str
    path: Path | None
    folder: Path
    real_data: Path
    prefix: tuple[str, ...] = ()
    keep: bool = False
    old: Side | None = None

    def outcome(self, case: Case, cases: dict[str, Case]) -> Outcome:
        """Run a case, or take what is there."""
        folder = self.folder / "cases" / f"{case.name}-{case.digest(cases)}"
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            record = folder / "outcome.json"
            if not (self.keep and record.is_file()):
                shutil.rmtree(folder, ignore_errors=True)
                here = folder / "case"
                if case.after:
                    source = (self.old or self).outcome(cases[case.after], cases)
                    shutil.copytree(source.here, here, symlinks=True)
                    _blank_code(here)
                here.mkdir(parents=True, exist_ok=True)
                began = time.monotonic()
                steps = [*self._steps(case, here)]
                text = json.dumps({"steps": steps, "seconds": time.monotonic() - began})
                record.write_text(text)
            raw = json.loads(record.read_text())
            return Outcome(self, folder / "case", raw["steps"], raw["seconds"])

    def home(self, case: Case, here: Path) -> Path:
        """The data home of a case."""
        return here / "data" if case.own_data else self.folder / "data"

    def environment(self, case: Case, here: Path) -> dict[str, str]:
        """What a command sees."""
        dropped = ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "PYTHONPATH", "WANDB_API_KEY")
        kept = {key: value for key, value in os.environ.items() if key not in dropped}
        own = {
            "ANOMALYNET_DATA": str(self.home(case, here)),
            "OMP_NUM_THREADS": "1",
            "TZ": "UTC",
            "COLUMNS": "120",
            "WANDB_MODE": "offline",
            "PYTHONUNBUFFERED": "1",
        }
        return {**kept, **own, **({"PYTHONPATH": str(self.path)} if self.path else {})}

    def _steps(self, case: Case, here: Path) -> Iterator[dict[str, Any]]:
        with ExitStack() as stack:
            port = stack.enter_context(_broker(here.parent / "broker")) if case.broker else 0
            for one in case.steps:
                yield self._step(one, case, here, port)

    def _step(self, one: Step, case: Case, here: Path, port: int) -> dict[str, Any]:
        for name in one.remove:
            (here / name).unlink(missing_ok=True)
        for name, content in one.files:
            path = here / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        for name, text in one.append:
            with (here / name).open("a", encoding="utf-8") as file:
                file.write(text)
        if not one.argv:
            _publish(port, one.publish)
            return {"code": 0, "stdout": "", "stderr": "", "signalled": False}
        words = [_argument(word, here, self.real_data, port) for word in one.argv]
        command = [*self.prefix, self.python, "-m", "anomalynet", *words]
        out, err = here.parent / "stdout", here.parent / "stderr"
        with out.open("wb") as to_out, err.open("wb") as to_err:
            process = subprocess.Popen(
                command,
                cwd=here,
                env=self.environment(case, here),
                stdin=subprocess.PIPE,
                stdout=to_out,
                stderr=to_err,
                start_new_session=True,
            )
            assert process.stdin is not None
            try:
                with suppress(BrokenPipeError):
                    process.stdin.write(one.stdin.encode())
                    process.stdin.close()
                if one.publish:
                    _until(process, here, ("state/snapshot-*", 0))
                    time.sleep(1.0)
                    _publish(port, one.publish)
                signalled = one.until is not None and _until(process, here, one.until)
                if signalled:
                    os.killpg(process.pid, one.signal)
                code = process.wait(LIMIT)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        texts = {
            name: (here.parent / name).read_text(errors="replace") for name in ("stdout", "stderr")
        }
        if signalled and one.signal == signal.SIGKILL:
            return {"code": -9, "stdout": "", "stderr": "", "signalled": True}
        return {"code": code, "signalled": signalled, **texts}


@dataclass(frozen=True)
class Outcome:
    """What a case left: its folder, and of each step exit code, stdout and stderr."""

    side: Side
    here: Path
    steps: list[dict[str, Any]]
    seconds: float


def _argument(word: str, here: Path, real_data: Path, port: int) -> str:
    word = word.replace("{data}", str(real_data)).replace("{port}", str(port))
    if not word.startswith("@"):
        return word
    found = sorted(here.glob(word[1:]))
    return str(found[0].relative_to(here)) if found else word[1:]


def _until(process: subprocess.Popen[bytes], here: Path, what: tuple[str, int]) -> bool:
    """Wait until a file has as many lines; False where the process ends before."""
    pattern, lines = what
    end = time.monotonic() + LIMIT
    while process.poll() is None and time.monotonic() < end:
        for path in here.glob(pattern):
            with suppress(FileNotFoundError):
                if path.read_bytes().count(b"\n") >= lines:
                    return True
        time.sleep(0.01)
    return False


def _blank_code(here: Path) -> None:
    """Old's runs count as made by other code on both sides, as they do for new."""
    for path in here.rglob("environment.json"):
        raw = json.loads(path.read_text())
        path.write_text(json.dumps({**raw, "code": OTHER_CODE}, indent=2))


@contextmanager
def _broker(folder: Path) -> Iterator[int]:
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    (folder / "mosquitto.conf").write_text(BROKER.format(port=port, folder=folder))
    with (folder / "log").open("wb") as log:
        command = ["mosquitto", "-c", str(folder / "mosquitto.conf")]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            for _ in range(200):
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.05)
            yield port
        finally:
            process.kill()
            process.wait()


def _publish(port: int, messages: tuple[str, ...]) -> None:
    if not messages:
        return
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    client = Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(1)  # in order
    client.connect("127.0.0.1", port)
    client.loop_start()
    for message in messages:
        client.publish("readings/g", message, qos=1).wait_for_publish(30)
    client.disconnect()
    client.loop_stop()

"""A Mosquitto of a test's own, on a free port, as the package ships it; the processes around it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import anomalynet.detection

ROOT = Path(__file__).parent.parent.parent

SHIPPED = Path(anomalynet.detection.__file__).parent / "mosquitto.conf"

needs_mosquitto = pytest.mark.skipif(
    shutil.which("mosquitto") is None, reason="the program mosquitto is not installed"
)


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def until(condition: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Wait; fail with `what` did not happen."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.02)


class Broker:
    """Started at once; `kill` is -9, `start` begins again with what is on the disk; `changes` are
    settings in place of the shipped ones, or beside them."""

    def __init__(self, folder: Path, port: int | None = None, **changes: str) -> None:
        self.port = port or free_port()
        changes = {"persistence_location": f"{folder}/", "user": "root"} | changes
        lines = [f"listener {self.port} 127.0.0.1"]  # what follows is this listener's
        for line in SHIPPED.read_text().splitlines():
            if line.partition(" ")[0] not in {"listener", *changes}:
                lines.append(line)
        lines += [f"{name} {value}" for name, value in changes.items()]
        self._file = folder / "mosquitto.conf"
        self._file.write_text("\n".join([*lines, ""]))
        self._log = folder / "mosquitto.log"
        self.start()

    def start(self) -> None:
        """Start, and wait until it listens."""
        with self._log.open("ab") as log:
            command = ["mosquitto", "-c", str(self._file)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._listens, f"mosquitto starts ({self._log})")

    def kill(self) -> None:
        """Kill -9."""
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        """Of the broker as it runs now."""
        return self._process.pid

    def url(self, topic: str) -> str:
        """The address of a topic."""
        return f"mqtt://127.0.0.1:{self.port}/{topic}"

    def restart(self) -> None:
        """Kill -9, then start."""
        self.kill()
        self.start()

    def settle(self) -> None:
        """Wait until everything is on the disk: Mosquitto acknowledges a message shortly before it
        is there."""
        time.sleep(0.5)

    def _listens(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


class Detector:
    """`anomalynet detect` as a process."""

    def __init__(
        self,
        model: Path,
        *arguments: object,
        environment: dict[str, str] | None = None,
        feed: bool = False,
    ) -> None:
        command = [sys.executable, "-m", "anomalynet", "detect", "--model", str(model)]
        self.process = subprocess.Popen(
            [*command, *map(str, arguments)],
            cwd=ROOT,
            env=os.environ | (environment or {}),
            stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.communicate()

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Send a signal (0: none) and wait: exit code, stdout, stderr."""
        if number:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err

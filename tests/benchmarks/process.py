"""A detector as a process: started, killed, measured from outside."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import IO

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Detector:
    """`anomalynet detect` with arguments; `log` receives its stderr."""

    def __init__(self, arguments: list[str], log: Path, stdin: int | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        words = ["-m", "anomalynet", "detect", *arguments, "--metrics", str(self._port)]
        self._command = [sys.executable, *words]
        self._log, self._stdin = log, stdin
        self._before = 0.0
        self.start()

    def start(self) -> None:
        """Start, or start again."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdin=self._stdin, stdout=subprocess.DEVNULL, stderr=log
            )

    @property
    def stdin(self) -> IO[bytes]:
        """Where it reads from, if it was started with a pipe."""
        assert self.process.stdin is not None
        return self.process.stdin

    def kill(self) -> None:
        """`kill -9`."""
        self._before = self.seconds()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, timeout: float = 60.0) -> int:
        """Ask it to end, and return its exit code."""
        self._before = self.seconds()
        self.process.terminate()
        return self.process.wait(timeout)

    def seconds(self) -> float:
        """CPU time of all its processes so far."""
        return self._before + cpu_seconds(self.process.pid)

    def memory(self) -> int:
        """Bytes in memory."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * PAGE

    def metrics(self) -> dict[str, float]:
        """What /metrics says, by name with labels; empty while it does not answer."""
        try:
            address = f"http://127.0.0.1:{self._port}/metrics"
            with urllib.request.urlopen(address, timeout=10) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return {}
        rows = [line.rpartition(" ") for line in lines if not line.startswith("#")]
        return {name: float(value) for name, _, value in rows}


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK

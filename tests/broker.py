"""A mosquitto of a test's own with the shipped configuration, that can be killed and started again with what it had kept."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import anomalynet

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")

SHIPPED = Path(anomalynet.__file__).parent / "detection/mosquitto.conf"


class Broker:
    """Inside a `with` the broker runs.

    Args:
        folder: holds its configuration and what it keeps.
        more: further lines of the configuration; they replace settings of the same name.
    """

    def __init__(self, folder: Path, more: str = "") -> None:
        assert MOSQUITTO is not None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._configuration = folder / "mosquitto.conf"
        own = [f"listener {self.port} 127.0.0.1", f"persistence_location {folder}/", *more.splitlines()]
        named = {line.split()[0] for line in own}
        lines = [line for line in SHIPPED.read_text().splitlines() if line and line.split()[0] not in named] + own
        if os.geteuid() == 0:
            lines.append("user root")  # or it cannot write to a folder of ours
        self._configuration.write_text("\n".join(lines) + "\n")
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, topic: str) -> str:
        """The address of a topic."""
        return f"mqtt://127.0.0.1:{self.port}/{topic}"

    @property
    def pid(self) -> int:
        """Of the running broker."""
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert MOSQUITTO is not None
        self.process = subprocess.Popen([MOSQUITTO, "-c", str(self._configuration)], stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise TimeoutError("mosquitto does not answer")

    def kill(self) -> None:
        """`kill -9`."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def __enter__(self) -> Broker:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

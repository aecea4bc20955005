"""The end of a sweep on a node of a cluster: a run comes as text and goes home as bytes, because no
disk is shared.

The run is trained by the same worker process as on one machine, a child of this one: what kills it
does not take the node's end with it, and it ends with it, because its pipe closes.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from anomalynet.config.identity import run_id
from anomalynet.config.load import load
from anomalynet.data import sources
from anomalynet.errors import AnomalynetError
from anomalynet.runs.files import write_bytes, write_text
from anomalynet.runs.folder import RunFolder, is_alive
from anomalynet.sweep.cluster.travel import STATE, Order, read_files
from anomalynet.sweep.local import LocalWorker
from anomalynet.sweep.slots import Slot


def runs_of_node() -> Path:
    """Where a node keeps the runs under way, each process in a folder of its own:
    `$ANOMALYNET_RAY_RUNS`, else in the user's cache."""
    return Path(
        os.environ.get("ANOMALYNET_RAY_RUNS") or Path.home() / ".cache" / "anomalynet" / "ray-runs"
    ).absolute()


class Node:
    """Takes one run at a time; `news` may be asked meanwhile, from another thread."""

    def __init__(self) -> None:
        self.place = runs_of_node() / f"{socket.gethostname()}-{os.getpid()}"
        self.runs = self.place / "runs"
        self.folder: RunFolder | None = None
        self.worker: LocalWorker | None = None

    def hello(self, environment: dict[str, str], data: str) -> dict[str, str]:
        """Settle in, and say where this is and what program the runs will be trained by.

        Args:
            environment: variables for the runs.
            data: the sender's data folder, used where it exists here and the node's own
            ANOMALYNET_DATA names no other.
        """
        os.environ.update(environment)
        os.environ.setdefault(
            "ANOMALYNET_DATA", data if Path(data).is_dir() else str(self.place.parent / "data")
        )
        _clear_away(self.place.parent)
        self.runs.mkdir(parents=True)
        os.chdir(self.place)
        command = [
            sys.executable,
            "-c",
            "from anomalynet.sweep.cluster.travel import program; print(program())",
        ]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        code = (told.stdout if told.returncode == 0 else told.stderr).strip().splitlines()
        return {"host": socket.gethostname(), "code": code[-1] if code else ""}

    def work(self, order: Order) -> dict[str, Any]:
        """Carry out a run; what a worker replies, with the run's `files`, or `unfit`: why this node
        cannot do it."""
        for name, text in order["files"].items():
            write_text(Path(name), text)
        config = Path(f"{order['experiment']}.yaml").absolute()
        if unfit := _unfit(config, order):
            return {"unfit": unfit}
        folder = RunFolder(self.runs / order["experiment"] / order["id"])
        for name, content in order["state"].items():
            write_bytes(folder.path / name, content)
        self.folder = folder
        reply = self._train(config, folder, order)
        names = sorted(
            path.relative_to(folder.path).as_posix()
            for path in folder.path.rglob("*")
            if path.is_file()
        )
        files = read_files(
            folder, (name for name in names if not name.startswith(".") and name != "config.yaml")
        )
        self.folder = None
        shutil.rmtree(folder.path)
        return {**reply, "files": files}

    def _train(self, config: Path, folder: RunFolder, order: Order) -> dict[str, Any]:
        worker = self.worker = self.worker or LocalWorker(Slot())
        job = {
            "experiment": str(config),
            "overrides": [],
            "axis": {},
            "runs": str(self.runs),
            "folder": str(folder.path),
            "renew": False,
        }
        reply = worker.ask({**job, "devices": order["devices"], "group": order["group"]})
        if reply is None:
            reply = {"failed": None, "died": worker.last_words()}
        if "died" in reply or worker.spent:
            worker.end()
            self.worker = None
        return reply

    def news(self, seen: int, stop: bool) -> tuple[int, dict[str, bytes]]:
        """How the run under way stands.

        Args:
            seen: what the last call returned; 0 at first.
            stop: ask the run to stop after its epoch.

        Returns: a stamp for the next call, and, where an epoch has ended since, the files that the
        run can be continued from.
        """
        folder = self.folder
        if folder is None:
            return seen, {}
        try:
            if stop:
                folder.stop.touch()
            stamp = folder.progress.stat().st_mtime_ns
        except FileNotFoundError:
            return seen, {}
        return (stamp, read_files(folder, STATE)) if stamp != seen else (seen, {})


def _unfit(config: Path, order: Order) -> str:
    """Why this node would not compute the run that was planned; empty where it would."""
    try:
        loaded = load(str(config))
        data = sources.fingerprint(loaded.config.data)
    except AnomalynetError as error:
        return str(error)
    if data != order["fingerprint"]:
        return (
            f"the data of {loaded.config.data.title} is other data here: its fingerprint is "
            f"{data[:10]}, not {order['fingerprint'][:10]}"
        )
    found = run_id(loaded.config, data)
    return (
        ""
        if found == order["id"]
        else f"the configuration comes to the run {found} here, not {order['id']}"
    )


def _clear_away(folder: Path) -> None:
    """Remove what processes of this host left here that were killed."""
    for left in folder.glob(f"{socket.gethostname()}-*"):
        host, _, pid = left.name.rpartition("-")
        if (
            host == socket.gethostname()
            and pid.isdigit()
            and (int(pid) == os.getpid() or not is_alive(int(pid)))
        ):
            shutil.rmtree(left, ignore_errors=True)

"""The process that logs one W&B run from `wandb.init` to `finish`: it reads JSON lines from stdin,
writes messages for the user to stdout, and ends when stdin closes."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import wandb

from anomalynet.runs.folder import RunFolder
from anomalynet.tracking.record import Part, Record, read_record

PROJECT = "anomalynet"
TEXTS = ("report.md", "cost.md", "best.yaml", "pareto_*.yaml")
REPORT = (*TEXTS, "tables/*.csv", "figures/*.svg", "figures/*.png")  # files of a report
SHUTDOWN_TIMEOUT = 60.0  # seconds until the process ends; the training process waits less
INIT_TIMEOUT = 10.0  # seconds to wait for W&B's server before the run continues offline


class Session:
    """The W&B run of a run's folder; it continues after the last logged epoch."""

    def __init__(
        self, folder: Path, run: Mapping[str, Any], *, pid: int, report: Callable[[str], None]
    ) -> None:
        self.folder = RunFolder(folder)
        self.run, reason = _start(folder, run, pid)
        self.record = read_record(folder) or Record(self.run.id)
        if self.record.id != self.run.id:
            self.record.id, self.record.next_epoch = self.run.id, 0
        self.record.warning = ""
        mode = "offline" if self.run.offline else "online"
        own = Path(self.run.settings.sync_dir).relative_to(folder.resolve())
        self.part = Part(str(own), mode, reason)
        self.record.parts.append(self.part)
        self.record.write(folder)
        if reason:
            report(f"W&B is offline: {reason}; `anomalynet sync` uploads the run later")
        elif self.run.url:
            report(f"W&B: {self.run.url}")

    def epoch(self, line: Mapping[str, Any]) -> None:
        """Log an epoch, and earlier ones that a kill kept from W&B, from `progress.jsonl`."""
        number = int(line["epoch"])
        lines, first = self.folder.read_progress(), self.record.next_epoch
        missed = [old for old in lines if first <= old["epoch"] < number]
        for one in (*missed, line):
            self.run.log(dict(one), step=int(one["epoch"]), commit=True)
        self.record.next_epoch = number + 1
        self.record.write(self.folder.path)

    def sweep(self, rows: Sequence[Mapping[str, Any]], report: str | None) -> None:
        """Log a sweep's table and report."""
        from anomalynet.tracking import content

        self.run.log({"runs": content.rows_table(rows)}, step=0)
        if report and Path(report).is_dir():
            artifact = wandb.Artifact(f"report-{Path(report).resolve().name}", "report")
            for pattern in REPORT:  # other files in the folder may be private
                for path in sorted(Path(report).glob(pattern)):
                    name = path.relative_to(report).as_posix()
                    artifact.add_file(str(path), name=name, skip_cache=True)
            self.run.log_artifact(artifact)

    def finish(self, exit_code: int) -> None:
        """Log the result of the finished run, and end the W&B run."""
        try:
            if exit_code == 0 and self.folder.finished:
                self._result()
        finally:
            self.run.finish(exit_code=exit_code)
            self.part.finished = True
            self.record.write(self.folder.path)

    def _result(self) -> None:
        from anomalynet.tracking import content  # slow import of Polars: only after training

        result = self.folder.read_result()
        for old in self.folder.read_progress():  # it may have been killed before testing
            if old["epoch"] >= self.record.next_epoch:
                self.epoch(old)
        self.run.summary.update({**result.metrics, **content.facts(self.folder, result)})
        if result.split[:64] not in (self.run.tags or ()):
            self.run.tags = (*(self.run.tags or ()), result.split[:64])
        self.run.log(content.charts(self.folder, result), step=result.epochs or 0)
        self.run.log_artifact(content.data_manifest(result))
        if model := content.model(self.folder, result):
            self.run.log_artifact(model, aliases=["best"])


def _start(folder: Path, run: Mapping[str, Any], pid: int) -> tuple[wandb.Run, str]:
    """Start the run online, or else offline. Returns the run and why it is offline."""
    before = set((folder / "wandb").glob("run-*"))
    settings = wandb.setup().settings
    if settings.mode in ("offline", "dryrun"):
        return _init(run, "offline", pid), "WANDB_MODE=offline"
    try:
        return _init(run, "online", pid), ""
    except Exception as error:  # no key, no network, a wrong key, a server that does not answer
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        wandb.teardown()  # the failed attempt still holds the run's id
        for stub in set((folder / "wandb").glob("run-*")) - before:
            shutil.rmtree(stub, ignore_errors=True)
    return _init(run, "offline", pid), reason


def _init(run: Mapping[str, Any], mode: Any, pid: int) -> wandb.Run:
    agent = bool(os.environ.get("WANDB_SWEEP_ID"))  # a W&B sweep gives each run its id and project
    settings = wandb.Settings(console="off", silent=True, x_stats_pid=pid, save_code=False)
    settings.x_transaction_log_flush_interval = 1.0
    if "WANDB_INIT_TIMEOUT" not in os.environ:
        settings.init_timeout = INIT_TIMEOUT
    return wandb.init(
        mode=mode,
        project=None if agent else wandb.setup().settings.project or PROJECT,
        id=None if agent else run["id"],
        resume=None if agent else "allow",
        name=run["name"],
        group=run["group"],
        job_type=run["job_type"],
        tags=[tag[:64] for tag in run["tags"]],
        config=run["config"],
        settings=settings,
    )


def main() -> int:
    """Serve one run; the process's entry point."""
    lines = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # W&B's own process inherits descriptors 0 and 1, and must not keep our pipes open.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    if hasattr(os, "nice"):
        os.nice(5)  # training has priority when cores are few

    def report(text: str) -> None:
        with suppress(OSError):  # the reader may have ended
            print(text, file=answers, flush=True)

    setup = json.loads(lines.readline())
    session = Session(Path(setup["folder"]), setup["run"], pid=setup["pid"], report=report)
    exit_code = 1  # stays 1 if stdin closes without "finish": the run was killed
    for line in lines:
        message = json.loads(line)
        if "epoch" in message:
            session.epoch(message["epoch"])
        elif "rows" in message:
            session.sweep(message["rows"], message["report"])
        else:
            exit_code = message["finish"]
    threading.Thread(target=_exit_after_timeout, daemon=True).start()
    session.finish(exit_code)
    return 0


def _exit_after_timeout() -> None:
    threading.Event().wait(SHUTDOWN_TIMEOUT)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())

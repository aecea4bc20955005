"""The process that logs one W&B run from `wandb.init` to `finish`. It follows the `progress.jsonl`
of the run's folder until stdin closes, and writes messages for the user to stdout."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections.abc import Mapping, Sequence
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
POLL = 0.5  # seconds between two looks at progress.jsonl


class Session:
    """The W&B run of a run's folder; it continues after the last logged epoch."""

    def __init__(self, folder: Path, setup: Mapping[str, Any]) -> None:
        self.folder = RunFolder(folder)
        self.run, self.offline_reason = _start(folder, setup)
        self.record = read_record(folder) or Record(self.run.id)
        if self.record.id != self.run.id:
            self.record.id, self.record.next_epoch = self.run.id, 0
        self.record.warning = ""
        mode = "offline" if self.run.offline else "online"
        own = Path(self.run.settings.sync_dir).relative_to(folder.resolve())
        self.record.parts.append(Part(str(own), mode, self.offline_reason))
        self.record.write(folder)

    def log_epochs(self) -> None:
        """Log the epochs of `progress.jsonl` that W&B does not have."""
        for line in self.folder.read_progress():
            if line["epoch"] >= self.record.next_epoch:
                self.run.log(line, step=line["epoch"], commit=True)
                self.record.next_epoch = line["epoch"] + 1
                self.record.write(self.folder.path)

    def log_sweep(self, rows: Sequence[Mapping[str, Any]], report: str | None) -> None:
        """Log a sweep's table, whose columns are all keys of all rows, and its report."""
        columns: list[str | int] = list(dict.fromkeys(key for row in rows for key in row))
        data = [[row.get(str(key)) for key in columns] for row in rows]
        table = wandb.Table(columns=columns, data=data, allow_mixed_types=True)
        self.run.log({"runs": table}, step=0)
        if report and Path(report).is_dir():
            artifact = wandb.Artifact(f"report-{Path(report).resolve().name}", "report")
            for pattern in REPORT:  # other files in the folder may be private
                for path in sorted(Path(report).glob(pattern)):
                    name = path.relative_to(report).as_posix()
                    artifact.add_file(str(path), name=name, skip_cache=True)
            self.run.log_artifact(artifact)

    def log_result(self) -> None:
        """Log the result of a finished run."""
        from anomalynet.tracking import content  # slow import of Polars: only after training

        result = self.folder.read_result()
        self.run.summary.update({**result.metrics, **content.facts(self.folder, result)})
        if result.split[:64] not in (self.run.tags or ()):
            self.run.tags = (*(self.run.tags or ()), result.split[:64])
        self.run.log(content.charts(self.folder, result), step=result.epochs or 0)
        self.run.log_artifact(content.data_manifest(result))
        if model := content.model(self.folder, result):
            self.run.log_artifact(model, aliases=["best"])


def _start(folder: Path, setup: Mapping[str, Any]) -> tuple[wandb.Run, str]:
    """Start the run online, or else offline. Returns the run and why it is offline."""
    before = set((folder / "wandb").glob("run-*"))
    if wandb.setup().settings.mode in ("offline", "dryrun"):
        return _init(setup, "offline"), "WANDB_MODE=offline"
    try:
        return _init(setup, "online"), ""
    except Exception as error:  # no key, no network, a wrong key, a server that does not answer
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        wandb.teardown()  # the failed attempt still holds the run's id
        for stub in set((folder / "wandb").glob("run-*")) - before:
            shutil.rmtree(stub, ignore_errors=True)
    return _init(setup, "offline"), reason


def _init(setup: Mapping[str, Any], mode: Any) -> wandb.Run:
    agent = bool(os.environ.get("WANDB_SWEEP_ID"))  # a W&B sweep gives each run its id and project
    settings = wandb.Settings(console="off", silent=True, x_stats_pid=setup["pid"], save_code=False)
    settings.x_transaction_log_flush_interval = 1.0  # else a kill loses every row
    if "WANDB_INIT_TIMEOUT" not in os.environ:
        settings.init_timeout = INIT_TIMEOUT
    return wandb.init(
        mode=mode,
        project=None if agent else wandb.setup().settings.project or PROJECT,
        id=None if agent else setup["id"],
        resume=None if agent else "allow",
        name=setup["name"],
        group=setup["group"],
        job_type=setup["job_type"],
        tags=[tag[:64] for tag in setup["tags"]],
        config=setup["config"],
        settings=settings,
    )


def main() -> int:
    """Log one run; the process's entry point."""
    life_line = os.fdopen(os.dup(0))
    messages = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # W&B's own process inherits descriptors 0 and 1, and must not keep our pipes open.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    if hasattr(os, "nice"):
        os.nice(5)  # training has priority when cores are few
    ended = threading.Event()

    def wait_for_the_end() -> None:
        life_line.read()
        ended.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()

    folder = Path(sys.argv[1])
    setup = json.loads((folder / "wandb" / "setup.json").read_text(encoding="utf-8"))
    session = Session(folder, setup)
    with suppress(OSError):  # the reader may have ended
        if reason := session.offline_reason:
            text = f"W&B is offline: {reason}; `anomalynet sync` uploads the run later"
            print(text, file=messages, flush=True)
        elif session.run.url:
            print(f"W&B: {session.run.url}", file=messages, flush=True)
    seen = 0.0
    while not ended.wait(POLL):
        progress = session.folder.progress
        if progress.exists() and (changed := progress.stat().st_mtime) != seen:
            seen = changed
            session.log_epochs()
    timeout = threading.Timer(SHUTDOWN_TIMEOUT, os._exit, [1])
    timeout.daemon = True
    timeout.start()
    exit_code = 1  # the run was killed or has failed
    try:
        session.log_epochs()
        if "rows" in setup:
            session.log_sweep(setup["rows"], setup["report"])
            exit_code = 0
        elif session.folder.finished:
            session.log_result()
            exit_code = 0
    finally:
        session.run.finish(exit_code=exit_code)
        session.record.parts[-1].finished = True
        session.record.write(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

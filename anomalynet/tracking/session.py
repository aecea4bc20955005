"""The process that logs to W&B what is in a folder, and what is added to it until stdin closes.

A process, because a failed online start holds the run's id until W&B is shut down for the whole
process, and because `wandb.init` in a user's code would return our run instead of a new one."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import wandb

from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder
from anomalynet.tracking.record import FILE, synced, update

PROJECT = "anomalynet"
FINISH_TIMEOUT = 60.0  # seconds for the last uploads; the training process waits less
INIT_TIMEOUT = 10.0  # seconds to wait for W&B's server before the run continues offline
POLL = 0.5  # seconds between two looks at progress.jsonl


def start(folder: Path, setup: Mapping[str, Any]) -> tuple[wandb.Run, str]:
    """Start a run online, or else offline. Returns the run and why it is offline."""
    reason, before = "WANDB_MODE=offline", set(folder.glob("wandb/run-*"))
    if wandb.setup().settings.mode not in ("offline", "dryrun"):
        try:
            return _init(setup), ""
        except Exception as error:  # no key, no network, a wrong key, a server that does not answer
            reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        wandb.teardown()  # the failed attempt still holds the run's id
        os.environ["WANDB_MODE"] = "offline"
        for stub in set(folder.glob("wandb/run-*")) - before:
            shutil.rmtree(stub, ignore_errors=True)
    return _init(setup), reason


def _init(setup: Mapping[str, Any]) -> wandb.Run:
    agent = bool(os.environ.get("WANDB_SWEEP_ID"))  # a W&B sweep gives each run its id and project
    settings = wandb.Settings(console="off", silent=True, x_stats_pid=setup["pid"], save_code=False)
    settings.x_transaction_log_flush_interval = 1.0  # else a kill loses every row
    settings.finish_timeout, settings.finish_timeout_raises = FINISH_TIMEOUT, True
    if "WANDB_INIT_TIMEOUT" not in os.environ:
        settings.init_timeout = INIT_TIMEOUT
    return wandb.init(
        project=None if agent else wandb.setup().settings.project or PROJECT,
        id=None if agent else setup["id"],
        resume=None if agent else "allow",
        tags=[tag[:64] for tag in setup["tags"]],
        settings=settings,
        **{key: setup[key] for key in ("name", "group", "job_type", "config")},
    )


def follow(folder: RunFolder, run: wandb.Run, next_epoch: int, ended: threading.Event) -> int:
    """Log the epochs in a run's folder from `next_epoch` on, and what it was trained with, until
    the event. Returns the next epoch."""
    seen, last = 0.0, False
    while not last:
        last = ended.wait(POLL)
        changed = folder.progress.stat().st_mtime if folder.progress.exists() else 0.0
        if changed == seen and not last:
            continue
        seen, saw = changed, read_json(folder.environment)
        facts = {"git_commit": saw.get("commit"), "code_hash": saw.get("code")}
        facts["data_fingerprint"] = saw.get("data", {}).get("fingerprint")
        run.config.update(facts, allow_val_change=True)  # type: ignore[no-untyped-call]
        for line in folder.read_progress():
            if line["epoch"] >= next_epoch:
                run.log(line, step=line["epoch"], commit=True)
                next_epoch = line["epoch"] + 1
    return next_epoch


def finish(run: wandb.Run, *, failed: bool = False) -> None:
    """Finish a run, and mark what the server has, so that `sync` does not send it again."""
    run.finish(exit_code=int(failed))
    if not run.offline:
        synced(Path(run.settings.sync_file)).touch()


def main() -> int:
    """Log one folder; the process's entry point."""
    messages = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # W&B's own process inherits 1, and must not keep the parent's pipe open
    if hasattr(os, "nice"):
        os.nice(5)  # training has priority when cores are few
    ended = threading.Event()

    def wait() -> None:
        os.read(0, 1)
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    folder = Path(sys.argv[1])
    setup = read_json(folder / "wandb" / "setup.json")
    record = read_json(folder / FILE)
    if (left := record.get("open", "")).startswith("offline-"):  # W&B was killed: log it all again
        shutil.rmtree(folder / "wandb" / left, ignore_errors=True)
    run, offline = start(folder, setup)
    known = record.get("next_epoch", 0) if record.get("id") == run.id else 0
    epoch, part = max(known, run.starting_step), Path(run.settings.sync_dir).name
    update(folder, id=run.id, next_epoch=epoch, offline=offline, warning="", open=part)
    text = f"is offline: {offline}; `anomalynet sync` uploads the run later"
    with suppress(OSError):  # the reader may have ended
        print(f"W&B {text}" if offline else f"W&B: {run.url}", file=messages, flush=True)
    own, failed = RunFolder(folder), False
    try:
        if setup["job_type"] == "train" and "onnx" not in setup:
            epoch = follow(own, run, epoch, ended)
            failed = not own.finished
        if not failed:
            from anomalynet.tracking import content  # slow imports: only after training

            content.log(run, setup, own)
    finally:
        finish(run, failed=failed)
    update(folder, next_epoch=epoch, open="")
    for trial in setup.get("trials", ()):
        if not any(folder.glob(f"wandb/*run-*-{trial['id']}")):
            run, _ = start(folder, setup | trial)
            content.log_trial(run, trial)
            finish(run)
    return 0


if __name__ == "__main__":
    sys.exit(main())

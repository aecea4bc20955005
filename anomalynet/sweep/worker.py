"""A worker process, which imports torch once and trains one run after another; and the command line
of a single run, for schedulers and for several devices. The worker reads jobs from stdin and writes
replies to stdout, one JSON line each. It ends when its stdin closes: then its parent is gone."""

from __future__ import annotations

import json
import os
import queue
import shlex
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anomalynet.config.show import scalar
from anomalynet.errors import DISK_ERRORS, AnomalynetError, StoppedError, disk_error
from anomalynet.runs.folder import BusyError, RunFolder
from anomalynet.sweep.jobs import Job

GROWTH = 1 << 30  # bytes that a worker's memory may grow after its first run; then it ends


def main() -> None:
    """Take jobs until stdin closes."""
    # Only replies may go to stdout: what libraries print there goes to stderr.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    jobs: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(jobs,), daemon=True).start()
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    first = 0  # memory after the first job
    last = False
    while not last:
        reply = work(json.loads(jobs.get()))
        memory = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # the largest so far
        first = first or memory
        last = memory > first + GROWTH
        replies.write(json.dumps({**reply, "last": last}) + "\n")
        replies.flush()
    os._exit(0)  # another process takes the next job


def _read(jobs: queue.Queue[str]) -> None:
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)


def work(job: dict[str, Any]) -> dict[str, Any]:
    """Carry out one job (`Job.message`). The reply holds plain values: `failed` is the reason or
    None; `busy`, `stopped`, `was_done`, `repaired`, `died` and `full` are handled in `Launch`."""
    from anomalynet.config.load import load

    try:
        RunFolder(Path(job["folder"])).renew(finished=job["renew"])
        if job["devices"] > 1:
            return _train_in_processes(job)

        from anomalynet.training.run import train

        loaded = load(job["experiment"], job["overrides"], job["axis"])
        outcome = train(loaded, job["runs"], wait=False, group=job["group"])
    except BusyError:
        return {"failed": None, "busy": True}
    except StoppedError:
        return {"failed": None, "stopped": True}
    except Exception as error:
        if full := disk_error(error):
            return {"failed": None, "full": f"{job['folder']}: {full}"}
        if isinstance(error, AnomalynetError):
            return {"failed": str(error)}
        import traceback

        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}"}
    assert outcome is not None  # as on rank 0
    return {"failed": None, "was_done": outcome.was_done, "repaired": dict(outcome.repaired)}


def _train_in_processes(job: Mapping[str, Any]) -> dict[str, Any]:
    """Call `anomalynet train` with a process per device; they end with it, as stdin closes."""
    folder = RunFolder(Path(job["folder"]))
    was_done, damage = folder.finished, folder.damage()
    words = [*_arguments(job["axis"], job["overrides"]), "--runs", job["runs"], "--no-wait"]
    words += ["--life-line", *(["--group", job["group"]] if job["group"] else [])]
    command = [sys.executable, "-m", "anomalynet", "train", job["experiment"], *words]
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=pipe, stdout=nowhere, stderr=pipe, text=True)
    assert process.stderr
    last = deque((line.rstrip() for line in process.stderr if line.strip()), maxlen=3)
    code = process.wait()
    if code == StoppedError.exit_code:
        return {"failed": None, "stopped": True}
    if code < 0:
        return {"failed": None, "died": f"killed by {signal.Signals(-code).name}"}
    full = [os.strerror(one) for one in DISK_ERRORS if os.strerror(one) in "\n".join(last)]
    if code and full:
        return {"failed": None, "full": f"{folder.path}: {full[0]}"}
    if code:
        return {"failed": "\n".join(last) or f"exit status {code}", "busy": folder.running}
    return {"failed": None, "was_done": was_done, "repaired": damage}


def _arguments(axis: Mapping[str, object], overrides: Sequence[str]) -> list[str]:
    """A sweep's values and then the command line's as `key=value`; the last one wins."""
    return [*(f"{key}={scalar(value)}" for key, value in axis.items()), *overrides]


def shell_command(job: Job, runs: Path, group: str) -> str:
    """The shell command of one run, for any machine that sees the folder of the runs."""
    words = [job.run.arm.experiment, *_arguments(job.run.axis, job.run.overrides)]
    return shlex.join(["anomalynet", "train", *words, "--runs", str(runs), "--group", group])


def end_with_stdin() -> None:
    """End this process at once when its stdin closes, because then its parent is gone."""

    def watch() -> None:
        while os.read(0, 1):  # sys.stdin would be locked when the interpreter ends, which aborts
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()

"""One long-lived worker process: imports torch once and takes runs one after another.

Speaks JSON lines: a job on stdin is answered by one line on stdout. It ends when its stdin closes,
which is when its parent is gone.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from pathlib import Path
from typing import Any

from anomalynet.sweep.command import in_processes_of_its_own


def main() -> None:
    """Take jobs until stdin closes."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    jobs: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(jobs,), daemon=True).start()
    while True:
        reply = {**work(json.loads(jobs.get())), "memory": _memory()}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def _read(jobs: queue.Queue[str]) -> None:
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)


def work(job: dict[str, Any]) -> dict[str, Any]:
    """Carry out one job (`Job.message`), and say how it ended: plain values."""
    from anomalynet.config.load import load
    from anomalynet.errors import AnomalynetError, StoppedError
    from anomalynet.runs.folder import BusyError, RunFolder

    try:
        RunFolder(Path(job["folder"])).renew(finished=job["renew"])
        if job["devices"] > 1:
            return in_processes_of_its_own(job)

        from anomalynet.training.run import train

        loaded = load(job["experiment"], job["overrides"], job["axis"])
        outcome = train(loaded, job["runs"], wait=False, group=job["group"])
    except BusyError:
        return {"failed": None, "busy": True}
    except StoppedError:
        return {"failed": None, "stopped": True}
    except AnomalynetError as error:
        return {"failed": str(error)}
    except Exception as error:
        import traceback

        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}"}
    return {"failed": None, "was_done": outcome is not None and outcome.was_done}


def _memory() -> int:
    """Bytes that this process holds, or on systems without /proc the most it has held."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf(
            "SC_PAGE_SIZE"
        )
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
            1 if sys.platform == "darwin" else 1024
        )


if __name__ == "__main__":
    main()

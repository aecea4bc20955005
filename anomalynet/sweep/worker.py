"""One long-lived worker process: imports torch once and takes runs one after another.

Speaks JSON lines: a job on stdin is answered by one line on stdout. It ends when its stdin closes, which is when its parent is gone.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from pathlib import Path
from typing import Any


def main() -> None:
    """Take jobs until stdin closes."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    jobs: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(jobs,), daemon=True).start()
    while True:
        reply = _work(json.loads(jobs.get()))
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def _read(jobs: queue.Queue[str]) -> None:
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)


def _work(job: dict[str, Any]) -> dict[str, Any]:
    from anomalynet.config.load import load
    from anomalynet.errors import AnomalynetError
    from anomalynet.runs.folder import BusyError
    from anomalynet.training.run import train

    try:
        loaded = load(job["experiment"], job["overrides"], job["axis"])
        outcome = train(loaded, Path(job["runs"]), wait=False, group=job.get("group"))
    except BusyError:
        return {"failed": None, "busy": True}
    except AnomalynetError as error:
        return {"failed": str(error)}
    except Exception as error:
        import traceback

        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}"}
    return {"failed": None, "busy": False, "was_done": outcome is not None and outcome.was_done}


if __name__ == "__main__":
    main()

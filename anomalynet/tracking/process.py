"""The process that talks to W&B: takes JSON lines on stdin, answers with what the user should read,
ends when stdin closes."""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

LONGEST_FAREWELL = 60.0
"""Seconds after which it ends come what may; the training process waits less."""


def main() -> int:
    """Serve one run."""
    lines = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(
        os.open(os.devnull, os.O_RDONLY), 0
    )  # W&B's own process inherits these: it must hold no end of our pipes
    os.dup2(2, 1)
    if hasattr(os, "nice"):
        os.nice(5)  # training comes first where cores are few

    def say(text: str) -> None:
        with suppress(OSError):  # nobody may be there to read it
            print(text, file=answers, flush=True)

    from anomalynet.tracking.session import Session

    hello = json.loads(lines.readline())
    session = Session(Path(hello["folder"]), hello["run"], pid=hello["pid"], say=say)
    exit_code = 1  # stdin closes without a word: the run was killed
    for line in lines:
        message = json.loads(line)
        if "epoch" in message:
            session.epoch(message["epoch"])
        elif "rows" in message:
            session.sweep(message["rows"], message["report"])
        else:
            exit_code = message["finish"]
    threading.Thread(target=_end_anyway, daemon=True).start()
    session.finish(exit_code)
    return 0


def _end_anyway() -> None:
    threading.Event().wait(LONGEST_FAREWELL)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())

"""Processes that simulate cells side by side. Each is a fresh interpreter, so that neither threads
nor the caller's script are copied.

Speaks lines: the child gets the number of a cell on stdin and answers with `at SECONDS` as it goes,
then `done` or `failed REASON`. It ends when its stdin closes, which is when its parent is gone.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from anomalynet.errors import RunError
from anomalynet.simulation.load import load_scenario
from anomalynet.simulation.part import Refine, by_name, make_part, name_of
from anomalynet.simulation.store import SCENARIO

_THREADS = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1"
)


def make_parts(
    folder: Path,
    cells: Sequence[int],
    workers: int,
    refine: Refine | None,
    progress: Callable[[int, float], None],
) -> None:
    """Simulate cells in `workers` processes; the folder's scenario.yaml says of what.

    Args:
        progress: is told (cell, simulated seconds), in this thread.

    Raises:
        RunError: a worker died or failed. What the others finished is kept.
    """
    waiting: queue.Queue[int] = queue.Queue()
    for cell in cells:
        waiting.put(cell)
    news: queue.Queue[tuple[int, float] | str | None] = queue.Queue()
    children = [_start(folder, refine) for _ in range(min(workers, len(cells)))]
    threads = [
        threading.Thread(target=_serve, args=(child, waiting, news), daemon=True)
        for child in children
    ]
    try:
        for thread in threads:
            thread.start()
        ended = 0
        while ended < len(children):
            one = news.get()
            if one is None:
                ended += 1
            elif isinstance(one, str):
                raise RunError(
                    f"a worker of the simulation ended: {one}",
                    "the same command continues; --workers 1 needs the least memory",
                )
            else:
                progress(*one)
    finally:
        for child in children:
            child.kill()
            child.wait()


def _start(folder: Path, refine: Refine | None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "anomalynet.simulation.pool", str(folder), name_of(refine) or ""],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={
            **os.environ,
            **_THREADS,
            "PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path),
        },
    )


def _serve(
    child: subprocess.Popen[str],
    waiting: queue.Queue[int],
    news: queue.Queue[tuple[int, float] | str | None],
) -> None:
    """Hand one child a cell after the other; runs in a thread of its own."""
    assert child.stdin and child.stdout and child.stderr
    words: deque[str] = deque(maxlen=20)
    listener = threading.Thread(target=words.extend, args=(child.stderr,), daemon=True)
    listener.start()
    try:
        while True:
            cell = waiting.get_nowait()
            child.stdin.write(f"{cell}\n")
            child.stdin.flush()
            for line in child.stdout:
                word, _, rest = line.strip().partition(" ")
                if word == "done":
                    break
                if word == "failed":
                    news.put(f"cell {cell}: {rest}")
                    return
                news.put((cell, float(rest)))
            else:
                break
    except queue.Empty:
        news.put(None)
        return
    except OSError:
        pass
    code = child.wait()
    listener.join(1.0)
    news.put(words[-1].strip() if words else f"exit status {code}")


def main(folder: Path, refine: str) -> None:
    """Take numbers of cells until stdin closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    cells: queue.Queue[int] = queue.Queue()
    threading.Thread(target=_read, args=(cells,), daemon=True).start()
    scenario = load_scenario(str(folder / SCENARIO))
    while True:
        number = cells.get()

        def at(seconds: float) -> None:
            print(f"at {seconds:.0f}", file=replies, flush=True)

        try:
            make_part(folder, scenario, number, by_name(refine or None), at)
        except Exception as error:
            print(
                f"failed {type(error).__name__}: {' '.join(str(error).split())}",
                file=replies,
                flush=True,
            )
            raise
        print("done", file=replies, flush=True)


def _read(cells: queue.Queue[int]) -> None:
    for line in sys.stdin:
        cells.put(int(line))
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

"""Counts from many threads, and one line for the first of each kind."""

from __future__ import annotations

import sys
from collections import Counter
from threading import Thread

from anomalynet.detection.service.problem_log import ProblemLog


def test_it_is_counted_and_read_from_many_threads() -> None:
    told: list[str] = []
    problems = ProblemLog(told.append)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def add(thread: int) -> None:
        for number in range(2000):
            problems.add("shared")
            problems.add(f"kind {thread} {number}")

    threads = [Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            _ = problems.snapshot() + Counter({"late": 1})
    finally:
        sys.setswitchinterval(before)
    assert problems.snapshot()["shared"] == 8000
    assert len(told) == len(set(told)) == len(problems.counts) == 8001

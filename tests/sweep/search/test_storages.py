"""Two processes share a search in a journal file or in PostgreSQL while one after the other is
killed: no trial is lost, none is made twice.

PostgreSQL: Debian's package, and `pip install psycopg[binary]`."""

from __future__ import annotations

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from anomalynet.sweep.search import space
from tests.sweep.search.fake import carried_out, search_of, sweep_of
from tests.sweep.search.test_loop import every_number, process

pytestmark = pytest.mark.slow

SETTINGS = "{trials: 24, sampler: tpe, pruner: median, batch: 2}"
KILLS = 6


def _programs() -> Path | None:
    """Where PostgreSQL's `initdb` and `postgres` are; Debian keeps them off the path."""
    known = [Path(one) for one in [shutil.which("initdb")] if one]
    known += sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return known[-1].parent if known else None


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of a server that this process started, in a folder that its user can enter."""
    pytest.importorskip("psycopg")
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    # initdb refuses root
    user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        shutil.chown(folder, user)
        how = {"user": user if os.getuid() == 0 else None, "cwd": folder}
        make = [programs / "initdb", "-D", f"{folder}/data", "-A", "trust", "-U", user]
        subprocess.run(make, check=True, capture_output=True, **how)  # type: ignore[call-overload]
        options = ["-p", str(port), "-h", "127.0.0.1", "-k", folder, "-c", "fsync=off"]
        command = [programs / "postgres", "-D", f"{folder}/data", *options]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        server = subprocess.Popen(command, **quiet, **how)  # type: ignore[call-overload]
        try:
            _wait_for(port, server)
            yield f"postgresql+psycopg://{user}@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # a fast shutdown: it waits for no client
            server.wait(60)


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert server.poll() is None, "the server ended"
        with closing(socket.socket()) as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server does not answer")


@pytest.mark.parametrize("kind", ["journal", "postgresql"])
def test_two_processes_of_which_one_is_killed_again_and_again_make_each_trial_once(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("database") if kind == "postgresql" else None
    sweep, draw = sweep_of(tmp_path, SETTINGS), random.Random(kind)
    total = search_of(tmp_path, sweep, url).total  # creates the tables before both open them
    alive = [process(tmp_path, SETTINGS, 0.02, 1, url) for _ in range(2)]
    killed = 0
    for turn in range(KILLS):
        victim = alive[turn % 2]
        assert victim.stdout
        assert victim.stdout.readline() == "ready\n", victim.communicate()[1]
        time.sleep(draw.uniform(0.1, 0.7))
        if victim.poll() is None:
            victim.send_signal(signal.SIGKILL)
            killed += 1
        victim.communicate()
        alive[turn % 2] = process(tmp_path, SETTINGS, 0.02, 1, url)
    for one in alive:
        assert one.communicate(timeout=300)[1] == ""
        assert one.returncode == 0
    assert killed >= 2
    again = carried_out(search_of(tmp_path, sweep, url))
    trials = again.store.trials()
    assert [trial.user_attrs["place"] for trial in trials] == list(range(total))
    assert {trial.state.name for trial in trials} == {"COMPLETE", "PRUNED"}
    assert len({space.key_of(trial.params) for trial in trials}) == total
    assert len(every_number(again)) == total  # nothing surplus in the storage either

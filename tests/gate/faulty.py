"""`python -m tests.gate.faulty NAME check …`: anomalynet with one of the faults in every process
that trains."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from anomalynet.cli.main import main as anomalynet
from anomalynet.sweep import worker

VARIABLE = "ANOMALYNET_TEST_FAULT"


def main(name: str, arguments: list[str]) -> int:
    """Run one command whose workers are started as this module instead of
    `anomalynet.sweep.worker`."""
    os.environ[VARIABLE] = name
    real = subprocess.Popen

    def popen(command: list[str], **options: Any) -> Any:
        return real(
            [__spec__.name if word == worker.__name__ else word for word in command], **options
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", popen)
        return anomalynet(arguments)


def work(name: str) -> None:
    """Be a worker with a fault."""
    from tests.gate.faults import FAULTS

    FAULTS[name].apply(pytest.MonkeyPatch())
    worker.main()


if __name__ == "__main__":
    if len(sys.argv) == 1:
        work(os.environ[VARIABLE])
    else:
        sys.exit(main(sys.argv[1], sys.argv[2:]))

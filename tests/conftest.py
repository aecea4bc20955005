"""Fixtures every test may use."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# Two threads on two busy cores are a hundred times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A shell's background job ignores Ctrl-C, and so would all that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# As many examples as show something; more where a test asks for them. A busy machine is no failure.
settings.register_profile("quick", max_examples=30, deadline=None)
settings.load_profile("quick")

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True, scope="session")
def data_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of the session's own, so that no test writes to the user's; what is prepared
    once serves all tests."""
    folder = tmp_path_factory.mktemp("data")
    os.environ["ANOMALYNET_DATA"] = str(folder)
    return folder


@pytest.fixture
def real_data() -> Path:
    """The folder that holds `skab`, `lwsndr` and `ton_iot`; skips where it is not there."""
    folder = Path(os.environ.get("ANOMALYNET_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(
            f"no real data in {folder}; set ANOMALYNET_TEST_DATA to a folder with skab, lwsndr "
            "and ton_iot"
        )
    return folder


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes most of a report's time, and has its own tests."""
    monkeypatch.setattr("anomalynet.reporting.figures.drawn", lambda *_: {})

"""Fixtures every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def real_data() -> Path:
    """The folder that holds `skab`, `lwsndr` and `ton_iot`; skips where it is not there."""
    folder = Path(os.environ.get("ANOMALYNET_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; set ANOMALYNET_TEST_DATA to a folder with skab, lwsndr and ton_iot")
    return folder

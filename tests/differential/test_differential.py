"""Every case gives what the baseline gave; and the net sees a change that is planted."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.differential.baseline import ROOT, in_history
from tests.differential.cases import CASES
from tests.differential.net import Net, Report, runnable

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not in_history(), reason="the repository does not hold the baseline commit"),
]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Old's outcomes: ANOMALYNET_NET_CACHE, or a folder of this session."""
    given = os.environ.get("ANOMALYNET_NET_CACHE")
    return Path(given) if given else tmp_path_factory.mktemp("net")


@pytest.fixture(scope="session")
def net(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Net:
    """This checkout beside the baseline."""
    work = tmp_path_factory.mktemp("new")
    return Net(cache, work, ROOT, sys.executable, os.environ.get("ANOMALYNET_NET_BASELINE"))


@pytest.mark.parametrize("name", CASES)
def test_new_gives_what_old_gave(name: str, net: Net) -> None:
    if not runnable(CASES[name]):
        pytest.skip("needs real data (ANOMALYNET_TEST_DATA) or Mosquitto")
    report = Report()
    report.add(net.compare(CASES[name]))
    assert not report.unexpected(), "\n".join(map(str, report.unexpected()))


PLANTED = {
    "dropout": ("settings.dropout)", "settings.dropout / 2)", "progress.jsonl"),
    "threshold": ("2 * tp / (tp + fp + attacks)", "tp / (tp + fp + attacks / 4)", "result.json"),
}
"""Code, what stands in its place in new, and a file where the net must see it."""


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_change_is_reported(name: str, cache: Path, tmp_path: Path) -> None:
    before, after, where = PLANTED[name]
    for folder in ("anomalynet", "experiments", "sweeps"):
        shutil.copytree(ROOT / folder, tmp_path / "tree" / folder)
    sources = [path for path in (tmp_path / "tree").rglob("*.py") if before in path.read_text()]
    assert sources, f"{before!r} is in no file any more; plant another change"
    for path in sources:
        path.write_text(path.read_text().replace(before, after))
    baseline = os.environ.get("ANOMALYNET_NET_BASELINE")
    net = Net(cache, tmp_path / "new", tmp_path / "tree", sys.executable, baseline)
    found = net.compare(CASES["train-tiny-cnn"]).differences
    assert any(where in one.file for one in found), found

"""An installed wheel brings the experiments, sweeps and scenarios along."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_experiments_sweeps_and_scenarios_are_found_without_the_checkout(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling builds the wheel: pip install -e '.[dev]'")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(installed)
    code = "import sys; sys.path.insert(0, 'site'); from anomalynet.cli.main import main; "
    code += "main(['show', 'hybrid', '--origin']); main(['simulate', '--list'])"
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "_shipped/experiments/base.yaml" in shown.stdout
    assert "smart_city\ta well-run network in streets and squares" in shown.stdout
    page = Path("anomalynet/reporting/formats/page")
    assert {path.name for path in (installed / page).iterdir()} == {
        "page.html",
        "page.css",
        "page.js",
    }
    shipped = {path.name for path in (installed / "anomalynet/_shipped").rglob("*.yaml")}
    assert shipped == {
        path.name for kind in ("experiments", "sweeps") for path in (ROOT / kind).glob("*.yaml")
    }

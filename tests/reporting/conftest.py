"""What tests of reports share."""

from __future__ import annotations

import pytest

DRAWING = """
figures.drawn architecture.drawn calibration.drawn incident_section.drawn over_time.section.drawn
explanations.section.drawn ablation.figures.draw_axis ablation.figures.draw_differences
"""


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes most of a report's time, and has its own tests."""
    for name in DRAWING.split():
        monkeypatch.setattr(f"anomalynet.reporting.{name}", lambda *_: {})

"""What tests of reports share."""

from __future__ import annotations

import pytest

DRAWING = """
figures.drawn sections.architecture.drawn sections.calibration.drawn sections.incidents.drawn
sections.over_time.section.drawn sections.explanations.section.drawn
ablation.figures.draw_axis ablation.figures.draw_differences
"""


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes most of a report's time, and has its own tests."""
    for name in DRAWING.split():
        monkeypatch.setattr(f"anomalynet.reporting.{name}", lambda *_: {})

"""Figures: noise of the layout in the last digits must not reach the files."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox

from anomalynet.reporting.figures import encode, style


class Noisy(ConstrainedLayoutEngine):
    """A layout whose places are off by a few of the last digits, as another process may find
    them."""

    def __init__(self, noise: float) -> None:
        super().__init__()
        self.noise = noise

    def execute(self, fig: Figure) -> None:
        super().execute(fig)
        for axes in fig.axes:
            edges = [edge * (1 + self.noise) for edge in axes.get_position(original=True).extents]
            axes._set_position(Bbox.from_extents(*edges))  # type: ignore[attr-defined]


def drawn(noise: float) -> dict[str, bytes]:
    with style():
        figure = Figure(layout=Noisy(noise))
        for axes, aspect in zip(figure.subplots(1, 2), ("auto", "equal"), strict=True):
            axes.imshow([[0.0, 1.0], [1.0, 0.5]], aspect=aspect)
            axes.plot([0, 1], [1, 0], label="a line")
        figure.legend(loc="outside right upper")
        figure.suptitle("Title", x=0.012, ha="left")
        figure.supxlabel("foot", x=0.012, ha="left")
        return dict(encode(figure))


@pytest.mark.parametrize("noise", [1e-15, 1e-13])
def test_noise_in_the_last_digits_of_a_layout_does_not_change_the_bytes(noise: float) -> None:
    assert drawn(noise) == drawn(0.0)


def test_a_layout_that_differs_visibly_changes_the_bytes() -> None:
    assert drawn(1e-3) != drawn(0.0)

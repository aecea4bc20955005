"""Which names of channels, series and kinds are valid."""

from __future__ import annotations

import pytest

from anomalynet.data.importing.cells import is_name


@pytest.mark.parametrize(
    "name", ["a", "Temp. (°C)", "1 e5", "温度", "Pa\u00a0s", "\\\\WIN\\LOG\\1_AIT"]
)
def test_a_name_that_is_shown_as_it_is(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a\x1b[31m",
        "a\nb",
        "a\tb",
        "a\r",
        "\x00",
        "\x7f",
        "\x9b2J",
        "a\u2028b",
        "\u202eb",
        "\ud800",
    ],
)
def test_a_name_that_would_act_on_the_screen(name: str) -> None:
    assert not is_name(name)

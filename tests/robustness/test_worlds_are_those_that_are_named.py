"""The simulated worlds of a data set are those that were named, in any way to write a list."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomalynet.config.load import load
from anomalynet.data.sources.simulated import worlds
from anomalynet.errors import ConfigError


@pytest.mark.parametrize("text", ["[0, 1, 7]", "[0,1,7]", "0 1 7", "0-1 7", "'0,1,7'"])
def test_a_list_may_have_brackets(text: str, tmp_path: Path) -> None:
    assert worlds(load("cnn", [f"data.worlds={text}"]).config.data) == (0, 1, 7)
    (tmp_path / "mine.yaml").write_text(f"extends: cnn.yaml\ndata: {{worlds: {text}}}\n")
    assert worlds(load(str(tmp_path / "mine.yaml")).config.data) == (0, 1, 7)


def test_worlds_that_are_held_out_too() -> None:
    split = load("cnn", ["data.worlds=[0,1,7]", "data.split.test_worlds=[7]"]).config.data.split
    assert split.test_worlds == "7"


def test_a_world_beside_a_list_of_worlds_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"data\.world.*0-5 100"):
        load("cnn", ["data.worlds=0-5 100", "data.world=3"])
    assert worlds(load("cnn", ["data.worlds=2", "data.world=3"]).config.data) == (3, 4)

"""No YAML, JSON or metadata fills the memory or the stack: what is too large, too deep, expanded by
aliases or too long a number is refused in one message, wherever it is read."""

from __future__ import annotations

import json
import math
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml

from anomalynet import documents
from anomalynet.cli.main import main
from anomalynet.config.leaves import read_overrides, read_yaml
from anomalynet.config.load import load
from anomalynet.detection.contract import KEY, read
from anomalynet.documents import MAX_DEPTH, MAX_VALUES, json_value, read_text, yaml_root, yaml_value
from anomalynet.errors import AnomalynetError, ConfigError
from anomalynet.reporting.captions import warnings
from anomalynet.runs.codec import parse as parse_json
from anomalynet.runs.collect import load_record
from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.scores import read_incidents
from tests.reporting.synthetic import measured, record

PACKAGE = Path(documents.__file__).parent


def aliases(levels: int, twice: bool = True) -> str:
    """YAML in which each level holds the one before, twice or once."""
    held = "[*a{0}, *a{0}]" if twice else "[*a{0}]"
    lines = [f"a{level + 1}: &a{level + 1} {held.format(level)}" for level in range(levels)]
    return "\n".join(["a0: &a0 [x]", *lines, ""])


BOMBS = MappingProxyType(
    {
        "aliases": aliases(26),
        "deep aliases": aliases(MAX_DEPTH, twice=False),
        "cycle": "a: &a [*a]",
        "deep": "a: " + "[" * 150 + "]" * 150,
        "very deep": "a:\n" + "- " * 1000 + "x",
        "deep flow": "a: " + "[" * 3000,
        "digits": "a: " + "9" * 5000,
        "digits of a fraction": "a: 0." + "9" * 5000,
        "wrong tag": "a: !!int ten",
        "empty number": 'a: !!int ""',
        "number of nothing": 'a: !!float "_"',
    }
)
JSON_BOMBS = MappingProxyType(
    {
        "deep": "[" * 150 + "]" * 150,
        "very deep": '{"a": ' * 5000 + "1" + "}" * 5000,
        "digits": '{"a": ' + "9" * 5000 + "}",
        "half a character": '{"a": "\\ud800"}',
        "fewer digits": '{"a": ' + "9" * 400 + "}",
        "infinite": '{"a": 1e999}',
        "infinite by digits and exponent": '{"a": ' + "9" * 250 + "e99}",
        "infinite by a point and exponent": '{"a": -' + "9" * 299 + ".0e20}",
        "digits before a point": '{"a": ' + "9" * 310 + ".0}",
        "NaN": '{"a": NaN}',
        "duplicate key": '{"a": 1, "a": 2}',
        "many lists": '{"a": [' + "[]," * 2**20 + "0]}",
        "many numbers": "[" + "1," * 2**22 + "1]",
    }
)


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_configuration(bomb: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(BOMBS[bomb])
    with pytest.raises(ConfigError, match=r"mine\.yaml:?\d*: "):
        read_yaml(path)
    assert main(["show", str(path)]) == 2


@pytest.mark.parametrize("bomb", BOMBS)
def test_an_argument_is_text_where_it_is_no_plain_value(bomb: str) -> None:
    text = BOMBS[bomb].partition("a: ")[2] if "\n" not in BOMBS[bomb] else BOMBS[bomb]
    (leaf,) = read_overrides([f"data.root={text}"])
    assert leaf.value == text.strip()


@pytest.mark.parametrize("bomb", BOMBS)
def test_the_configuration_of_a_run(bomb: str, tmp_path: Path) -> None:
    run = record(tmp_path)
    (run.folder / "config.yaml").write_text(BOMBS[bomb])
    RunFolder(run.folder).write_result(run.result)
    with pytest.raises(AnomalynetError, match=r"config\.yaml: cannot be read"):
        load_record(RunFolder(run.folder))


@pytest.mark.parametrize("bomb", JSON_BOMBS)
def test_json(bomb: str, tmp_path: Path) -> None:
    text, path = JSON_BOMBS[bomb], tmp_path / "windows.json"
    path.write_text(text)
    assert read_json(path) == {}
    readers: dict[str, Callable[[], object]] = {
        "a baseline": lambda: parse_json(text, "baseline.json"),
        "the metadata of an exported model": lambda: read({KEY: text}, "model.onnx"),
    }
    for reader in readers.values():
        with pytest.raises(AnomalynetError):
            reader()


@pytest.mark.parametrize("bomb", ["many lists", "many numbers", "very deep"])
def test_no_value_is_made_of_what_is_refused(bomb: str) -> None:
    text = JSON_BOMBS[bomb]
    tracemalloc.start()
    try:
        with pytest.raises(json.JSONDecodeError):
            json_value(text)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("bomb", ["deep flow", "very deep", "many values"])
def test_yaml_is_read_no_further_than_its_limit(bomb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_NODES", 150)
    made: list[object] = []

    class Counting(yaml.SafeLoader):
        def get_event(self) -> object:
            made.append(None)
            return super().get_event()  # type: ignore[no-untyped-call]

    with pytest.raises(yaml.YAMLError):
        yaml_root(Counting(BOMBS.get(bomb, "[" + "x, " * 1000 + "x]")))
    assert len(made) < 160


def test_where_every_value_is_checked_afterwards_none_is_refused_here() -> None:
    read = json_value('{"a": NaN, "b": 1e999, "c": 1, "c": -Infinity}', values=False)
    assert repr(read) == "{'a': nan, 'b': inf, 'c': -inf}"
    assert json_value("[1e308, -1.5E+100, 1e-999, 12]") == [1e308, -1.5e100, 0.0, 12]


def test_nan_that_the_package_wrote_is_read(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for loss in (0.5, math.nan, math.inf):
        folder.append_progress({"epoch": 0, "train/loss": loss})
    assert repr([line["train/loss"] for line in folder.read_progress()]) == "[0.5, nan, inf]"


def test_numbers_within_texts_are_limited_too(tmp_path: Path) -> None:
    digits = "9" * 5000
    path = tmp_path / "incidents.json"
    path.write_text(json.dumps({digits: {"type": "flood"}}))
    with pytest.raises(AnomalynetError, match="is not an incident number"):
        read_incidents(path)
    run = record(tmp_path, warnings=(f"{digits} steps",))
    assert warnings(one.arm for one in measured(run)) == (f"{digits} steps",)


def test_what_is_within_the_limits_is_read() -> None:
    plain = {"a": [1, -2.5, None, True, "7" * 400], "b": {"c": "x"}}
    assert json_value(json.dumps(plain)) == plain
    assert json_value(json.dumps(plain).encode("utf-16")) == plain
    assert yaml_value(yaml.safe_dump(plain)) == plain
    assert yaml_value("") is None
    assert json_value('"\\ud83d\\ude00"') == "😀"
    depth = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert json_value(depth) == yaml_value(depth)
    assert len(yaml_value(aliases(10))["a10"]) == 2
    assert json_value("9" * 300) == int("9" * 300)


def test_the_size_of_a_file_is_known_before_it_is_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    path.write_text('"' + "x" * 100 + '"')
    assert len(read_text(path, 102)) == 102
    with pytest.raises(ValueError, match="larger than"):
        read_text(path, 101)
    endless = Path("/dev/zero")
    if endless.exists():
        with pytest.raises(ValueError, match="larger than 64 MiB"):
            read_text(endless)


def test_the_values_of_a_yaml_document_are_counted_as_expanded() -> None:
    levels = MAX_VALUES.bit_length()
    with pytest.raises(yaml.YAMLError, match=f"more than {MAX_VALUES:,} values"):
        yaml_value(aliases(levels))


def test_references_between_keys_do_not_grow_without_limit(tmp_path: Path) -> None:
    path, many = tmp_path / "mine.yaml", "${data.subset}" * 9
    path.write_text(f'extends: hybrid\ndata: {{subset: x, root: "{many}"}}\n')
    with pytest.raises(ConfigError, match=r"mine\.yaml:2: data\.root: more than 8 references"):
        load(str(path))
    path.write_text(f'extends: hybrid\ndata: {{subset: x, root: "{many[14:]}"}}\n')
    assert load(str(path)).config.data.root == "x" * 8

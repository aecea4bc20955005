"""An exported model whose contract, network or bytes are not as they were exported is refused with
one message; none is believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper

from anomalynet.cli.main import main
from anomalynet.detection.contract import KEY, sealed
from anomalynet.detection.model import Model
from anomalynet.errors import UsageError
from tests.detection import graphs
from tests.detection.conftest import echo


def changed(path: Path, of: str = "window", text: str = "", **values: Any) -> Path:
    """A model whose contract has these values, whatever they are; `text`: in place of the JSON."""
    made = onnx.load_from_string(graphs.content(graphs.contract(form=of)))
    (entry,) = [one for one in made.metadata_props if one.key == KEY]
    helper.set_model_props(made, {KEY: text or json.dumps(json.loads(entry.value) | values)})
    path.write_bytes(sealed(made.SerializeToString()))
    return path


NAN, INF = float("nan"), float("inf")
SENSORS = [{"name": "a"}, {"name": "b"}]
WRONG: list[tuple[str, Any]] = [
    *(("threshold", value) for value in (NAN, INF, -INF, None, "0.5", True, 10**400)),
    *(("period", value) for value in (-5, 0, NAN, INF, 1e300, 1e-300, "1")),
    *(("periods", {"n1": value}) for value in (-5.0, NAN, 1e12, None)),
    *(
        ("known", {"n1": {"mean": mean, "scale": scale}})
        for mean, scale in (([0.0], [1.0]), ([0.0] * 2, [1.0, 0.0]))
    ),
    ("known", {"a\x1b[2J": {"mean": [0.0, 0.0], "scale": [1.0, None]}}),
    *(("window", value) for value in (0, -1, 3, 10**12, 2.5, None)),
    *(("max_gap", value) for value in (-1, 10**9, None)),
    *(("hold", value) for value in (-1, 10**9)),
    *(("calibration_rows", value) for value in (-1, 10**9)),
    *(("clip", value) for value in (0, -1, NAN)),
    *(("hampel_window", value) for value in (2, -15, 10**9)),
    *(("hampel_threshold", value) for value in (0, -6.0, INF)),
    *(("seed", value) for value in (-1, 2**32)),
    *(("run", value) for value in ("", "a\x1b[2J", "two\nlines", 7)),
    *(("form", value) for value in ("", "Window", "step", "statistics")),
    *(("calibration", value) for value in ("", "none")),
    *(("outliers", value) for value in ("", True)),
    *(("variant", value) for value in ("", "int4")),
    *(("format", value) for value in (0, 2, "1", None)),
    *(("mask", value) for value in (False, 1, "true")),
    *(("outputs", value) for value in ([], ["error"], ["score", "score"], ["score", "secret"])),
    ("carried", {"total": [1]}),
    ("carried", []),
    ("carried", {"total": [-1]}),
    ("sensors", []),
    ("sensors", SENSORS[:1]),
    ("sensors", [{"name": "a"}, {"name": "a"}]),
    ("sensors", [{"name": "a"}, {"name": "missing"}]),
    ("sensors", [{"name": "a"}, {"name": "b\x1b[2J"}]),
    ("sensors", [{"name": "a"}, {"name": "b", "minimum": 2.0, "maximum": 1.0}]),
    ("sensors", [{"name": "a"}, {"name": "b", "minimum": INF}]),
    ("metrics", {"test/auroc": INF}),
    ("reference", {"windows": [[1.0] * 5]}),
    ("reference", {"scores": [1.0, 2.0], "channels": {}}),
    ("reference", {"scores": [2.0, *range(100)], "channels": {}}),
    ("reference", {"scores": [], "channels": {"a": [NAN] * 101}}),
    ("table", {"separator": "::"}),
    ("table", {"period": NAN}),
    ("table", {"period": -1.0}),
    *((name, "a\x1b[2J") for name in ("licence", "split", "threshold_rule")),
    ("warnings", ["fine", "a\x1b[2J"]),
    ("periods", {"a\x1b[2J": 1.0}),
    ("metrics", {"a\x1b[2J": 1.0}),
    ("sensors", [{"name": "a", "unit": "\x1b[2J"}, {"name": "b"}]),
    ("reference", {"scores": [], "channels": {"c": [1.0] * 101}}),
    ("attention_axis", None),
    ("table", {"time_format": "sometimes"}),
    ("table", {"timezone": "Mars/Olympus"}),
    ("table", {"timezone": "../../etc/passwd"}),
    ("table", {"attack": ["x"], "normal": ["x"]}),
]


@pytest.mark.parametrize(("key", "value"), WRONG, ids=lambda value: repr(value)[:40])
def test_a_contract_with_a_value_that_cannot_be_is_refused(
    tmp_path: Path, key: str, value: Any
) -> None:
    with pytest.raises(UsageError, match=r"model\.onnx") as raised:
        Model(changed(tmp_path / "model.onnx", **{key: value}))
    assert raised.value.next_step == "export the run again"


def test_what_is_carried_has_its_own_names(tmp_path: Path) -> None:
    for name in ("slot", "a\x1b[2J"):
        carried = {"total": [1], name: [1]}
        with pytest.raises(UsageError, match=r"carried.* must be"):
            Model(changed(tmp_path / "model.onnx", "step", carried=carried))


def test_all_that_cannot_be_is_named_at_once_up_to_a_limit(tmp_path: Path) -> None:
    wrong: dict[str, Any] = {"seed": -1, "hold": -1, "clip": -1.0}
    with pytest.raises(UsageError, match=r"hold.*seed.*clip"):
        Model(changed(tmp_path / "model.onnx", **wrong))
    more: dict[str, Any] = {"periods": {f"n{number}": -1.0 for number in range(1000)}}
    with pytest.raises(UsageError, match="and 998 more") as raised:
        Model(changed(tmp_path / "model.onnx", **wrong, **more))
    assert len(str(raised.value)) < 1000


def test_what_is_not_a_contract_is_refused(tmp_path: Path) -> None:
    for text in ("[]", "{", "nul", "null", '{"format": 1}', "[" * 100_000, '{"a": 1, "a": 1}'):
        with pytest.raises(UsageError, match=r"model\.onnx"):
            Model(changed(tmp_path / "model.onnx", text=text))


@pytest.mark.parametrize(
    "values", [{"width": 4}, {"window": 3}, {"carried": {"total": [2]}}, {"carried": {}}], ids=str
)
def test_a_state_of_another_shape_than_the_networks_is_refused(
    tmp_path: Path, values: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="inputs and outputs"):
        Model(changed(tmp_path / "model.onnx", "step", **values))


@pytest.mark.parametrize("form", ["window", "step", "statistics"])
def test_the_same_models_with_values_that_can_be_are_taken(tmp_path: Path, form: str) -> None:
    model = Model(changed(tmp_path / "model.onnx", form, threshold=-3.5, period=0.5, max_gap=0))
    assert (model.contract.threshold, model.contract.period) == (-3.5, 0.5)


def test_no_flipped_bit_of_a_sealed_file_changes_what_it_computes(tmp_path: Path) -> None:
    path, whole = tmp_path / "model.onnx", graphs.content(echo())
    path.write_bytes(whole)
    assert Model(path).contract == echo()
    digest = whole.index(b"anomalynet digest")
    refused = 0
    for at in range(0, len(whole), 7):
        path.write_bytes(bytes([*whole[:at], whole[at] ^ 16, *whole[at + 1 :]]))
        try:
            assert Model(path).contract == echo() and at >= digest - 4
        except UsageError:
            refused += 1
    assert refused > len(whole) / 7 - 20
    for length in range(1, len(whole), 29):
        path.write_bytes(whole[:length])
        with pytest.raises(UsageError, match=r"model\.onnx"):
            Model(path)


def test_detect_refuses_a_contract_changed_after_the_export(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = graphs.content(echo(threshold=10.0))
    (tmp_path / "model.onnx").write_bytes(whole.replace(b'"threshold": 10.0', b'"threshold": 99.0'))
    (tmp_path / "rows.jsonl").write_text('{"device": "d", "time": 1, "values": [20]}\n')
    command = ["detect", str(tmp_path / "rows.jsonl"), "--model", str(tmp_path / "model.onnx")]
    assert main(command) == 2
    assert "changed since it was exported" in capsys.readouterr().err


def test_only_a_file_of_an_earlier_version_is_read_without_digest(tmp_path: Path) -> None:
    made = onnx.load_from_string(graphs.content(echo()))
    (written,) = [json.loads(one.value) for one in made.metadata_props if one.key == KEY]
    earlier = {name: value for name, value in written.items() if name != "calibration_floor"}
    for values, refused in ((earlier, False), (written, True)):
        helper.set_model_props(made, {KEY: json.dumps(values)})
        (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
        if refused:
            with pytest.raises(UsageError, match="digest"):
                Model(tmp_path / "model.onnx")
        else:
            assert Model(tmp_path / "model.onnx").contract == echo()

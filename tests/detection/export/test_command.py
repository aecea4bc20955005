"""`anomalynet export`: what it prints, what it refuses, leaving nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from anomalynet.cli.main import main
from anomalynet.detection.export import paths
from anomalynet.detection.export.export_run import export
from anomalynet.detection.export.paths import checked
from anomalynet.errors import RunError, UsageError
from anomalynet.training.finished import open_run
from anomalynet.training.run import train
from tests.detection.export.alone import Alone
from tests.detection.export.conftest import Made
from tests.own_model import own_model
from tests.training.small import short


def test_the_command_writes_the_same_bytes_again_and_says_what_it_wrote(
    made: Callable[[str], Made], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, out = made("logistic"), tmp_path / "logistic.onnx"
    assert main(["export", str(one.run.folder.path), "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [Path(file["file"]).name for file in told["files"]] == ["logistic.onnx"]
    assert out.read_bytes() == one.file.read_bytes()
    assert told["parity"]["windows"] == one.exported.parity.windows


@pytest.mark.slow
def test_another_process_writes_the_same_bytes_and_is_quiet(
    varied: Callable[[str], Made], tmp_path: Path
) -> None:
    one = varied("autoencoder")
    out = tmp_path / "autoencoder.onnx"
    command = ["export", str(one.run.folder.path), "--out", str(out), "--variants", "int8,fp16"]
    command.append("--json")
    done = subprocess.run(
        [sys.executable, "-m", "anomalynet", *command], capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    names = [Path(file["file"]).name for file in told["files"]]
    assert names == [f"autoencoder{kind}.onnx" for kind in ("", ".int8", ".fp16")]
    for name, file in one.exported.files.items():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), name
    assert told["parity"]["windows"] == one.exported.parity.windows
    assert len(done.stderr.splitlines()) == 5


def test_names_that_cannot_be_written_are_refused_before_anything_is_read(
    made: Callable[[str], Made], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(made("logistic").run.folder.path)
    there = tmp_path / "there.onnx"
    there.write_text("mine")
    for arguments, message in (
        (["--out", str(tmp_path / "model.bin")], "not the name of an ONNX file"),
        (["--out", str(there)], "exists already"),
        (["--out", str(tmp_path / "new.onnx"), "--variants", "int4"], "unknown variant 'int4'"),
        (["--out", str(there / "model.onnx")], "is not writable"),
    ):
        assert main(["export", run, *arguments]) == 2
        assert message in capsys.readouterr().err
    assert there.read_text() == "mine" and list(tmp_path.iterdir()) == [there]
    assert main(["export", "nothing", "--out", str(tmp_path / "new.onnx")]) == 2
    assert main(["export", run, "--out", str(there), "--replace"]) == 0
    assert Alone(there).contract.model == "logistic"


def test_metrics_of_labels_are_shown_where_there_are_labels(
    tmp_path: Path,
    made: Callable[[str], Made],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one, place = made("logistic"), "anomalynet.detection.export.export_run.export"
    loss = one.exported.losses["float32"]
    without = replace(loss, metrics=dict.fromkeys(loss.metrics))
    for found, shown in ((loss, True), (without, False)):
        exported = replace(one.exported, losses={"float32": found})
        monkeypatch.setattr(place, lambda *_, given=exported: given)
        assert main(["export", str(one.run.folder.path), "--out", str(tmp_path / "m.onnx")]) == 0
        assert ("test/f1_attack" in capsys.readouterr().out) is shown


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        paths, "find_spec", lambda name: None if name == "skl2onnx" else find_spec(name)
    )
    with pytest.raises(UsageError, match=r"needs the package skl2onnx\n.*'skl2onnx>"):
        paths.require_packages()


def own(tmp_path: Path, body: str) -> tuple[Path, Path]:
    """A run of a user's own model, and a folder that is empty."""
    file, target = tmp_path / "mine.py", tmp_path / "target"
    forward = f"""\
last = self.normalise(x)[:, -1] * self.config.model.gain
{body}
return Output(logits=self.layer(last))"""
    layer = "nn.Linear(shape.channels, 2)"
    file.write_text(own_model(forward, layer=layer, option="gain: float = 1.0"))
    (tmp_path / "mine.yaml").write_text(f"extends: base.yaml\nmodel: {{name: {file}, gain: 0.5}}\n")
    outcome = train(short(str(tmp_path / "mine.yaml")), tmp_path / "runs")
    assert outcome is not None
    target.mkdir()
    return outcome.folder.path, target


def test_a_model_of_the_users_own_is_exported_without_its_path(tmp_path: Path) -> None:
    run, target = own(tmp_path, "last = last.clamp(-3, 3)")
    opened = open_run(run)
    assert opened.config.model.gain == 0.5  # type: ignore[attr-defined]  # the user's own option
    exported = export(opened, checked(target / "model.onnx", (), replace=False))
    assert exported.contract.model == "mine" and exported.losses["float32"].difference < 1e-6
    assert str(tmp_path).encode() not in exported.files["float32"].read_bytes()
    assert str(tmp_path) not in exported.card.read_text()


def test_a_score_that_depends_on_the_batch_is_not_exported(tmp_path: Path) -> None:
    run, target = own(tmp_path, "last = last - last.mean(dim=0)")
    with pytest.raises(RunError, match=r"differs from the run's by .*, more than 1e-05"):
        export(open_run(run), checked(target / "model.onnx", (), replace=False))
    assert list(target.iterdir()) == []


def test_a_network_that_the_exporter_does_not_know_is_one_message(tmp_path: Path) -> None:
    run, target = own(tmp_path, "last = last * (2 if bool((last > 0).all()) else 1)")
    with pytest.raises(RunError, match=r"torch.onnx cannot export this network: .+"):
        export(open_run(run), checked(target / "model.onnx", (), replace=False))
    assert list(target.iterdir()) == []

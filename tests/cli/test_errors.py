"""Every mistake on the command line is one message, the right exit code, and no traceback."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from anomalynet.cli.main import main
from anomalynet.errors import install_command
from tests.own_model import own_model
from tests.tiny import TINY

SMALL = f"data.worlds=null data.scenario='{TINY}' data.calibration_rows=50"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("trian cnn", 2, "unknown verb 'trian'; did you mean 'train'?"),
        ("train cnnn", 2, "did you mean 'cnn'?"),
        ("train cnn training.epoch=3 seed=x", 2, "did you mean 'training.epochs'?"),
        ("train cnn seed=4294967296", 2, "must be below 2^32"),
        ("train cnn --devices 0", 2, "must be at least 1, not 0"),
        (f"train cnn --devices 999 {SMALL}", 2, "hardware.devices=999: this machine has"),
        ("train cnn evaluation.fixed_threshold=.nan", 2, "must be finite"),
        ("train cnn data.name=${oc.env:HOME}", 2, "only ${another.key} is supported"),
        ("train cnn model.attention=true", 2, "cnn has no such key; hybrid has it"),
        ("train hybrid_injected training.injection.kinds=foo", 2, "unknown kind 'foo'"),
        ("sweep components training.injection.kinds=foo", 2, "unknown kind 'foo'"),
        ("train cnn data.name=skap", 2, "did you mean skab?"),
        ("train cnn --runs taken", 2, "is a file, not a folder"),
        (f"train cnn model.name=./broken.py {SMALL}", 2, "./broken.py:15: RuntimeError: mat1 and"),
        ("train extended.yaml", 2, "extended.yaml:2: unknown key 'training.epoch'"),
        ("train lost.yaml", 2, "lost.yaml:1: extends 'hybird', neither in "),
        ("test zz", 2, "unknown run 'zz'"),
        ("report --runs nowhere", 4, "no finished run"),
        ("report --format html,pdf", 2, "there is no form 'pdf' of a report\n  → formats are one"),
        ("sweep components --format docx", 2, "there is no form 'docx'"),
        ("reproduce --format docx", 2, "there is no form 'docx'"),
        ("reproduce --models=", 2, "no experiment is named"),
        ("reproduce seed=3", 2, "the sweep sets seeds and folds"),
        ("show a b c", 2, "name one experiment, or two"),
        ("audit nothing", 2, "unknown data set 'nothing'"),
        ("ls sweps", 2, "unknown kind 'sweps'; did you mean 'sweeps'?\n  → anomalynet ls --help"),
        ("ls nope", 2, "'nope' (choose from 'experiments', 'sweeps', 'models', 'runs')"),
        ("data inf skab", 2, "unknown action 'inf'; did you mean 'info'?"),
        ("data info skab --jsno", 2, "did you mean '--json'?\n  → anomalynet data info --help"),
        ("sweep smoke --presett quick", 2, "'--preset'?\n  → anomalynet sweep --help"),
        ("show --keys trainin", 2, "'trainin'; did you mean 'training'?"),
        ("show --keys training.epoch", 2, "did you mean 'training.epochs'?"),
        ("train cnn training.epoch=3", 2, "'training.epochs'?\n  → `anomalynet show --keys`"),
    ],
)
def test_a_mistake_is_one_message(
    arguments: str,
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken").write_text("a file")
    Path("broken.py").write_text(own_model(layer="nn.Linear(5, 2)"))
    Path("extended.yaml").write_text("extends: hybrid\ntraining: {epoch: 3}\n")
    Path("lost.yaml").write_text("extends: hybird\nmodel: {name: cnn}\n")
    found = main(shlex.split(arguments))
    error = capsys.readouterr().err
    assert (found, "Traceback" in error) == (code, False), error
    assert message in error
    assert Path("taken").read_text() == "a file"


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        ("training.epochs", {"training.epochs"}),
        ("data.split.fold seed", {"data.split.fold", "seed"}),
        ("cnn model.channels", {"model.channels"}),
    ],
)
def test_keys_are_explained_one_by_one(
    names: str, keys: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "--keys", *names.split(), "--json"]) == 0
    assert {row["key"] for row in json.loads(capsys.readouterr().out)["rows"]} == keys


def test_extends_finds_an_experiment_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("extends: hybrid\nmodel: {latent: 16}\n")
    assert main(["show", "hybrid", "mine.yaml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == [
        {"key": "model.latent", "hybrid": "32", "mine": "16"}
    ]


def test_what_is_not_expected_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("anomalynet.config.locate.files", lambda kind: 1 / 0)
    assert main(["ls", "experiments"]) == 1
    assert capsys.readouterr().err.startswith("anomalynet: unexpected ZeroDivisionError")
    with pytest.raises(ZeroDivisionError):
        main(["--debug", "ls", "experiments"])


def test_a_package_is_installed_in_the_version_that_is_needed() -> None:
    command = install_command("paho-mqtt", "another")
    assert command.startswith("pip install 'paho-mqtt") and ">=2.1" in command
    assert command.endswith(" another")

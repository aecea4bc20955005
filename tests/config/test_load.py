"""Configuration: the order of sources, every problem at once, and where each value came from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from anomalynet.config import locate
from anomalynet.config.identity import flatten, run_id
from anomalynet.config.load import load, load_data_config
from anomalynet.config.model import CNN, Hybrid, model_class, model_names
from anomalynet.config.show import as_yaml, difference, documentation, scalar
from anomalynet.errors import ConfigError, UsageError

ROOT = Path(__file__).parents[2]


def written(folder: Path, text: str, name: str = "mine.yaml") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    "name",
    sorted(path.stem for path in (ROOT / "experiments").glob("*.yaml") if path.stem != "base"),
)
def test_every_shipped_experiment_loads_and_names_its_own_model(name: str) -> None:
    loaded = load(name)
    assert loaded.name == name
    hybrids = ("hybrid_injected", "hybrid_plus", "unlabelled")
    assert loaded.config.model.name == ("hybrid" if name in hybrids else name)


def test_table_1_of_the_paper_is_the_default() -> None:
    config = load("hybrid").config
    training = config.training
    assert (training.optimizer, training.learning_rate, training.batch_size) == ("adam", 0.001, 32)
    assert (training.epochs, training.loss) == (100, "mse")
    assert isinstance(config.model, Hybrid)
    assert config.model.dropout == 0.2


def test_later_sources_win_and_say_so(tmp_path: Path) -> None:
    written(tmp_path, "model: {name: cnn}\ntraining:\n  epochs: 7\n  patience: 3\n", "parent.yaml")
    child = written(tmp_path, "extends: parent.yaml\ntraining: {epochs: 8}\n", "child.yaml")
    loaded = load(child, ["training.batch_size=9"], {"training.patience": 4})
    training = loaded.config.training
    assert (training.epochs, training.patience, training.batch_size) == (8, 4, 9)
    assert loaded.origins["training.epochs"].endswith("child.yaml:2")
    assert loaded.origins["training.patience"] == "the sweep"
    assert loaded.origins["training.batch_size"] == "argument 'training.batch_size=9'"
    assert "training.learning_rate" not in loaded.origins


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("data.nodes=24", 'data.scenario="deployment.nodes=24"'),
        ("deployment.nodes=24", 'data.scenario="deployment.nodes=24"'),
        ("data.duration=2d", 'data.scenario="duration=2d"'),
        ("data.seed=3", "seed"),  # a key of the configuration, and of the simulation
    ],
)
def test_a_parameter_of_the_simulation_belongs_in_the_scenario(given: str, meant: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load("cnn", [given])
    assert caught.value.problems[0].suggestion == meant


def test_every_problem_at_once_with_file_line_and_suggestion(tmp_path: Path) -> None:
    base = ROOT / "experiments" / "base.yaml"
    (tmp_path / "base.yaml").write_text(base.read_text())
    training = "training:\n  learnin_rate: 0.1\n  loss: mes\n  epochs: few\n"
    text = f"extends: base.yaml\nmodel: {{name: hybrid, window: 3}}\n{training}"
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text), ["data.split.fold=9"])
    problems = caught.value.problems
    assert [(one.where.rpartition("/")[2], one.suggestion) for one in problems] == [
        ("mine.yaml:2", "data.window"),
        ("mine.yaml:4", "training.learning_rate"),
        ("mine.yaml:5", "mse"),
        ("mine.yaml:6", None),
        ("argument 'data.split.fold=9'", None),
    ]
    assert "'few'" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("model: {name: cnnn}", "unknown model 'cnnn'; did you mean 'cnn'?"),
        ("model: [cnn", "mine.yaml:1: not valid YAML"),
        ("- a\n- b", "expected keys and values"),
        ("model: {name: cnn}\nseed: 1\nseed: 2", "mine.yaml:3: duplicate key 'seed'"),
        ("extends: bose.yaml", "mine.yaml:1: extends 'bose.yaml'"),
        ("extends: mine.yaml\nmodel: {name: cnn}", "forms a cycle"),
        ("seed: 1", "model.name is missing"),
        ("model: {name: cnn}\ndata: 3", "'data' is a section"),
        ("model: {name: cnn, kernel: 4}", "must be odd"),
        ("model: {name: hybrid, cnn: false, lstm: false}", "cannot both be false"),
        (
            "model: {name: hybrid, changes: true, autoencoder_placement: inline}",
            "is not read behind",
        ),
        ("model: {name: cnn}\ntraining: {monitor: test/auroc}", "is not one of"),
        ("model: {name: cnn}\ntraining: {learning_rate: .nan}", "must be positive and finite"),
        ("model: {name: cnn}\nseed: ${nowhere}", "nowhere"),
        ("model: {name: cnn}\nseed: !!python/object/apply:os.getcwd []", "not plain YAML"),
    ],
)
def test_each_mistake_has_one_clear_message(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text))
    assert what in str(caught.value)


def test_another_model_leaves_the_keys_of_the_files_model_behind() -> None:
    assert load("hybrid", ["model.name=cnn"]).config.model == CNN()


def test_the_assignment_of_folds_follows_the_seed_unless_it_is_set() -> None:
    assert load("cnn", ["seed=3"]).config.data.split.assignment == 3
    assert load("cnn", ["seed=3", "data.split.assignment=0"]).config.data.split.assignment == 0


def test_the_data_section_alone() -> None:
    config = load_data_config("skab", ["data.window=16"])
    assert (config.name, config.window) == ("skab", 16)
    with pytest.raises(ConfigError, match=r"only keys of the data section"):
        load_data_config("skab", ["training.epochs=3"])


NAMES = ("010", "007", "0x10", "no", "on", "null", "~", "1e5", "1.50", "1_0", "+1", "1:30", "true")
DATES = ("2026-01-05", "2026-13-45", ".inf", "0b_")


@pytest.mark.parametrize("name", [*NAMES, *DATES])
def test_text_keys_keep_their_text(tmp_path: Path, name: str) -> None:
    assert load("cnn", [f"data.name={name}"]).config.data.name == name
    loaded = load(written(tmp_path, f"model: {{name: cnn}}\ndata:\n  name: {name}\n"))
    assert loaded.config.data.name == name
    again = load(written(tmp_path, as_yaml(loaded)))
    assert again.config == loaded.config
    assert (
        load("cnn", [f"data.name={scalar(name)}"]).config
        == load("cnn", [f"data.name={name}"]).config
    )


@pytest.mark.parametrize("root", ["010", "/data/a: b", "/data/#1 # b", "@here", "[a]", "*x", "{b}"])
def test_a_path_is_what_was_typed(root: str) -> None:
    config = load("cnn", [f"data.root={root}", f"data.subset='{root}'"]).config.data
    assert (config.root, config.subset) == (root, root)


def test_only_null_and_nothing_empty_an_optional_text(tmp_path: Path) -> None:
    for empty in ("null", "~", ""):
        config = load("cnn", ["data.root=x", f"data.root={empty}"]).config.data
        assert config.root is None
        text = f"model: {{name: cnn}}\ndata: {{subset: {empty}}}\n"
        assert load(written(tmp_path, text), ["data.root=x"]).config.data.subset is None
    assert load("cnn", ["data.subset='null'"]).config.data.subset == "null"
    assert load("cnn", ["data.subset=no"]).config.data.subset == "no"


@pytest.mark.parametrize(
    "number", ["010", "-010", "1_0", "0x10", "0b1", "1:30", "00", "'010'", "１０"]
)
def test_a_number_has_one_meaning(tmp_path: Path, number: str) -> None:
    keys = ("training.epochs", "training.learning_rate", "data.split.purge", "seed")
    with pytest.raises(ConfigError) as caught:
        load("cnn", [f"{key}={number}" for key in keys])
    plain = number.strip("'")
    wrong = [f"{key}: {plain!r} is not a plain decimal number" for key in keys]
    assert [
        one.what[: len(text)] for one, text in zip(caught.value.problems, wrong, strict=True)
    ] == wrong
    with pytest.raises(ConfigError, match=r"mine\.yaml:2"):
        load(written(tmp_path, f"extends: cnn\nmodel: {{head: {number}}}\n"))


def test_plain_numbers_and_switches() -> None:
    data = load("cnn", ["data.max_gap=+5", "training.learning_rate=1e-3", "data.clip=.5"]).config
    assert (data.data.max_gap, data.training.learning_rate, data.data.clip) == (5, 0.001, 0.5)
    assert load("cnn", ["data.link_channels=no"]).config.data.link_channels is False


def test_files_and_sections_are_found_by_what_is_written(tmp_path: Path) -> None:
    written(tmp_path, "model: {name: cnn}\ntraining: {epochs: 3}\n", "010.yaml")
    assert load(written(tmp_path, "extends: 010.yaml\n")).config.training.epochs == 3
    with pytest.raises(ConfigError, match="extends '010'"):
        load(written(tmp_path, "extends: 010\n"))
    with pytest.raises(ConfigError, match="unknown key 'no'"):
        load(written(tmp_path, "extends: 010.yaml\nno: 3\n"))
    with pytest.raises(ConfigError, match="unknown model 'no'"):
        load("cnn", ["model.name=no"])


def test_identity_is_what_is_computed_not_where() -> None:
    same = [load("cnn").config, load("cnn", ["hardware.threads=2", "data.root=/elsewhere"]).config]
    assert run_id(same[0], "data") == run_id(same[1], "data")
    changes = ("seed=1", "training.epochs=99", "model.head=63", "data.window=31")
    others = [load("cnn", [text]).config for text in changes]
    assert len({run_id(config, "data") for config in [same[0], *others]}) == 5
    assert run_id(same[0], "data") != run_id(same[0], "other data")
    assert len(run_id(same[0], "data")) == 10


def test_identity_covers_defaults_that_no_file_names() -> None:
    assert "data.max_gap" in flatten(load("cnn").config)
    assert run_id(load("cnn", ["data.max_gap=11"]).config, "d") != run_id(load("cnn").config, "d")


@pytest.mark.parametrize(
    "scenario",
    ["duration=6h " * 20, "duration=6h\n\ndeployment.nodes=8", "start='2026' # no comment"],
)
def test_a_shown_configuration_loads_again(tmp_path: Path, scenario: str) -> None:
    loaded = load("hybrid", ["seed=4", "data.split.purge=40"])
    data = replace(loaded.config.data, scenario=scenario)
    loaded = replace(loaded, config=replace(loaded.config, data=data))
    again = load(written(tmp_path, as_yaml(loaded, origin=True)))
    assert again.config == loaded.config


def test_the_difference_of_two_experiments() -> None:
    rows = difference(load("cnn"), load("lstm"))
    assert {"key": "model.name", "cnn": "cnn", "lstm": "lstm"} in rows
    assert {"key": "model.kernel", "cnn": "3", "lstm": None} in rows
    assert not [row for row in rows if str(row["key"]).startswith("training.")]


@pytest.mark.parametrize("name", model_names())
def test_every_key_is_documented(name: str) -> None:
    assert [row["key"] for row in documentation(name) if not row["meaning"]] == []


def test_a_model_file_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from dataclasses import dataclass\nfrom anomalynet.config.model import ModelConfig\n"
        "@dataclass(kw_only=True, slots=True, frozen=True)\nclass Config(ModelConfig):\n    "
        "width: int = 5\n"
    )
    loaded = load("cnn", [f"model.name={path}", "model.width=6"])
    assert flatten(loaded.config)["model.width"] == 6
    before = run_id(loaded.config, "data")
    path.write_text(path.read_text() + "# changed\n")
    assert run_id(loaded.config, "data") != before


def test_a_broken_model_file_is_one_message(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("x = 1\ny = nope\n")
    with pytest.raises(UsageError, match=r"broken\.py:2: NameError"):
        model_class(str(path))
    with pytest.raises(UsageError, match="no such file"):
        model_class(str(tmp_path / "absent.py"))


def test_a_nearer_folder_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "experiments").mkdir()
    mine = tmp_path / "experiments" / "cnn.yaml"
    mine.write_text("model: {name: cnn}\n")
    monkeypatch.chdir(tmp_path)
    assert locate.find("experiments", "cnn") == mine
    assert locate.find("experiments", "lstm") == ROOT / "experiments" / "lstm.yaml"

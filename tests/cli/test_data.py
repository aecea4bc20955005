"""`anomalynet data`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anomalynet.cli import main as cli
from tests.tiny import TINY


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(cli, "VERBS", ("data",))
    return tmp_path / "data"


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "room.csv"
    path.write_text(
        "t,room,temp,state\n0,a,20,0\n60,a,21,1\n120,a,22,0\n0,b,20,0\n60,b,NA,-5\n120,b,19,0\n"
    )
    return path


IMPORT = [
    *["--name", "rooms", "--time", "t", "--series", "room", "--label", "state"],
    *["--units", "temp=°C", "--unlabelled", "-5"],
]


def test_the_help_of_an_import_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["data", "import", "--help"])
    assert ended.value.code == 0
    assert "--time-format" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("labelled", "look", "model"),
    [
        (True, "data info", "hybrid data.name=rooms"),
        (False, "show --injected", "unlabelled data.name=rooms"),
    ],
)
def test_an_import_ends_with_what_fits_its_labels(
    capsys: pytest.CaptureFixture[str], csv: Path, labelled: bool, look: str, model: str
) -> None:
    options = IMPORT if labelled else [*IMPORT[:6], "--ignore", "state"]
    assert cli.main(["data", "import", str(csv), *options]) == 0
    train = f"next: anomalynet train {model}"
    assert capsys.readouterr().err.splitlines()[-2:] == [f"next: anomalynet {look} rooms", train]


def test_ls_names_every_set(capsys: pytest.CaptureFixture[str], csv: Path) -> None:
    assert cli.main(["data", "import", str(csv), *IMPORT]) == 0
    capsys.readouterr()
    assert cli.main(["data", "ls", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    presets, downloads = (
        ["healthcare", "industrial", "smart_city", "smart_city_stressed"],
        ["lwsndr", "nab", "skab", "smd", "ton_iot"],
    )
    assert list(rows) == [*presets, *downloads, "rooms"]
    assert [rows[name]["there"] for name in rows] == [
        *(["not made yet"] * 4),
        *(["no"] * 5),
        "yes",
    ]
    assert rows["skab"]["licence"] == "GPL-3.0"


def test_ls_survives_a_damaged_set(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    (home / "broken").mkdir(parents=True)
    (home / "broken/dataset.json").write_text("{")
    assert cli.main(["data", "ls"]) == 0
    assert "broken\tdamaged" in capsys.readouterr().out


def test_doctor_knows_which_networks_are_made_and_survives_a_damaged_one(
    capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "VERBS", ("doctor", "data"))
    for name, content in (
        ("a", '{"scenario": {"name": "healthcare"}}'),
        ("b", "{"),  # of a world of which a manifest alone is left
        ("c", '{"scenario": "industrial"}'),
    ):
        (home / "simulated" / name).mkdir(parents=True)
        (home / "simulated" / name / "manifest.json").write_text(content, encoding="utf-8")
    assert cli.main(["doctor", "--json"]) == 0
    found = {row["what"]: row["found"] for row in json.loads(capsys.readouterr().out)["rows"]}
    names = ("healthcare", "industrial", "smart_city")
    assert [found[f"data {name}"] for name in names] == ["yes", "not made yet", "not made yet"]
    assert cli.main(["data", "ls", "--json"]) == 0
    listed = {row["name"]: row["there"] for row in json.loads(capsys.readouterr().out)["rows"]}
    assert listed == {what[5:]: found[what] for what in found if what[5:] in listed}
    assert {"extra export", "extra ray", "extra stream"} <= found.keys()


def test_import_then_info(capsys: pytest.CaptureFixture[str], csv: Path) -> None:
    assert cli.main(["data", "import", str(csv), *IMPORT, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["counts"] == {"rows": 6, "missing readings": 1, "unlabelled rows": 1}
    assert cli.main(["data", "info", "rooms", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    counts = {"series": 2, "rows": 6, "period": 60.0, "labelled": 5, "attack": 1}
    assert {key: facts[key] for key in counts} == counts
    assert facts["prevalence"] == pytest.approx(0.2)
    assert (facts["begins"], facts["ends"]) == ("0 s", "120 s")
    (channel,) = facts["channels"]
    levels = {"minimum": 19.0, "mean": pytest.approx(20.4), "maximum": 22.0}
    assert channel == {"name": "temp", "unit": "°C", **levels, "missing": 1}
    assert facts["incidents"] == [{"type": None, "incidents": 1, "rows": 1}]


@pytest.fixture
def shared(data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session's data folder, which holds the tiny world."""
    monkeypatch.setenv("ANOMALYNET_DATA", str(data_home))


@pytest.mark.usefixtures("shared")
def test_info_as_a_table_and_warnings_aside(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "info", "smart_city", f"data.scenario={TINY}"]) == 0
    printed = capsys.readouterr()
    for told in ("series\t12", "# incidents", "temperature\t°C"):
        assert told in printed.out
    assert "a simulated network" in printed.err and "warning" not in printed.out


@pytest.mark.usefixtures("shared")
def test_info_is_of_one_world_unless_more_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    one, two = ({"node-0001"}, {"world-0000/node-0001", "world-0001/node-0001"})
    for worlds, count, names in ((), 12, one), (("data.worlds=2",), 24, two):
        asked = ["data", "info", "smart_city", f"data.scenario={TINY}", *worlds, "--json"]
        assert cli.main(asked) == 0
        facts = json.loads(capsys.readouterr().out)
        assert facts["series"] == count
        assert names <= {row["series"] for row in facts["recordings"]}
        assert len(facts["nodes"]) == 12, "of the first world"


def test_info_of_a_collection_names_its_parts(
    capsys: pytest.CaptureFixture[str], real_data: Path
) -> None:
    assert cli.main(["data", "info", "ton_iot"]) == 0
    assert "garage_door; gps_tracker" in capsys.readouterr().out
    weather = ["data.subset=weather", f"data.root={real_data}", "--json"]
    assert cli.main(["data", "info", "ton_iot", *weather]) == 0
    facts = json.loads(capsys.readouterr().out)
    names = [channel["name"] for channel in facts["channels"]]
    assert (facts["rows"], names) == (39_260, ["temperature", "pressure", "humidity"])


def test_bad_input_is_one_message_and_code_2(
    capsys: pytest.CaptureFixture[str], csv: Path, home: Path
) -> None:
    csv.write_text(csv.read_text() + "180,b,warm,0\n")
    assert cli.main(["data", "import", str(csv), *IMPORT]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"{csv}:8: sensor 'temp' is 'warm'" in printed.err
    assert "--ignore temp" in printed.err
    assert not home.exists()


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["data", "info", "nowhere"], 2, "unknown data set 'nowhere'"),
        (["data", "info", "skab"], 0, "anomalynet data fetch skab"),
        (["data", "info", "skab"], 0, "Thermocouple °C; Voltage V"),
        (["data", "info", "ton_iot"], 0, "copy the files Train_Test_IoT_*.csv"),
        (["data", "fetch", "ton_iot"], 2, "research.unsw.edu.au"),
    ],
)
def test_errors(capsys: pytest.CaptureFixture[str], argv: list[str], code: int, said: str) -> None:
    assert cli.main(argv) == code
    printed = capsys.readouterr()
    assert said in (printed.err if code else printed.out)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--units", "temp"], "'temp' is not name=unit"),
        (["--separator", "::"], "'::' is not one character"),
        (["--unsorted", "perhaps"], "--unsorted"),
    ],
)
def test_usage_errors(
    capsys: pytest.CaptureFixture[str], csv: Path, more: list[str], said: str
) -> None:
    assert cli.main(["data", "import", str(csv), "--name", "rooms", *more]) == 2
    assert said in capsys.readouterr().err

"""Scenarios from presets, files and arguments."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
import yaml

from anomalynet.errors import ConfigError, UsageError
from anomalynet.simulation.load import as_yaml, canonical, load_scenario, names
from anomalynet.simulation.scenario import slots


def problems(*overrides: str, scenario: str = "smart_city") -> list[str]:
    """Every problem of a scenario, as the user reads it."""
    with pytest.raises(ConfigError) as caught:
        load_scenario(scenario, overrides)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("name", "rhythm", "power", "latitude"),
    [
        ("smart_city", "street", 0, 45),
        ("smart_city_stressed", "street", -3, 45),
        ("industrial", "shifts", 4, 50),
        ("healthcare", "ward", 0, 48),
    ],
)
def test_every_preset_loads_and_is_what_its_file_says(
    name: str, rhythm: str, power: float, latitude: float
) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert len(names()[name]) > 20
    found = (scenario.climate.rhythm, scenario.radio.transmit_power, scenario.climate.latitude)
    assert found == (rhythm, power, latitude)
    path = resources.files("anomalynet.simulation") / "scenarios" / f"{name}.yaml"
    for section, values in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        own = getattr(scenario, section)
        for key, value in values.items() if isinstance(values, dict) else ():
            assert getattr(own, key) == value, f"{section}.{key}"


def test_arguments_win_over_the_file_and_keep_their_types(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    nodes = "deployment:\n  nodes: 3\n  width: 50\n"
    path.write_text(f"duration: 90\nstart: 2026-01-05\nradio: {{bandwidth: 5e6}}\n{nodes}")
    scenario = load_scenario(str(path), ["deployment.nodes=7", "seed=3"])
    found = (scenario.name, scenario.duration, scenario.start, scenario.seed)
    assert found == ("mine", "90", "2026-01-05", 3)
    assert (scenario.deployment.nodes, scenario.deployment.width) == (7, 50.0)
    assert scenario.radio.bandwidth == 5e6
    assert slots(scenario) == 3


def test_written_parameters_load_again_to_the_same_scenario(tmp_path: Path) -> None:
    own = ["seed=9", "incidents.only=jamming crash", "radio.kind=lora"]
    scenario = load_scenario("industrial", own)
    (tmp_path / "scenario.yaml").write_text(as_yaml(scenario), encoding="utf-8")
    assert load_scenario(str(tmp_path / "scenario.yaml")) == scenario


def test_the_identity_of_a_world_is_every_parameter_but_its_name() -> None:
    scenario = load_scenario("smart_city")
    assert canonical(replace(scenario, name="other")) == canonical(scenario)
    assert canonical(replace(scenario, seed=1)) != canonical(scenario)
    found = json.loads(canonical(scenario))["scenario"]
    assert found["sampling"]["period"] == scenario.sampling.period


def test_every_problem_is_told_at_once_with_its_line_and_the_nearest_valid_word(
    tmp_path: Path,
) -> None:
    path = tmp_path / "wrong.yaml"
    radio = "radio:\n  spreading_factor: 13\n  kind: lorra\n"
    path.write_text("deployment: {cellnodes: 5}\n" + radio + "duration: 3 weeks\n")
    told = problems("sampling.period=-1", scenario=str(path))
    for line, (start, word) in zip(
        told,
        [
            (f"{path}:1: ", "did you mean 'deployment.cell_nodes'?"),
            (f"{path}:4: radio.kind: ", "did you mean 'lora'?"),
            (f"{path}:3: radio.spreading_factor: ", "between 7 and 12, not 13"),
            ("argument 'sampling.period=-1': sampling.period: ", "not -1.0"),
            (f"{path}:5: duration: ", "'3 weeks' is not a duration such as 90s, 30min, 24h or 7d"),
        ],
        strict=True,
    ):
        assert line.startswith(start) and line.endswith(word)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("sampling.period=0", "must be positive and finite, not 0.0"),
        ("sampling.period=.nan", "must be positive and finite, not nan"),
        ("deployment.nodes=0", "must be between 1 and 65000, not 0"),
        ("deployment.nodes=many", "is not a whole number"),
        ("duration=0", "must be positive and at most 49d (a frame has a 32-bit clock), not 0"),
        ("duration=50d", "must be positive and at most 49d"),
        (
            "duration=5s",
            "is shorter than one frame period (sampling.period × sampling.transmit_every = 30 s)",
        ),
        ("start=yesterday", "'yesterday' is not a time such as 2026-01-05T00:00"),
        ("start='2026-01-05T00:00+01:00'", "has a UTC offset"),
        ("radio.retries=8", "must be between 0 and 7, not 8"),
        ("radio.duty_cycle=1.5", "a share of at most 1"),
        ("radio.minimum_exponent=6", "must not exceed radio.maximum_exponent = 5, but is 6"),
        ("incidents.subtle=9", "must not exceed incidents.blunt = 8.0, but is 9.0"),
        ("climate.indoor=1.1", "must be between 0 and 1, not 1.1"),
        ("climate.rhythm=strete", "did you mean 'street'?"),
        ("incidents.only=jaming crash", "unknown incident type 'jaming'; did you mean 'jamming'?"),
        ("seed=-1", "must be between 0 and"),
        ("nodes=3", "unknown key 'nodes'; did you mean 'deployment.nodes'?"),
        ("nodes", "expected key=value"),
        ("name=${seeed}", "not found"),
    ],
)
def test_a_value_that_cannot_be_used_is_one_line(override: str, told: str) -> None:
    (line,) = problems(override)
    assert told in line and line.startswith(f"argument {override!r}")


def test_weights_that_leave_no_incident_are_told() -> None:
    none = ["incidents.attack=0", "incidents.fault=0", "incidents.environment=0"]
    (line,) = problems(*none)
    assert "for no incidents, set incidents.per_node_day=0" in line
    load_scenario("smart_city", ["incidents.per_node_day=0", *none])


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("smart_cty", r"unknown scenario 'smart_cty'\n.*did you mean 'smart_city'"),
        ("nowhere.yaml", r"nowhere\.yaml: no such file\n.*simulate --list"),
    ],
)
def test_an_unknown_preset_and_a_missing_file_name_what_there_is(name: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        load_scenario(name)

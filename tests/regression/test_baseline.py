"""The baseline's file: read as it was written, and what a hand broke is told with its place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalynet.errors import NothingToCompareError, UsageError
from anomalynet.regression.baseline import (
    DEFAULTS,
    Baseline,
    Entry,
    Environment,
    Golden,
    Repeated,
    RunMetrics,
    Values,
    read_baseline,
    write_baseline,
)
from anomalynet.regression.verdict import Measured, add_update
from anomalynet.runs.codec import build, dump, parse

AP = "test/average_precision"
ROOT = Path(__file__).parents[2]


def small() -> Baseline:
    golden = Golden(1, "code", "run", {"threshold": [0.5], "test/f1_attack": [None]})
    repeated = Repeated(1, "code", "digest", [RunMetrics(0, 0, None, {AP: 0.4})])
    here = "torch 2.13, AVX2"
    means: dict[str, dict[str, float | None]] = {"cnn": {AP: 0.4}}
    history = [Entry("2026-01-05", None, "ünïcode | first", here, "code", means)]
    environments = {here: Environment({"cnn": golden}, {"cnn": repeated})}
    return Baseline(2, DEFAULTS, environments, history)


def test_written_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "baseline.json"
    write_baseline(path, small())
    assert read_baseline(path) == small()
    assert json.loads(path.read_text()) == json.loads(dump(small()))
    assert '"threshold": [0.5]' in path.read_text()


VALUES = st.dictionaries(
    st.text(max_size=5),
    st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=4),
    max_size=3,
)


@given(VALUES)
def test_any_values_survive(values: dict[str, list[float | None]]) -> None:
    environments = {"e": Environment({"cnn": Golden(1, "c", "r", values)}, {})}
    own = replace(small(), environments=environments)
    assert build(Baseline, parse(dump(own), "f"), "f") == own


DAMAGE = {
    '"version": 2,': ('"version": 2', r"baseline.json:3: not valid JSON: .*\(column"),
    '"version": 2': ('"version": 1', "version 1, but this program reads 2"),
    '"golden": 1e-05': ('"golden": "small"', r"json.tolerances.golden: .* number, not 'small'"),
    '"elsewhere": 0.001': ('"elsewhere": -1', "tolerances: elsewhere .* at least 0, not -1"),
    '"test/auroc": 0.03': ('"test/prevalence": 0.03', "test/prevalence has no direction"),
    '"test/auroc":': ('"test/auorc":', r"tolerances.metrics: .* 'test/auorc'; .* 'test/auroc'\?"),
    '"test/f1_attack": 0.03': (
        '"auroc": 0.03',
        "unknown metric 'auroc'; did you mean 'test/auroc'",
    ),
    '"threshold": [0.5]': ('"threshold": 0.5', "AVX2.golden.cnn.values.threshold: .* not 0.5"),
    '"seed": 0': ('"sead": 0', r"statistical.cnn.runs\[0\]: missing key 'seed'"),
    '"reason":': ('"extra": 1, "reason":', r"history\[0\]: unknown key 'extra'"),
    '"fold": 0': ('"fold": true', r"fold: expected a whole number, not True"),
    f'"{AP}": 0.4': (f'"{AP}": NaN', "NaN is not a valid JSON number"),
    '"run": "run"': ('"run": "run", "run": "other"', "duplicate key 'run'"),
    '"update": 1': ('"update": 2', "cnn: update 2 is not in history"),
}


@pytest.mark.parametrize("place", DAMAGE)
def test_damage_is_told_in_one_message_with_its_place(place: str, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    broken, told = DAMAGE[place]
    text = dump(small())
    assert place in text
    path.write_text(text.replace(place, broken, 1))
    with pytest.raises(UsageError, match=told) as caught:
        read_baseline(path)
    assert "git checkout" in str(caught.value)
    path.write_text("[]")
    with pytest.raises(UsageError, match="expected an object"):
        read_baseline(path)
    with pytest.raises(NothingToCompareError, match="baseline is missing"):
        read_baseline(tmp_path / "none.json")


def measured(environment: str, code: str, golden: str, *statistical: str) -> Measured:
    runs = {name: ("ids", [RunMetrics(0, 0, 0, {AP: 0.6})]) for name in statistical}
    values: dict[str, tuple[str, Values]] = {golden: ("new", {"threshold": [0.7]})}
    return Measured(environment, code, "abc", values, runs, ())


def test_an_update_keeps_other_environments_experiments_tolerances_and_history() -> None:
    here, there = "torch 2.13, AVX2", "torch 2.13, AVX512"
    own = replace(small(), tolerances=replace(DEFAULTS, golden=1e-4))
    other = measured(there, "other", "lstm", "cnn")
    new = add_update(own, other, "why not", "2026-02-03", {})
    assert new.environments[here] == own.environments[here]
    golden = Golden(2, "other", "new", {"threshold": [0.7]})
    assert new.environments[there].golden == {"lstm": golden}
    assert new.tolerances.golden == 1e-4
    assert new.history[0] == own.history[0]
    last = new.history[1]
    assert (last.reason, last.commit, last.means) == ("why not", "abc", {"cnn": {AP: 0.6}})
    third = measured(here, "third", "cnn")
    again = add_update(new, third, "x", "2026-02-03", {"golden": ["cnn"]}).environments
    assert again[here].golden["cnn"].update == 3
    assert again[there].golden == {}  # lstm is no experiment of the goldens any more
    assert again[there].statistical == new.environments[there].statistical


def test_the_committed_baseline_is_whole() -> None:
    from anomalynet.sweep.file import read_sweep

    baseline = read_baseline(ROOT / "reports" / "baseline.json")
    text = (ROOT / "reports" / "baseline.json").read_text(encoding="utf-8")
    assert dump(baseline) == text.replace("false_alarms_per_day", "false_alarms_per_device_day")
    last = baseline.environments[baseline.history[-1].environment]
    assert set(last.golden) == set(read_sweep("golden", "quick").experiments)
    assert set(last.statistical) == set(read_sweep("smoke", "quick").experiments)
    runs = [run for one in last.statistical.values() for run in one.runs]
    assert all(set(run.metrics) == set(baseline.tolerances.metrics) for run in runs)

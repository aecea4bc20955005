"""Axes: lists and ranges, and what is said of those that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomalynet.errors import ConfigError
from anomalynet.sweep.axes import Range, levels
from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.plan import plan


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (Range(0, 4, step=1), [0, 1, 2, 3, 4]),
        (Range(8, 128, count=5, log=True), [8, 16, 32, 64, 128]),
        (Range(1, 10, step=4), [1, 5, 9]),
        (Range(0.0, 0.5, step=0.1), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        (Range(0.001, 0.1, count=3, log=True), [0.001, 0.01, 0.1]),
        (Range(0, 1, step=0.25), [0.0, 0.25, 0.5, 0.75, 1.0]),
        (Range(1, 3, count=5), [1, 2, 3]),
        ([3, "a"], [3, "a"]),
    ],
)
def test_levels_are_counted_out_by_hand(axis: Range | list[object], expected: list[object]) -> None:
    found = levels(axis)
    assert found == pytest.approx(expected) if isinstance(found[0], float) else found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


@pytest.mark.parametrize(
    ("axis", "what"),
    [
        ("{low: 1}", "a range has `low` and `high`"),
        ("{low: 4, high: 2, step: 1}", "low = 4 is not below high = 2"),
        ("{low: 0, high: 2, log: true, count: 3}", "a logarithmic range starts above 0"),
        ("{low: 1, high: 2, log: true, step: 1}", "has a `count`, not a `step`"),
        ("{low: 1, high: 2, step: 0}", "step must be positive"),
        ("{low: 1, high: 2, count: 1}", "count must be at least 2"),
        ("{low: 1, high: 2}", "needs either `step` or `count`"),
        ("{low: a, high: 2, step: 1}", "axes.data.window.low: expected float, not 'a'"),
        ("{low: 1, high: 2, step: 1, count: 2}", "either `step` or `count`"),
    ],
)
def test_a_range_that_cannot_be_is_refused(tmp_path: Path, axis: str, what: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"experiment: cnn\naxes:\n  data.window: {axis}\n")
    with pytest.raises(ConfigError) as caught:
        read_sweep(str(path), "quick")
    (problem,) = caught.value.problems
    assert what in str(problem)
    assert problem.where.endswith("mine.yaml:3")


def test_a_list_and_a_range_of_one_key_are_refused(tmp_path: Path) -> None:
    (tmp_path / "parent.yaml").write_text(
        "experiment: cnn\naxes: {data.window: {low: 8, high: 16, step: 8}}\n"
    )
    (tmp_path / "mine.yaml").write_text("extends: parent.yaml\naxes: {data.window: [8, 9]}\n")
    with pytest.raises(ConfigError, match="is a list already"):
        read_sweep(str(tmp_path / "mine.yaml"), "quick")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("search: {objectives: test/auroc}", "a leak; did you mean 'validation/auroc'?"),
        ("search: {objectives: validation/ap}", "unknown 'validation/ap'"),
        ("search: {sampler: tpee}", "did you mean 'tpe'?"),
        ("search: {trials: 0}", "search.trials: expected a whole number of at least 1, not 0"),
        (
            "search: {pruner: median, objectives: [validation/auroc, latency]}",
            "needs a single objective",
        ),
        ("search: {pruner: median, objectives: latency}", "latency has none"),
        ("search: {trails: 3}", "unknown key 'search.trails'; did you mean 'search.trials'?"),
    ],
)
def test_a_search_that_cannot_be_is_refused(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"experiment: cnn\ndesign: search\naxes: {{model.kernel: [3, 5]}}\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        read_sweep(str(path), "quick")
    assert what in str(caught.value)
    assert len(caught.value.problems) == 1


def test_a_power_of_ten_is_a_number(tmp_path: Path) -> None:
    path, name = tmp_path / "mine.yaml", "training.learning_rate"
    axis = "{low: 1e-4, high: 1e-2, count: 3, log: true}"
    path.write_text(f"experiment: cnn\naxes: {{{name}: {axis}}}\n")
    found = levels(read_sweep(str(path), "").axes[name])
    assert found == pytest.approx([1e-4, 1e-3, 1e-2])


def test_names_keep_their_text_and_numbers_have_one_meaning(tmp_path: Path) -> None:
    path = tmp_path / "010.yaml"
    path.write_text(
        "experiments: [010, no]\n"
        "presets: {no: {data.name: 007, experiments: [0x10]}, on: {seeds: [1]}}\n"
        "axes: {data.name: [010, no, null, 1e5], data.subset: [null, yes], data.stride: [1, 10]}\n"
        "arms: {010: {data.root: 0o7}}\n"
        "exclude: [{data.name: 010, data.stride: 10}]\n"
        "report: {reference: {data.name: 010}}\n"
    )
    sweep = read_sweep(str(path), "no")
    assert sweep.experiments == ["0x10"] and sweep.settings == {"data.name": "007"}
    assert read_sweep(str(path), "on").experiments == ["010", "no"]
    assert sweep.axes["data.name"] == ["010", "no", "null", "1e5"]
    assert sweep.axes["data.subset"] == [None, "yes"] and sweep.axes["data.stride"] == [1, 10]
    assert sweep.extras == {"010": {"data.root": "0o7"}}
    assert sweep.exclude == [{"data.name": "010", "data.stride": 10}]
    assert sweep.reference == {"data.name": "010"}


def test_a_number_that_can_be_read_in_two_ways_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    for line in ("seeds: [0, 1_0]", "axes: {data.window: {low: 010, high: 16, step: 8}}"):
        path.write_text(f"experiment: cnn\n{line}\n")
        with pytest.raises(ConfigError, match=r"mine\.yaml:2.*expected.*'(010|1_0)'"):
            read_sweep(str(path), "quick")
    path.write_text("experiment: cnn\naxes: {data.stride: [1, 010]}\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml:2.*data\.stride: '010' is not a plain"):
        plan(read_sweep(str(path), "quick"))

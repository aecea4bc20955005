"""Splits: no row in two parts, no window across a border, every labelled step scored or counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalynet.config.schema import DataConfig, SplitConfig
from anomalynet.data.prepared import PARTS, Prepared
from anomalynet.data.split import OneClassError, Split, split
from anomalynet.data.windows import Windows
from anomalynet.errors import DataError
from tests.data.build import Facts, Recording, prepared, steady

WINDOW = 4


def config(
    calibration_rows: int = 0, one_class: Any = "allow", stride: int = 1, **keys: Any
) -> DataConfig:
    parts = SplitConfig(**keys)
    return DataConfig(
        window=WINDOW,
        max_gap=WINDOW,
        calibration_rows=calibration_rows,
        one_class=one_class,
        stride=stride,
        split=parts,
    )


def mixed(rows: int, every: int = 7) -> list[int | None]:
    return [int(row % every > every - 3) for row in range(rows)]


def spans(found: Split, part: str) -> list[tuple[int, int]]:
    return list(
        zip(found.parts[part].starts.tolist(), found.parts[part].stops.tolist(), strict=True)
    )


def check(found: Split, settings_: DataConfig, leaks: bool = False) -> None:
    """What must hold of every split."""
    rows_of: dict[str, set[int]] = {}
    for part in PARTS:
        windows = Windows(found.prepared, found.parts[part], settings_.window)
        starts, ends = windows.starts(), windows.ends()
        inside = [
            any(
                segment.start <= start and end < segment.stop for segment in found.prepared.segments
            )
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]
        assert all(inside)  # never across a series, a device or a long gap
        assert len(set(ends.tolist())) == len(ends)  # every step at most once
        rows_of[part] = {
            row for start in starts.tolist() for row in range(start, start + settings_.window)
        }
        territory = found.territory[part].rows().tolist()
        assert len(set(territory)) == len(territory)
        assert set(ends.tolist()) <= set(territory)
        missed = found.missed(part)
        labels = found.prepared.labels
        assert (labels[missed.rows] >= 0).all()
        assert missed.attack == int((labels[missed.rows] == 1).sum())
        labelled = {row for row in territory if labels[row] >= 0}
        scored = {int(end) for end in ends if labels[end] >= 0}
        assert scored | set(missed.rows.tolist()) == labelled
        assert not scored & set(missed.rows.tolist())
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert leaks or not rows_of[one] & rows_of[other]
        assert not set(found.territory[one].rows().tolist()) & set(
            found.territory[other].rows().tolist()
        )


@st.composite
def sets(draw: st.DrawFn) -> Prepared:
    series = draw(st.integers(3, 7))
    recordings = []
    for number in range(series):
        steps = draw(st.lists(st.sampled_from([1.0] * 12 + [3.0, 30.0]), min_size=20, max_size=60))
        seconds = np.cumsum([draw(st.integers(0, 9)) * 1.0, *steps]).tolist()
        labels = draw(
            st.lists(st.sampled_from([0, 0, 1, None]), min_size=len(seconds), max_size=len(seconds))
        )
        kinds = [
            draw(st.sampled_from(["dos", "jam", "hole"])) if label else None for label in labels
        ]
        splits = [
            ("train", "test", "validation")[row * 3 // len(seconds)] for row in range(len(seconds))
        ]
        recordings.append(Recording(f"s{number}", seconds, [seconds], labels, kinds, splits))
    groups = {"s1": "s0"} if draw(st.booleans()) and series > 4 else {}
    train_only = frozenset({"s2"}) if draw(st.booleans()) and series > 4 else frozenset[str]()
    facts = Facts(draw(st.sampled_from([1.0, None])), groups, train_only)
    return prepared(recordings, config(calibration_rows=draw(st.sampled_from([0, 5]))), facts)


@settings(max_examples=120, deadline=None)
@given(
    sets(),
    st.sampled_from(
        ["group", "blocked", "group_blocked", "held_out_types", "given", "random", "auto"]
    ),
    st.integers(0, 2),
    st.integers(0, 3),
    st.integers(1, 3),
    st.sampled_from([None, 6]),
)
def test_parts_never_share_a_row_and_every_labelled_step_is_scored_or_missed(
    rows: Prepared, policy: str, fold: int, assignment: int, interleave: int, purge: int | None
) -> None:
    chosen = config(
        policy=policy, folds=3, fold=fold, assignment=assignment, interleave=interleave, purge=purge
    )
    try:
        found = split(rows, chosen)
    except DataError:
        return
    check(found, chosen, leaks=policy == "random")
    train_only = {segment.series for segment in rows.segments if segment.train_only}
    for part in ("validation", "test"):
        owners = {rows.series[number] for number in rows.series_of(found.territory[part].rows())}
        assert not owners & train_only
    if found.label in ("group", "group_blocked"):
        groups = {segment.series: segment.group for segment in rows.segments}
        held = [
            {groups[rows.series[number]] for number in rows.series_of(found.territory[part].rows())}
            for part in PARTS
        ]
        assert not held[0] & held[1] and not held[0] & held[2] and not held[1] & held[2]


@pytest.mark.parametrize("policy", ["group", "blocked", "random"])
def test_the_folds_test_every_step_once(policy: str) -> None:
    rows = prepared([steady(f"s{number}", 70, mixed(70)) for number in range(7)])
    tested = np.concatenate(
        [
            split(rows, config(policy=policy, fold=fold)).territory["test"].rows()
            for fold in range(5)
        ]
    )
    assert np.sort(tested).tolist() == list(range(490))


def test_assignment_deals_other_groups_and_the_same_again() -> None:
    rows = prepared([steady(f"s{number}", 20, mixed(20)) for number in range(20)])

    def held(assignment: int) -> list[int]:
        return list(
            split(rows, config(policy="group", assignment=assignment))
            .territory["test"]
            .rows()
            .tolist()
        )

    assert held(0) == held(0) != held(1)
    found = split(rows, config(policy="group", validation_fraction=0.25))
    assert [len(found.territory[part].rows()) // 20 for part in PARTS] == [12, 4, 4]


def test_a_train_only_series_leaves_when_its_group_is_held_out() -> None:
    recordings = [steady(f"s{number}", 20, mixed(20)) for number in range(6)] + [
        steady("normal", 20, [0] * 20)
    ]
    rows = prepared(
        recordings, facts=Facts(groups={"s0": "normal"}, train_only=frozenset({"normal"}))
    )
    for fold in range(3):
        found = split(rows, config(policy="group", folds=3, fold=fold))
        trained = {rows.series[number] for number in rows.series_of(found.parts["train"].rows())}
        assert ("normal" in trained) == ("s0" in trained)


def test_blocks_by_hand() -> None:
    rows = prepared([steady("s", 50, mixed(50))])
    found = split(rows, config(policy="blocked"))
    # Latest block tested, the one before validates and loses the purge gap at the border, as
    # training does.
    assert [spans(found, part) for part in PARTS] == [[(0, 26)], [(30, 36)], [(40, 50)]]
    assert found.missed("test").rows.tolist() == [40, 41, 42]
    assert found.missed("validation").rows.tolist() == [30, 31, 32, 36, 37, 38, 39]
    last = split(rows, config(policy="blocked", fold=4))
    assert last.territory["test"].rows().tolist() == list(range(10))
    assert last.territory["validation"].rows().tolist() == list(range(40, 50))
    dealt = split(rows, config(policy="blocked", interleave=2, folds=3, fold=0))
    assert dealt.label == "blocked (interleaved ×2)"
    assert [first // 8 for first in dealt.territory["test"].starts] == [2, 5]


def test_blocks_are_of_equal_time_on_a_grid_and_of_equal_count_without_one() -> None:
    seconds = [*range(40), *range(400, 410)]
    one = Recording("s", seconds, [[1.0] * 50], mixed(50))
    events = split(prepared([one], facts=Facts(period=None)), config(policy="blocked"))
    assert events.territory["test"].rows().tolist() == list(range(40, 50))
    with pytest.raises(DataError, match="no window of 4 steps fits the validation part"):
        split(prepared([one]), config(policy="blocked"))


def test_group_blocked_by_hand() -> None:
    rows = prepared([steady(f"s{number}", 100, mixed(100)) for number in range(3)])
    found = split(rows, config(policy="group_blocked", folds=3))
    inside = {
        part: [(start % 100, (stop - 1) % 100 + 1) for start, stop in spans(found, part)]
        for part in PARTS
    }
    assert inside == {"train": [(0, 56)], "validation": [(60, 76)], "test": [(80, 100)]}
    assert found.missed("validation").rows.tolist()[-1] % 100 == 79


def test_held_out_types() -> None:
    labels = mixed(40)
    recordings = []
    for number in range(6):
        kinds = [
            ("dos", "jam")[(row // 7) % 2] if label else None for row, label in enumerate(labels)
        ]
        recordings.append(replace(steady(f"s{number}", 40, labels), kinds=kinds))
    rows = prepared(recordings)
    found = split(rows, config(policy="held_out_types", folds=2))
    seen = {
        part: {rows.kind_names[kind] for kind in rows.kinds[found.parts[part].rows()] if kind >= 0}
        for part in PARTS
    }
    assert len(seen["test"]) == 1 and not seen["test"] & (seen["train"] | seen["validation"])
    assert found.label == "held_out_types (by group)"
    assert any(next(iter(seen["test"])) in warning for warning in found.warnings)


def test_auto() -> None:
    ten = [steady(f"s{number}", 20, mixed(20)) for number in range(10)]
    assert split(prepared(ten), config()).label == "group"
    assert split(prepared([steady("s", 100, mixed(100))]), config()).label == "blocked"
    brought = [
        replace(one, splits=[("train", "validation", "test")[number % 3]] * 20)
        for number, one in enumerate(ten)
    ]
    assert split(prepared(brought), config()).label == "given"
    simulated = Facts(policy="group_blocked")
    hundred = [steady(f"s{number}", 100, mixed(100)) for number in range(10)]
    assert split(prepared(hundred, facts=simulated), config()).label == "group_blocked"
    assert split(prepared(brought, facts=simulated), config()).label == "given"
    with pytest.raises(
        DataError, match=r"data.split.policy=group_blocked: 2 groups of series cannot make 5 folds"
    ):
        split(prepared(hundred[:2], facts=simulated), config())


def test_a_view_of_other_nodes_is_told_where_parts_share_time() -> None:
    rows = prepared([steady(f"s{number}", 100, mixed(100)) for number in range(10)])
    for policy, told in (("group", True), ("group_blocked", False)):
        for view in ("node", "cell"):
            warnings = split(rows, replace(config(policy=policy), view=view)).warnings
            assert any("a window shows other nodes" in warning for warning in warnings) is (
                told and view == "cell"
            )


def test_random_is_marked() -> None:
    found = split(prepared([steady("s", 200, mixed(200))]), config(policy="random", stride=3))
    assert found.label == "random (LEAKS)"
    assert any("random split" in warning for warning in found.warnings)
    assert abs(len(found.scored("train")) - 200 * 0.8 * 0.75 / 3) < 12


@pytest.mark.parametrize(
    ("rows", "keys", "message"),
    [
        (
            [steady("s", 100, mixed(100))],
            {"policy": "group"},
            "1 groups of series cannot make 5 folds",
        ),
        ([steady("s", 100, mixed(100))], {"fold": 5}, "fold=5 is not one of the 5 folds"),
        (
            [steady("s", 100, mixed(100))],
            {"policy": "blocked", "purge": 3},
            "purge=3: parts would not lie apart by data.window=4",
        ),
        ([steady("s", 15, mixed(15))], {"policy": "blocked"}, "no window of 4 steps fits the"),
        (
            [steady("s", 100, mixed(100))],
            {"policy": "held_out_types"},
            "0 kinds of incident cannot make 5 folds",
        ),
        (
            [steady("s", 100, mixed(100))],
            {"policy": "given"},
            "names no train and no validation and no test rows",
        ),
        (
            [steady("s", 100, mixed(100))],
            {"policy": "blocked", "folds": 2},
            "needs 3 folds at least",
        ),
    ],
)
def test_refusals(rows: list[Recording], keys: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        split(prepared(rows), config(**keys))


def test_one_class() -> None:
    rows = prepared([steady("s", 100, [0] * 60 + [1] * 40)])
    with pytest.raises(
        OneClassError, match=r"the validation part of fold 0 has one class .* attack and 0 normal"
    ) as caught:
        split(rows, config(one_class="refuse", policy="blocked"))
    assert caught.value.chronological and "data.split.interleave=20" in str(caught.value)
    assert any("one class" in warning for warning in split(rows, config(policy="blocked")).warnings)
    late = prepared([steady(f"s{number}", 100, [0, 1] * 40 + [0] * 20) for number in range(5)])
    with pytest.raises(
        OneClassError,
        match=r"the test part of fold 0 has one class .*\n.*data.scenario='duration=96h'",
    ):
        split(late, config(one_class="refuse", policy="group_blocked"))
    assert (
        split(prepared([steady("s", 100)]), config(one_class="refuse", policy="blocked"))
        .missed("test")
        .labelled
        == 0
    )


def test_short_series_are_said() -> None:
    rows = prepared(
        [steady(f"s{number}", 20, mixed(20)) for number in range(10)]
        + [steady("short", 3, [0] * 3)]
    )
    assert any(
        "1 series are shorter than one window" in warning
        for warning in split(rows, config()).warnings
    )


def test_a_train_only_series_is_never_scored_and_validation_moves_with_the_fold() -> None:
    rows = prepared(
        [steady(f"s{number}", 40, mixed(40)) for number in range(10)],
        facts=Facts(train_only=frozenset({"s3"})),
    )
    tested: list[str] = []
    chosen = set()
    for fold in range(3):
        found = split(rows, config(policy="group", folds=3, fold=fold))
        names = {
            part: {rows.series[i] for i in rows.series_of(found.territory[part].rows())}
            for part in PARTS
        }
        assert "s3" not in names["validation"] | names["test"]
        tested += names["test"]
        chosen.add(frozenset(names["validation"]))
    assert sorted(tested) == sorted({f"s{number}" for number in range(10)} - {"s3"})
    assert len(chosen) == 3


def test_an_incident_that_several_series_saw_is_told_when_it_stands_in_two_parts() -> None:
    shared = [7 if label else None for label in mixed(40)]
    apart = [steady(f"s{number}", 40, mixed(40)) for number in range(9)]
    together = [replace(one, incidents=shared) for one in apart]
    for recordings, told in ((apart, False), (together, True)):
        warnings = split(prepared(recordings), config(policy="group", folds=3)).warnings
        assert (
            any(
                "1 incidents stand in the training part and in another" in warning
                for warning in warnings
            )
            is told
        )


@pytest.mark.parametrize("calibration_rows", [0, 5])
def test_no_test_reading_reaches_a_training_window_even_where_a_sensor_falls_silent(
    calibration_rows: int,
) -> None:
    def windows(changed: float) -> list[Any]:
        value: list[float | None] = [
            float(row) if (row < 90 and row not in range(20)) or row >= 150 else None
            for row in range(200)
        ]
        value[89] = changed
        one = Recording("s", range(200), [[float(row) for row in range(200)], value], mixed(200))
        rows = prepared([one], replace(config(calibration_rows=calibration_rows), max_gap=WINDOW))
        found = split(
            rows, config(calibration_rows=calibration_rows, policy="blocked", folds=5, fold=2)
        )
        assert any(start <= 89 < stop for start, stop in spans(found, "test"))
        train = Windows(rows, found.parts["train"], WINDOW)
        return [
            train.gather(np.arange(len(train))).tolist(),
            [value.tolist() for value in train.moments()],
        ]

    assert windows(89.0) == windows(1e6)

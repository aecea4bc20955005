"""Splits: no row in two parts, no window across a border, every labelled step scored or counted."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalynet.config.schema import DataConfig, SplitConfig
from anomalynet.data.prepared import PARTS, Prepared
from anomalynet.data.split.parts import Split, UnusableSplitError, split
from anomalynet.data.split.ranges import Ranges
from anomalynet.data.windows import Windows
from anomalynet.errors import DataError
from tests.data.build import Facts, Recording, prepared, steady

WINDOW = 4
PLAIN = DataConfig(window=WINDOW, max_gap=WINDOW, calibration_rows=0, one_class="allow")


def config(**keys: Any) -> DataConfig:
    return replace(PLAIN, split=SplitConfig(**keys))


def mixed(rows: int, every: int = 7) -> list[int | None]:
    return [int(row % every > every - 3) for row in range(rows)]


def many(count: int, rows: int) -> list[Recording]:
    return [steady(f"s{number}", rows, mixed(rows)) for number in range(count)]


def spans(found: Split, part: str) -> list[tuple[int, int]]:
    ranges = found.parts[part]
    return list(zip(ranges.starts.tolist(), ranges.stops.tolist(), strict=True))


def owners(ranges: Ranges, rows: Prepared) -> set[str]:
    """The series that the rows of `ranges` belong to."""
    return {rows.series[number] for number in rows.series_of(ranges.rows())}


def check(found: Split, settings_: DataConfig, leaks: bool = False) -> None:
    """What must hold of every split."""
    rows_of: dict[str, set[int]] = {}
    owned: dict[str, set[int]] = {}
    labels, segments = found.prepared.labels, found.prepared.segments
    for part in PARTS:
        windows = Windows(found.prepared, found.parts[part], settings_.window)
        starts, ends = windows.starts().tolist(), windows.ends().tolist()
        for start, end in zip(starts, ends, strict=True):  # never across a series or a long gap
            assert any(one.start <= start and end < one.stop for one in segments)
        assert len(set(ends)) == len(ends)  # every step at most once
        rows_of[part] = {row for start in starts for row in range(start, start + settings_.window)}
        territory = found.assigned_rows[part].rows().tolist()
        owned[part] = set(territory)
        assert len(owned[part]) == len(territory) and set(ends) <= owned[part]
        missed = found.missed(part)
        assert (labels[missed] >= 0).all()
        scored, lost = {end for end in ends if labels[end] >= 0}, set(missed.tolist())
        assert scored | lost == {row for row in territory if labels[row] >= 0}
        assert not scored & lost
    for one, other in combinations(PARTS, 2):
        assert leaks or not rows_of[one] & rows_of[other]
        assert not owned[one] & owned[other]


@st.composite
def sets(draw: st.DrawFn) -> Prepared:
    series = draw(st.integers(3, 7))
    recordings = []
    for number in range(series):
        steps = draw(st.lists(st.sampled_from([1.0] * 12 + [3.0, 30.0]), min_size=20, max_size=60))
        seconds = np.cumsum([draw(st.integers(0, 9)) * 1.0, *steps]).tolist()
        rows = len(seconds)
        labels = draw(st.lists(st.sampled_from([0, 0, 1, None]), min_size=rows, max_size=rows))
        kind = st.sampled_from(["dos", "jam", "hole"])
        kinds = [draw(kind) if label else None for label in labels]
        splits = [("train", "test", "validation")[row * 3 // rows] for row in range(rows)]
        recordings.append(Recording(f"s{number}", seconds, [seconds], labels, kinds, splits))
    groups = {"s1": "s0"} if draw(st.booleans()) and series > 4 else {}
    train_only = frozenset({"s2"}) if draw(st.booleans()) and series > 4 else frozenset[str]()
    facts = Facts(draw(st.sampled_from([1.0, None])), groups, train_only)
    return prepared(
        recordings, replace(PLAIN, calibration_rows=draw(st.sampled_from([0, 5]))), facts
    )


POLICIES = ("group", "blocked", "group_blocked", "held_out_types", "given", "random", "auto")


@settings(max_examples=30, deadline=None)
@given(
    sets(),
    st.fixed_dictionaries(
        {
            "policy": st.sampled_from(POLICIES),
            "fold": st.integers(0, 2),
            "assignment": st.integers(0, 3),
            "interleave": st.integers(1, 3),
            "purge": st.sampled_from([None, 6]),
        }
    ),
)
def test_parts_never_share_a_row_and_every_labelled_step_is_scored_or_missed(
    rows: Prepared, keys: dict[str, Any]
) -> None:
    chosen = config(folds=3, **keys)
    try:
        found = split(rows, chosen)
    except DataError:
        return
    check(found, chosen, leaks=keys["policy"] == "random")
    train_only = {segment.series for segment in rows.segments if segment.train_only}
    owned = {part: owners(found.assigned_rows[part], rows) for part in PARTS}
    assert not (owned["validation"] | owned["test"]) & train_only
    if found.label in ("group", "group_blocked"):
        groups = {segment.series: segment.group for segment in rows.segments}
        held = [{groups[series] for series in owned[part]} for part in PARTS]
        assert not held[0] & held[1] and not held[0] & held[2] and not held[1] & held[2]


@pytest.mark.parametrize("policy", ["group", "blocked", "random"])
def test_the_folds_test_every_step_once(policy: str) -> None:
    rows = prepared(many(7, 70))
    folds = [split(rows, config(policy=policy, fold=fold)) for fold in range(5)]
    tested = np.concatenate([fold.assigned_rows["test"].rows() for fold in folds])
    assert np.sort(tested).tolist() == list(range(490))


def test_assignment_deals_other_groups_and_the_same_again() -> None:
    rows = prepared(many(20, 20))

    def held(assignment: int) -> set[str]:
        found = split(rows, config(policy="group", assignment=assignment))
        return owners(found.assigned_rows["test"], rows)

    assert held(0) == held(0) != held(1)
    found = split(rows, config(policy="group", validation_fraction=0.25))
    assert [len(found.assigned_rows[part].rows()) // 20 for part in PARTS] == [12, 4, 4]


def test_a_train_only_series_leaves_when_its_group_is_held_out() -> None:
    facts = Facts(groups={"s0": "normal"}, train_only=frozenset({"normal"}))
    rows = prepared([*many(6, 20), steady("normal", 20, [0] * 20)], facts=facts)
    for fold in range(3):
        trained = owners(
            split(rows, config(policy="group", folds=3, fold=fold)).parts["train"], rows
        )
        assert ("normal" in trained) == ("s0" in trained)


def test_blocks_by_hand() -> None:
    rows = prepared([steady("s", 50, mixed(50))])
    found = split(rows, config(policy="blocked"))
    # Latest block tested, the one before validates and loses the purge gap at the border, as
    # training does.
    assert [spans(found, part) for part in PARTS] == [[(0, 26)], [(30, 36)], [(40, 50)]]
    assert found.missed("test").tolist() == [40, 41, 42]
    assert found.missed("validation").tolist() == [30, 31, 32, 36, 37, 38, 39]
    last = split(rows, config(policy="blocked", fold=4))
    assert last.assigned_rows["test"].rows().tolist() == list(range(10))
    assert last.assigned_rows["validation"].rows().tolist() == list(range(40, 50))
    dealt = split(rows, config(policy="blocked", interleave=2, folds=3, fold=0))
    assert dealt.label == "blocked (interleaved ×2)"
    assert [first // 8 for first in dealt.assigned_rows["test"].starts] == [2, 5]


@pytest.mark.parametrize("period", [1.0, None])
def test_blocks_have_equal_numbers_of_steps_where_equal_time_would_leave_them_empty(
    period: float | None,
) -> None:
    # 40 s, then nothing for three days, then 10 s: three of five blocks of equal time are empty.
    seconds = [*range(40), *range(3 * 86_400, 3 * 86_400 + 10)]
    one = Recording("s", seconds, [[1.0] * 50], mixed(50))
    found = split(prepared([one], facts=Facts(period=period)), config(policy="blocked"))
    assert found.assigned_rows["test"].rows().tolist() == list(range(40, 50))
    assert any("3 days" in warning for warning in found.warnings) is (period is not None)


def test_blocks_on_a_grid_are_of_equal_time() -> None:
    # 112 s with a gap of 12 s: the last fifths of the time begin at 89 s and at 67 s.
    seconds = [*range(80), *range(92, 112)]
    one = Recording("s", seconds, [[1.0] * 100], mixed(100))
    found = split(prepared([one]), config(policy="blocked", folds=5))
    assert found.assigned_rows["test"].rows().tolist() == list(range(80, 100))
    assert found.assigned_rows["validation"].rows().tolist() == list(range(67, 80))


def test_group_blocked_by_hand() -> None:
    found = split(prepared(many(3, 100)), config(policy="group_blocked", folds=3))
    inside = [
        [(start % 100, (stop - 1) % 100 + 1) for start, stop in spans(found, part)]
        for part in PARTS
    ]
    assert inside == [[(0, 56)], [(60, 76)], [(80, 100)]]
    assert found.missed("validation").tolist()[-1] % 100 == 79


def test_held_out_types() -> None:
    one = steady("s", 40, mixed(40))
    kinds = [
        ("dos", "jam")[row // 7 % 2] if label else None for row, label in enumerate(one.labels)
    ]
    rows = prepared([replace(one, name=f"s{number}", kinds=kinds) for number in range(6)])
    found = split(rows, config(policy="held_out_types", folds=2))
    train, validation, test = (
        {rows.kind_names[kind] for kind in rows.kinds[found.parts[part].rows()] if kind >= 0}
        for part in PARTS
    )
    assert len(test) == 1 and not test & (train | validation)
    assert found.label == "held_out_types (by group)"
    assert any(next(iter(test)) in warning for warning in found.warnings)


def test_auto() -> None:
    def label(recordings: list[Recording], facts: Facts | None = None) -> str:
        return split(prepared(recordings, facts=facts), config()).label

    parts = ("train", "validation", "test")
    brought = [replace(one, splits=[parts[i % 3]] * 20) for i, one in enumerate(many(10, 20))]
    simulated = Facts(policy="group_blocked")
    assert label(many(10, 20)) == "group"
    assert label(many(1, 100)) == "blocked"
    assert label(brought) == label(brought, simulated) == "given"
    assert label(many(10, 100), simulated) == "group_blocked"
    with pytest.raises(DataError, match=r"policy=group_blocked: 2 groups of series .* 5 folds"):
        label(many(2, 100), simulated)


def test_a_view_of_other_nodes_is_told_where_parts_share_time() -> None:
    rows = prepared(many(10, 100))
    for policy, view, told in (
        ("group", "cell", True),
        ("group", "node", False),
        ("group_blocked", "cell", False),
    ):
        chosen = replace(config(policy=policy), view=view)  # type: ignore[arg-type]
        warnings = split(rows, chosen).warnings
        assert any("windows contain other nodes" in warning for warning in warnings) is told


def test_random_is_marked() -> None:
    chosen = replace(config(policy="random"), stride=3)
    found = split(prepared(many(1, 200)), chosen)
    assert found.label == "random (LEAKS)"
    assert any("random split" in warning for warning in found.warnings)
    assert abs(found.scored("train").sum() - 200 * 0.8 * 0.75 / 3) < 12


@pytest.mark.parametrize(
    ("rows", "keys", "message"),
    [
        (100, {"policy": "group"}, "1 groups of series are too few for 5 folds"),
        (100, {"fold": 5}, r"fold must be in \[0, 5\), got 5"),
        (100, {"policy": "blocked", "purge": 3}, r"purge=3 .* data.window=4"),
        (15, {"policy": "blocked"}, "no window of 4 steps fits the"),
        (100, {"policy": "held_out_types"}, "0 kinds of incidents are too few for 5 folds"),
        (100, {"policy": "given"}, "no train and no validation and no test rows"),
        (100, {"policy": "blocked", "folds": 2}, "needs data.split.folds of at least 3"),
    ],
)
def test_refusals(rows: int, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        split(prepared(many(1, rows)), config(**keys))


def test_one_class() -> None:
    rows = prepared([steady("s", 100, [0] * 60 + [1] * 40)])
    blocked = config(policy="blocked")
    refusing = replace(blocked, one_class="refuse")
    with pytest.raises(
        UnusableSplitError, match=r"validation part of fold 0 .* 0 normal"
    ) as caught:
        split(rows, refusing)
    # 20 blocks of 5 rows would end in windows of 4, but purge gaps take all between them.
    assert caught.value.chronological and "data.one_class=allow" in str(caught.value)
    assert any("one class" in warning for warning in split(rows, blocked).warnings)
    late = prepared([steady(f"s{number}", 100, [0, 1] * 40 + [0] * 20) for number in range(5)])
    with pytest.raises(UnusableSplitError, match=r"test part of fold 0 .*\n.*'duration=96h'"):
        split(late, replace(config(policy="group_blocked"), one_class="refuse"))
    assert split(prepared([steady("s", 100)]), refusing).missed("test").tolist() == []


def test_the_smallest_interleave_that_every_fold_can_use_is_named() -> None:
    # Three blocks of 200 rows: normal, both, attack. Six of 100: the folds have blocks 6 and 3, 5
    # and 2, 4 and 1, each with one of either class.
    rows = prepared([steady("s", 600, [0] * 300 + [1] * 300)])
    chosen = replace(config(policy="blocked", folds=3), one_class="refuse")
    with pytest.raises(UnusableSplitError, match=r"data\.split\.interleave=2,"):
        split(rows, chosen)


def test_the_first_assignment_of_groups_that_every_fold_can_use_is_named() -> None:
    # Folds of two of six series, s0 and s1 without an attack. Each fold tests two, and the next of
    # the rest validates alone: the series at positions 0, 2 and 4 must have attacks.
    rows = prepared([steady(f"s{n}", 40, mixed(40) if n > 1 else [0] * 40) for n in range(6)])
    chosen = replace(config(policy="group", folds=3), one_class="refuse")
    orders = [np.random.default_rng(seed).permutation(6).tolist() for seed in range(40)]
    good = next(seed for seed in range(40) if min(orders[seed][::2]) > 1)
    bad = next(seed for seed in range(40) if orders[seed][2] < 2)
    refused = replace(chosen, split=replace(chosen.split, assignment=bad))
    with pytest.raises(UnusableSplitError, match=rf"data\.split\.assignment={good},"):
        split(rows, refused)


def test_a_split_that_the_data_brings_is_one_fold() -> None:
    parts = ("train", "validation", "test")
    rows = prepared([replace(one, splits=[parts[i % 3]] * 20) for i, one in enumerate(many(6, 20))])
    assert split(rows, config()).folds == 1
    assert split(rows, config(policy="group", folds=3)).folds == 3
    for policy in ("auto", "given"):
        with pytest.raises(DataError, match="fold=1: a split that"):
            split(rows, config(policy=policy, fold=1))


def test_short_series_are_said() -> None:
    found = split(prepared([*many(10, 20), steady("short", 3, [0] * 3)]), config())
    assert any("1 series are shorter than one window" in warning for warning in found.warnings)


def test_a_train_only_series_is_never_scored_and_validation_moves_with_the_fold() -> None:
    rows = prepared(many(10, 40), facts=Facts(train_only=frozenset({"s3"})))
    tested: list[str] = []
    chosen = set()
    for fold in range(3):
        found = split(rows, config(policy="group", folds=3, fold=fold))
        tested += owners(found.assigned_rows["test"], rows)
        chosen.add(frozenset(owners(found.assigned_rows["validation"], rows)))
    assert sorted(tested) == [f"s{number}" for number in range(10) if number != 3]
    assert len(chosen) == 3 and not any("s3" in names for names in chosen)


def test_an_incident_that_several_series_saw_is_told_when_it_stands_in_two_parts() -> None:
    shared = [7 if label else None for label in mixed(40)]
    apart = many(9, 40)
    together = [replace(one, incidents=shared) for one in apart]
    for recordings, told in ((apart, False), (together, True)):
        warnings = split(prepared(recordings), config(policy="group", folds=3)).warnings
        assert any("1 incidents are in the training" in warning for warning in warnings) is told


@pytest.mark.parametrize("calibration_rows", [0, 5])
def test_no_test_reading_reaches_a_training_window_even_where_a_sensor_falls_silent(
    calibration_rows: int,
) -> None:
    chosen = replace(config(policy="blocked", fold=2), calibration_rows=calibration_rows)

    def windows(changed: float) -> list[Any]:
        heard = [*range(20, 89), *range(150, 200)]
        value = [float(row) if row in heard else None for row in range(200)]
        value[89] = changed
        one = Recording("s", range(200), [[float(row) for row in range(200)], value], mixed(200))
        rows = prepared([one], chosen)
        found = split(rows, chosen)
        assert any(start <= 89 < stop for start, stop in spans(found, "test"))
        train = Windows(rows, found.parts["train"], WINDOW)
        moments = [value.tolist() for value in train.moments()]
        return [train.gather(np.arange(len(train))).tolist(), moments]

    assert windows(89.0) == windows(1e6)


def test_beginnings_train_and_validate_and_everything_later_is_tested() -> None:
    facts = Facts(groups={"s1": "pair", "s2": "pair"}, train_only=frozenset({"s5"}))
    rows = prepared(many(6, 40), facts=facts)
    chosen = config(policy="beginning", beginning=15, validation_fraction=0.4)
    found = split(rows, chosen)
    check(found, chosen)
    validating = owners(found.parts["validation"], rows)
    assert validating and ("s1" in validating) == ("s2" in validating)
    assert owners(found.parts["train"], rows) == {f"s{at}" for at in range(6)} - validating
    assert owners(found.parts["test"], rows) == {f"s{at}" for at in range(5)}
    firsts = dict(zip(rows.series, rows.series_starts.tolist(), strict=False))
    for part, (begin, end) in {"train": (0, 15), "validation": (0, 15), "test": (15, 40)}.items():
        names = [rows.series[at] for at in rows.series_of(found.parts[part].starts)]
        assert spans(found, part) == [(firsts[name] + begin, firsts[name] + end) for name in names]
    assert found.folds == 1
    with pytest.raises(DataError, match="fold=1"):
        split(rows, config(policy="beginning", fold=1))


def test_a_beginning_counts_the_steps_of_the_calibration() -> None:
    chosen = replace(config(policy="beginning", beginning=15), calibration_rows=5)
    rows = prepared(many(3, 40), chosen)
    assert {stop - start for start, stop in spans(split(rows, chosen), "train")} == {10}

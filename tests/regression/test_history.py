"""How the metrics went, and which record of the baseline fits."""

from __future__ import annotations

import pytest

from anomalynet.errors import NothingToCompareError
from anomalynet.regression.baseline import Entry, Golden, Repeated
from anomalynet.regression.history import draw_history, rows, short, sparkline, values_of
from anomalynet.regression.measure import key_of
from anomalynet.regression.verdict import match


def entry(commit: str | None, **means: float | None) -> Entry:
    return Entry(
        "2026-01-05",
        commit,
        "why",
        "torch 2.13, AVX2",
        "c",
        {name: {"test/auroc": value} for name, value in means.items()},
    )


def test_a_sparkline_by_hand() -> None:
    assert sparkline([0.0, 0.5, 1.0]) == "▁▅█"
    assert sparkline([3.0, 3.0]) == "▄▄"
    assert sparkline([None, 1.0, 2.0]) == "·▁█"
    assert sparkline([]) == ""


def test_an_update_that_did_not_measure_an_experiment_is_no_point_of_it() -> None:
    history = [entry("a" * 40, cnn=0.5), entry(None, lstm=0.9), entry("b" * 40 + "+", cnn=0.7)]
    assert values_of(history, "cnn", "test/auroc") == [0.5, 0.7]
    (cnn, lstm) = rows(history)
    assert (cnn["history"], cnn["first"], cnn["last"], cnn["updates"]) == (
        "▁█",
        "0.5000",
        "0.7000",
        2,
    )
    assert (lstm["experiment"], lstm["history"]) == ("lstm", "▄")
    assert rows(history, ["lstm"]) == [lstm]
    assert (short(None), short("b" * 40 + "+")) == ("", "bbbbbbbb+")


def test_the_figure_names_commits_and_repeats_byte_by_byte() -> None:
    history = [entry("a" * 40, cnn=0.5), entry("b" * 40, cnn=0.7, lstm=0.2)]
    drawn = draw_history(history)
    assert drawn == draw_history(history)
    assert drawn["png"].startswith(b"\x89PNG")
    text = drawn["svg"].decode()
    assert all(
        f"<!-- {word}" in text for word in ("cnn", "lstm", "AUROC (test)", "aaaaaaaa", "bbbbbbbb")
    )
    with pytest.raises(NothingToCompareError):
        draw_history([entry(None)])


def test_the_environment_is_the_minor_versions_and_the_capability() -> None:
    packages = {"torch": "2.13.0+cpu", "scikit-learn": "1.9.1"}
    assert key_of({"packages": packages, "cpu": "AVX512"}) == "torch 2.13, scikit-learn 1.9, AVX512"


def golden(update: int, code: str, run: str = "r") -> Golden:
    return Golden(update, code, run, {})


def test_the_same_environment_wins_unless_the_code_has_moved_on_elsewhere() -> None:
    here, there = "torch 2.13, sk 1.9, AVX512", "torch 2.13, sk 1.9, AVX2"
    older, oldest = "torch 2.12, sk 1.9, AVX512", "torch 2.11, sk 1.9, AVX2"

    def chosen(records: dict[str, Golden]) -> tuple[str, bool]:
        found = match(records, here)
        assert found is not None
        return found[1] or here, not found[1]

    assert match({}, here) is None
    first = golden(1, "a")
    assert chosen({here: first, there: golden(2, "a")}) == (here, True)
    assert chosen({here: first, there: golden(2, "b")}) == (there, False)
    assert chosen({here: first, there: golden(2, "a", "another YAML")}) == (there, False)
    assert chosen({there: first, older: golden(2, "a")}) == (there, False)
    assert chosen({oldest: first, older: first}) == (older, False)
    repeated = {here: Repeated(1, "a", "ids", []), there: Repeated(2, "a", "other ids", [])}
    assert match(repeated, here) == (repeated[there], there)

"""A whole report of an ablation from synthetic runs: numbers by hand, honesty, bytes."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anomalynet.errors import NothingToCompareError
from anomalynet.reporting.ablation.arms import Ablation, AblationArm
from anomalynet.reporting.ablation.document import write_ablation
from anomalynet.reporting.figures import GREEN, VERMILION
from anomalynet.runs.collect import RunRecord
from tests.reporting.ablations import arm, one_at_a_time, recalls, run
from tests.reporting.synthetic import rows, snapshot

pytestmark = pytest.mark.usefixtures("no_figures")

AXES: dict[str, list[object]] = {"model.attention": [True, False]}
OFF = "model.attention=false"


def second(text: str) -> str:
    """The verdict: the paragraph below the title."""
    return text.split("\n\n")[1]


def ablation(*arms: AblationArm, metric: str = "test/recall_attack") -> Ablation:
    return Ablation("attention", "Does attention help?", "one_at_a_time", AXES, metric, arms)


def on(records: Sequence[RunRecord], **known: Any) -> AblationArm:
    return arm("reference", {"model.attention": True}, records, reference=True, **known)


def off(records: Sequence[RunRecord], **known: Any) -> AblationArm:
    return arm(OFF, {"model.attention": False}, records, **known)


Text = tuple[str, dict[tuple[str, str], dict[str, str]], dict[str, str]]


def written(tmp_path: Path, asked: Ablation) -> Text:
    """The report, (arm, metric) → row of the arms' table, and the first row of the tests' table."""
    report = write_ablation(asked, tmp_path / "out", "T")
    arms = {(row["arm"], row["metric"]): row for row in rows(tmp_path / "out/tables/arms.csv")}
    tests = tmp_path / "out/tables/tests.csv"
    return report.read_text(encoding="utf-8"), arms, rows(tests)[0] if tests.exists() else {}


def test_the_verdict_comes_first_and_says_what_the_clusters_carry(tmp_path: Path) -> None:
    text, _, test = written(tmp_path, one_at_a_time(tmp_path / "runs", {True: 0.0, False: -0.1}))
    title = "Recall (attack), mean over clusters, points Recall (attack)"
    numbers = "−10.00 (−10.00 to −10.00, p 0.00781 after correction)"
    assert second(text) == f"**Worse than the reference:** {OFF}, {numbers} ({title})."
    assert text.split("\n\n")[2].startswith(
        "*Does attention help?* Reference: model.attention=true"
    )
    assert "8 series in 8 clusters allow no p below 0.00781" in text
    assert (test["p"], test["p_holm"], test["verdict"]) == ("0.0078125", "0.0078125", "worse")


def test_a_difference_that_goes_both_ways_is_no_evidence(tmp_path: Path) -> None:
    """Eight series, half +10 and half −10 points. Of a resample's eight none is +10 with chance 0.4
    %, at most one with 3.5 %, so the 2.5 % quantile has one: (10 − 70) / 8 = −7.5."""
    runs, even = tmp_path / "runs", recalls(0.5)
    mixed = {name: even[name] + (0.1 if at % 2 else -0.1) for at, name in enumerate(even)}
    arms = on([run(runs, "on", even)]), off([run(runs, "off", mixed)])
    _, _, test = written(tmp_path, ablation(*arms))
    numbers = [float(test[name]) for name in ("difference", "low", "high", "p", "p_holm")]
    assert numbers == pytest.approx([0, -7.5, 7.5, 1, 1])
    assert test["verdict"] == "no evidence of a difference"


def test_average_precision_is_of_the_ranking_of_each_series(tmp_path: Path) -> None:
    """100 attack steps: those found come first, at precision 1; the others tie behind 20 normal
    steps, at precision 100/120."""
    runs = tmp_path / "runs"
    first, second = (
        [run(runs, name, recalls(base, series=6))] for name, base in (("on", 0.99), ("off", 0.5))
    )
    asked = ablation(on(first), off(second), metric="test/average_precision")
    _, _, test = written(tmp_path, asked)

    def by_hand(found: int) -> float:
        return (found + (100 - found) * 100 / 120) / 100

    expected = sum(by_hand(50 + place % 2) - by_hand(99 + place % 2) for place in range(6)) / 6
    assert float(test["difference"]) == pytest.approx(100 * expected, abs=1e-3)
    assert (test["p"], test["p_holm"], test["verdict"]) == ("0.03125", "0.03125", "worse")


def test_what_is_one_series_and_one_cluster(tmp_path: Path) -> None:
    """Series that share an incident are one cluster; one name in two worlds is two series."""
    runs = tmp_path / "runs"
    shared = {"s00": 3, "s01": 3, "s02": 3, "s05": 3}
    arms = on([run(runs, "on", recalls(0.5), shared)]), off([run(runs, "off", recalls(0.4))])
    text, _, test = written(tmp_path, ablation(*arms))
    assert (test["series"], test["clusters"], test["smallest_p"]) == ("8", "5", "0.0625")
    assert test["verdict"] == "cannot be tested"
    assert "**No arm could be told from the reference by any result**" in text
    assert (
        "| 0 of 5 |" in text
        and " Holm " not in text.partition("## Axes")[0].partition("*Tests*")[0]
    )
    first, second = (
        [run(runs, f"{base}", recalls(base, series=3), world=world) for world in range(2)]
        for base in (0.5, 0.4)
    )
    _, _, test = written(tmp_path, ablation(on(first), off(second)))
    assert (test["series"], test["clusters"], test["difference"]) == ("6", "6", "-10.0000")
    found = rows(tmp_path / "out/tables/clusters.csv")
    assert [one["cluster"] for one in found[1:4]] == [
        "world 0: s01",
        "world 0: s02",
        "world 1: s00",
    ]
    assert [one["difference"] for one in found] == ["-10.0000"] * 6


def test_only_runs_of_the_same_seed_are_a_pair(tmp_path: Path) -> None:
    """The arm's one seed is 5 points ahead of the reference's same seed, and 15 ahead of its
    mean."""
    runs = tmp_path / "runs"
    reference = [run(runs, "on", recalls(base), seed=seed) for seed, base in enumerate((0.3, 0.5))]
    other = off([run(runs, "off", recalls(0.55), seed=1)], expected=2)
    text, arms, test = written(tmp_path, ablation(on(reference), other))
    assert text.count("| difference, points") == 1, "that of the tests alone"
    row = arms[OFF, "recall_attack"]
    assert (test["difference"], test["pairs"]) == ("5.0000", "1")
    assert (row["mean"], row["pairs"]) == ("55.5000", "1")
    assert (row["difference"], row["difference_spread"]) == ("5.0000", "")
    assert "| **model.attention=false**† | 1 of 2 |" in text
    assert "- † Not all runs are finished: model.attention=false (1 of 2 runs)." in text


def test_decisions_are_pooled_over_folds_and_rankings_averaged(tmp_path: Path) -> None:
    """Fold 0 has one series, fold 1 three, each with 100 attacks."""
    found = {(0, 0): 0.2, (0, 1): 0.4, (1, 0): 0.5, (1, 1): 0.9, (2, 0): 0.8}
    records = []
    for (seed, fold), value in found.items():
        metrics = {"test/auroc": None if seed == 2 else 0.5}
        place: dict[str, Any] = {"seed": seed, "fold": fold, "folds": 2, "metrics": metrics}
        series = dict.fromkeys(("bcd" if fold else "a"), value)
        records.append(run(tmp_path / "runs", "on", series, **place))
    _, arms, _ = written(tmp_path, ablation(on(records, expected=6, failed=1)))
    recall, precision, auroc = (
        arms["reference", name]
        for name in ("recall_attack", "average_precision_fold_mean", "auroc_fold_mean")
    )
    # 140 and 320 of 400 attacks; seed 2 lacks a fold
    assert (recall["mean"], recall["n"]) == ("57.5000", "2")
    assert float(recall["spread"]) == pytest.approx(100 * 0.45 / 2**0.5, abs=1e-3)
    # those found come first, the others behind all normal steps, at precision 100/120
    by_fold = [share + (1 - share) * 100 / 120 for share in (0.2, 0.4, 0.5, 0.9)]
    assert float(precision["mean"]) == pytest.approx(100 * sum(by_fold) / 4, abs=1e-3)
    assert (recall["runs"], recall["expected"]) == ("5", "6")
    assert recall["status"] == "5 of 6 runs, 1 failed"
    assert (auroc["n"], auroc["undefined"]) == ("2", "1")


def test_why_an_arm_is_not_compared(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    first, same, later = (
        [run(runs, name, recalls(0.5), seed=seed)]
        for name, seed in (("on", 0), ("off", 0), ("late", 1))
    )
    unrun, _, test = written(tmp_path, ablation(on(first), off([], expected=2)))
    assert "not run: 1 arm" in second(unrun) and test["verdict"] == "not run"
    assert f"| **{OFF}**† | 0 of 2 | 0 | – | – |" in unrun
    for alone in (ablation(on([], expected=1), off(same)), ablation(off(same))):
        text, _, test = written(tmp_path, alone)
        told = test["verdict"], test["reason"]
        assert told == ("not compared", "the reference has not been run")
        assert "no differences can be computed." in text
        assert f"| **{OFF}** | 1 of 1 | 1 | 50.50 |" in text
    _, _, test = written(tmp_path, ablation(on(first), off(later)))
    assert test["verdict"] == "not compared"
    assert test["reason"].startswith("no run has the seed, fold and world")


def test_other_code_other_data_warnings_and_duplicates_are_said(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    reference = [run(runs, "on", recalls(0.5), seed=seed) for seed in range(2)]
    known: dict[str, Any] = {
        "code": "0ther",
        "fingerprint": "e" * 64,
        "warnings": ("it leaks",),
        "data": "skab",
    }
    other = off([run(runs, "off", recalls(0.5), **known)])
    text, _, _ = written(tmp_path, ablation(on(reference), other))
    assert "| **model.attention=false**‡ |" in text
    assert "‡ model.attention=false: 1 of 1 runs" in text
    assert "The arms do not share one version of the data" in text
    assert "- ⚠ It leaks" in text
    assert "Data: toy [model.attention=false: skab]. Split: group; 1 fold;" in text
    twice = [run(runs, "aaaa", recalls(0.5)), run(runs, "bbbb", recalls(0.9))]
    text, arms, _ = written(tmp_path, ablation(on(twice, expected=1)))
    assert "reference: left out, because another run has their seed and fold: bbbb0000." in text
    assert arms["reference", "recall_attack"]["mean"] == "50.5000"
    assert "There is no arm besides the reference." in text


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Ablation:
    """A factorial with an incomplete arm, an arm outside the axes, two worlds, and incidents."""
    runs = tmp_path_factory.mktemp("runs")
    axes: dict[str, list[object]] = {"model.attention": [True, False], "model.depth": [2, 0]}
    places = [(seed, world) for seed in range(2) for world in range(2)]
    shared, arms = {"s00": 1, "s01": 1}, []
    for at, (attention, depth) in enumerate([(True, 2), (True, 0), (False, 2), (False, 0)]):
        levels: dict[str, object] = {"model.attention": attention, "model.depth": depth}
        name = f"model.attention={attention}, model.depth={depth}" if at else "reference"
        records = [
            run(runs, name, recalls(0.5 - 0.03 * at), shared, world, seed=seed)
            for seed, world in places[: 3 if at == 3 else 4]
        ]
        arms.append(arm(name, levels, records, reference=at == 0, expected=4))
    extra = [run(runs, "equal", recalls(0.48), None, world, seed=seed) for seed, world in places]
    sized: dict[str, object] = {"model.attention": False, "model.units": 80}
    arms.append(arm("no attention, equal size", sized, extra, on_axes=False))
    question, metric = "which part counts?", "test/recall_attack"
    return Ablation("parts", question, "factorial", axes, metric, tuple(arms))


@pytest.fixture(scope="module")
def report(everything: Ablation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ablation(everything, tmp_path_factory.mktemp("report"), "Parts")


def test_the_same_runs_in_any_order_give_the_same_bytes(
    everything: Ablation, report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # with figures
    shuffled = [
        replace(one, records=tuple(random.Random(4).sample(one.records, len(one.records))))
        for one in everything.arms
    ]
    assert [one.records for one in shuffled] != [one.records for one in everything.arms]
    again = write_ablation(replace(everything, arms=tuple(shuffled)), tmp_path, "Parts")
    assert snapshot(again.parent) == snapshot(report.parent)


def test_durations_stand_in_the_cost_alone(
    everything: Ablation, report: Path, tmp_path: Path
) -> None:
    def slowed(one: AblationArm) -> AblationArm:
        timings = {"train_seconds": 987.654}
        return replace(one, records=tuple(replace(own, timings=timings) for own in one.records))

    slower = replace(everything, arms=tuple(map(slowed, everything.arms)))
    again = snapshot(write_ablation(slower, tmp_path, "Parts").parent)
    before = snapshot(report.parent)
    assert {name for name in again if again[name] != before[name]} == {"cost.md", "tables/cost.csv"}
    assert b"987.65" in again["cost.md"]
    assert b"987.6540" in again["tables/cost.csv"]


def test_every_file_and_run_is_there_and_every_link_leads_to_one(
    everything: Ablation, report: Path
) -> None:
    figures = ("axis_model_attention", "axis_model_depth", "differences")
    names = [f"figures/{name}.svg" for name in figures]
    names += [f"tables/{name}.csv" for name in ("arms", "clusters", "cost", "effects")]
    names += ["tables/runs.csv", "tables/tests.csv"]
    assert set(snapshot(report.parent)) == {"cost.md", *names, "findings.md", "report.md"}
    text = report.read_text(encoding="utf-8")
    assert "*Which part counts?*" in text
    assert "*no attention, equal size* is model.attention=false" in text
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 6
    assert all((report.parent / link).is_file() for link in links)
    listed = {row["run"] for row in rows(report.parent / "tables/runs.csv")}
    results = [one.result for arm in everything.arms for one in arm.records]
    assert listed == {f"{one.experiment}/{one.id}" for one in results}


def test_a_figure_shows_levels_extra_arms_and_what_is_incomplete(report: Path) -> None:
    attention, depth = (
        (report.parent / f"figures/axis_model_{name}.svg").read_text(encoding="utf-8")
        for name in ("attention", "depth")
    )
    comments = re.findall(r"<!-- (.+?) -->", attention, flags=re.DOTALL)
    lines = "\n".join(comments).splitlines()
    assert {"true", "(reference)", "false†", "no attention,", "equal size"} <= set(lines)
    assert "equal size" not in depth, "it does not set the depth"
    assert "2 combinations of the other axes" in report.read_text(encoding="utf-8")
    assert "Data: toy. Split: group; 1 fold" in attention, "in the metadata"


def test_tables_are_tidy_and_captions_name_what_they_rest_on(report: Path) -> None:
    arms, tests, effects = (
        rows(report.parent / f"tables/{name}.csv") for name in ("arms", "tests", "effects")
    )
    assert len({(row["arm"], row["metric"]) for row in arms}) == len(arms) == 5 * 5
    assert [row["arm"] for row in tests] == [row["arm"] for row in arms[5::5]]
    names = ("effect", "axis", "usual", "level", "axis_2", "level_2")
    assert [tuple(row[name] for name in names) for row in effects] == [
        ("main", "model.attention", "true", "false", "", ""),
        ("main", "model.depth", "2", "0", "", ""),
        ("interaction", "model.attention", "true", "false", "model.depth", "0"),
    ]
    assert [float(row["difference"]) for row in effects] == pytest.approx([-6.0, -3.0, 0.0])
    assert [float(row["difference"]) for row in tests] == pytest.approx([-3.0, -6.0, -9.0, -2.0])
    assert {(row["series"], row["clusters"]) for row in tests} == {("16", "14")}
    text = report.read_text(encoding="utf-8")
    for fact in ("Data: toy. Split: group; 1 fold; seeds", "0, 1; worlds 0, 1", "83.33 % att"):
        assert text.count(fact) == 1
    lines = text.splitlines()
    prose = [line for line in lines if not line.startswith(("|", "!["))]
    assert sum(len(line.split()) for line in prose) <= 600
    assert sum(line.startswith("| ---") for line in lines) <= 6


def crossed(runs: Path, axis: str, levels: Mapping[str, tuple[str, ...]]) -> Ablation:
    """Two models at each level, which learns from these series; the hybrid has two seeds at the
    first level, 50 and 60 %, each further level adds 10 points, and lstm is 5 points behind."""
    arms: list[AblationArm] = []
    for model, behind in (("hybrid", 0.0), ("lstm", 0.05)):
        for at, (level, learnt) in enumerate(levels.items()):
            seeds, known = range(1 if arms else 2), {"expected": 1 if arms else 3}
            records = []
            for seed in seeds:
                shares = dict.fromkeys("ab", 0.5 + 0.1 * (at + seed) - behind)
                one = run(runs, f"{model}{at}", shares, seed=seed)
                train = replace(one.result.parts["test"], series=learnt)
                parts = {**one.result.parts, "train": train}
                records.append(replace(one, result=replace(one.result, parts=parts)))
            own: dict[str, object] = {"experiment": model, axis: level}
            arms.append(arm(f"{model}: {level}", own, records, reference=not arms, **known))
    axes: dict[str, list[object]] = {"experiment": ["hybrid", "lstm"], axis: [*levels]}
    return Ablation("size", "", "factorial", axes, "test/recall_attack", tuple(arms))


def test_models_crossed_with_an_axis_have_a_line_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # with figures
    levels = {"0 9": ("world-0/a", "world-0/b"), "0-1 9": ("world-0/a", "world-1/b")}
    asked = crossed(tmp_path / "runs", "data.worlds", levels)
    text, _, _ = written(tmp_path, asked)
    assert "| Model | 1 | 2 |" in text, "worlds to learn from"
    assert "| **Hybrid** | 55.00 ± 7.07† | 60.00 (n = 1) |" in text  # 0.1 / sqrt(2)
    assert "| **LSTM** | 45.00 (n = 1) | 55.00 (n = 1) |" in text
    drawn = {path.name for path in (tmp_path / "out/figures").iterdir()}
    assert drawn == {"models.svg", "differences.svg"}, "no means over models"
    figure = (tmp_path / "out/figures/models.svg").read_text(encoding="utf-8")
    colours = {"Hybrid†": VERMILION, "LSTM": GREEN}  # as in every report
    assert all(
        f"<!-- {name} -->" in figure for name in (*colours, "worlds to learn from (data.worlds)")
    )
    assert all(colour.lower() in figure for colour in colours.values())


def test_levels_that_learn_from_as_many_worlds_keep_their_names(tmp_path: Path) -> None:
    for axis, other in (("data.worlds", "world-1/a"), ("data.window", "world-0/a")):
        levels = {"first": ("world-0/a",), "second": (other,)}
        text, _, _ = written(tmp_path, crossed(tmp_path / axis, axis, levels))
        assert "| Model | first | second |" in text
    alone = replace(crossed(tmp_path / "alone", "data.window", levels), design="one_at_a_time")
    text, _, _ = written(tmp_path, alone)
    assert "| Model |" not in text and "## Axes" in text


def test_without_a_run_there_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(NothingToCompareError):
        write_ablation(ablation(on([]), off([])), tmp_path / "out", "T")
    assert not (tmp_path / "out").exists()

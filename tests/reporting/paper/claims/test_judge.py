"""Claims hold, fail or stay open by known numbers: each series has 100 attack steps, 20 normal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from anomalynet.reporting.paper.claims.judge import (
    FAILS,
    FEW,
    HOLDS,
    OPEN,
    Claim,
    Judgement,
    claims,
    claims_section,
    gather,
    judge,
)
from anomalynet.runs.collect import RunRecord
from tests.reporting.ablations import recalls, run
from tests.reporting.synthetic import context, measured, rows

METRIC = "recall_attack"


def ladder(runs: Path, base: Mapping[str, float], series: int = 8) -> list[RunRecord]:
    """One run a model, whose recall in each series is its base, a hundredth more in every other
    series."""
    return [run(runs, name, recalls(level, series=series)) for name, level in base.items()]


def judged(records: list[RunRecord], *asked: Claim) -> tuple[Judgement, ...]:
    return judge(asked, gather(measured(*records), (METRIC,)))


def beats(*pairs: tuple[str, str]) -> Claim:
    return Claim("it is better", "nowhere", (METRIC,), beats=pairs)


def test_a_clear_lead_holds_and_its_reverse_does_not(tmp_path: Path) -> None:
    records = ladder(tmp_path, {"cnn": 0.4, "lstm": 0.5, "hybrid": 0.7})
    ahead = beats(("hybrid", "lstm"), ("lstm", "cnn"))
    up, down = judged(records, ahead, beats(("cnn", "lstm"), ("hybrid", "cnn")))
    assert up.verdict == HOLDS
    assert [round(one.contrast.mean, 9) for one in up.findings] == [0.2, 0.1]
    assert [one.contrast.clusters for one in up.findings] == [8, 8]
    assert [one.contrast.p for one in up.findings] == [
        2 / 2**8
    ] * 2  # all eight signs alike, either way
    assert [one.contrast.adjusted for one in up.findings] == [2 * 2 / 2**8] * 2  # Holm over two
    assert up.weakest.other == "cnn"
    assert down.verdict == FAILS  # one comparison the other way is enough
    assert [one.verdict for one in down.findings] == [FAILS, HOLDS]


def test_that_all_are_better_needs_no_correction_but_that_any_is_worse_does(tmp_path: Path) -> None:
    """Of six witnesses p is 2/64 by itself, three times that after Holm."""
    models = {"hybrid": 0.7, "a": 0.6, "b": 0.6, "c": 0.6}
    six = ladder(tmp_path / "six", models, series=6)
    better = beats(*(("hybrid", other) for other in "abc"))
    worse = beats(*((other, "hybrid") for other in "abc"))
    up, down = judged(six, better, worse)
    assert up.findings[0].contrast.p == 2 / 64
    assert up.findings[0].contrast.adjusted == 3 * 2 / 64
    assert (up.verdict, down.verdict) == (HOLDS, OPEN)
    eight = ladder(tmp_path / "eight", models)
    assert judged(eight, worse)[0].verdict == FAILS


def test_what_leaves_a_claim_open(tmp_path: Path) -> None:
    """Series that share an incident are one witness; no difference, no run, few clusters."""
    shared = {f"s{place:02d}": place // 2 for place in range(8)}
    lead = beats(("hybrid", "cnn"))
    levels = (("cnn", 0.4), ("hybrid", 0.7))
    records = [run(tmp_path, name, recalls(level), shared) for name, level in levels]
    (one,) = judged(records, lead)
    assert (one.verdict, one.weakest.contrast.clusters, one.weakest.why) == (OPEN, 4, FEW)
    swings = {f"s{place:02d}": 0.5 + (0.1 if place % 2 else -0.1) for place in range(8)}
    even = run(tmp_path / "even", "cnn", dict.fromkeys(swings, 0.5))
    (one,) = judged([even, run(tmp_path / "even", "hybrid", swings)], lead)
    assert (one.verdict, one.weakest.why) == (OPEN, "")
    assert one.weakest.contrast.mean == pytest.approx(0.0)
    unrun = Claim("x", "y", (METRIC,), model="lstm", value=0.5)
    found = judged(ladder(tmp_path / "alone", {"hybrid": 0.7}), lead, unrun)
    assert [one.verdict for one in found] == [OPEN, OPEN]
    assert [one.weakest.why for one in found] == ["cnn: no single arm", "lstm: no single arm"]
    records = [run(tmp_path / "few", "hybrid", recalls(0.9, series=5))]
    (one,) = judged(records, Claim("x", "y", (METRIC,), model="hybrid", value=0.5))
    assert (one.verdict, one.weakest.contrast.clusters, one.weakest.why) == (OPEN, 5, FEW)


def test_a_number_is_reached_or_missed_only_by_the_whole_interval(tmp_path: Path) -> None:
    records = ladder(tmp_path, {"hybrid": 0.70})  # 0.70 and 0.71 by turns: 0.705 in all
    # Student's t for seven degrees of freedom: 0.00447
    half = 2.364624 * 0.01 * math.sqrt(8 / 7) / 2 / math.sqrt(8)
    reached, missed, inside = (
        judged(records, Claim("x", "y", (METRIC,), model="hybrid", value=value))[0]
        for value in (0.7, 0.71, 0.705)
    )
    assert (reached.verdict, missed.verdict, inside.verdict) == (HOLDS, FAILS, OPEN)
    assert reached.weakest.contrast.mean == pytest.approx(0.005)
    assert (inside.weakest.contrast.low, inside.weakest.contrast.high) == pytest.approx(
        (-half, half), rel=1e-6
    )


def test_the_ledger_of_a_report_says_what_the_csv_says(tmp_path: Path) -> None:
    levels = {"cnn": 0.4, "lstm": 0.5, "cnn_lstm": 0.6, "hybrid": 0.7}
    section = claims_section(context(*ladder(tmp_path, levels)))
    table = rows(section.files["tables/claims.csv"])
    every = rows(section.files["tables/claims_comparisons.csv"])
    known = {(row["claim"], row["metric"], row["other"]): row for row in every}
    assert len(table) == len({(row["claim"], row["metric"]) for row in table})
    order = next(claim for claim in claims() if claim.beats[:1] == [["hybrid", "cnn_lstm"]])
    lead = known[order.claim, "accuracy_series_mean", "cnn_lstm"]
    assert (lead["verdict"], lead["comparison_verdict"]) == (HOLDS, HOLDS)
    # ten more of 120 steps are right
    assert float(lead["effect"]) == pytest.approx(100 * 10 / 120, abs=1e-3)
    recall = next(row for row in table if row["metric"] == "recall_attack")
    assert (recall["verdict"], float(recall["claimed"])) == (FAILS, 97.85)
    assert float(recall["effect"]) == pytest.approx(70.5 - 97.85)
    text = "\n\n".join(section.parts)
    assert lead["rule"] == "all are better: p < 0.05, interval above 0"
    assert "| **holds** | Accuracy, mean over clusters | Hybrid − CNN-LSTM | +8.33 |" in text
    assert "Hybrid 70.50 against 97.85 | −27.35 |" in text
    assert "| random_forest: no single arm |" in text.replace("logistic", "random_forest")


def test_every_shipped_claim_can_be_judged() -> None:
    rows = claims()
    assert len({row.claim for row in rows}) == len(rows)
    assert all(bool(row.beats) != bool(row.model) for row in rows)
    assert all(0 < row.value < 1 for row in rows if row.model)

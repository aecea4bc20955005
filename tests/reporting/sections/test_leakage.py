"""What models rank right beyond the position, where the position gives the label away."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t

from anomalynet.config.load import load
from anomalynet.reporting.sections.leakage import NEAR, audit_section, within_positions
from anomalynet.runs.collect import RunRecord, load_record
from anomalynet.runs.scores import read_test_steps
from anomalynet.training.run import train
from tests.reporting.synthetic import context, record, rows

LABELS = [0, 1, 0, None, *[0] * 21, 1, 0]  # a step each row; row 25 begins the second stratum
SCORES = [0.2, 0.9, 0.3, 0.5, *[None] * 21, 0.4, 0.6]


def probe(name: str, verdict: str) -> dict[str, object]:
    known = {"sees": "nothing", "auroc": 0.97, "accuracy": 0.9, "verdict": verdict}
    return {"probe": name, **known}


def audit(name: str, verdict: str = "gives the label away") -> dict[str, object]:
    facts: dict[str, object] = {"data": "toy", "fingerprint": "f" * 64, "split": "group"}
    facts |= {"folds": 2, "assignment": 0, "window": 32, "refused": None, "days": [], "steps": 9}
    facts |= {"prevalence": 0.3, "majority": 0.7, "rule": "r", "warnings": []}
    return facts | {"probes": [probe(name, verdict)]}


def made(folder: Path) -> list[RunRecord]:
    """Two folds; the second has the labels of the first the other way round in its first rows."""
    other = [0, 0, 1, None, *LABELS[4:]]
    return [
        record(folder, fold=fold, labels=labels, scores=SCORES, series=[name] * len(labels))
        for fold, name, labels in ((0, "a", LABELS), (1, "b", other))
    ]


def test_pairs_of_nearly_the_same_position_by_hand(tmp_path: Path) -> None:
    (one,) = context(*made(tmp_path)).run
    # First rows: attacks 0.9 and 0.3, normal 0.2, 0.3, 0.2, 0.9. Second: 0.4 and 0.4, 0.6 and 0.6.
    value, low, high, pairs = within_positions(one)
    right = (1 + 1 + 1 + 0.5) + (1 + 0.5 + 1 + 0)
    assert pairs == 8 + 4 and value == pytest.approx(right / 12)
    rest = np.array([1 / 3, 2 / 3])  # without `a`: of 0.3 over 0.2 and 0.9, and 0.4 over 0.6
    pseudo = 2 * value - rest
    half = t.ppf(0.975, 1) * pseudo.std(ddof=1) / math.sqrt(2)
    assert (low, high) == pytest.approx((pseudo.mean() - half, pseudo.mean() + half))


@pytest.mark.parametrize("name", ["row position", "fraction of the recording", "timestamp"])
def test_the_table_is_shown_where_a_position_gives_the_label_away(
    tmp_path: Path, name: str
) -> None:
    found = context(*made(tmp_path))
    section = audit_section(audit(name), found)
    (row,) = rows(section.files["tables/positions.csv"])
    assert (row["model"], row["pairs"]) == ("cnn", "12")
    assert row["auroc_within"] == f"{100 * 6 / 12:.4f}"
    (table,) = [part for part in section.parts[2:] if "| 50.00 | " in part]
    assert "AUROC, pooled" in table
    for other in (audit(name, ""), audit("time step"), None):
        assert [*audit_section(other, found).files] == ["tables/audit.csv"]
        assert len(audit_section(other, found).parts) == 2


def plain(steps: list[tuple[NDArray[np.int8], NDArray[np.float64], NDArray[np.int64]]]) -> float:
    """The AUROC within strata of recordings, from all pairs."""
    label, score, stratum = (np.concatenate(column) for column in zip(*steps, strict=True))
    attack = label == 1
    right = pairs = 0.0
    for one in np.unique(stratum[attack]):
        here = stratum == one
        difference = score[here & attack][:, None] - score[here & ~attack]
        right += (difference > 0).sum() + (difference == 0).sum() / 2
        pairs += difference.size
    return right / pairs


@pytest.mark.slow
def test_skab_within_positions_is_what_all_pairs_give(tmp_path: Path, real_data: Path) -> None:
    keys = ["data.name=skab", f"data.root={real_data / 'skab'}"]
    runs = [
        train(load("random_forest", [*keys, f"data.split.fold={at}"]), tmp_path) for at in range(5)
    ]
    records = [load_record(run.folder) for run in runs if run is not None]
    (one,) = context(*records).run
    value, low, high, _ = within_positions(one)
    recordings = [
        (own["label"].to_numpy(), own["score"].to_numpy(), own["row"].to_numpy() // NEAR)
        for each in records
        for _, steps in read_test_steps(each).group_by("series", maintain_order=True)
        for own in [steps.with_row_index("row").drop_nulls(["label", "score"])]
    ]
    assert value == pytest.approx(plain(recordings), abs=1e-12)
    n = len(recordings)
    rest = [plain([*recordings[:at], *recordings[at + 1 :]]) for at in range(n)]
    pseudo = n * value - (n - 1) * np.array(rest)
    half = t.ppf(0.975, n - 1) * pseudo.std(ddof=1) / math.sqrt(n)
    assert (low, high) == pytest.approx((pseudo.mean() - half, pseudo.mean() + half))
    assert one.summary("auroc_pooled").mean == pytest.approx(0.946, abs=0.01)
    assert value == pytest.approx(0.896, abs=0.01)

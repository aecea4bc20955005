"""Makes `references.json`: 200 random cases and what published packages say of them. Run by hand,
in an environment of its own:

    python3.11 -m venv /tmp/references
    /tmp/references/bin/pip install numpy==2.3.5 scikit-learn==1.9.1 pandas tqdm aeon==1.6.0
    /tmp/references/bin/pip install --no-deps vus==0.0.6 prts==1.0.0.3 tsadmetrics==1.0.16
    /tmp/references/bin/python tests/metrics/ranges/make_references.py

vus has VUS (the authors' package) and affiliation (Huet's own code), prts and aeon have range-based
precision and recall, tsadmetrics has PA-F1 and PA%K. `null` is where a package fails or divides by
zero, or says of itself that it is undefined.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CASES = 200
TARGET = Path(__file__).with_name("references.json")
Booleans = NDArray[np.bool_]


def runs(random: np.random.Generator, n: int, share: float, length: float) -> Booleans:
    """Runs of true steps of about a length, which take about a share of the steps."""
    values, now = np.zeros(n, dtype=bool), random.random() < share
    for i in range(n):
        values[i] = now
        leave = 1 / length if now else share / (length * max(1 - share, 0.05))
        now ^= random.random() < leave
    return values


def case(number: int) -> dict[str, Any]:
    """Labels, scores and alarms of one case; the first forty are edges."""
    random = np.random.default_rng(number)
    n = int(random.integers(20, 90))
    labels = runs(random, n, random.uniform(0.05, 0.5), random.uniform(1, 12))
    if not labels.any():
        labels[n // 3 : n // 2] = True
    scores = np.round(
        random.normal(size=n) + random.uniform(-0.5, 3) * labels, int(random.integers(0, 4))
    )
    limit = np.quantile(scores, random.uniform(0.3, 0.97))
    edge = number // 4 if number < 40 else None
    if edge == 0:
        labels[:] = False
    elif edge == 1:
        labels[:] = True
    elif edge == 2:
        n = 1 + number % 2
        labels, scores = random.random(n) < 0.5, scores[:n]
    elif edge == 3:
        scores[:] = 0.5
    elif edge == 4:
        scores = np.round(random.random(n) * 2)
    elif edge == 5:
        labels[: 1 + number % 4] = True
        labels[-1 - number % 3 :] = True
    elif edge == 6:
        limit = scores.max() + 1
    elif edge == 7:
        limit = scores.min()
    elif edge == 8:
        labels[:] = False
        labels[number % n] = True
    elif edge == 9:
        labels[:] = False
        labels[::3] = True
    alarms = (
        runs(random, n, random.uniform(0.05, 0.5), random.uniform(1, 8))
        if edge is None and number % 3 == 0
        else scores >= limit
    )
    return {
        "labels": "".join(map(str, labels.astype(int))),
        "scores": [round(float(score), 3) for score in scores],
        "alarms": "".join(map(str, alarms.astype(int))),
        "buffer": int(random.choice([0, 1, 2, 5, 8, 13, 20, 31])),
        "alpha": float(random.choice([0.0, 0.25, 0.5, 1.0])),
        "cardinality": str(random.choice(["one", "reciprocal"])),
        "bias": str(random.choice(["flat", "front", "middle", "back"])),
    }


def told(compute: Callable[[], Any]) -> Any:
    """What a package says; None where it fails or divides by zero."""
    try:
        with warnings.catch_warnings(), np.errstate(divide="raise", invalid="raise"):
            warnings.simplefilter("ignore")
            found = compute()
    except Exception:
        return None
    values = np.atleast_1d(np.asarray(found, dtype=float))
    known = [round(float(value), 10) if np.isfinite(value) else None for value in values]
    return known if np.ndim(found) else known[0]


def references(one: dict[str, Any]) -> dict[str, Any]:
    """Everything that the packages say of a case."""
    from aeon.benchmarking.metrics.anomaly_detection import (  # type: ignore[import-not-found, unused-ignore]
        range_precision,
        range_recall,
    )
    from prts import ts_precision, ts_recall  # type: ignore[import-not-found, unused-ignore]
    from tsadmetrics.metrics.tem.ptdm.PointadjustedAtKFScore import (  # type: ignore[import-not-found, unused-ignore]
        PointadjustedAtKFScore,
    )
    from tsadmetrics.metrics.tem.tpdm.PointadjustedFScore import PointadjustedFScore  # type: ignore[import-not-found, unused-ignore]
    from vus.affiliation.generics import convert_vector_to_events  # type: ignore[import-not-found, unused-ignore]
    from vus.affiliation.metrics import pr_from_events  # type: ignore[import-not-found, unused-ignore]
    from vus.utils.metrics import metricor  # type: ignore[import-not-found, unused-ignore]

    labels, alarms = (np.array(list(map(int, one[name]))) for name in ("labels", "alarms"))
    scores = np.array(one["scores"])
    own = {"alpha": one["alpha"], "cardinality": one["cardinality"], "bias": one["bias"]}

    def volumes(thresholds: int) -> Any:
        *_, roc, pr = metricor().RangeAUC_volume_opt(labels, scores, one["buffer"], thresholds)
        return [pr, roc]

    def affiliations() -> Any:
        events = (convert_vector_to_events(alarms), convert_vector_to_events(labels))
        found = pr_from_events(*events, (0, len(labels)))
        return [found["Affiliation_Precision"], found["Affiliation_Recall"]]

    def above(percent: int) -> float:
        """PA%K where K must be exceeded, as in its paper: just above K, because tsadmetrics adjusts
        at exactly K too."""
        return float(PointadjustedAtKFScore(k=percent / 100 + 1e-9)._compute(labels, alarms))

    return {
        "vus_250": told(lambda: volumes(250)),
        "vus_all": told(lambda: volumes(len(scores))),
        "prts": told(
            lambda: [ts_precision(labels, alarms, **own), ts_recall(labels, alarms, **own)]
        ),
        "aeon": told(lambda: [range_precision(labels, alarms), range_recall(labels, alarms)]),
        "affiliation": told(affiliations),
        "pa_f1": told(lambda: PointadjustedFScore()._compute(labels, alarms)),
        "pa_20": told(lambda: above(20)),
        "pa_area": told(lambda: np.trapezoid([above(percent) for percent in range(101)]) / 100),
    }


if __name__ == "__main__":
    made = [{**one, **references(one)} for one in map(case, range(CASES))]
    TARGET.write_text(
        "[\n" + ",\n".join(json.dumps(one, separators=(",", ":")) for one in made) + "\n]\n"
    )
    print(f"{TARGET}: {TARGET.stat().st_size / 1000:.0f} kB")

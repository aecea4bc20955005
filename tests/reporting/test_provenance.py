"""The abstract says on what and in how long the runs were made, as far as they say so
themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from anomalynet.reporting.aggregate import aggregate
from anomalynet.reporting.arms import arms
from anomalynet.reporting.prose import abstract, provenance
from anomalynet.runs.collect import RunRecord
from tests.reporting.synthetic import record

PACKAGES = {"anomalynet": "0.1.0", "torch": "2.13.0+cpu", "numpy": "2.4.6"}
HERE = {
    "cpu": "AVX2",
    "cores": 2,
    "gpus": [],
    "threads": 1,
    "devices": 1,
    "platform": "Linux-6",
    "python": "3.11.7",
    "packages": PACKAGES,
}


def made_on(run: RunRecord, **changes: Any) -> RunRecord:
    (run.folder / "environment.json").write_text(json.dumps({**HERE, **changes}), encoding="utf-8")
    return run


def test_what_all_runs_share_is_said_once(tmp_path: Path) -> None:
    timings = {"train_seconds": 100.4, "score_seconds": 0.5}
    runs = [made_on(record(tmp_path, fold=fold, timings=timings)) for fold in range(2)]
    assert provenance(runs, "anomalynet reproduce") == (
        "Hardware: 2 CPU cores (AVX2), no GPU, Linux-6; 1 thread and 1 device a run. Software: "
        f"anomalynet 0.1.0, torch 2.13.0+cpu, Python 3.11.7. Code: `{runs[0].code[:10]}`. Device "
        "time: 202 s of training and scoring. `anomalynet reproduce` makes it again."
    )


def test_different_machines_and_codes_are_counted(tmp_path: Path) -> None:
    runs = [
        made_on(record(tmp_path, fold=0)),
        made_on(record(tmp_path, fold=1), gpus=["H100", "H100"], threads=4),
        made_on(record(tmp_path, seed=1, code="0ther"), gpus=["H100", "H100"], threads=4),
    ]
    text = provenance(runs)
    assert (
        "Hardware: 2 CPU cores (AVX2), 2 × H100, Linux-6; 4 threads and 1 device a run (2 runs); "
        "2 CPU cores (AVX2), no GPU" in text
    )
    assert "Code: `c0dec0dec0` (2 runs); `0ther` (1 run)." in text
    assert provenance(list(reversed(runs))) == text


def test_what_a_run_does_not_say_is_left_out(tmp_path: Path) -> None:
    silent = record(tmp_path, fold=0, timings={"microseconds_per_window": 5.0}, code="")
    assert provenance([silent]) == ""
    loud = record(tmp_path, fold=1, timings={"train_seconds": 10.0}, code="")
    assert (
        provenance([silent, loud])
        == "Device time: 10 s of training and scoring (1 of 2 runs do not say)."
    )


def test_the_abstract_holds_it_as_a_paragraph_of_its_own(tmp_path: Path) -> None:
    runs = [made_on(record(tmp_path, fold=fold)) for fold in range(2)]
    first, second = abstract(aggregate(arms(runs)), "anomalynet report --data toy").split("\n\n")
    assert first.startswith("2 runs of 1 model (CNN) on `toy`")
    assert second == provenance(runs, "anomalynet report --data toy")

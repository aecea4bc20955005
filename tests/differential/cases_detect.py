"""Cases of export and detection: files, pipes, growing files, MQTT; killed and continued."""

from __future__ import annotations

import json

from tests.differential.case import Case, Step, step
from tests.differential.cases_runs import IMPORT, MINE, MINE_YAML, OWN, train
from tests.differential.tables import messages, recording

MODEL = "--model model.onnx"
RECORDING = (("rows.csv", recording()),)
HALF, ALL = messages(0, 150), messages(0, 300)
LINES = ["".join(f"{line}\n" for line in messages(*part)) for part in ((0, 150), (150, 300))]
FOLLOW = f"detect --follow rows.jsonl {MODEL} --state state --alarms alarms.jsonl --scores scores.csv --patience 0 --snapshot-every 0.2"
MQTT = f"detect --mqtt mqtt://127.0.0.1:{{port}}/readings/%23 {MODEL} --state state --alarms alarms.jsonl --scores scores.csv --patience 0 --snapshot-every 0.2"


def exported(experiment: str, *more: str, variants: str = "") -> tuple[Step, ...]:
    """Import, train and export."""
    options = ("--variants", variants) if variants else ()
    return (
        IMPORT,
        train(experiment, *OWN, *more),
        step(f"export @runs/{experiment}/* --out model.onnx --json", *options),
    )


FILE = (
    step(
        f"detect rows.csv {MODEL} --scores scores.csv --alarms alarms.jsonl --json", files=RECORDING
    ),
    step(f"detect rows.csv {MODEL} --hits 3/5 --cool-down 60 --clear 0.9"),
)
PIPE = step(f"detect --follow - {MODEL} --scores piped.jsonl --patience 0", stdin="".join(LINES))
FIRST = step(FOLLOW, files=(("rows.jsonl", LINES[0]),), until=("scores.csv", 201))
SECOND = step(FOLLOW, append=(("rows.jsonl", LINES[1]),), until=("scores.csv", 401), signal=15)
BATCHES = [
    json.dumps({"gateway": "g", "time": one["time"], "sequence": at, "readings": [one, two]})
    for at in range(300)
    for one, two in [map(json.loads, ALL[2 * at : 2 * at + 2])]
]

DETECTION = (
    *(
        Case(f"detect-{name}", (*exported(name), *FILE, PIPE), own_data=True)
        for name in (
            "cnn",
            "hybrid",
            "hybrid_causal",
            "autoencoder",
            "logistic",
            "random_forest",
            "gradient_boosting",
            "isolation_forest",
        )
    ),
    Case(
        "detect-lstm-variants",
        (*exported("lstm", "data.calibration=deviation", variants="int8,fp16"), *FILE),
        own_data=True,
    ),
    Case(
        "detect-mine",
        (
            IMPORT,
            step("train mine.yaml", *OWN, files=(("mine.py", MINE), ("mine.yaml", MINE_YAML))),
            step("export @runs/mine/* --out model.onnx --json"),
            *FILE,
        ),
        own_data=True,
    ),
    *(
        Case(
            f"old-detect-{name}",
            (step(f"detect rows.csv {MODEL} --scores new.csv --alarms new.jsonl --json"), PIPE),
            after=f"detect-{name}",
            own_data=True,
        )
        for name in ("cnn", "hybrid_causal", "random_forest", "isolation_forest")
    ),
    Case(
        "old-export",
        (
            step("export @runs/cnn/* --out again.onnx --json"),
            step("detect rows.csv --model again.onnx --scores again.csv --json"),
        ),
        after="detect-cnn",
        own_data=True,
    ),
    Case(
        "detect-odd-lines",
        (
            *exported("logistic", "data.window=16"),
            step(
                f"detect --follow - {MODEL} --scores s.jsonl --max-message 200 --patience 0 --json",
                stdin="{\n"
                + LINES[0]
                + '{"device": "n1", "time": 5, "values": [1]}\n[3]\n'
                + "x" * 300
                + "\n"
                + LINES[0],
            ),
        ),
        own_data=True,
    ),
    Case("detect-state", (*exported("hybrid_causal"), FIRST, SECOND), own_data=True),
    Case("detect-killed", (*exported("cnn"), FIRST), own_data=True),
    Case("old-detect-state", (SECOND,), after="detect-killed", own_data=True),
    Case("detect-killed-causal", (*exported("hybrid_causal", "seed=2"), FIRST), own_data=True),
    Case("old-detect-state-causal", (SECOND,), after="detect-killed-causal", own_data=True),
    Case(
        "detect-mqtt",
        (
            *exported("autoencoder"),
            step(MQTT, publish=tuple(BATCHES[:150]), until=("scores.csv", 201)),
            Step(publish=tuple(BATCHES[150:200])),
            step(MQTT, publish=tuple(BATCHES[200:]), until=("scores.csv", 401), signal=15),
        ),
        own_data=True,
        broker=True,
    ),
)

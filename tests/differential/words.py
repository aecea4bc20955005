"""Words and texts that the files in `cases.d` use."""

from __future__ import annotations

import io
import json

import polars as pl

from tests.differential import tables
from tests.tiny import TINY

STREAM = (
    "--model model.onnx --state state --alarms alarms.jsonl --scores scores.csv "
    "--patience 0 --snapshot-every 0.2"
)
WORDS = {
    "TINY": f"data.worlds=null 'data.scenario={TINY}'",
    "WORLD": "$TINY data.calibration_rows=50 data.split.folds=3",
    "SHORT": "$WORLD data.stride=16 training.epochs=2",
    "SMALL": "$WORLD data.stride=16 --slots 1 --out report",
    "SEARCH": "sweep mine.yaml $SHORT --slots 1 --out report",
    "SKAB": "data.name=skab data.root={data}/skab training.epochs=1 data.stride=64",
    "OWN": "data.name=own data.calibration_rows=50 data.stride=4 training.epochs=2",
    "CITY": "data.worlds=null data.stride=16 data.calibration_rows=50 "
    "'data.scenario=deployment.nodes=10 deployment.cell_nodes=10 "
    "duration=12h sampling.period=60 incidents.per_node_day=20'",
    "CELL": "deployment.nodes=10 deployment.cell_nodes=5 duration=8h incidents.per_node_day=20 "
    "incidents.quiet_hours=1",
    "WORLD_8": "--out world deployment.nodes=8 deployment.cell_nodes=8 duration=10h",
    "IMPORT": "data import own.csv --name own --time time --series device --label attack "
    "--split part | write own.csv devices",
    "NAMED": "--time time --label label",
    "SEEN": "data info mine --json\n  data ls",
    "CHECK": "check --golden golden.yaml --sweep smoke.yaml --against baseline.json --slots 1",
    "MODEL": "--model model.onnx",
    "DETECT": "detect rows.csv $MODEL --scores scores.csv --alarms alarms.jsonl --json"
    " | write rows.csv recording\n"
    "  detect rows.csv $MODEL --hits 3/5 --cool-down 60 --clear 0.9",
    "PIPE": "detect --follow - $MODEL --scores piped.jsonl --patience 0 | stdin lines",
    "FOLLOW": f"detect --follow rows.jsonl {STREAM}",
    "FIRST": "$FOLLOW | write rows.jsonl half_1 | until scores.csv 201",
    "SECOND": "$FOLLOW | append rows.jsonl half_2 | until scores.csv 601 | signal 15",
    "MQTT": f"detect --mqtt mqtt://127.0.0.1:{{port}}/readings/%23 {STREAM}",
}

MINE = '''from dataclasses import dataclass

from torch import Tensor, nn

from anomalynet.config.model import ModelConfig
from anomalynet.models import Detector, Output


@dataclass(kw_only=True, slots=True, frozen=True)
class Config(ModelConfig):
    width: int = 32
    """Width of the hidden layer."""


class Perceptron(Detector):
    """One hidden layer over the flattened window. Source: not in the paper."""

    def __init__(self, config, shape):
        super().__init__(config, shape)
        inputs = shape.steps * shape.channels
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(inputs, config.model.width), nn.ReLU(), nn.Linear(config.model.width, 2))

    def forward(self, x: Tensor) -> Output:
        return Output(logits=self.layers(self.normalise(x)))
'''  # noqa: E501
SWEEP = """\
# small — does attention help?
experiment: cnn_lstm
design: one_at_a_time
folds: [0, 1]
seeds: [0, 1]
axes: {model.pool: [2, 1], training.learning_rate: [0.001, 0.01]}
presets: {quick: {training.epochs: 1}}
"""
FACTORIAL = """\
# grid — which width?
experiments: [logistic, random_forest]
design: factorial
folds: [0, 1, 2]
axes: {data.window: [16, 32]}
presets: {quick: {training.epochs: 1}}
"""
SEARCH = """\
# mine — what is best?
experiment: cnn
design: search
seeds: [0]
folds: [0]
axes: {model.channels: [4, 8, 16], training.learning_rate: {low: 0.0005, high: 0.01, log: true}}
search: {SEARCH}
presets: {quick: {training.patience: 5}}
"""
PARETO = "trials: 3, sampler: random, objectives: [validation/average_precision, parameters]"
OWN = "{data.name: own, data.calibration_rows: 50, data.stride: 4, training.epochs: 2}"
GOLDEN = f"experiments: [logistic, cnn]\nfolds: [0]\npresets: {{quick: {OWN}}}\n"
SIX = "[logistic]\nseeds: [0, 1, 2, 3, 4, 5]\n"
ROWS = "time,temp,hum,label\n" + "".join(
    f"2020-01-01 00:{at // 60:02}:{at % 60:02},{at % 7}.5,{'NA' if at % 50 == 9 else at % 11},"
    f"{int(at % 40 > 30)}\n"
    for at in range(300)
)
HALVES = [
    "".join(f"{line}\n" for line in tables.messages(*part)) for part in ((0, 150), (150, 300))
]
ODD = '{"device": "n1", "time": 5, "values": [1]}\n[3]\n' + "x" * 300 + "\n"
TABLE = (
    "| model | precision_attack | recall_attack | f1_attack | accuracy |\n|---|---|---|---|---|\n"
)


def _parquet() -> bytes:
    """The rows as Parquet, with the times as times and one column of words."""
    frame = pl.read_csv(io.BytesIO(ROWS.encode()), try_parse_dates=True, null_values=["NA"])
    target = io.BytesIO()
    words = frame.with_columns(pl.col("temp").cast(pl.String))
    words.write_parquet(target, compression="uncompressed")
    return target.getvalue()


def _wide() -> str:
    """Many sensors in columns, one of them without any reading."""
    head = "time," + ",".join(f"s{at}" for at in range(12))
    rows = (
        f"{10 * row}," + ",".join("" if at == 5 else str(row * at % 17) for at in range(12))
        for row in range(120)
    )
    return "\n".join([head, *rows]) + "\n"


def _batches(begin: int, end: int) -> tuple[str, ...]:
    """A gateway's messages: every step of both devices."""
    lines = [json.loads(line) for line in tables.messages(0, 300)]
    pairs = [(at, lines[2 * at], lines[2 * at + 1]) for at in range(begin, end)]
    return tuple(
        json.dumps({"gateway": "g", "time": one["time"], "sequence": at, "readings": [one, two]})
        for at, one, two in pairs
    )


TEXTS: dict[str, str | bytes | tuple[str, ...]] = {
    "devices": tables.devices(),
    "devices_5": tables.devices(5),
    "recording": tables.recording(),
    "half_1": HALVES[0],
    "half_2": HALVES[1],
    "lines": "".join(HALVES),
    "odd_lines": "{\n" + HALVES[0] + ODD + HALVES[0],
    "batches_1": _batches(0, 150),
    "batches_2": _batches(150, 200),
    "batches_3": _batches(200, 300),
    "mine_py": MINE,
    "mine_yaml": "extends: base.yaml\nmodel: {name: ./mine.py, width: 16}\ntraining: {epochs: 2}\n",
    "small": SWEEP,
    "bad_design": SWEEP.replace("design: one_at_a_time", "design: none"),
    "bad_axis": SWEEP.replace("model.pool", "model.pol"),
    "grid": FACTORIAL,
    "search_random": SEARCH.replace("SEARCH", "trials: 3, sampler: random"),
    "search_tpe": SEARCH.replace("SEARCH", "trials: 4, pruner: median"),
    "search_pareto": SEARCH.replace("SEARCH", PARETO),
    "golden": GOLDEN,
    "smoke": GOLDEN.replace("[logistic, cnn]\n", SIX),
    "rows": ROWS,
    "rows_semicolon": ROWS.replace(",", ";"),
    "rows_tab": ROWS.replace(",", "\t"),
    "rows_bar": "\ufeff" + ROWS.replace(",", "|").replace("\n", "\r\n"),
    "rows_comma": ROWS.replace(",", ";").replace(".5", ",5"),
    "rows_parquet": _parquet(),
    "rows_words": ROWS.replace(",0\n", ",normal\n").replace(",1\n", ",Attack\n"),
    "rows_number": ROWS + "2020-01-01 01:00:00,warm,1,0\n",
    "rows_fields": ROWS + "2020-01-01 01:00:00,1\n",
    "rows_backwards": ROWS + "2020-01-01 00:00:00,1,1,0\n",
    "rows_bytes": b"time,temp\n1,2\n2,21\xb0\n",
    "nodes": "time,node,temp,y\n"
    + "".join(
        f"2020-01-01 00:0{at}:00,{node},{at},{int(node == 'b' and at > 5)}\n"
        for node in "ab"
        for at in range(10)
    ),
    "wide": _wide(),
    "table_3": "model,precision_normal,recall_normal,recall_attack\ncnn,76.69,97.47,88.11\n",
    "usual": "model,Precision,Recall,F1-score,Accuracy\nSVM,95.1,93.2,97.0,96.0\n"
    "RF,95.1,93.2,94.1,96.0\n",
    "markdown": TABLE + "| A | 0.90 | 0.80 | 0.85 | 0.95 |\n| B | 0.70 | 0.80 | 0.95 | 0.9 |\n",
}

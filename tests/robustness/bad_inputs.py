"""The table of bad inputs: reader or verb × kind of badness."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.own_model import own_model

BADNESS = (
    *("missing", "empty", "truncated", "wrong type", "out of range"),
    *("hostile", "enormous", "contradictory", "duplicated", "encoded otherwise"),
)
Spoil = Callable[[bytes], bytes]
"""Makes the bad content of a file from its good content."""


@dataclass(frozen=True, slots=True)
class Case:
    """A command that must not work. `spoiled`: file → its bad content, None where it is missing.
    `fine`: it is a success, and why."""

    area: str
    badness: str
    words: str
    spoiled: Mapping[str, Spoil | None] = field(default_factory=dict)
    fine: str = ""
    resealed: bool = False  # its checksum is that of the bad content, so that values are checked

    @property
    def name(self) -> str:
        """Of the test."""
        sealed = "resealed-" * self.resealed
        return f"{sealed}{self.area}-{self.badness}-{self.words}"[:100]


def text(content: str) -> Spoil:
    """This text instead."""
    return lambda good: content.encode()


@dataclass(frozen=True, slots=True)
class Fine:
    """A bad content with which the command works, and why; after `says `, a text that it must
    print."""

    spoil: Spoil
    why: str

    def __call__(self, good: bytes) -> bytes:
        return self.spoil(good)


def raw(content: bytes) -> Spoil:
    """These bytes instead."""
    return lambda good: content


def put(key: str, value: Any) -> Spoil:
    """Another value at a dotted key of a JSON file."""

    def spoil(good: bytes) -> bytes:
        whole = json.loads(good)
        *path, last = key.split(".")
        inner = whole
        for name in path:
            inner = inner[int(name) if isinstance(inner, list) else name]
        inner[int(last) if isinstance(inner, list) else last] = value
        return json.dumps(whole).encode()

    return spoil


def swap(old: str, new: str, count: int = -1) -> Spoil:
    """Another text in place of one that must be there."""

    def spoil(good: bytes) -> bytes:
        assert old.encode() in good, old
        return good.replace(old.encode(), new.encode(), count)

    return spoil


def axis(text: str) -> Spoil:
    """Another axis in the sweep of the scene."""
    return swap("data.calibration: [offset, deviation]", text)


def half(good: bytes) -> bytes:
    """The first half."""
    return good[: len(good) // 2]


def otherwise(good: bytes) -> bytes:
    """Text as UTF-16, what is no text compressed."""
    try:
        return good.decode().encode("utf-16")
    except UnicodeDecodeError:
        return gzip.compress(good)


PICTURE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(200)
GENERIC: dict[str, Spoil | None] = {
    "missing": None,
    "empty": raw(b""),
    "truncated": half,
    "wrong type": raw(PICTURE),
    "encoded otherwise": otherwise,
}
"""What can be wrong with every file."""

DEEP = text("[" * 100_000)
NUMBER = "9" * 5_000
ALIASES = "a0: &a0 [x, x]\n" + "".join(
    f"a{level}: &a{level} [*a{level - 1}, *a{level - 1}]\n" for level in range(1, 27)
)

PYTHON = text("!!python/object/apply:os.system ['true']")
FORMS = {".json": [DEEP], ".jsonl": [DEEP], ".yaml": [text(ALIASES), DEEP, PYTHON]}
"""What is hostile in every file of a format."""

# ruff: noqa: E501
READERS: dict[str, tuple[str, str]] = {
    "import of CSV": (
        "readings.csv",
        "data import readings.csv --name fresh --time time --series device --label attack --split part",
    ),
    "import of Parquet": (
        "readings.parquet",
        "data import readings.parquet --name fresh --time time --series device --label attack --split part",
    ),
    "import of NumPy": ("readings.npy", "data import readings.npy --name fresh"),
    "import of incidents": (
        "incidents.csv",
        "data import one.csv --name fresh --time time --incidents incidents.csv",
    ),
    "import of windows": (
        "windows.json",
        "data import one.csv --name fresh --time time --incidents windows.json",
    ),
    "import of labels": (
        "labels.csv",
        "data import one.csv --name fresh --time time --labels labels.csv",
    ),
    "detect CSV": ("readings.csv", "detect readings.csv --model model.onnx --json"),
    "detect Parquet": ("readings.parquet", "detect readings.parquet --model model.onnx --json"),
    "detect JSON lines": ("readings.jsonl", "detect readings.jsonl --model model.onnx --json"),
    "detect a model": ("model.onnx", "detect readings.csv --model model.onnx --json"),
    "detect devices": (
        "devices.txt",
        "detect readings.csv --model model.onnx --json --devices devices.txt",
    ),
    "state: snapshots": (
        "state/snapshot-*",
        "detect --follow - --model model.onnx --state state --json --alarms live.alarms",
    ),
    "state: journal": (
        "state/journal-*",
        "detect --follow - --model model.onnx --state state --json --alarms live.alarms",
    ),
    "state: model.json": (
        "state/model.json",
        "detect --follow - --model model.onnx --state state --json --alarms live.alarms",
    ),
    "set: dataset.json": ("data/plant/dataset.json", "data info plant --json"),
    "set: telemetry": ("data/plant/telemetry.parquet", "data info plant --json"),
    "cache: prepared.json": ("data/prepared/*/prepared.json", "test {logistic}"),
    "cache: values": ("data/prepared/*/values.npy", "test {logistic}"),
    "run: result.json": ("runs/logistic/*/result.json", "report"),
    "run: config.yaml": ("runs/logistic/*/config.yaml", "test {logistic}"),
    "run: scores": ("runs/logistic/*/scores.parquet", "report"),
    "run: incidents.json": ("runs/logistic/*/incidents.json", "report"),
    "run: architecture.json": ("runs/hybrid/*/architecture.json", "report"),
    "run: explanations": ("runs/hybrid/*/explanations.parquet", "report"),
    "run: timings.json": ("runs/logistic/*/timings.json", "report"),
    "run: environment.json": ("runs/logistic/*/environment.json", "report"),
    "run: classical model": ("runs/logistic/*/checkpoints/best.skops", "test {logistic}"),
    "run: checkpoint": ("runs/hybrid/*/checkpoints/best.ckpt", "test {hybrid}"),
    "run: progress.jsonl": ("runs/hybrid/*/progress.jsonl", "ls runs"),
    "leakage audit": ("runs/audit/plant.json", "report"),
    "sweep record": ("runs/.sweeps/pair-plant-quick.json", "status"),
    "experiment": ("mine.yaml", "show mine.yaml"),
    "sweep file": ("pair.yaml", "sweep pair.yaml --plan"),
    "scenario": ("town.yaml", "simulate town.yaml --out town"),
    "world: manifest.json": ("world/manifest.json", "data info world --json"),
    "world: scenario.yaml": ("world/scenario.yaml", "data info world --json"),
    "world: telemetry": ("world/telemetry/cell-0000.parquet", "data info world --json"),
    "world: incidents": ("world/incidents.parquet", "data info world --json"),
    "world: nodes": ("world/nodes.parquet", "data info world --json"),
    "published CSV": ("table.csv", "audit-table table.csv"),
    "published Markdown": ("table.md", "audit-table table.md"),
    "baseline": ("baseline.json", "check --history --against baseline.json"),
    "own model": (
        "mine.py",
        "train cnn model.name=./mine.py training.epochs=1 data.name=plant data.window=16 data.calibration_rows=50",
    ),
    "fingerprints": ("data/.fingerprints.json", "data info plant --json"),
}
"""What is read: files (a pattern), and a command that reads them."""

GOOD = {
    "incidents.csv": "start,end,type\n2023-11-14T22:30:00Z,2023-11-14T22:35:00Z,spoofing\n",
    "windows.json": '[["2023-11-14T22:30:00Z", "2023-11-14T22:35:00Z"]]\n',
    "devices.txt": "d0\nd1\nd5\n",
    "mine.yaml": "extends: hybrid\nmodel: {latent: 16}\ntraining: {epochs: 3}\n",
    "town.yaml": "duration: 1h\ndeployment: {nodes: 3, cell_nodes: 3}\n",
    "table.csv": "model,precision_normal,recall_normal,recall_attack\ncnn,76.69,97.47,88.11\n",
    "table.md": "| model | accuracy | prevalence |\n|---|---|---|\n| cnn | 90.00 | 10.0 |\n",
    "mine.py": own_model(),
}
"""Good files that the scene does not have."""

ESCAPE = "\x1b[31m"
HOSTILE_NAME = f"{ESCAPE}=cmd()<script>$\\frac$"
DAYTIME = "2023-11-14T22:30:00Z"


def metadata(content: str) -> Spoil:
    """Another contract in an exported model."""

    def spoil(good: bytes) -> bytes:
        import onnx
        from onnx import helper

        made = onnx.load_model_from_string(good)
        helper.set_model_props(made, {"anomalynet": content})
        return bytes(made.SerializeToString())

    return spoil


def columns(**values: Any) -> Spoil:
    """Other columns in a Parquet file: a polars expression per name; None drops one."""

    def spoil(good: bytes) -> bytes:
        import io

        import polars as pl

        frame = pl.read_parquet(good)
        gone = [name for name, value in values.items() if value is None]
        kept = {name: value for name, value in values.items() if value is not None}
        file = io.BytesIO()
        frame.drop(gone).with_columns(**kept).write_parquet(file)
        return file.getvalue()

    return spoil


def nothing(kind: str) -> Any:
    """A column of missing values."""
    import polars as pl

    return pl.lit(None, dtype=getattr(pl, kind))


def constant(value: Any) -> Any:
    """A column of one value."""
    import polars as pl

    return pl.lit(value)


def array(make: Callable[[Any], Any]) -> Spoil:
    """Another NumPy array."""

    def spoil(good: bytes) -> bytes:
        import io

        import numpy as np

        file = io.BytesIO()
        np.save(file, make(np.load(io.BytesIO(good))), allow_pickle=True)
        return file.getvalue()

    return spoil


def lines(change: Callable[[list[str]], list[str]]) -> Spoil:
    """Other lines of a text."""
    return lambda good: "".join(change(good.decode().splitlines(keepends=True))).encode()


SPECIAL: dict[str, dict[str, list[Spoil]]] = {
    "import of CSV": {
        "wrong type": [lines(lambda all_: [all_[0], *(f"d0,never,{n},x,y,z\n" for n in range(9))])],
        "out of range": [
            lines(lambda all_: [*all_, "d5,99999999999999999999,1,2,0,test\n"]),
            lines(lambda all_: [*all_[:-1], all_[-1].replace(",1,test", ",7,test")]),
        ],
        "hostile": [
            swap("device,time,a,b", f"device,time,a,{ESCAPE}b", 1),
            swap("d5,", f"{HOSTILE_NAME},"),
            lines(lambda all_: [*all_, "d5,\x00\x00\x00,1,2,0,test\n"]),
            swap("device,time,a,b", "device,time,a,missing", 1),
        ],
        "enormous": [
            lines(
                lambda all_: [
                    ",".join(["device", "time", "attack", *(f"c{n}" for n in range(9_000))]) + "\n"
                ]
            ),
            lines(lambda all_: [*all_, f"d5,1700009000,{NUMBER},2,0,test\n"]),
            swap("d5,", "d" * 70_000 + ",", 1),
        ],
        "contradictory": [
            lines(lambda all_: [*all_, "d5,1700000000,1,2,0\n"]),
            lines(lambda all_: [*all_, "d5,1600000000,1,2,0,test\n"]),
        ],
        "duplicated": [
            lines(lambda all_: [*all_, all_[-1]]),
            swap("device,time,a,b", "device,time,a,a", 1),
        ],
        "encoded otherwise": [lambda good: good.replace(b"d5", b"d\xfc")],
    },
    "import of Parquet": {
        "out of range": [columns(time=constant(2**62))],
        "hostile": [
            columns(**{f"{ESCAPE}x": constant(1.0)}),
            columns(device=constant(HOSTILE_NAME)),
        ],
        "enormous": [columns(**{"c" * 70_000: constant(0.0)})],
        "contradictory": [columns(time=None), columns(a=constant("x"))],
        "duplicated": [columns(device=constant("d0"), time=constant(1_700_000_000))],
    },
    "import of NumPy": {
        "out of range": [Fine(array(lambda good: good * float("nan")), "says has no readings")],
        "hostile": [array(lambda good: [{"a": object}])],
        "enormous": [
            raw(
                b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000, 4), }".ljust(
                    128
                )
                + b"\n"
            )
        ],
        "contradictory": [
            array(lambda good: good[:, 0, None, None]),
            array(lambda good: good[0, 0]),
        ],
    },
    "import of incidents": {
        "out of range": [
            text(f"start,end,severity\n{DAYTIME},{DAYTIME},99\n"),
            Fine(
                text("start,end\n2199-01-01T00:00:00Z,2199-01-02T00:00:00Z\n"),
                "says contain no reading",
            ),
        ],
        "hostile": [text(f"start,end,type\n{DAYTIME},{DAYTIME},{HOSTILE_NAME}\n")],
        "enormous": [text(f"start,end\n{NUMBER},{NUMBER}\n")],
        "contradictory": [
            text(f"start,end\n2023-11-14T22:35:00Z,{DAYTIME}\n"),
            text(f"start,end,series\n{DAYTIME},{DAYTIME},nobody\n"),
        ],
        "duplicated": [text(f"start,end,end\n{DAYTIME},{DAYTIME},{DAYTIME}\n")],
    },
    "import of windows": {
        "out of range": [
            Fine(
                text('[["2199-01-01T00:00:00Z", "2199-01-02T00:00:00Z"]]'),
                "says contain no reading",
            )
        ],
        "hostile": [text('[["\\u001b[31m", "x"]]')],
        "enormous": [text(f"[[{NUMBER}, {NUMBER}]]")],
        "contradictory": [
            text('[["2023-11-14T22:35:00Z", "2023-11-14T22:30:00Z"]]'),
            text("[[1, 2, 3]]"),
        ],
        "duplicated": [
            text('{"d0": [], "d0": [["2023-11-14T22:30:00Z", "2023-11-14T22:35:00Z"]]}')
        ],
    },
    "import of labels": {
        "out of range": [lines(lambda all_: [*all_[:-1], "7\n"])],
        "hostile": [lines(lambda all_: [*all_[:-1], f"{ESCAPE}\n"])],
        "enormous": [lines(lambda all_: [*all_[:-1], f"{NUMBER}\n"])],
        "contradictory": [lines(lambda all_: all_[:-5]), lines(lambda all_: [*all_, "0\n"])],
        "duplicated": [text("time,label\n1700000000,0\n1700000000,1\n")],
    },
    "detect CSV": {
        "out of range": [lines(lambda all_: [*all_, "d5,99999999999999999999,1,2,0,test\n"])],
        "hostile": [swap("device,time,a,b", f"device,time,a,{ESCAPE}b", 1)],
        "enormous": [lines(lambda all_: [*all_, f"d5,1700009000,{NUMBER},2,0,test\n"])],
        "contradictory": [swap("device,time,a,b", "device,time,a,c", 1)],
        "duplicated": [swap("device,time,a,b", "device,time,a,a", 1)],
    },
    "detect Parquet": {
        "out of range": [columns(time=constant(2**62))],
        "hostile": [columns(device=constant(HOSTILE_NAME))],
        "enormous": [
            Fine(
                columns(**{f"c{n}": constant(0.0) for n in range(900)}),
                "columns that the model does not read are left out",
            )
        ],
        "contradictory": [
            columns(a=None),
            columns(a=constant("x")),
            columns(a=nothing("Float64"), b=nothing("Float64"), time=nothing("Int64")),
        ],
        "duplicated": [columns(device=constant("d0"), time=constant(1_700_000_000))],
    },
    "detect JSON lines": {
        "out of range": [
            text('{"device": "d0", "time": 1e300, "values": [1, 2]}\n'),
            text('{"device": "d0", "time": NaN, "values": [1, 2]}\n'),
        ],
        "hostile": [text('{"device": "\\u001b[31m", "time": 1700000000, "values": [1, 2]}\n')],
        "enormous": [
            text(f'{{"device": "d0", "time": {NUMBER}, "values": [1, 2]}}\n'),
            text('{"device": "' + "d" * 2_000_000 + '"}\n'),
        ],
        "contradictory": [text('{"device": "d0", "time": 1700000000, "values": [1, 2, 3]}\n')],
        "duplicated": [Fine(lines(lambda all_: [*all_, all_[-1]]), "says duplicate")],
    },
    "detect a model": {  # more of them in test_exported_models_are_checked
        "hostile": [metadata("[" * 100_000)],
        "enormous": [metadata('{"format": ' + NUMBER + "}")],
        "duplicated": [metadata('{"format": 1, "format": 1}')],
    },
    "detect devices": {
        "out of range": [text("nobody\n")],
        "hostile": [text(f"{ESCAPE}\n")],
        "enormous": [text("d" * 1_000_000 + "\n")],
        "contradictory": [text("\n\n\n")],
    },
    "state: snapshots": {"hostile": [raw(b"PK\x05\x06" + bytes(18))]},
    "state: journal": {
        "hostile": [Fine(raw(b"anomalynet journal 2\n" + b"\xff" * 64), "says journal-")],
        "enormous": [
            Fine(
                raw(b"anomalynet journal 2\n\xff\x01\xff\xff\xff\x7f" + bytes(60)),
                "says journal-",
            )
        ],
        "contradictory": [raw(b"anomalynet journal 1\n" + bytes(40))],
        "out of range": [Fine(raw(b"anomalynet journal 9\n" + bytes(40)), "says journal-")],
    },
    "state: model.json": {
        "out of range": [put("model", 7)],
        "contradictory": [put("model", "another")],
    },
    "set: dataset.json": {
        "out of range": [put("version", 99), put("period", -1.0), put("channels", [])],
        "hostile": [put("name", "../../plant"), put("channels.0.name", HOSTILE_NAME)],
        "enormous": [swap('"version": 1', f'"version": {NUMBER}')],
        "contradictory": [put("name", "another"), put("rows", 3), put("channels.0.name", "c")],
        "duplicated": [swap('"version": 1', '"version": 2, "version": 1')],
    },
    "set: telemetry": {
        "out of range": [columns(label=constant(7))],
        "contradictory": [
            columns(a=None),
            columns(a=constant("x")),
            columns(series=nothing("String")),
        ],
        "duplicated": [columns(time=constant(0))],
    },
    "cache: prepared.json": {
        "out of range": [
            put("format", 99),
            put("segments", [[0, "d0", False, 0, 10**9]]),
            put("segments", []),
        ],
        "enormous": [swap('"format": 5', f'"format": {NUMBER}')],
        "contradictory": [
            put("fingerprint", "x"),
            put("series", ["d0"]),
            put("channels", [["a", ""]]),
        ],
    },
    "cache: values": {
        "contradictory": [array(lambda good: good[:-1])],
        "out of range": [array(lambda good: good * 0)],
    },
    "run: result.json": {
        "out of range": [
            *(put("threshold", value) for value in (None, "x")),
            *(put("seed", -1), put("fold", 9), put("folds", 0), put("parts", {})),
            put("metrics.test/f1_attack", 7.0),
            Fine(put("version", 99), "a run of another version is left out"),
        ],
        "hostile": [
            put("data", "../../x"),
            Fine(put("warnings", [HOSTILE_NAME]), "it is neutralised"),
        ],
        "enormous": [swap('"seed": 0', f'"seed": {NUMBER}')],
        "contradictory": [put("id", "0000000000")],
        "duplicated": [swap('"seed": 0', '"seed": 1, "seed": 0')],
    },
    "run: config.yaml": {
        "out of range": [swap("window: 16", "window: -1"), swap("seed: 0", "seed: -1", 1)],
        "hostile": [swap("name: plant", "name: ../../plant")],
        "enormous": [swap("window: 16", f"window: {NUMBER}")],
        "contradictory": [
            swap("window: 16", "window: 17"),
            swap("name: plant", "name: skab"),
            swap("mask_channel: true", "mask_channel: false"),
        ],
        "duplicated": [swap("seed: 0", "seed: 1\nseed: 0", 1)],
    },
    "run: scores": {
        "out of range": [columns(score=constant(float("nan"))), columns(label=constant(7))],
        "contradictory": [
            columns(score=None),
            columns(score=constant("x")),
            columns(split=constant("train")),
        ],
        "duplicated": [columns(time=constant(0))],
        "hostile": [columns(series=constant(HOSTILE_NAME))],
    },
    "run: incidents.json": {
        "out of range": [text('{"0": {"type": 7}}'), text("[]")],
        "hostile": [
            Fine(
                text(
                    json.dumps(
                        {
                            "12": {
                                "type": HOSTILE_NAME,
                                "cause": "attack",
                                "layer": None,
                                "impact": None,
                                "severity": 2,
                            }
                        }
                    )
                ),
                "it is neutralised",
            )
        ],
        "enormous": [text(f'{{"{NUMBER}": {{}}}}')],
        "contradictory": [text('{"12": {"type": "x", "severity": 99}}')],
    },
    "run: architecture.json": {
        "out of range": [text('{"input": [0, -1], "layers": []}'), text("[]")],
        "enormous": [swap('"parameters": ', f'"parameters": {NUMBER}', 1)],
        "contradictory": [text('{"layers": 7}'), text("{}")],
    },
    "run: explanations": {
        "contradictory": [columns(error=None), columns(error=constant("x"))],
        "out of range": [columns(incident=constant(10**9))],
    },
    "run: timings.json": {
        "out of range": [text('{"train_seconds": -1}'), text('{"train_seconds": "long"}')],
        "enormous": [text(f'{{"train_seconds": {NUMBER}}}')],
    },
    "run: environment.json": {
        "out of range": [put("packages", 7), put("gpus", 7)],
        "hostile": [Fine(put("cpu", HOSTILE_NAME), "it is neutralised")],
        "enormous": [put("cores", 10**400)],
    },
    "run: progress.jsonl": {
        "out of range": [text("7\n"), text('{"epoch": "x"}\n')],
        "enormous": [text(f'{{"epoch": {NUMBER}}}\n')],
    },
    "leakage audit": {
        "out of range": [put("prevalence", "x"), text("[]")],
        "hostile": [Fine(put("rule", HOSTILE_NAME), "it is neutralised")],
        "enormous": [swap('"folds": 1', f'"folds": {NUMBER}')],
        "contradictory": [text("{}")],
    },
    "sweep record": {
        "out of range": [put("runs", 7), put("trials", "x")],
        "hostile": [
            put("runs.0.id", "../../x"),
            Fine(put("label", HOSTILE_NAME), "it is neutralised"),
            Fine(put("runs.0.arm", HOSTILE_NAME), "it is neutralised"),
        ],
        "enormous": [swap('"slots": 1', f'"slots": {NUMBER}')],
        "contradictory": [Fine(put("runs.0.experiment", "nothing"), "says waiting"), text("{}")],
    },
    "experiment": {
        "wrong type": [
            text("7\n"),
            text("- a\n"),
            text("training: {epochs: many}\n"),
            text("model: 7\n"),
        ],
        "out of range": [
            text("extends: hybrid\ntraining: {epochs: -1}\n"),
            text("extends: hybrid\nmodel: {dropout: 2}\n"),
            text("extends: hybrid\ntraining: {learning_rate: .nan}\n"),
            text("extends: hybrid\ntraining: {learning_rate: .inf}\n"),
        ],
        "hostile": [
            text("extends: mine.yaml\n"),
            text("extends: ../../../../etc/passwd\n"),
            text("data: {name: '${oc.env:HOME}'}\n"),
            Fine(
                text('extends: hybrid\ndata: {name: "\\e[31m"}\n'), "it is shown without its escape"
            ),
            text("&a [*a]\n"),
            text("extends: hybrid\nmodel: &a {b: *a}\n"),
            text("extends: hybrid\nseed: '${seed}'\n"),
        ],
        "enormous": [
            text(f"extends: hybrid\nseed: {NUMBER}\n"),
            text("extends: hybrid\n" + "x: " + "y" * 20_000_000),
            text("extends: " + "h" * 300 + "\n"),
            text("extends: hybrid\ntraining: {epochs: 1e400}\n"),
        ],
        "contradictory": [
            text("extends: hybrid\nmodel: {cnn: false, lstm: false}\n"),
            text("extends: logistic\nmodel: {latent: 3}\n"),
            text("extends: hybrid\ndata: {split: {folds: 3, fold: 7}}\n"),
        ],
        "duplicated": [
            text("extends: hybrid\nseed: 1\nseed: 2\n"),
            text("extends: hybrid\ntraining.epochs: 1\ntraining: {epochs: 2}\n"),
        ],
    },
    "sweep file": {  # more of them in test_sweeps_vary_what_they_say and …_have_a_limited_size
        "wrong type": [
            text("7\n"),
            text("experiment: logistic\naxes: 7\n"),
            text("experiment: logistic\nseeds: x\naxes: {}\n"),
        ],
        "out of range": [
            swap("seeds: [0]", "seeds: [-1]"),
            swap("seeds: [0]", "seeds: []"),
            Fine(swap("folds: [0]", "folds: [99]"), "a plan does not read the data"),
            swap("[offset, deviation]", "[]"),
            swap("[offset, deviation]", "[offset, sideways]"),
            axis("data.window: {low: 8, high: 4, step: 1}"),
            axis("data.window: {low: 8, high: 16, step: 0}"),
            axis("data.clip: {low: 0, high: 16, count: 5, log: true}"),
        ],
        "hostile": [text("extends: pair.yaml\n")],
        "enormous": [
            swap("seeds: [0]", f"seeds: [{NUMBER}]"),
            axis("data.clip: {low: 1, high: 1e9, count: 1000000000}"),
        ],
        "contradictory": [
            axis("data.split.fold: [0, 1]"),
            swap("seeds: [0]", "seeds: [0]\nexperiments: [cnn]"),
            swap("seeds: [0]", "seeds: [0]\ntrials: 3"),
        ],
        "duplicated": [
            Fine(swap("seeds: [0]", "seeds: [0, 0]"), "each seed is run once"),
            swap("seeds: [0]", "seeds: [0]\nseeds: [1]"),
            Fine(swap("[offset, deviation]", "[offset, offset]"), "each level is run once"),
        ],
    },
    "scenario": {
        "wrong type": [text("7\n"), text("deployment: {nodes: many}\n"), text("extends: 7\n")],
        "out of range": [
            swap("1h", "-1h"),
            swap("nodes: 3", "nodes: 0"),
            swap("nodes: 3", "nodes: -1"),
            swap("1h", "0s"),
            swap("1h", ".nan"),
        ],
        "hostile": [text("extends: town.yaml\n"), text('name: "\\e[31m"\n')],
        "enormous": [
            swap("nodes: 3", "nodes: 1000000000000"),
            swap("1h", "1000000000d"),
            swap("nodes: 3", f"nodes: {NUMBER}"),
        ],
        "contradictory": [
            text("incidents: {only: nothing}\n"),
            text("sampling: {period: 1e9}\nduration: 1h\n"),
        ],
        "duplicated": [text("seed: 1\nseed: 2\n")],
    },
    "world: manifest.json": {
        "out of range": [put("format", 99), put("counts", 7)],
        "enormous": [swap('"format": 1', f'"format": {NUMBER}')],
        "contradictory": [text("{}")],
    },
    "world: scenario.yaml": {
        "out of range": [swap("nodes: 4", "nodes: -4")],
        "contradictory": [swap("nodes: 4", "nodes: 9"), text("{}")],
    },
    "world: telemetry": {
        "contradictory": [columns(time=None)],
        "out of range": [columns(time=constant(0))],
    },
    "world: nodes": {"contradictory": [columns(node=None)]},
    "world: incidents": {
        "contradictory": [columns(type=None)],
        "out of range": [columns(severity=constant(99))],
    },
    "published CSV": {
        "wrong type": [swap("76.69", "high")],
        "out of range": [
            swap("76.69", "176.69"),
            swap("76.69", "-3"),
            Fine(swap("76.69", "nan"), "a missing cell"),
            swap("76.69", "inf"),
        ],
        "hostile": [
            Fine(swap("cnn", HOSTILE_NAME), "it is neutralised"),
            Fine(swap("cnn", "\x00"), "it is neutralised"),
        ],
        "enormous": [
            swap("76.69", NUMBER),
            swap("76.69", "7" * 40 + ".1"),
            text("model,n,tp\ncnn," + "9" * 400 + ",3\n"),
        ],
        "contradictory": [
            text("model,tp,fp,fn,tn,n\ncnn,1,1,1,1,5\n"),
            text("model,tp,fp,fn,tn,accuracy\ncnn,1,1,1,1,99.00\n"),
        ],
        "duplicated": [
            swap("precision_normal,recall_normal", "recall_normal,recall_normal"),
            text("model\ncnn\n"),
        ],
        "encoded otherwise": [lambda good: good.replace(b"cnn", b"c\xfcn")],
    },
    "published Markdown": {
        "out of range": [swap("90.00", "190.00")],
        "hostile": [Fine(swap("cnn", HOSTILE_NAME), "it is neutralised")],
        "enormous": [swap("90.00", NUMBER)],
        "contradictory": [swap("| 90.00 | 10.0 |", "| 90.00 |")],
        "duplicated": [swap("| accuracy | prevalence |", "| accuracy | accuracy |")],
    },
    "baseline": {
        "wrong type": [text("[]"), text("7")],
        "out of range": [put("version", 99), put("tolerances.golden", -1.0)],
        "enormous": [swap('"version": 2', f'"version": {NUMBER}')],
        "contradictory": [text("{}"), put("history", [])],
        "duplicated": [swap('"version": 2', '"version": 2, "version": 2')],
    },
    "own model": {
        "wrong type": [text("Config = 3\n"), text("x = 1\n")],
        "hostile": [
            text("raise SystemExit(0)\n"),
            text("import os; os.nothing\n"),
            text("def f(:\n"),
            text("import nothing_of_this_name\n"),
        ],
        "contradictory": [text("class Config: pass\n")],
        "enormous": [text("x = " + "(" * 5_000)],
    },
    "fingerprints": {
        "wrong type": [text("[]"), text("7")],
        "contradictory": [
            lambda good: json.dumps(dict.fromkeys(json.loads(good), "0" * 64)).encode()
        ],
    },
}
"""What else can be wrong with each."""

LONG = "x" * 300
VERBS = {
    verb: f"{verb} {{}}" for verb in ("train", "test", "sweep", "status", "audit", "ls", "show")
}
VERBS |= {verb: f"{verb} {{}}" for verb in ("sync", "audit-table", "data info", "data fetch")}
VERBS |= {"simulate": "simulate {} --out town", "export": "export {} --out new.onnx"}
VERBS |= {"detect": "detect {} --model model.onnx"}
"""Verbs, and what a name that each of them reads can be; too long ones are tested elsewhere."""
NAMES = {"empty": "''", "hostile": ESCAPE, "encoded otherwise": "'\udcff'"}
NEEDED = ("train", "test", "sweep", "audit", "audit-table", "simulate", "export", "show")

ARGUMENTS = f"""
reproduce | missing | reproduce --models nothing
reproduce | empty | reproduce --models=
reproduce | truncated | reproduce --models logisti
reproduce | wrong type | reproduce --slots many
reproduce | out of range | reproduce --models logistic --slots 0
reproduce | hostile | reproduce --models ../../etc/passwd
reproduce | enormous | reproduce --models {LONG}
reproduce | enormous | reproduce --models logistic data.world={NUMBER}
reproduce | contradictory | reproduce --slots 2 --gpus 0
reproduce | encoded otherwise | reproduce --models lög
train | missing | train nothing.yaml
train | empty | train logistic data.name=
train | truncated | train logisti
train | truncated | train logistic data.windo=16
train | wrong type | train logistic seed=x
train | wrong type | train logistic seed=1.5
train | out of range | train logistic seed=-1
train | out of range | train logistic data.window=0 data.name=plant
train | hostile | train ../../../etc/passwd
train | enormous | train logistic seed={NUMBER}
train | enormous | train logistic data.name={LONG}
train | enormous | train logistic data.window=99999999999999999999 data.name=plant
train | enormous | train hybrid model.hidden=100000000000 data.name=plant data.window=16 data.calibration_rows=50
train | enormous | train logistic data.root={LONG} data.name=skab
train | enormous | train logistic data.name=plant data.calibration_rows=50 --runs {LONG}
train | contradictory | train hybrid model.cnn=false model.lstm=false
train | contradictory | train logistic model.latent=3
train | duplicated | train logistic seed=1 seed=2 data.name=plant | says counts, not
train | duplicated | train logistic data.window=16 data.window=17 data.name=plant | says counts, not
train | encoded otherwise | train 'logistic\udcff'
train | encoded otherwise | train logistic 'data.name=pl\udcffnt'
test | truncated | test {{logistic}} data.nam=plant
test | wrong type | test readings.csv
test | out of range | test {{logistic}} data.world=-1
test | contradictory | test {{logistic}} data.window=17
test | duplicated | test {{logistic}} data.name=plant data.name=skab
sweep | truncated | sweep pair.yaml --only 1-
sweep | wrong type | sweep pair.yaml --only x
sweep | out of range | sweep pair.yaml --only 0
sweep | hostile | sweep pair.yaml --out /dev/null/x
sweep | enormous | sweep pair.yaml --only 1-10000000000
sweep | enormous | sweep pair.yaml --only {NUMBER}
sweep | enormous | sweep pair.yaml --plan --slots 100000000000
sweep | contradictory | sweep pair.yaml --trials 3
sweep | contradictory | sweep pair.yaml --plan data.calibration=offset
sweep | duplicated | sweep pair.yaml --plan data.window=16 data.window=17 | says counts, not
sweep | encoded otherwise | sweep 'p\udcffir.yaml'
status | missing | status nothing
status | empty | status --runs ''
status | truncated | status pai-
status | wrong type | status --every x
status | out of range | status --watch --every -1
status | contradictory | status --watch --json
status | duplicated | status nothing nothing
report | missing | report --runs nowhere
report | empty | report --format=
report | truncated | report --data plan
report | wrong type | report --format pdf
report | hostile | report ../x --data plant
report | enormous | report {LONG} --data plant
report | contradictory | report mine
report | duplicated | report one two
report | encoded otherwise | report '\udcff' --data plant
check | missing | check --history --against nothing.json
check | empty | check --experiments= --only golden
check | truncated | check --only gold
check | wrong type | check --history --against model.onnx
check | out of range | check --slots 0 --only golden --against baseline.json
check | hostile | check --experiments {ESCAPE} --only golden --against baseline.json
check | enormous | check --experiments {LONG} --only golden --against baseline.json
check | contradictory | check data.window=3 --only golden --against baseline.json
check | duplicated | check --experiments nothing,nothing --only golden --against baseline.json
check | encoded otherwise | check --history --against '\udcff'
audit | truncated | audit plan
audit | wrong type | audit plant --seed x
audit | out of range | audit plant --seed -1
audit | out of range | audit plant data.split.folds=0
audit | enormous | audit plant --seed {NUMBER}
audit | contradictory | audit plant data.split.policy=held_out_types
audit | duplicated | audit plant data.window=16 data.window=17 | says counts, not
audit | encoded otherwise | audit 'pl\udcffnt'
audit-table | truncated | audit-table table.cs
audit-table | wrong type | audit-table model.onnx
audit-table | out of range | audit-table table.csv --unit fraction
audit-table | hostile | audit-table /dev/null
audit-table | contradictory | audit-table table.csv --paper
audit-table | duplicated | audit-table table.csv table.csv
audit-table | encoded otherwise | audit-table '\udcff.csv'
data ls | wrong type | data ls plant
data ls | missing | data
data ls | truncated | data l
data ls | contradictory | data ls --plot
data info | missing | data info nothing
data info | truncated | data info plan
data info | wrong type | data info runs
data info | out of range | data info smart_city data.world=-1
data info | enormous | data info smart_city data.scenario=deployment.nodes=10000000000
data info | contradictory | data info plant --plot
data info | duplicated | data info plant plant
data info | encoded otherwise | data info 'pl\udcffnt'
data fetch | missing | data fetch nothing
data fetch | truncated | data fetch ska
data fetch | wrong type | data fetch plant
data fetch | hostile | data fetch ../x
data fetch | contradictory | data fetch smart_city
data fetch | duplicated | data fetch plant plant
data rows | missing | data rows plant
data rows | empty | data rows plant --out ''
data rows | empty | data rows plant --out rows.csv --series=,
data rows | truncated | data rows plant --out rows
data rows | wrong type | data rows plant --out rows.xls
data rows | out of range | data rows plant --out rows.csv --series nobody
data rows | hostile | data rows plant --out /dev/null/x.csv
data rows | enormous | data rows plant --out {LONG}.csv
data rows | contradictory | data rows plant --out readings.csv
data rows | duplicated | data rows plant --out rows.csv --series d0,d0 --by sideways
data rows | encoded otherwise | data rows plant --out rows.csv --series 'd\udcff'
data replay | missing | data replay plant
data replay | empty | data replay plant --mqtt ''
data replay | truncated | data replay plant --mqtt mqtt://
data replay | wrong type | data replay plant --out rows.csv
data replay | out of range | data replay plant --out - --speed -1
data replay | hostile | data replay plant --mqtt 'mqtt://user:secret@localhost/x'
data replay | enormous | data replay plant --out - --speed {NUMBER}
data replay | enormous | data replay plant --mqtt mqtt://localhost:99999/x
data replay | contradictory | data replay plant --out - --mqtt mqtt://localhost/x
data replay | contradictory | data replay plant --out - --speed 0 --from 2023-11-15 --to 2023-11-14 | says 0 messages
data replay | duplicated | data replay plant plant --out -
data replay | encoded otherwise | data replay plant --out - --speed 0 --series 'd\udcff'
data import | missing | data import nothing.csv --name fresh
data import | missing | data import readings.csv
data import | empty | data import readings.csv --name ''
data import | empty | data import '' --name fresh
data import | truncated | data import readings.cs --name fresh
data import | wrong type | data import model.onnx --name fresh
data import | wrong type | data import runs --name fresh
data import | out of range | data import readings.csv --name fresh --series device --period 0
data import | out of range | data import readings.csv --name fresh --series device --period -1
data import | hostile | data import readings.csv --name ../x
data import | hostile | data import readings.csv --name prepared
data import | enormous | data import readings.csv --name {LONG}
data import | enormous | data import readings.csv --name fresh --time time --timezone {LONG}
data import | contradictory | data import readings.csv --name plant --time time --series device
data import | contradictory | data import readings.csv --name smart_city --replace
data import | duplicated | data import readings.csv readings.csv --name fresh --time time --series device
data import | duplicated | data import readings.csv --name fresh --time time --series device --channels a,a
data import | encoded otherwise | data import 'r\udcff.csv' --name fresh
data import | encoded otherwise | data import readings.csv --name fresh --time 't\udcff'
simulate | truncated | simulate smart_cit --out town
simulate | wrong type | simulate readings.csv --out town
simulate | out of range | simulate smart_city deployment.nodes=-1 --out town
simulate | enormous | simulate smart_city deployment.nodes=100000000000 --out town
simulate | enormous | simulate smart_city seed={NUMBER} --out town
simulate | enormous | simulate smart_city duration=1h --out {LONG}
simulate | contradictory | simulate smart_city duration=3h --out world
simulate | duplicated | simulate smart_city duration=1h duration=0s --out town
simulate | encoded otherwise | simulate 'c\udcff' --out town
export | truncated | export {{logistic}} --out new
export | wrong type | export readings.csv --out new.onnx
export | enormous | export {{logistic}} --out {LONG}.onnx
export | contradictory | export {{logistic}} --out model.onnx
export | duplicated | export {{logistic}} {{hybrid}} --out new.onnx
detect | missing | detect readings.csv
detect | missing | detect nothing.csv --model model.onnx
detect | empty | detect readings.csv --model ''
detect | truncated | detect readings.cs --model model.onnx
detect | wrong type | detect model.onnx --model model.onnx
detect | wrong type | detect readings.csv --model readings.csv
detect | out of range | detect readings.csv --model model.onnx --threshold nan --json
detect | out of range | detect readings.csv --model model.onnx --threshold inf --json
detect | hostile | detect /dev/null --model model.onnx
detect | hostile | detect readings.csv --model /dev/null
detect | enormous | detect readings.csv --model model.onnx --hits 70/90
detect | enormous | detect readings.csv --model model.onnx --threshold 1e400 --json
detect | enormous | detect readings.csv --model model.onnx --max-devices {NUMBER}
detect | contradictory | detect readings.csv --follow readings.jsonl --model model.onnx
detect | contradictory | detect readings.csv --model model.onnx --state state
detect | duplicated | detect readings.csv readings.csv --model model.onnx
detect | duplicated | detect readings.csv --model model.onnx --alarms a.jsonl --alarms a.jsonl | the file is written once
detect | duplicated | detect readings.csv --model model.onnx --alarms a.jsonl --scores a.jsonl
detect | duplicated | detect readings.csv --model model.onnx --alarms a.jsonl --alarms ./a.jsonl
detect | empty | detect --mqtt '' --model model.onnx
detect | empty | detect --follow '' --model model.onnx
detect | encoded otherwise | detect '\udcff.csv' --model model.onnx
ls | missing | ls runs --runs nowhere | no run yet is a fact
ls | truncated | ls run
ls | wrong type | ls readings.csv
ls | contradictory | ls runs --runs readings.csv
ls | duplicated | ls runs runs
show | truncated | show hybri
show | wrong type | show readings.csv
show | out of range | show hybrid seed=-1
show | hostile | show hybrid 'data.name="\\e[31m"' | it is shown without its escape
show | enormous | show hybrid seed={NUMBER}
show | contradictory | show a b c
show | duplicated | show hybrid seed=1 seed=2 | says counts, not
sync | missing | sync 0000
sync | wrong type | sync --timeout x
sync | out of range | sync --timeout -1
sync | duplicated | sync 0000 0000
doctor | wrong type | doctor now
verb | missing |
verb | truncated | trai
verb | empty | ''
verb | hostile | {ESCAPE}
verb | enormous | {LONG}
verb | duplicated | train train
verb | encoded otherwise | '\udcff'
verb | contradictory | --nothing train
reproduce | duplicated | reproduce seed=1 seed=2
"""
"""Area, kind of badness, command; and where it is a success, why."""


FINE = {
    "cache: prepared.json": "says true_positives\t179",
    "cache: values": "says true_positives\t179",
    "run: timings.json": "durations are unknown",
    "run: environment.json": "it is not known where the run was made",
    "run: progress.jsonl": "the run is finished",
    "fingerprints": "says {fingerprint}",
}
"""Readers of files that are made again, or that no result depends on: what may be bad with them
changes nothing, whatever it is."""

ABSENT = {
    ("run: result.json", "missing"): "an unfinished run is left out",
    ("run: incidents.json", "missing"): "earlier versions have none",
    ("run: architecture.json", "missing"): "classical models have none",
    ("run: explanations", "missing"): "most models have none",
    ("leakage audit", "missing"): "nobody asked for one",
    ("detect devices", "truncated"): "fewer devices",
    ("detect JSON lines", "truncated"): "says malformed",
    ("detect JSON lines", "encoded otherwise"): "says malformed",
    ("state: snapshots", "missing"): "the journal has all since the start",
    ("state: journal", "truncated"): "a torn end is what a kill leaves",
    ("state: journal", "missing"): "says journal-",
    ("state: journal", "empty"): "says journal-",
    ("state: journal", "wrong type"): "says journal-",
    ("state: journal", "encoded otherwise"): "says journal-",
}
"""Generic badness that is none."""

SKIPPED = {("scenario", "empty"), ("import of labels", "truncated")}
"""A scenario of two days; and a file of half as many labels is among the contradictory ones."""


SEALED = ("run: ", "set: ", "cache: ")
"""Areas whose files have checksums: there, what is bad is tried with right ones too."""

EMPTY = {
    line.partition(" | ")[0]: set(line.partition(" | ")[2].split(", "))
    for line in """
test | enormous
status | enormous
report | out of range
audit-table | enormous
data ls | empty, out of range, hostile, enormous, duplicated, encoded otherwise
data fetch | out of range, enormous
export | out of range
ls | out of range, enormous
sync | truncated, enormous, contradictory
doctor | missing, empty, truncated, out of range, hostile, enormous, contradictory, duplicated, encoded otherwise
verb | wrong type, out of range
import of NumPy | duplicated
import of labels | truncated
detect a model | out of range, contradictory
detect devices | duplicated
state: snapshots | out of range, enormous, contradictory, duplicated
state: journal | duplicated
state: model.json | enormous, duplicated
set: telemetry | hostile, enormous
cache: prepared.json | duplicated
cache: values | hostile, enormous, duplicated
run: scores | enormous
run: incidents.json | duplicated
run: architecture.json | duplicated
run: explanations | hostile, enormous, duplicated
run: timings.json | contradictory, duplicated
run: environment.json | contradictory, duplicated
run: classical model | out of range, hostile, enormous, contradictory, duplicated
run: checkpoint | out of range, hostile, enormous, contradictory, duplicated
run: progress.jsonl | contradictory, duplicated
leakage audit | duplicated
sweep record | duplicated
scenario | empty
world: manifest.json | duplicated
world: scenario.yaml | enormous, duplicated
world: telemetry | hostile, enormous, duplicated
world: incidents | hostile, enormous, duplicated
world: nodes | out of range, hostile, enormous, duplicated
own model | out of range, duplicated
fingerprints | out of range, enormous, duplicated
""".strip().splitlines()
}
"""Area → kinds of badness that no case has: they make no sense there, or are not tried yet."""


def cases() -> Iterator[Case]:
    """All of the table."""
    for line in ARGUMENTS.strip("\n").split("\n"):
        area, badness, words, *why = (part.strip(" ") for part in line.split("|"))
        yield Case(area, badness, words, fine=" ".join(why))
    for badness, name in NAMES.items():
        yield from (Case(verb, badness, words.format(name)) for verb, words in VERBS.items())
    yield from (Case(verb, "missing", verb) for verb in NEEDED)
    for area, (pattern, words) in READERS.items():
        for badness in BADNESS:
            spoils: list[Spoil | None] = []
            if badness in GENERIC and (area, badness) not in SKIPPED:
                spoils.append(GENERIC[badness])
            spoils += FORMS.get(Path(pattern).suffix, []) if badness == "hostile" else []
            for spoil in [*spoils, *SPECIAL.get(area, {}).get(badness, [])]:
                fine = FINE.get(area, "") or ABSENT.get((area, badness), "")
                fine = spoil.why if isinstance(spoil, Fine) else fine
                yield Case(area, badness, words, {pattern: spoil}, fine)
                if area.startswith(SEALED) and spoil and spoil not in GENERIC.values():
                    allowed = "nothing else can know what was there"
                    yield Case(area, badness, words, {pattern: spoil}, allowed, resealed=True)

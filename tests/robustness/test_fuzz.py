"""No file makes a reader fail in a way of its own: whatever stands in it, a reader reads it or
raises one of the errors that are shown to users as a message."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from anomalynet.config.load import load
from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportRequest
from anomalynet.detection import contract
from anomalynet.detection.service import journal
from anomalynet.detection.service.messages import Parser
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.errors import AnomalynetError
from anomalynet.regression.baseline import read_baseline
from anomalynet.runs.audits import read_audit
from anomalynet.runs.collect import load_results
from anomalynet.runs.scores import read_incidents
from anomalynet.runs.sweeps import read_sweeps, sweep_status
from anomalynet.simulation.load import load_scenario
from anomalynet.sweep.file import read_sweep
from tests.detection.graphs import contract as small_contract
from tests.detection.test_service import service
from tests.robustness.test_journal_keeps_the_rest import journal_of
from tests.runs.test_folder import result

ROOT = Path(__file__).parents[2]

TOKENS = (
    *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\n", b"\r", b"\t", b" ", b",", b";", b'"', b"'"),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b"- ",
        b"&a ",
        b"*a",
        b"<<: *a",
        b"!!binary x",
        b'!!int ""',
        b'!!float "_"',
        b"!x ",
        b"? ",
    ),
    *(b"|", b">", b"%", b"@", b"#", b"---", b"${seed}", b"${x", b"null", b"~", b"true", b"NaN"),
    *(b"Infinity", b".inf", b"-1", b"0", b"1e999", b"9" * 400, b"0x10", b"1_0", b"2020-01-01"),
    *(
        b"\\ud800",
        b"\\u0000",
        b"\xed\xa0\x80",
        "é\u202e".encode(),
        b"\x1b[31m",
        b"=1+1",
        b"$\\frac$",
    ),
    *(b"[" * 100, b"a" * 300, b"../..", b"/", b"24:00", b"1969-12-31T23:59:60Z", b"1e18"),
)
"""What breaks parsers: signs of the formats, odd numbers and times, hostile texts."""


DEEP = (b"[" * 3000, b'{"a":' * 3000)  # for JSON: they take PyYAML seconds


def harmed(corpus: Sequence[bytes], tokens: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Files of a corpus with up to six changes each."""
    edit = st.tuples(
        st.floats(0, 1), st.sampled_from(["flip", "insert", "delete", "repeat", "cut"]),
        st.sampled_from(tokens), st.integers(1, 40),
    )  # fmt: skip

    def apply(base: bytes, edits: list[tuple[float, str, bytes, int]]) -> bytes:
        for where, kind, token, count in edits:
            at = int(where * len(base))
            head, tail = base[:at], base[at:]
            if kind == "flip" and tail:
                tail = bytes([tail[0] ^ (1 << count % 8)]) + tail[1:]
            elif kind == "insert":
                tail = token + tail
            elif kind == "repeat":
                tail = tail[:count] * 3 + tail
            else:
                tail = b"" if kind == "cut" else tail[count:]
            base = head + tail
        return base

    return st.builds(apply, st.sampled_from(corpus), st.lists(edit, max_size=6))


def _journal(path: Path) -> None:
    for batch in journal.batches(path, []):
        assert all(isinstance(entry, journal.Entry) for entry in batch)


def _contract(path: Path) -> None:
    contract.read({contract.KEY: path.read_text(errors="replace")}, "model.onnx")


def _lines(path: Path) -> None:
    parser = Parser(("temperature", "x"), ProblemLog())
    for line in path.read_bytes().splitlines():
        parser.parse("file", line)


def _import(path: Path) -> None:
    import_table(ImportRequest(file=path, name="fuzzed", replace=True))


def _run(path: Path) -> None:
    folder = path.with_name("runs") / "cnn" / "0123456789"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text("seed: 0\n")
    path.replace(folder / "result.json")
    load_results(folder.parents[1])


def _sweep_record(path: Path) -> None:
    folder = path.with_name("swept") / ".sweeps"
    folder.mkdir(parents=True, exist_ok=True)
    path.replace(folder / "s.json")
    for record in read_sweeps(folder.parent):
        _ = sweep_status(record, folder.parent).seconds_left


def _audit(path: Path) -> None:
    (path.parent / "audit").mkdir(exist_ok=True)
    path.replace(path.parent / "audit" / "toy.json")
    read_audit(path.parent, "toy")


def _frames(path: Path) -> None:
    """Bodies of frames whose checks are right."""
    folder = path.with_name("state")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "model.json").write_text('{"model": "m"}')
    bodies = path.read_bytes().split(b"\xff\xff")
    (folder / "journal-00000000.log").write_bytes(journal_of(*bodies))
    read = service(path.parent, [])
    try:
        read.resume()
    finally:
        read.close()


def shipped(folder: str) -> list[bytes]:
    """Files of the package."""
    return [path.read_bytes() for path in sorted((ROOT / folder).glob("*.yaml"))]


ROWS = b"time,device,temperature,label\n" + b"".join(
    b"2026-01-05T00:%02d:00,a%d,%d.5,%d\n" % (minute, minute % 2, minute, minute > 7)
    for minute in range(10)
)
LINES = b'{"device": "a", "time": "2026-01-05T00:00:00Z", "temperature": 1.5, "x": null}\n' * 2
ENTRY = journal.ENTRY.pack(b"m", 5.0, 1, 2) + b"axy"
ENTRIES = ENTRY + b"".join(
    journal.ENTRY.pack(code, 1.7e9, 6, len(content)) + "größe".encode()[:6] + content
    for code, content in ((b"t", b"1700000000"), (b"d", b"key"), (b"p", b'{"inode": 1}'))
)
SWEPT = {
    "label": "s",
    "sweep": "s",
    "preset": "quick",
    "overrides": [],
    "slots": 1,
    "report": "r",
    "started": "2026-01-05T00:00",
    "pid": 1,
    "host": "h",
    "trials": None,
    "runs": [{"number": 1, "experiment": "c", "id": "i", "arm": "a", "place": "p", "epochs": 2}],
}
AUDIT = {
    "data": "toy",
    "fingerprint": "f",
    "split": "s",
    "rule": "r",
    "folds": 2,
    "assignment": 0,
    "window": 3,
    "steps": 9,
    "days": [{"normal": 1, "attack": 2}],
    "warnings": [],
    "prevalence": 0.5,
    "majority": 1,
    "refused": None,
    "probes": [{"probe": "p", "sees": "x", "auroc": 0.5, "accuracy": 1, "verdict": None}],
}
NOTES = {"7": {"type": "jamming", "cause": "attack", "layer": None, "severity": 3}}
CONTRACTS = [small_contract(form=form).to_json().encode() for form in ("window", "step")]

READERS: dict[str, tuple[str, list[bytes], Callable[[Path], object]]] = {
    "experiment": (".yaml", shipped("experiments"), lambda path: load(str(path))),
    "sweep": (".yaml", shipped("sweeps"), lambda path: read_sweep(str(path), "quick")),
    "scenario": (
        *(".yaml", shipped("anomalynet/simulation/scenarios")),
        lambda path: load_scenario(str(path)),
    ),
    "baseline": (".json", [b'{"version": 2, "tolerances": {}}'], read_baseline),
    "result": (".json", [json.dumps(asdict(result())).encode()], _run),
    "record of a sweep": (".json", [json.dumps(SWEPT).encode()], _sweep_record),
    "audit": (".json", [json.dumps(AUDIT).encode()], _audit),
    "incidents": (".json", [json.dumps(NOTES).encode()], read_incidents),
    "table": (".csv", [ROWS, ROWS.replace(b",", b";"), ROWS.replace(b"\n", b"\r\n")], _import),
    "messages": (".jsonl", [LINES], _lines),
    "contract": (".json", CONTRACTS, _contract),
    "journal": (".log", [journal_of(ENTRY, ENTRY * 3)], _journal),
    "batches of a journal": (".log", [ENTRIES, ENTRY + b"\xff\xff" + ENTRIES], _frames),
}


def read_harmed(name: str, folder: Path, examples: int) -> None:
    """Read that many damaged files."""
    suffix, corpus, read = READERS[name]
    folder.mkdir(exist_ok=True)

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=examples < 100,
        phases=[Phase.generate],  # shrinking takes minutes
        suppress_health_check=list(HealthCheck),
    )
    @given(harmed(corpus, TOKENS if suffix == ".yaml" else (*TOKENS, *DEEP)))
    def check(content: bytes) -> None:
        path = folder / f"harmed{suffix}"
        path.write_bytes(content)
        with suppress(AnomalynetError):
            read(path)

    check()


@pytest.mark.parametrize("name", READERS)
def test_a_reader_reads_or_says_why_not(name: str, tmp_path: Path) -> None:
    read_harmed(name, tmp_path, 25)


@pytest.mark.parametrize(
    ("name", "content"), [("experiment", b"extends: " + b"x" * 300), ("table", b"\xdb")]
)
def test_what_was_found_once(name: str, content: bytes, tmp_path: Path) -> None:
    suffix, _, read = READERS[name]
    path = tmp_path / f"harmed{suffix}"
    path.write_bytes(content)
    with pytest.raises(AnomalynetError):
        read(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_a_reader_reads_or_says_why_not_at_length(name: str, tmp_path: Path) -> None:
    read_harmed(name, tmp_path, 1500)

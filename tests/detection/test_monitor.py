"""Metrics as Prometheus reads them, health, drift and the live view: by hand, against scipy."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

import numpy as np
import pytest

from anomalynet.detection.contract import Reference
from anomalynet.detection.records import Message, Outcome, Reading, Steps
from anomalynet.detection.service.drift import MIN_STEPS, Drift, Measure, described, psi
from anomalynet.detection.service.monitor import Monitor
from anomalynet.detection.service.status import STALE, Status, StatusView, line, sparkline
from anomalynet.errors import UsageError
from tests.detection.conftest import echo
from tests.detection.fake import FakeEngine, event, samples


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def steps(scores: Any) -> Steps:
    score = np.asarray(scores, np.float64)
    row, time, seen = np.zeros(len(score), int), np.arange(len(score)), np.ones(len(score), bool)
    return Steps(row, time, seen, score.astype(np.float32)[:, None], score)


def test_metrics_and_health() -> None:
    status = Status(connected=True)
    monitor = Monitor(status, "0")
    engine = FakeEngine()
    values = enumerate((1.0, 20.0, np.nan))
    messages = [Message("g", tuple(Reading(f"secret-{n}", 1, (value,)) for n, value in values))]
    status.add(messages, engine.process(messages), engine.names)
    status.states, status.rejected = {"scoring": 3}, {"malformed JSON": 4, 'a "kind"\n': 1}
    status.drift = {"score": Measure(0.5, 1000)}
    monitor.observe(0.003, 2.0)
    code, text = get(monitor.port, "/metrics")
    found = samples(text)
    expected = {
        ("anomalynet_messages_total",): 1,
        ("anomalynet_readings_total",): 3,
        ("anomalynet_steps_total",): 3,
        ("anomalynet_scores_total",): 2,
        ("anomalynet_alarms_total",): 1,
        ("anomalynet_rejected_total", "malformed JSON"): 4,
        ("anomalynet_rejected_total", 'a "kind"\n'): 1,
        ("anomalynet_devices", "scoring"): 3,
        ("anomalynet_connected",): 1,
        ("anomalynet_drift", "psi", "score"): 0.5,
        ("anomalynet_latency_seconds_bucket", "0.0025"): 0,
        ("anomalynet_latency_seconds_bucket", "0.005"): 1,
        ("anomalynet_lag_seconds_sum",): 2.0,
    }
    assert code == 200
    assert {name: found.get(name) for name in expected} == expected
    assert "secret" not in text
    code, text = get(monitor.port, "/healthz")
    assert (code, json.loads(text)["healthy"]) == (200, True)
    assert "secret" not in text
    status.connected = False
    assert get(monitor.port, "/healthz")[0] == 503
    status.connected, status.turned = True, time.monotonic() - STALE - 1
    assert get(monitor.port, "/healthz")[0] == 503
    assert get(monitor.port, "/other")[0] == 404
    monitor.close()


def test_an_address_of_version_6() -> None:
    try:
        monitor = Monitor(Status(connected=True), "[::1]:0")
    except UsageError:
        pytest.skip("this machine has no IPv6")
    with urllib.request.urlopen(f"http://[::1]:{monitor.port}/healthz") as answer:
        assert answer.status == 200
    monitor.close()


def test_psi_by_hand() -> None:
    reference = np.arange(101.0)
    assert psi(np.tile(reference, 3), reference) == pytest.approx(0.0, abs=1e-12)
    # Values 0 … 50: five whole tenths, and one value of the sixth or none.
    half = psi(np.arange(51.0), reference)
    edges = np.quantile(reference, np.linspace(0.1, 0.9, 9))
    seen = np.maximum(np.histogram(np.arange(51.0) - 1e-9, [-np.inf, *edges, np.inf])[0] / 51, 1e-4)
    expected = np.histogram(reference - 1e-9, [-np.inf, *edges, np.inf])[0] / 101
    assert half == pytest.approx(float(((seen - expected) * np.log(seen / expected)).sum()))
    assert half > 0.25
    # Of a constant reference:
    assert psi(np.zeros(100), np.zeros(101)) == pytest.approx(0.0, abs=1e-7)
    assert psi(np.ones(100), np.zeros(101)) > 0.25


def test_drift_keeps_the_newest_steps() -> None:
    reference = tuple(np.linspace(0, 1, 101).tolist())
    told = Reference(scores=reference, channels={"a": reference})
    drift = Drift(echo(reference=told), window=1000)
    generator = np.random.default_rng(0)
    drift.add(steps(generator.random(MIN_STEPS - 1)))
    assert drift.measure() == {}
    drift.add(steps(generator.random(700) + 5))  # leaves the ring again
    shifted = generator.random(1000) * 0.5
    for part in np.split(shifted, 7 * [0] + [300, 301, 640]):
        drift.add(steps([np.nan, *part, np.nan]))
    found = drift.measure()
    assert set(found) == {"score", "a"}
    rounded = shifted.astype(np.float32).astype(np.float64)
    assert found["score"].psi == pytest.approx(psi(rounded, np.array(reference)))
    assert found["score"].steps == 1000
    drift.add(steps(np.arange(5000.0)))
    assert drift.measure()["score"].steps == 1000
    assert "score" in described(found)


def test_the_view_shows_the_highest_scores_and_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    states = {"scoring": 20, "silent": 0}
    status = Status(connected=True, states=states, lag=0.25, rejected={"late": 2})
    devices = [f"d{number}" for number in range(20)]
    status.add([], Outcome(steps([]), [event("d3", 0, 13.0)]), devices)
    status.last[:20] = np.arange(20.0)
    status.last[19] = np.nan
    watch = StatusView(status, 10.0)
    watch._history.append(status.last.copy())
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(watch._table(12.3))
    text = console.export_text()
    shown = [row.split("│")[1].strip() for row in text.splitlines() if row.startswith("│")]
    assert shown == [f"d{number}" for number in range(18, 10, -1)]
    assert "1970-01-01T00:00:00Z alarm d3 score 13" in text
    told = "20 scoring; 12 readings/s, 0 scores, 1 alarms, lag 0.2 s, 2 rejected"
    assert line(status, 12.3) == told


@pytest.mark.parametrize(
    ("values", "shown"),
    [([0, 7, 13], "▁▄▇"), ([0, np.nan, 16], "▁ █"), ([5, 5], "▁▁"), ([], ""), ([np.nan], " ")],
)
def test_sparklines(values: list[float], shown: str) -> None:
    assert sparkline(np.array(values, np.float64), 16.0 if 5 not in values else 5.0) == shown

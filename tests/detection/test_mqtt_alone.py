"""A detector that runs, with everything that can run beside it, needs and imports nothing heavy."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.detection.broker import ROOT, Broker, free_port, needs_mosquitto, until
from tests.detection.test_mqtt import DEVICES, Publisher, ids
from tests.detection.test_stream import BLOCKED, HEAVY


@needs_mosquitto
def test_mqtt_metrics_and_state_run_without_anything_heavy(tmp_path: Path, model: Path) -> None:
    broker, port, alarms = Broker(tmp_path), free_port(), tmp_path / "alarms.jsonl"
    url = f"mqtt://127.0.0.1:{broker.port}/sensors/%23"
    outputs = ["--alarms", alarms, "--metrics", f"127.0.0.1:{port}", "--state", tmp_path / "state", "--snapshot-every", "0.2"]
    command = [sys.executable, "-c", BLOCKED.format(names=HEAVY), "detect", "--model", model, "--mqtt", url, *outputs, "--drift-every", "1"]
    running = subprocess.Popen(list(map(str, command)), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        publisher = Publisher(broker.port)
        step = 0

        def alarmed() -> bool:
            nonlocal step
            step += 1
            publisher.step(step)
            return len(ids(alarms)) > 3

        until(alarmed, "alarms come")
        publisher.close()
        until(lambda: list((tmp_path / "state").glob("*.npz")), "a snapshot is written")

        def counted() -> bool:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                return f"anomalynet_readings_total {float(step * len(DEVICES))}\n" in answer.read().decode()

        until(counted, "every reading is counted")
        running.send_signal(signal.SIGTERM)
        _, err = running.communicate(timeout=30)
        assert running.returncode == 0, err
    finally:
        running.kill()
        broker.kill()

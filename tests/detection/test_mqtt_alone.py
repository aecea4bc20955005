"""A detector that runs, with everything that can run beside it, needs and imports nothing heavy."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.detection.broker import ROOT, Broker, free_port, needs_mosquitto, until
from tests.detection.fake import samples
from tests.detection.test_mqtt import DEVICES, Publisher, ids, online
from tests.detection.test_stream import BLOCKED, HEAVY

STEPS = 40


@needs_mosquitto
def test_mqtt_metrics_and_state_run_without_anything_heavy(tmp_path: Path, model: Path) -> None:
    broker, port, alarms = Broker(tmp_path), free_port(), tmp_path / "alarms.jsonl"
    url = f"mqtt://127.0.0.1:{broker.port}/sensors/%23"
    outputs = ["--alarms", alarms, "--metrics", f"127.0.0.1:{port}", "--drift-every", "1"]
    state = ["--state", tmp_path / "state", "--snapshot-every", "0.2"]
    command = [sys.executable, "-c", BLOCKED.format(names=HEAVY), "detect", "--model", model]
    texts = list(map(str, [*command, "--mqtt", url, *outputs, *state]))
    pipe = subprocess.PIPE
    running = subprocess.Popen(texts, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)
    try:
        until(lambda: online(broker.port), "the detector is online")
        publisher = Publisher(broker.port)
        for step in range(1, STEPS + 1):
            publisher.step(step)
        publisher.close()
        until(lambda: list((tmp_path / "state").glob("*.npz")), "a snapshot is written")

        def counted() -> bool:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                found = samples(answer.read().decode())
                return found["anomalynet_readings_total",] == STEPS * len(DEVICES)

        until(counted, "every reading is counted")
        until(lambda: len(ids(alarms)) == len(DEVICES), "every device alarms once")
        running.send_signal(signal.SIGTERM)
        _, err = running.communicate(timeout=30)
        assert running.returncode == 0, err
    finally:
        running.kill()
        broker.kill()

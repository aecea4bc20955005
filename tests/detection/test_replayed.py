"""What gateways of a simulated network send becomes in the engine what the network's own telemetry
becomes offline, silence included."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from anomalynet.cli import main as cli
from anomalynet.config.load import load_data_config
from anomalynet.data.prepare import prepare
from anomalynet.data.sources import load
from anomalynet.detection.contract import Sensor
from anomalynet.detection.engine.engine import Engine
from anomalynet.detection.records import Message, concatenate
from anomalynet.detection.service.messages import Parser
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.metrics.events import AlarmRule
from tests.detection.graphs import contract, model
from tests.tiny import TINY

KEYS = [
    f"data.scenario={TINY.replace('cell_nodes=12', 'cell_nodes=6')}",
    "data.calibration_rows=50",
]
SLOT = 60_000_000


def test_the_engine_makes_the_steps_of_prepare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_data_config("smart_city", KEYS)
    sensors = tuple(
        Sensor(name=one.name, minimum=one.minimum, maximum=one.maximum)
        for one in load(config).channels
    )
    hold = {"calibration_rows": 50, "max_gap": config.max_gap, "hold": config.max_gap}
    engine = Engine(
        model(tmp_path, contract(sensors=sensors, period=60.0, breaks=False, **hold)), AlarmRule()
    )
    assert cli.main(["data", "replay", "smart_city", *KEYS, "--out", "-", "--speed", "0"]) == 0
    problems = ProblemLog()
    parser = Parser([sensor.name for sensor in sensors], problems)
    lines = capsys.readouterr().out.splitlines()
    sent = [
        message for message in (parser.parse("stdin", line.encode()) for line in lines) if message
    ]
    silent = sum(not message.readings for message in sent)
    parts = [engine.process(sent[first : first + 7]).steps for first in range(0, len(sent), 7)]
    assert sent[-1].clock is not None
    parts.append(
        engine.process(
            [Message(source, (), sent[-1].clock + SLOT) for source in ("cell-0", "cell-1")]
        ).steps
    )
    steps, expected = concatenate(parts, len(sensors) + 1), prepare(config)
    assert not problems.counts and not engine.counts and silent > 0
    assert {json.loads(line)["gateway"] for line in lines} == {"cell-0", "cell-1"}
    assert len(expected.series) == 12 and len(steps) == len(expected.times)
    for number, (start, stop) in enumerate(pairwise(expected.series_starts)):
        here = steps.row == engine.names.index(expected.series[number])
        assert np.array_equal(steps.time[here], expected.times[start:stop])
        assert np.array_equal(steps.values[here][50:], expected.values[start + 50 : stop])

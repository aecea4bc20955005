"""Messages of gateways: what was heard, when it was heard, and nothing for what was not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anomalynet.data.telemetry import Telemetry
from anomalynet.detection.replay import publish as rows
from anomalynet.detection.replay.publish import Sent, detector_rows, gateways, messages
from tests.data.build import Facts, Recording, telemetry

MINUTE = 60_000_000
CELLS = telemetry(
    [
        Recording("m", [0, 60, 120, 180], [[None, 1.0, None, 2.0], [None, None, None, 0.1]]),
        Recording("n", [0, 60, 120, 180], [[5.0, None, None, None], [6.0, None, None, None]]),
        Recording("o", [60, 120], [[7.0, 8.0], [7.0, 8.0]]),
    ],
    Facts(period=60.0),
)


def sent(
    data: Telemetry, folder: Path, first: int | None = None, last: int | None = None
) -> list[Sent]:
    told = (detector_rows(data), data.period, gateways(data), "rooms", folder)
    return list(messages(*told, first=first, last=last))


def test_a_message_a_gateway_and_step(tmp_path: Path) -> None:
    data = replace(CELLS, neighbours={"m": ("n",), "n": ("m",), "o": ()})
    assert sent(data, tmp_path) == [
        Sent(0, "cell-0", (("m", 0, {}), ("n", 0, {"a": 5.0, "b": 6.0}))),  # m is announced
        Sent(MINUTE, "cell-0", (("m", MINUTE, {"a": 1.0}),)),
        Sent(MINUTE, "cell-1", (("o", MINUTE, {"a": 7.0, "b": 7.0}),)),
        Sent(2 * MINUTE, "cell-0", ()),  # nobody is heard, and the gateway says so
        Sent(2 * MINUTE, "cell-1", (("o", 2 * MINUTE, {"a": 8.0, "b": 8.0}),)),
        Sent(3 * MINUTE, "cell-0", (("m", 3 * MINUTE, {"a": 2.0, "b": 0.1}),)),
    ]


def test_a_part_of_the_time_announces_its_devices_anew(tmp_path: Path) -> None:
    assert sent(CELLS, tmp_path, first=2 * MINUTE, last=3 * MINUTE - 1) == [
        Sent(
            2 * MINUTE,
            "rooms",
            (("m", 2 * MINUTE, {}), ("n", 2 * MINUTE, {}), ("o", 2 * MINUTE, {"a": 8.0, "b": 8.0})),
        )
    ]


def test_devices_with_clocks_of_their_own_share_the_message_of_their_step(tmp_path: Path) -> None:
    data = telemetry(
        [Recording("m", [1, 61], [[1.0, 2.0]]), Recording("n", [59, 62], [[3.0, 4.0]])],
        Facts(period=60.0),
    )
    assert sent(data, tmp_path) == [
        Sent(59_000_000, "rooms", (("m", 1_000_000, {"a": 1.0}), ("n", 59_000_000, {"a": 3.0}))),
        Sent(62_000_000, "rooms", (("m", 61_000_000, {"a": 2.0}), ("n", 62_000_000, {"a": 4.0}))),
    ]


def test_events_without_a_period_are_a_message_each(tmp_path: Path) -> None:
    data = telemetry([Recording("m", [1, 1, 2.5], [[1.0, 2.0, 3.0]])], Facts(period=None))
    assert [(one.time, len(one.readings)) for one in sent(data, tmp_path)] == [
        (1_000_000, 2),
        (2_500_000, 1),
    ]


def test_values_are_the_same_float32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "IN_MEMORY", 100)
    bits = np.random.default_rng(0).integers(0, 1 << 32, 3000, np.uint32).view(np.float32)
    values = bits[np.isfinite(bits)]
    data = telemetry([Recording("m", list(range(len(values))), [values.tolist()])])
    back = np.array(
        [reading[2]["a"] for one in sent(data, tmp_path) for reading in one.readings], np.float32
    )
    assert back.tobytes() == values.tobytes()

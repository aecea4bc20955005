"""What a frame costs on the air: `python -m tests.benchmarks.radio [nodes of a cell] [hours]
[period in seconds]`."""

from __future__ import annotations

import sys
import time

import numpy as np

from anomalynet.simulation.frames import fcs
from anomalynet.simulation.propagation import path_loss
from anomalynet.simulation.radio import draws_needed, on_air
from anomalynet.simulation.records import Station, stream
from anomalynet.simulation.scenario import RadioConfig


def main(nodes: int = 50, hours: float = 24.0, period: float = 30.0) -> None:
    """Print the seconds, the microseconds a frame and the frames a second of each kind of radio."""
    frames = int(hours * 3600 / period)
    rng = stream(0, "benchmark")
    distance = 60.0 * np.sqrt(rng.random(nodes))
    psdu = bytes(29)
    psdu += fcs(psdu).to_bytes(2, "little")
    for kind in ("ieee802154", "lora", "ideal"):
        radio = RadioConfig(kind=kind)
        stations = [
            Station(
                f"node-{node}",
                (np.arange(frames) + rng.random()) * period + rng.normal(0, 0.002, frames),
                lambda frame, retries: psdu,
                np.full(
                    frames,
                    radio.transmit_power
                    - path_loss(distance[node : node + 1], radio.exponent, radio.reference_loss)[0],
                ),
                rng.random((frames, draws_needed(radio)), np.float32),
            )
            for node in range(nodes)
        ]
        hears = np.ones((nodes, nodes), np.bool_)
        begin = time.perf_counter()
        log = on_air(radio, stations, hears, [], hours * 3600, lambda *place: stream(0, *place))
        took = time.perf_counter() - begin
        sent = nodes * frames
        print(
            f"{kind}: {sent} frames in {took:.2f} s, {took / sent * 1e6:.1f} µs a frame, "
            f"{sent / took:.0f} frames/s"
        )
        print(f"  {log.counts}")


if __name__ == "__main__":
    main(*(kind(text) for kind, text in zip((int, float, float), sys.argv[1:], strict=False)))

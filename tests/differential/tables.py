"""Tables of readings that the cases write: small, made of integers alone, the same everywhere."""

from __future__ import annotations

import json


def devices(first: int = 0) -> str:
    """Six devices of 300 readings, 10 s apart; an attack shifts channel a. CSV."""
    rows = ["device,time,a,b,attack,part"]
    for number in range(6):
        part = ("train", "train", "train", "validation", "test", "test")[number]
        rows += [f"{line},{part}" for line in _readings(f"d{first + number}", first + number)]
    return "\n".join(rows) + "\n"


def messages(begin: int, end: int) -> list[str]:
    """Steps of two devices as `detect` reads them: JSON lines by time."""
    every = [
        [line.split(",") for line in _readings(f"n{number}", 40 + number)] for number in (1, 2)
    ]
    return [
        json.dumps(
            {"device": row[0], "time": int(row[1]), "values": [float(row[2]), float(row[3])]}
        )
        for at in range(begin, end)
        for row in (one[at] for one in every)
    ]


def recording() -> str:
    """The same steps as CSV with labels."""
    body = [line for number in (1, 2) for line in _readings(f"n{number}", 40 + number)]
    return "\n".join(["device,time,a,b,label", *body]) + "\n"


def _readings(device: str, seed: int) -> list[str]:
    state, lines = seed * 7919 + 17, []
    for at in range(300):
        noise = []
        for _ in range(2):
            total = 0
            for _ in range(4):
                state = (state * 1103515245 + 12345) % 2**31
                total += state // 65536 % 1000
            noise.append(total / 1000 - 2)
        attack = int(at % 100 >= 70)
        value = noise[0] + 2 * attack
        lines.append(f"{device},{1_700_000_000 + 10 * at},{value:.3f},{noise[1]:.3f},{attack}")
    return lines

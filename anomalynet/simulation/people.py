"""People and machines in the rooms of a cell, and the hours that they keep."""

from __future__ import annotations

import numpy as np

from anomalynet.simulation.records import Bool, Cell, Float64
from anomalynet.simulation.scenario import Scenario, seconds
from anomalynet.simulation.streams import stream
from anomalynet.simulation.weather import week_hours

RHYTHMS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "street": (
        (5, 3, 2, 2, 3, 8, 25, 60, 90, 60, 50, 55, 75, 70, 55, 60, 80, 100, 90, 65, 45, 30, 20, 10),
        (12, 10, 8, 5, 3, 2, 4, 8, 20, 35, 50, 60, 60, 60, 60, 60, 55, 50, 50, 45, 40, 35, 30, 20),
    ),
    "shifts": (
        (
            10,
            10,
            10,
            10,
            10,
            30,
            90,
            100,
            100,
            60,
            100,
            100,
            60,
            90,
            100,
            90,
            90,
            90,
            50,
            90,
            90,
            80,
            20,
            10,
        ),
        (3, 3, 3, 3, 3, 5, 10, 10, 10, 10, 10, 10, 10, 10, 5, 5, 5, 5, 3, 3, 3, 3, 3, 3),
    ),
    "ward": (
        (6, 4, 6, 4, 5, 15, 60, 90, 80, 100, 70, 75, 80, 50, 65, 80, 85, 75, 60, 50, 35, 20, 10, 6),
        (6, 4, 6, 4, 5, 10, 40, 60, 55, 50, 45, 55, 60, 45, 70, 85, 80, 65, 50, 40, 30, 20, 10, 6),
    ),
}
"""Percent of the busiest hour's people at each full hour, on weekdays and at the weekend; linear in
between."""
STAY = {"street": 180.0, "shifts": 2700.0, "ward": 900.0}
"""Mean seconds that one stays in a room."""
WORKING = 0.3
"""Share of the busiest hour's people from which machines run."""
RUN, PAUSE = 2400.0, 420.0
"""Mean seconds that a machine runs and pauses."""


def activity(scenario: Scenario, times: Float64) -> Float64:
    """Share of the busiest hour's people, float64 (sample,), at seconds since the start."""
    weekday, weekend = RHYTHMS[scenario.climate.rhythm]
    week = np.array([*weekday * 5, *weekend * 2, weekday[0]]) / 100
    share: Float64 = np.interp(week_hours(scenario, times) % 168, np.arange(169), week)
    return share


def occupancy(scenario: Scenario, cell: Cell, times: Float64) -> Float64:
    """People in each room at given seconds, evenly spaced: float64 (room, sample) of whole numbers.

    Immigration and death: people arrive as a Poisson process whose rate follows the hour and the
    weekday, and leave after an exponential time. A room is busier than another throughout, by a
    log-normal factor of mean 1 (σ 0.3).

    Source: not in the paper
    """
    stay, step = (
        STAY[scenario.climate.rhythm],
        float(times[1] - times[0]) if len(times) > 1 else 1.0,
    )
    path = ("cell", cell.number, "people")
    rooms = len(cell.room_positions)
    popular = (
        np.exp(stream(scenario.seed, *path).normal(-0.045, 0.3, rooms)) * scenario.climate.people
    )
    arrivals = stream(scenario.seed, *path, "arrivals").poisson(
        popular * activity(scenario, times)[:, None] * step / stay
    )
    arrivals[0] = stream(scenario.seed, *path, "first").poisson(
        popular * activity(scenario, times[:1])
    )
    sample, room = (
        np.repeat(axis.ravel(), arrivals.ravel()) for axis in np.indices(arrivals.shape)
    )
    before = stream(scenario.seed, *path, "moments").random(len(sample)) * (
        sample > 0
    )  # they came that share of a step before the sample
    stays = stream(scenario.seed, *path, "stays").exponential(stay / step, len(sample))
    left = sample + np.maximum(np.ceil(stays - before), 0.0).astype(np.int64)
    change = np.zeros((rooms, len(times) + 1))
    np.add.at(change, (room, sample), 1.0)
    np.add.at(change, (room, np.minimum(left, len(times))), -1.0)
    present: Float64 = np.cumsum(change, axis=1)[:, :-1]
    return present


def machines(scenario: Scenario, cell: Cell, times: Float64) -> Bool:
    """Whether each room's machines run, bool (room, sample): during working hours, with stops of
    some minutes.

    Source: not in the paper
    """
    pairs = int(2 * seconds(scenario.duration) / (RUN + PAUSE)) + 20
    working = activity(scenario, times) > WORKING
    running = []
    for room in range(len(cell.room_positions)):
        lengths = stream(scenario.seed, "cell", cell.number, "machines", room).exponential(
            (RUN, PAUSE), (pairs, 2)
        )
        running.append(working & (np.searchsorted(np.cumsum(lengths), times) % 2 == 0))
    return np.array(running)

"""A small cell for tests, and incidents put into it by hand."""

from __future__ import annotations

from anomalynet.simulation.load import load_scenario
from anomalynet.simulation.records import Incident
from anomalynet.simulation.scenario import Scenario

NODES, PERIOD = 8, 30.0
START, END = 2 * 3600.0, 2.5 * 3600.0


OWN = (f"deployment.nodes={NODES}", "deployment.cell_nodes=8", "duration=4h")
WHEN = ("start='2026-01-05T08:00'", "sampling.period=30")


def scenario(*overrides: str) -> Scenario:
    """Eight nodes for four hours, on a weekday's forenoon, with shadowing, fading and everything
    else that the preset has."""
    return load_scenario("smart_city", [*OWN, *WHEN, *overrides])


def incident(
    type_: str,
    *,
    variant: str = "",
    nodes: tuple[int, ...] = (3,),
    magnitude: float = 4.0,
    number: int = 7,
) -> Incident:
    """One from the third hour on, for half an hour, at the gateway's side."""
    return Incident(number, type_, variant, 0, nodes, START, END, magnitude, (70.0, 60.0))

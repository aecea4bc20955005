"""A whole cell: what a healthy network loses, and what severity and labels rest on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from anomalynet.simulation.incidents.plan import plan
from anomalynet.simulation.incidents.taxonomy import TYPES
from anomalynet.simulation.network.cell import simulate_cell
from anomalynet.simulation.network.placement import place_nodes
from anomalynet.simulation.radio.propagation import ATTACKER_POWER, audible, between, to_gateway
from anomalynet.simulation.records import CellResult
from anomalynet.simulation.scenario import frame_period
from tests.simulation.small import NODES, incident, scenario

QUIET = (
    "background.interference_per_day=0",
    "background.outages_per_day=0",
    "background.reboots_per_day=0",
    "radio.fading=none",
    "radio.shadowing=0",
)


def received(result: CellResult) -> int:
    return int(np.asarray(result.nodes["received"], np.int64).sum())


TROUBLES = (
    "background.interference_per_day=400 background.interference_power=-50",
    "background.outages_per_day=48",
    "background.reboots_per_day=48",
    "radio.shadowing=20",
    "radio.transmit_power=-30 radio.fading=rayleigh",
)


def test_a_quiet_network_loses_nothing_and_each_trouble_of_a_healthy_one_costs_something() -> None:
    near = ("deployment.width=40", "deployment.height=40")

    def heard(trouble: str = "") -> int:
        return received(simulate_cell(scenario(*QUIET, *near, *trouble.split()), 0, incidents=()))

    assert heard() == 480 * NODES
    for trouble in TROUBLES:
        assert heard(trouble) < 0.99 * 480 * NODES, trouble


VANISHING = ("flooding", "interference", "jamming", "gray_hole", "intermittent", "bias", "delay")


@pytest.mark.parametrize("name", [*VANISHING, "shadowing_outage"])
def test_an_incident_without_strength_is_of_severity_1_whatever_else_goes_wrong(name: str) -> None:
    variant = TYPES[name].variants[0]
    nothing = incident(name, variant=variant, nodes=tuple(range(NODES)), magnitude=1e-9)
    assert simulate_cell(scenario(), 0, incidents=(nothing,)).incidents[0].severity == 1


def test_shadowing_forgets_with_its_time_constant() -> None:
    slow = scenario("radio.shadowing=6", "radio.shadowing_time=600", "duration=48h")
    power = to_gateway(slow, place_nodes(slow, 0))
    power -= power.mean(axis=1, keepdims=True)
    lag = float((power[:, 1:] * power[:, :-1]).mean() / (power**2).mean())
    assert lag == pytest.approx(np.exp(-30 / 600), abs=0.02)
    assert power.std() == pytest.approx(6, rel=0.2)


def test_carrier_sense_grows_with_transmit_power_and_shadowing_is_symmetric() -> None:
    plain = scenario("radio.shadowing=0", "radio.transmit_power=-3")
    cell, sense = place_nodes(plain, 0), plain.radio.carrier_sense
    other = cell.positions[[0]] + 20.0
    heard = audible(plain, cell, other)
    power = between(plain, cell.positions, other, ATTACKER_POWER)[:, 0]
    assert heard[:NODES, NODES].tolist() == (power > sense).tolist()
    assert heard[NODES, :NODES].tolist() == (power - 3 > sense).tolist()
    shadowed, clear = (
        audible(scenario(f"radio.shadowing={size}"), cell, other)[:NODES, :NODES]
        for size in (12, 0)
    )
    assert (shadowed == shadowed.T).all() and (shadowed != clear).any()


@pytest.mark.parametrize(
    "overrides",
    [
        ("duration=2h", "sampling.period=37"),
        ("sampling.period=2", "duration=30min", "incidents.quiet_hours=0.1"),
        ("duration=2h", "sampling.period=10", "sampling.transmit_every=3"),
    ],
)
def test_odd_periods_work_and_an_ideal_radio_fills_every_slot(overrides: tuple[str, ...]) -> None:
    for seed in range(2):
        odd = scenario(*overrides, f"seed={seed}", "incidents.per_node_day=40")
        simulate_cell(odd, 0)
        ideal = scenario(*QUIET, *overrides, f"seed={seed}", "radio.kind=ideal")
        result = simulate_cell(ideal, 0, incidents=())
        epoch = np.datetime64(ideal.start, "s").astype(np.int64)
        arrival = np.asarray(result.frames["arrival"], np.int64) / 1e6 - epoch
        sources = np.asarray(result.frames["source"], np.int64)
        places = np.stack([sources, (arrival // frame_period(ideal)).astype(np.int64)])
        expected = int(np.asarray(result.nodes["expected"], np.int64).sum())
        assert np.unique(places, axis=1).shape[1] == expected


def test_nothing_is_planned_that_an_ideal_radio_would_not_notice() -> None:
    ideal = scenario("radio.kind=ideal", "duration=48h")
    kinds = {one.type for one in plan(ideal, place_nodes(ideal, 0))}
    assert kinds.isdisjoint({"jamming", "interference", "shadowing_outage", "flooding"})
    assert {"replay", "black_hole", "crash"} <= kinds


def test_the_share_of_touched_node_time_follows_the_weights_of_the_causes() -> None:
    size = ("duration=14d", "deployment.nodes=15", "deployment.cell_nodes=15")
    weights = ("incidents.attack=2", "incidents.fault=1", "incidents.environment=0")
    long = scenario(*size, *weights)
    planned = plan(long, place_nodes(long, 0))
    touches: Counter[str] = Counter()
    for one in planned:
        touches[TYPES[one.type].cause] += len(one.nodes)
    assert touches["environment"] == 0
    assert touches["attack"] / touches["fault"] == pytest.approx(2.0, rel=0.35)
    assert planned == plan(replace(long, name="another name"), place_nodes(long, 0))

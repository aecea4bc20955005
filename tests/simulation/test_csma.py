"""Medium access by hand: who waits, who collides, who is heard, and what the gateway logs.

Times by hand, in ms: clear channel assessment 0.128, turnaround 0.192, 31 bytes on the air 1.184,
acknowledgement 0.352 after a turnaround; backoff slots are 0.32. With every draw 0 the backoffs are
0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from anomalynet.simulation.network.frames import intact
from anomalynet.simulation.radio.link import draws_needed, on_air
from anomalynet.simulation.radio.propagation import noise_dbm
from anomalynet.simulation.records import Disturber, RadioLog, Reception, Station
from anomalynet.simulation.scenario import RadioConfig
from tests.simulation.network import corrupt, everyone, frame, star, station

RADIO = RadioConfig(fading="none")
SILENT = replace(RADIO, acknowledge=False)
DRAWN: dict[str, Any] = {"draws": 0.0}
STRONG, NOISE = -60.0, noise_dbm(2e6, 8.0)
MS = 1e-3


@dataclass(frozen=True)
class Tone:
    """Interference during one interval."""

    start: float
    stop: float
    power: float = 0.0
    audible: bool = False

    def during(self, start: float, stop: float) -> list[tuple[float, float, float]]:
        overlaps = start < self.stop and self.start < stop
        return [(self.start, self.stop, self.power)] if overlaps else []

    def heard(self, start: float, stop: float, station: int) -> bool:
        return self.audible and start < self.stop and self.start < stop


def run(
    *stations: Station,
    radio: RadioConfig = RADIO,
    hear: bool = True,
    disturbers: tuple[Disturber, ...] = (),
) -> RadioLog:
    return on_air(radio, stations, everyone(len(stations), hear), disturbers, 100.0, corrupt)


def seen(log: RadioLog) -> dict[str, int]:
    """The counts that are not 0."""
    return {key: count for key, count in log.counts.items() if count}


def node(
    times: float | list[float] = 0.0, power: float = STRONG, radio: RadioConfig = RADIO, **own: Any
) -> Station:
    """A station whose draws are 0, so that it never waits before it listens."""
    return station(times if isinstance(times, list) else [times], power, radio=radio, **DRAWN | own)


def first_wrong(got: Reception) -> int:
    """Number of the first wrong bit of a PSDU of 31 bytes."""
    changed = np.frombuffer(got.psdu, np.uint8) ^ np.frombuffer(frame(31), np.uint8)
    return int(np.flatnonzero(np.unpackbits(changed, bitorder="little"))[0])


def test_one_frame_by_hand() -> None:
    log = run(node(1.0, draws=0.5))
    (got,) = log.receptions
    # int(0.5 · 2³) = 4 backoff slots.
    assert got.time == pytest.approx(1 + (4 * 0.32 + 0.128 + 0.192 + 1.184) * MS, abs=1e-9)
    assert (got.station, got.frame, got.attempt) == (0, 0, 0)
    assert (got.rssi, got.psdu, got.intact) == (STRONG, frame(31), True)
    assert got.snr == pytest.approx(STRONG - NOISE)
    assert seen(log) == {"offered": 1, "sent": 1, "received": 1}
    assert log.retries[0].tolist() == [0]
    assert log.retries[0].dtype == np.int8


def test_a_station_that_hears_another_gives_up_after_five_assessments() -> None:
    # The first is on the air from 0.32 to 1.504; the second listens from 0.5 to 1.14 without a
    # pause.
    log = run(node(), node(0.5 * MS))
    assert seen(log) == {"offered": 2, "sent": 1, "received": 1, "channel_busy": 1}
    assert [kept.tolist() for kept in log.retries] == [[0], [-1]]


@pytest.mark.parametrize(("until", "more"), [(9.0, 0.0), (9.25, 5.12 + 0.128)])
def test_backoff_exponents_grow_from_three_to_five(until: float, more: float) -> None:
    # Every draw is 0.5: slots 4, 8, 16, 16, 16. A tone is heard until 9 ms: assessments end at
    # 1.408, 4.096, 9.344. Until 9.25 the third, begun at 9.216, is busy too: sixteen slots more.
    log = run(node(draws=0.5), disturbers=(Tone(0.0, until * MS, audible=True),))
    expected = (9.344 + more + 0.192 + 1.184) * MS
    assert log.receptions[0].time == pytest.approx(expected, abs=1e-9)


def test_hidden_stations_of_equal_power_spoil_each_other() -> None:
    log = run(node(radio=SILENT), node(0.5 * MS, radio=SILENT), radio=SILENT, hear=False)
    assert seen(log) == {"offered": 2, "sent": 2, "corrupted": 1, "missed": 1, "collided": 2}
    (got,) = log.receptions
    assert (got.station, got.intact) == (0, False)
    # On the air from 0.32, the other from 0.82: bit 125, bit 77 after the 48 of the header; draws
    # of 0 put the first error there.
    assert first_wrong(got) == 77


def test_hidden_stations_repeat_until_both_arrive() -> None:
    other = node(seed=2, draws=None, name="other")
    log = run(node(seed=1, draws=None), other, hear=False)
    assert seen(log)["collided"] >= 1
    assert {got.station for got in log.receptions if got.intact} == {0, 1}
    assert max(log.retries[0][0], log.retries[1][0]) >= 1


@pytest.mark.parametrize(
    ("first", "second", "arrived"),
    [
        (-60.0, -80.0, [(0, True)]),  # the gateway stays with the frame it locked on to
        (-80.0, -60.0, [(0, False)]),
        (NOISE - 5.5, -60.0, [(1, True)]),  # too weak to lock on to
    ],
)
def test_the_gateway_locks_on_to_the_first_that_is_strong_enough(
    first: float, second: float, arrived: list[tuple[int, bool]]
) -> None:
    stations = node(0.0, first, SILENT), node(0.5 * MS, second, SILENT)
    log = run(*stations, radio=SILENT, hear=False)
    assert [(got.station, got.intact) for got in log.receptions] == arrived
    assert log.counts["missed"] == 1


@pytest.mark.parametrize(("begin", "received"), [(1.51, 1), (2.04, 1), (2.05, 2)])
def test_a_frame_that_begins_while_the_gateway_acknowledges_is_missed(
    begin: float, received: int
) -> None:
    # The first ends at 1.504; the gateway is deaf until 2.048.
    log = run(node(), node(begin * MS, polite=False), hear=False)
    assert (log.counts["received"], log.counts["collided"]) == (received, 0)


def test_a_lost_acknowledgement_makes_a_duplicate() -> None:
    # The second, which does not listen, is heard by the first while its acknowledgement (1.696 to
    # 2.048) is on the air.
    log = run(node(), node(1.6 * MS, polite=False, psdu=frame(20)))
    found = [(got.station, got.attempt, got.intact) for got in log.receptions]
    assert found == [(0, 0, True), (0, 1, True)]
    assert seen(log) == {"offered": 2, "sent": 3, "received": 2, "duplicates": 1, "missed": 1}
    # The second attempt begins after the wait of 0.864 ms, at 2.368; the second station's 26 bytes
    # end at 2.432: one assessment more.
    expected = (2.368 + 2 * 0.128 + 0.192 + 1.184) * MS
    assert log.receptions[1].time == pytest.approx(expected, abs=1e-9)
    assert log.retries[0].tolist() == [1]


def test_the_acknowledgement_makes_the_channel_busy_for_stations_that_hear_nobody() -> None:
    radio = replace(RADIO, backoffs=0)
    log = run(node(radio=radio), node(1.6 * MS, radio=radio), radio=radio, hear=False)
    assert seen(log) == {"offered": 2, "sent": 1, "received": 1, "channel_busy": 1}


def test_a_listener_in_the_gap_before_the_acknowledgement_finds_the_channel_clear() -> None:
    # From 1.504 to 1.696 nobody sends: a weakness of the standard. The second's 20 bytes, from 1.83
    # to 2.662, spoil the acknowledgement and are missed by the gateway. The first repeats, on the
    # air from 3.072 to 4.256; the second finds that busy from 3.526 to 4.166.
    log = run(node(), node(1.51 * MS, psdu=frame(20)))
    arrived = {"offered": 2, "sent": 3, "received": 2, "duplicates": 1}
    assert seen(log) == {**arrived, "missed": 1, "channel_busy": 1}
    assert [kept.tolist() for kept in log.retries] == [[1], [0]]


def test_an_unheard_station_repeats_three_times() -> None:
    log = run(node(power=-130.0, draws=0.5))
    assert seen(log) == {"offered": 1, "sent": 4, "missed": 4, "unacknowledged": 1}
    assert log.retries[0].tolist() == [3]


def test_an_impolite_station_sends_at_once_and_once() -> None:
    times = [0.0, 0.5 * MS]
    unheard = node(times, -130.0, polite=False)
    log = run(unheard, disturbers=(Tone(0.0, 1.0, audible=True),))
    assert seen(log) == {"offered": 2, "sent": 2, "missed": 2}
    arrived = [got.time for got in run(node(times, polite=False)).receptions]
    assert arrived == pytest.approx([1.184 * MS, 2 * 1.184 * MS], abs=1e-9)


def test_a_busy_station_keeps_two_frames_and_loses_the_next() -> None:
    log = run(node([0.0, 0.1 * MS, 0.2 * MS, 0.3 * MS], draws=0.5))
    assert seen(log) == {"offered": 4, "sent": 3, "received": 3, "queue_full": 1}
    assert log.retries[0].tolist() == [0, 0, 0, -1]
    one = (4 * 0.32 + 0.128 + 0.192 + 1.184) * MS
    expected = [one * n + 0.544 * MS * (n - 1) for n in (1, 2, 3)]
    assert [got.time for got in log.receptions] == pytest.approx(expected, abs=1e-9)


def test_a_disturber_spoils_the_bits_that_it_overlaps_and_lowers_the_mean_ratio() -> None:
    # On the air from 0.32 to 1.504; the tone covers the second half, from bit 148 on.
    half = Tone(0.912 * MS, 1.0, 10 ** (STRONG / 10))
    (got,) = run(node(radio=SILENT), radio=SILENT, disturbers=(half,)).receptions
    assert first_wrong(got) in (148 - 48, 148 - 49)
    noise = 10 ** (NOISE / 10) + 10 ** (STRONG / 10) / 2
    assert got.snr == pytest.approx(STRONG - 10 * np.log10(noise), abs=1e-6)
    assert (got.rssi, got.intact) == (STRONG, False)


def test_a_disturber_heard_by_the_sender_spoils_the_acknowledgement() -> None:
    log = run(node(), disturbers=(Tone(1.7 * MS, 1.8 * MS, audible=True),))
    assert seen(log) == {"offered": 1, "sent": 2, "received": 2, "duplicates": 1}


def test_acknowledgements_get_lost_on_weak_links() -> None:
    # At 1 dB a frame of 31 bytes is lost once in 260, an acknowledgement once in 880.
    log = run(station(np.arange(90_000) * 1e-3 * 1.1, NOISE + 1.0, radio=RADIO))
    accepted = log.counts["received"]
    # (1 - BER)^88 with BER 1.29119e-5.
    assert log.counts["duplicates"] / accepted == pytest.approx(1.13560e-3, rel=0.35)


def test_a_wrong_bit_before_the_psdu_leaves_nothing_to_log_and_one_in_it_a_broken_frame() -> None:
    log = run(station(np.arange(9000) * 0.01, NOISE - 1.0, radio=SILENT), radio=SILENT)
    # BER 1.1489e-3: 1 - (1 - BER)^48 = 0.05368, and of the 248 bits after them (1 - BER)^48 · (1 -
    # (1 - BER)^248) = 0.2347.
    assert log.counts["missed"] / 9000 == pytest.approx(0.05368, abs=0.0095)
    assert log.counts["corrupted"] / 9000 == pytest.approx(0.2347, abs=0.018)
    assert log.counts["undetected"] == 0


def test_every_transmission_is_accounted_for() -> None:
    radio = replace(RADIO, fading="rayleigh", carrier_sense=-97.0)
    stations, hears, _ = star(20, 60.0, 0.1, radio=radio, size=60)
    log = on_air(radio, stations, hears, (), 60.0, corrupt)
    counts, arrived = log.counts, log.receptions
    kept = [(got.station, got.frame) for got in arrived if got.intact]
    assert counts["sent"] == counts["received"] + counts["corrupted"] + counts["missed"]
    assert counts["received"] == len(kept) == len(arrived) - counts["corrupted"]
    assert counts["duplicates"] == len(kept) - len(set(kept))
    assert all(got.intact == intact(got.psdu) for got in arrived)
    assert [got.time for got in arrived] == sorted(got.time for got in arrived)
    retries = np.concatenate(log.retries).astype(int)
    assert counts["sent"] == (retries + 1).sum()
    assert (retries < 0).sum() <= counts["channel_busy"] + counts["queue_full"]
    for key in ("corrupted", "missed", "collided", "duplicates", "channel_busy"):
        assert counts[key] > 0


def test_frames_are_told_the_retries_of_the_frame_before() -> None:
    told: list[tuple[int, int]] = []

    def build(number: int, retries: int) -> bytes:
        told.append((number, retries))
        return frame(31)

    one = station([0.0, 1.0, 2.0], np.array([-130.0, STRONG, STRONG]), radio=RADIO, draws=0.5)
    run(replace(one, build=build))
    assert told == [(0, 0), (1, 3), (2, 0)]


def test_equal_inputs_give_equal_logs_and_the_future_does_not_reach_back() -> None:
    radio = replace(RADIO, fading="rician")
    stations, hears, _ = star(15, 60.0, 0.5, radio=radio, size=31)
    tone = Tone(30.0, 40.0, 1e-6, audible=True)
    first, again, attacked = (
        on_air(radio, stations, hears, disturbers, 60.0, corrupt)
        for disturbers in ((), (), (tone,))
    )
    assert first.receptions == again.receptions and first.counts == again.counts
    before = [got for got in first.receptions if got.time < 30.0]
    assert len(before) > 800 and attacked.receptions[: len(before)] == before
    assert attacked.receptions != first.receptions


def test_frames_from_the_end_on_do_not_exist_and_progress_is_told() -> None:
    told: list[float] = []
    one = node([0.0, 99.0, 100.0])
    log = on_air(RADIO, [one], everyone(1), (), 100.0, corrupt, told.append)
    assert log.counts["offered"] == len(log.retries[0]) == 2
    assert told == sorted(told)
    assert told[-1] == pytest.approx(100.0)


@pytest.mark.parametrize("kind", ["ieee802154", "lora", "ideal"])
@pytest.mark.parametrize("polite", [True, False])
def test_a_station_without_frames_and_a_cell_without_stations(kind: Any, polite: bool) -> None:
    radio = replace(RADIO, kind=kind)
    log = run(node([], radio=radio, polite=polite), radio=radio)
    assert seen(log) == {}
    assert [len(kept) for kept in log.retries] == [0]
    assert run(radio=radio).receptions == []


def test_draws_are_taken_in_single_precision_and_too_few_or_too_long_frames_are_refused() -> None:
    one = node(draws=0.5)
    assert run(replace(one, draws=one.draws.astype(np.float32))).receptions == run(one).receptions
    with pytest.raises(ValueError, match="node has 35 draws per frame, the radio needs 36"):
        run(replace(one, draws=one.draws[:, :35]))
    with pytest.raises(ValueError, match="128 bytes"):
        run(node(psdu=frame(128)))


def test_draws_needed() -> None:
    radios = [RADIO, replace(RADIO, retries=0, backoffs=0)]
    radios += [replace(RADIO, kind="lora"), replace(RADIO, kind="ideal")]
    assert [draws_needed(radio) for radio in radios] == [36, 5, 2, 0]

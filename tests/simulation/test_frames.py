"""Frame bytes, by hand and there and back."""

from __future__ import annotations

import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anomalynet.simulation.network.frames import (
    LENGTH,
    builder,
    fcs,
    intact,
    parse,
    sealed,
    tampered,
)

READINGS = np.array([[-3.25, 71.5, 2.0, 20345.0, 55.3]])


def frame(
    address: int = 8, sequence: int = 70_000, clock: float = 12.345, repetitions: int = 3
) -> bytes:
    return builder(address, 1, np.array([sequence]), np.array([clock]), READINGS)(0, repetitions)


def test_every_byte_stands_where_the_table_says() -> None:
    found = frame()
    body = bytes.fromhex("6188 70 0100 0000 0800 7011 03 39300000 bbfe ee1b 794f 2902 02")
    assert found[:25] == body
    assert found[25:29] == zlib.crc32(body[9:]).to_bytes(4, "little")
    assert found[29:] == fcs(found[:29]).to_bytes(2, "little")
    assert len(found) == LENGTH == 31


ENDS = [(-4000, 8500), (0, 10000), (0, 255), (0, 65535), (200, 1200)]
COUNTS = st.tuples(*(st.integers(least, most) for least, most in ENDS))
PLACES = st.tuples(st.integers(1, 65535), st.integers(0, 2**20))
CLOCKS = st.integers(0, 2**32 - 1)


@given(PLACES, CLOCKS, st.integers(0, 7), COUNTS)
def test_what_is_built_is_read_back(
    place: tuple[int, int], clock: int, repetitions: int, counts: tuple[int, ...]
) -> None:
    address, sequence = place
    readings = np.array([counts]) / [100.0, 100.0, 1.0, 1.0, 10.0]
    build = builder(address, 3, np.array([sequence]), np.array([clock / 1000]), readings)
    read = parse([build(0, repetitions)])
    found = [read[name][0] for name in ("source", "sequence", "clock", "retries")]
    assert found == [address, sequence % 65536, clock / 1000, repetitions]
    names = ("temperature", "humidity", "motion", "light", "sound")
    assert np.allclose([read[name][0] for name in names], readings[0], rtol=1e-6, atol=1e-6)
    assert read["checksum"][0]


@given(st.binary(min_size=8, max_size=8).filter(any))
def test_a_tampered_frame_fits_its_fcs_and_not_its_crc(change: bytes) -> None:
    original = frame()
    changed = tampered(original, change)
    assert fcs(changed[:-2]).to_bytes(2, "little") == changed[-2:]
    assert changed[:16] == original[:16]
    assert changed[16:24] != original[16:24]
    assert not parse([changed])["checksum"][0]
    assert tampered(changed, change) == original


def test_a_frame_of_another_length_has_no_source_and_no_readings() -> None:
    read = parse([frame(), sealed(bytes(125))])
    assert read["source"].tolist() == [8, -1]
    assert np.isnan(read["temperature"][1])
    assert read["checksum"].tolist() == [True, False]
    assert len(parse([])["source"]) == 0


def bitwise(data: bytes) -> int:
    """CRC-16/KERMIT as the standard's shift register computes it."""
    register = 0
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ 0x8408 if register & 1 else register >> 1
    return register


@given(st.binary(max_size=200))
def test_it_is_the_bitwise_crc(data: bytes) -> None:
    assert fcs(b"123456789") == 0x2189 and fcs(bytes.fromhex("02006A")) == 0x79E4
    assert fcs(data) == bitwise(data)


@given(st.binary(min_size=1, max_size=125), st.data())
def test_a_frame_with_its_own_is_intact_and_one_or_two_wrong_bits_are_found(
    body: bytes, data: st.DataObject
) -> None:
    psdu = body + fcs(body).to_bytes(2, "little")
    assert intact(psdu)
    wrong = data.draw(st.sets(st.integers(0, 8 * len(psdu) - 1), min_size=1, max_size=2))
    broken = bytearray(psdu)
    for bit in wrong:
        broken[bit // 8] ^= 1 << bit % 8
    assert not intact(bytes(broken))

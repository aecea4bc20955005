"""The frame check sequence against a bit-by-bit division."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from anomalynet.simulation.frames import fcs, intact


def bitwise(data: bytes) -> int:
    """CRC-16/KERMIT as the standard's shift register computes it."""
    register = 0
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ 0x8408 if register & 1 else register >> 1
    return register


def test_check_values() -> None:
    assert fcs(b"123456789") == 0x2189
    assert fcs(bytes.fromhex("02006A")) == 0x79E4


@given(st.binary(max_size=200))
def test_it_is_the_bitwise_crc(data: bytes) -> None:
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

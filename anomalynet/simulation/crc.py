"""The frame check sequence of IEEE 802.15.4."""

from __future__ import annotations

import binascii

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def fcs(data: bytes) -> int:
    """CRC-16/KERMIT (polynomial 0x1021 reflected, start 0); 0x2189 for b"123456789".

    It is the mirror image of the CRC that `binascii.crc_hqx` computes in C. On the air its low byte
    goes first.

    Source: not in the paper; IEEE 802.15.4, frame check sequence
    """
    mirrored = binascii.crc_hqx(data.translate(_REVERSED), 0)
    return _REVERSED[mirrored & 0xFF] << 8 | _REVERSED[mirrored >> 8]


def intact(psdu: bytes) -> bool:
    """Whether a frame's last two bytes are the check sequence of those before: the CRC over all of
    them is then 0.

    Source: not in the paper; IEEE 802.15.4, frame check sequence
    """
    return binascii.crc_hqx(psdu.translate(_REVERSED), 0) == 0

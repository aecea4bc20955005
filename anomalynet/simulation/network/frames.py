"""The bytes of a frame: IEEE 802.15.4 MAC header, our payload with its own CRC-32, and the FCS.

======  =====  ===================================================================
offset  bytes  field, little endian
======  =====  ===================================================================
0       2      frame control 0x8861: data, acknowledgement request, short addresses
2       1      MAC sequence number
3       2      PAN, the cell's number + 1
5       2      destination, 0 is the gateway
7       2      source, the node's number + 1
9       2      sequence of the node since it started
11      1      retransmissions of the previous frame
12      4      node's clock, ms
16      2      temperature, 0.01 °C, signed
18      2      humidity, 0.01 %
20      2      light, lx
22      2      sound, 0.1 dB
24      1      motion, detections
25      4      CRC-32 of the 16 bytes before it
29      2      FCS, CRC-16/KERMIT of everything before it
======  =====  ===================================================================

Every radio on the way checks the FCS and makes a new one, so a relay that rewrites a frame gives it
a valid FCS. The CRC-32 comes from the node and shows the change.
"""

from __future__ import annotations

import binascii
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from anomalynet.simulation.records import Float64, Int64

LENGTH = 31
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_BODY, _PAYLOAD, _RETRIES, _CRC = 25, 9, 11, 25
_FIELDS = [
    *(("control", "<u2"), ("mac_sequence", "u1"), ("pan", "<u2"), ("destination", "<u2")),
    *(("source", "<u2"), ("sequence", "<u2"), ("retries", "u1"), ("clock", "<u4")),
    *(("temperature", "<i2"), ("humidity", "<u2"), ("light", "<u2"), ("sound", "<u2")),
    ("motion", "u1"),
]
_DTYPE = np.dtype(_FIELDS)
_WHOLE = np.dtype([*_FIELDS, ("crc", "<u4"), ("fcs", "<u2")])
_UNITS = {"temperature": 100.0, "humidity": 100.0, "motion": 1.0, "light": 1.0, "sound": 10.0}
"""Counts per unit, in the order of `scenario.SENSORS`."""


def fcs(data: bytes) -> int:
    """CRC-16/KERMIT (polynomial 0x1021 reflected, start 0); 0x2189 for b"123456789".

    It is the bit-reversed form of the CRC that `binascii.crc_hqx` computes in C. Its low byte is
    sent first.

    Source: IEEE 802.15.4, frame check sequence
    """
    mirrored = binascii.crc_hqx(data.translate(_REVERSED), 0)
    return _REVERSED[mirrored & 0xFF] << 8 | _REVERSED[mirrored >> 8]


def intact(psdu: bytes) -> bool:
    """Whether a frame's last two bytes are the FCS of the bytes before: the CRC over all of them is
    then 0.

    Source: IEEE 802.15.4, frame check sequence
    """
    return binascii.crc_hqx(psdu.translate(_REVERSED), 0) == 0


def builder(
    address: int, pan: int, sequence: Int64, clock: Float64, readings: Float64
) -> Callable[[int, int], bytes]:
    """Return a function that builds a node's frames.

    Args:
        address, pan: of the node and of its cell, 16 bit.
        sequence: int64 (frame,), taken modulo 2^16.
        clock: float64 (frame,), the node's own seconds, taken modulo 2^32 ms.
        readings: float64 (frame, 5), quantised, in the order of `scenario.SENSORS`.

    Returns: (frame, retransmissions of the previous frame) → the PSDU, 31 bytes.
    Source: IEEE 802.15.4-2006, 7.2; the payload is not in the paper
    """
    rows = np.zeros(len(sequence), _DTYPE)
    rows["control"], rows["pan"], rows["source"] = 0x8861, pan, address
    rows["sequence"], rows["mac_sequence"] = sequence % 65536, sequence % 256
    rows["clock"] = np.rint(clock * 1000).astype(np.int64) % (1 << 32)
    for column, (name, counts) in enumerate(_UNITS.items()):
        limits = np.iinfo(rows.dtype[name])
        rows[name] = np.clip(np.rint(readings[:, column] * counts), limits.min, limits.max)
    raw = rows.tobytes()

    def build(frame: int, repetitions: int) -> bytes:
        start = frame * _BODY
        retries = start + _RETRIES
        body = raw[start:retries] + bytes([repetitions]) + raw[retries + 1 : start + _BODY]
        return sealed(body + zlib.crc32(body[_PAYLOAD:]).to_bytes(4, "little"))

    return build


def sealed(frame: bytes) -> bytes:
    """Return a frame with its FCS appended, as a radio sends it."""
    return frame + fcs(frame).to_bytes(2, "little")


def tampered(psdu: bytes, change: bytes) -> bytes:
    """Return a frame whose temperature, humidity, light and sound are changed by XOR with 8 bytes.
    Its FCS is valid, its CRC-32 is the old one."""
    payload = bytes(a ^ b for a, b in zip(psdu[16:24], change, strict=True))
    return sealed(psdu[:16] + payload + psdu[24:-2])


def parse(frames: Sequence[bytes]) -> dict[str, npt.NDArray[np.generic]]:
    """Parse received frames. A frame of another length gets source -1, NaN readings and a wrong
    checksum.

    Returns: columns over the frames: source int32, sequence uint16, retries uint8, clock float64
        (s), the five readings float32, and checksum bool, whether the CRC-32 agrees.
    """
    ours = np.array([len(frame) == LENGTH for frame in frames], np.bool_)
    whole = [frame if len(frame) == LENGTH else bytes(LENGTH) for frame in frames]
    rows = np.frombuffer(b"".join(whole), _WHOLE)
    sums = np.array([zlib.crc32(frame[_PAYLOAD:_CRC]) for frame in frames], np.uint32)
    found: dict[str, npt.NDArray[np.generic]] = {
        "source": np.where(ours, rows["source"].astype(np.int32), -1),
        "sequence": rows["sequence"].astype(np.uint16),
        "retries": rows["retries"].copy(),
        "clock": rows["clock"] / 1000.0,
    }
    for name, counts in _UNITS.items():
        found[name] = np.where(ours, rows[name] / counts, np.nan).astype(np.float32)
    found["checksum"] = ours & (sums == rows["crc"])
    return found

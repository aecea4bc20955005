"""Payloads that a broker sends again are recognised."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

REMEMBERED = 20_000
"""Newest payloads; more than a broker may send unacknowledged."""

DIGEST = 8
"""Bytes."""


class Seen:
    """Digests of the newest payloads, each with its source."""

    def __init__(self) -> None:
        self._digests: OrderedDict[bytes, None] = OrderedDict()

    def add(self, source: str, payload: bytes) -> bool:
        """Whether it is new."""
        digest = blake2b(payload, digest_size=DIGEST, key=source.encode()[-64:]).digest()
        new = digest not in self._digests
        self._digests[digest] = None
        if len(self._digests) > REMEMBERED:
            self._digests.popitem(last=False)
        return new

    def to_hex(self) -> str:
        """What `restore` needs."""
        return b"".join(self._digests).hex()

    def restore(self, text: str) -> None:
        """Take over what another process has seen."""
        seen = bytes.fromhex(text)
        self._digests = OrderedDict(
            (seen[at : at + DIGEST], None) for at in range(0, len(seen), DIGEST)
        )

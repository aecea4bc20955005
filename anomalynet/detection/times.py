"""Times as messages and tables write them → int64 microseconds since 1970 UTC."""

from __future__ import annotations

from datetime import UTC, datetime

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LATEST = 7_258_118_400
"""2200-01-01 in seconds: a larger number is taken for milliseconds by mistake, and refused."""


def microseconds(value: object) -> int | None:
    """What a message or a table calls a time; None if it is none.

    Args:
        value: ISO 8601 text (UTC where it names no zone), or seconds since 1970 UTC as a number or as text.
    """
    if isinstance(value, str):
        try:
            since = datetime.fromisoformat(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                return None
        else:
            gone = (since if since.tzinfo else since.replace(tzinfo=UTC)) - EPOCH
            found = (gone.days * 86_400 + gone.seconds) * 1_000_000 + gone.microseconds
            return found if 0 <= found < LATEST * 1_000_000 else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LATEST:
        return None
    return round(value * 1_000_000)

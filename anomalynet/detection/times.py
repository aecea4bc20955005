"""Times as messages and tables write them → int64 microseconds since 1970 UTC."""

from __future__ import annotations

from datetime import UTC, datetime

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LATEST = 7_258_118_400
"""2200-01-01 in seconds: a larger number is taken for milliseconds by mistake, and refused."""


def since_epoch(moment: datetime) -> int:
    """Exact microseconds; UTC where the moment names no zone."""
    gone = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH
    return (gone.days * 86_400 + gone.seconds) * 1_000_000 + gone.microseconds


def microseconds(value: object) -> int | None:
    """What a message or a table calls a time; None if it is none.

    Args:
        value: ISO 8601 text (UTC where it names no zone), or seconds since 1970 UTC as a number or
        as text.
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                return None
        else:
            found = since_epoch(moment)
            return found if 0 <= found < LATEST * 1_000_000 else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LATEST:
        return None
    return round(value * 1_000_000)

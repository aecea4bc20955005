"""Slips of the pen: values that differ from a printed one by a digit, or by two neighbouring digits
exchanged."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from anomalynet.reporting.table_audit.cells import Cell, Rounding, cell
from anomalynet.reporting.table_audit.cone import Interval

ONE_DIGIT, EXCHANGED = "one digit differs", "two digits exchanged"


def read(like: Cell, text: str, rounding: Rounding) -> Cell:
    """The cell that another number in its place would be."""
    return cell(like.column, text, like.unit, rounding)


def slips(printed: Cell, needed: Interval, rounding: Rounding) -> Iterator[tuple[str, str]]:
    """Every value within `needed` (fractions) that one slip makes of the printed one, nearest to
    the middle first, and the slip's name."""
    centre = (needed[0] + needed[1]) / 2
    found = []
    if printed.column != "mcc" and printed.text.lstrip().startswith(("-", "−")):
        return  # no digit cures a sign
    for text, name in dict(_variants(printed.text)).items():
        one = read(printed, text, rounding)
        if one.low <= needed[1] and one.high >= needed[0]:
            found.append((abs((one.low + one.high) / 2 - centre), text, name))
    yield from ((text, name) for _, text, name in sorted(found))


def _variants(text: str) -> Iterator[tuple[str, str]]:
    """Both kinds; where a text is of both, the later wins: one digit."""
    for place in range(len(text)):
        for other in range(place + 1, len(text)):
            if (
                text[place].isdigit()
                and text[other].isdigit()
                and not any(sign.isdigit() for sign in text[place + 1 : other])
            ):
                yield (
                    text[:place]
                    + text[other]
                    + text[place + 1 : other]
                    + text[place]
                    + text[other + 1 :],
                    EXCHANGED,
                )
    for place, sign in enumerate(text):
        if sign.isdigit():
            yield from (
                (text[:place] + digit + text[place + 1 :], ONE_DIGIT)
                for digit in "0123456789"
                if digit != sign
            )


def middle(printed: Cell, needed: Interval) -> str:
    """The middle of `needed` (fractions) with the decimals of the printed value."""
    bare = printed.text.strip().removesuffix("%").strip()
    centre = (needed[0] + needed[1]) / 2 * (100 if printed.unit == "percent" else 1)
    return str((Decimal(centre.numerator) / Decimal(centre.denominator)).quantize(Decimal(bare)))

"""What clients call a version: its number, written so that it sorts as text, or `null`."""

from __future__ import annotations

from typing import Final

NULL_VERSION_ID: Final = "null"
POSITION_DIGITS: Final = 16

_DIGITS: Final = frozenset("0123456789abcdef")


def version_position(number: int) -> str:
    """Write a version's number as what clients see: fixed in width, and in order as text."""
    return f"{number:0{POSITION_DIGITS}x}"


def version_number(position: str) -> int | None:
    """Read what `version_position` wrote; None for anything else."""
    if len(position) != POSITION_DIGITS or not _DIGITS.issuperset(position):
        return None
    return int(position, 16)

"""Sizes as people read and write them: in units of 1,024, each by its name."""

from __future__ import annotations

from typing import Final

STEP: Final = 1024
UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


def size_text(size: int) -> str:
    """Write a size shortly: exact below 1,024 bytes, else to a tenth of its unit."""
    if size < STEP:
        return exact_size_text(size)
    power = min((size.bit_length() - 1) // 10, len(UNITS) - 1)
    return f"{size / STEP**power:,.1f} {UNITS[power]}"


def exact_size_text(size: int) -> str:
    """Write a size exactly, in the largest unit of which it is a whole number."""
    number, power = split_size(size)
    return "1 byte" if size == 1 else f"{number:,} {UNITS[power]}"


def split_size(size: int) -> tuple[int, int]:
    """Split a size into a whole number and the power of 1,024 that it counts; (0, 0) for none."""
    power = 0
    while size and size % STEP == 0 and power < len(UNITS) - 1:
        size, power = size // STEP, power + 1
    return size, power

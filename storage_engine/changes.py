"""What a group changed, row by row, as the journal keeps it: enough to make the changes again.

Changes are physical (table, key, new value), so making them twice does no harm and needs no rule
of any operation. FORMAT.md specifies the bytes. Knows tables only as handles and their order.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import lmdb

    from storage_engine.index import Tables

ROW: Final = struct.Struct(">BHI")
"""Of each change: the table's number in `Tables`, length of the key, length of the value."""

REMOVED: Final = 0xFFFF_FFFF
"""Stands for the length of a value where the row was removed."""


class Changes:
    """The changes of one group, in the order they were made."""

    __slots__ = ("_numbers", "_pieces")

    def __init__(self, tables: Tables) -> None:
        self._numbers = tables.numbers
        self._pieces: list[bytes] = []

    def put(self, table: lmdb._Database, key: bytes, value: bytes) -> None:
        """Note a row that was written."""
        self._pieces += (ROW.pack(self._numbers[table], len(key), len(value)), key, value)

    def delete(self, table: lmdb._Database, key: bytes) -> None:
        """Note a row that was removed."""
        self._pieces += (ROW.pack(self._numbers[table], len(key), REMOVED), key)

    def pack(self) -> bytes:
        """Encode them."""
        return b"".join(self._pieces)


def unpack(body: bytes | memoryview) -> Iterator[tuple[int, bytes, bytes | None]]:
    """Yield (table number, key, value or None for removed) of each change; struct.error if cut."""
    view, at = memoryview(body), 0
    while at < len(view):
        table, key_bytes, value_bytes = ROW.unpack_from(view, at)
        at += ROW.size
        key = bytes(view[at : at + key_bytes])
        at += key_bytes
        if value_bytes == REMOVED:
            yield table, key, None
        else:
            yield table, key, bytes(view[at : at + value_bytes])
            at += value_bytes

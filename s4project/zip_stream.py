"""A zip that is made while it is sent: Python's own zipfile, onto a sink that nobody can rewind.

What is in it is not compressed: most of what is stored is already, and so it goes at the disk's
pace. Sizes follow the bytes of an entry (APPNOTE 4.3.9), in 64 bits where it is large.
"""

from __future__ import annotations

import struct
import zipfile
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import IO

EARLIEST: Final = (1980, 1, 1, 0, 0, 0)  # of the dates that a zip can say
LATEST: Final = (2107, 12, 31, 23, 59, 58)
# Info-ZIP's "extended timestamp": the moment itself, where a zip's own date has no time zone.
MOMENT: Final = struct.Struct("<HHBi")
MOMENT_ID: Final = 0x5455
MOMENT_SECONDS_MAX: Final = 2**31 - 1
FILE_MODE: Final = 0o100644 << 16
FOLDER_MODE: Final = 0o040755 << 16 | 0x10


class _Sink:
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: what is written waits to be taken."""

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""

    def take(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class ZipStream:
    """A zip in the making; `take` gives the bytes that have come of it since the last time."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_STORED)
        self._entry: IO[bytes] | None = None

    def take(self) -> bytes:
        """Return what was made since the last time."""
        return self._sink.take()

    def begin(self, path: str, size: int, modified_ms: int) -> None:
        """Begin a file of so many bytes, which must follow."""
        self.end()
        entry = _entry(path, modified_ms)
        entry.file_size = size  # decides whether it needs 64 bits
        entry.external_attr = FILE_MODE
        self._entry = self._zip.open(entry, "w")

    def write(self, data: bytes) -> None:
        """Go on with the file."""
        assert self._entry is not None, "no file was begun"
        self._entry.write(data)

    def end(self) -> None:
        """End the file, if there is one."""
        if self._entry is not None:
            self._entry.close()
            self._entry = None

    def add_folder(self, path: str, modified_ms: int) -> None:
        """Add a folder; its path ends in a slash."""
        self.end()
        entry = _entry(path, modified_ms)
        entry.external_attr = FOLDER_MODE
        entry.CRC = 0
        self._zip.mkdir(entry)

    def close(self) -> None:
        """Write the directory of the zip; what is taken after that ends it."""
        with ExitStack() as stack:
            stack.callback(self._zip.close)
            self.end()


def _entry(path: str, modified_ms: int) -> zipfile.ZipInfo:
    """Describe an entry, by the names and moments that Unix has."""
    moment = datetime.fromtimestamp(modified_ms // 1000, UTC)
    date = min(max(moment.timetuple()[:6], EARLIEST), LATEST)
    entry = zipfile.ZipInfo(path, date)
    entry.create_system = 3
    if modified_ms // 1000 <= MOMENT_SECONDS_MAX:
        entry.extra = MOMENT.pack(MOMENT_ID, MOMENT.size - 4, 1, modified_ms // 1000)
    return entry

"""One record read back from its volume and compared with what the index says of it.

For those who go through whole blobs: verify, scrub and compaction. What does not agree is
CorruptBlob; whether the blob has moved meanwhile is for the caller to ask.
"""

from __future__ import annotations

import errno
import hashlib
from typing import TYPE_CHECKING, Final

from awscrt.checksums import crc32c

from storage_engine.errors import CorruptBlob, FormatError
from storage_engine.limits import BLOCK_BYTES, READ_BYTES_MAX, RECORD_HEADER_BYTES_MAX
from storage_engine.record import RecordHeader, check_blocks, checks_bytes, unpack_record_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from storage_engine import rows

BAD_BYTES_CODES: Final = frozenset({errno.EIO, errno.ENOENT})
"""What the system says of bytes that are gone; other codes say something of the system."""


def is_damage(error: Exception) -> bool:
    """Tell a record whose bytes are wrong from one that could not be looked at just now."""
    if isinstance(error, OSError):
        return error.errno in BAD_BYTES_CODES
    return isinstance(error, (CorruptBlob, FormatError))


class StoredRecord:
    """A blob's record; `read` takes (length, offset), as `VolumeFile.read` does.

    `seed` is the `record_seed` of the store.
    """

    def __init__(
        self, read: Callable[[int, int], bytes], sha256: bytes, blob: rows.Blob, seed: int
    ) -> None:
        """Read header and block checksums; CorruptBlob unless they are what the index says."""
        self.blob = blob
        self.sha256 = sha256
        self._read = read
        self._start = blob.offset + blob.header_bytes
        self._seed = seed
        self.header = self._read_header()
        self.checks = self._read_checks()

    def pieces(self) -> Iterator[bytes]:
        """Yield the payload, each piece verified; CorruptBlob."""
        size = self.blob.size
        for at in range(0, size, READ_BYTES_MAX):
            wanted = min(READ_BYTES_MAX, size - at)
            data = self._read(wanted, self._start + at)
            if len(data) < wanted:
                raise CorruptBlob("the record is cut off")
            check_blocks(data, self.checks, at // BLOCK_BYTES)
            yield data

    def check(self, *, is_hashed: bool, pause: Callable[[int], None] | None = None) -> None:
        """Read the whole payload; with `is_hashed`, compare its SHA-256 as well. CorruptBlob.

        `pause` is told how long each piece was.
        """
        digest = hashlib.sha256()
        for piece in self.pieces():
            if pause is not None:
                pause(len(piece))
            if is_hashed:
                digest.update(piece)
        if is_hashed and digest.digest() != self.sha256:
            raise CorruptBlob("the payload is not what its name says")

    def _read_header(self) -> RecordHeader:
        blob = self.blob
        room = min(RECORD_HEADER_BYTES_MAX, blob.length)
        header = unpack_record_header(self._read(room, blob.offset), self._seed)
        said = (header.volume_id, header.offset, header.payload_bytes, header.sha256)
        if said != (blob.volume_id, blob.offset, blob.size, self.sha256):
            raise CorruptBlob("the record is of another blob")
        if (header.header_bytes, header.checks_crc) != (blob.header_bytes, blob.checks_crc):
            raise CorruptBlob("the record's header is not the one that was written")
        return header

    def _read_checks(self) -> bytes:
        blob = self.blob
        checks = self._read(checks_bytes(blob.size), self._start + blob.size)
        if crc32c(checks) != blob.checks_crc or blob.checks not in {b"", checks}:
            raise CorruptBlob("the block checksums are wrong")
        return checks

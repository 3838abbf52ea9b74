"""The bytes of a volume: its header, and the records that follow one another in it.

A record says by itself what it is: a header under a checksum, the payload, and one CRC32C for
each block of the payload. Every length is checked before it is believed. FORMAT.md tells the
same in prose; struct formats here are the one place the layout is written in code.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import msgspec
from awscrt.checksums import crc32c

from storage_engine.errors import CorruptBlob, FormatError
from storage_engine.limits import (
    BLOB_BYTES_MAX,
    BLOCK_BYTES,
    RECORD_ALIGNMENT,
    RECORD_HEADER_BYTES_MAX,
)
from storage_engine.values import ObjectAttributes, Origin

FORMAT_VERSION: Final = 2

RECORD_MAGIC: Final = b"S4record"
_RECORD = struct.Struct(">8sHHIQQQIIQ32s")
_CRC: Final = struct.Struct(">I")
RECORD_FIXED_BYTES: Final = _RECORD.size + _CRC.size

VOLUME_MAGIC: Final = b"S4volume"
_VOLUME = struct.Struct(">8sHH16sQQ")
VOLUME_HEADER_BYTES: Final = RECORD_ALIGNMENT

_DESCRIPTION: Final = struct.Struct(">H")  # length of the MessagePack; zeros follow it
DESCRIPTION_BYTES_MAX: Final = RECORD_HEADER_BYTES_MAX - RECORD_FIXED_BYTES
DIGESTS_BYTES: Final = 192  # an ETag and two checksums, the longest: what is known only at the end


def record_seed(store_id: bytes) -> int:
    """Return what the header checksums of a store's records begin with.

    Clients do not know it: what they upload passes for a record of the store with a probability
    of one in 2^32 for each record that it imitates, and only at the very place it says it is at.
    """
    seed: int = crc32c(store_id)
    return seed


@dataclass(frozen=True, slots=True)
class RecordHeader:
    """The head of one record. `offset` is the record's own place in volume `volume_id`.

    Both are kept, so that a stale block of another file can never pass for the record.
    """

    volume_id: int
    offset: int
    payload_bytes: int
    sha256: bytes
    checks_crc: int  # CRC32C of the block checksums that follow the payload
    created_ms: int  # when the payload was stored first: copies of the record keep it
    description: bytes  # see `describe`; empty when nothing was said

    @property
    def header_bytes(self) -> int:
        """Length of the header: where the payload starts, counted from the record."""
        return RECORD_FIXED_BYTES + len(self.description)

    def pack(self, seed: int) -> bytes:
        """Encode the header; `seed` is the store's."""
        fixed = _RECORD.pack(
            RECORD_MAGIC,
            FORMAT_VERSION,
            0,
            self.header_bytes,
            self.volume_id,
            self.offset,
            self.payload_bytes,
            BLOCK_BYTES,
            self.checks_crc,
            self.created_ms,
            self.sha256,
        )
        crc = crc32c(self.description, crc32c(fixed, seed))
        return fixed + _CRC.pack(crc) + self.description


def unpack_record_header(data: bytes, seed: int) -> RecordHeader:
    """Decode a header from bytes that begin with it; CorruptBlob unless every byte is right."""
    if len(data) < RECORD_FIXED_BYTES:
        raise CorruptBlob("record header is cut off")
    magic, version, flags, header_bytes, *fields = _RECORD.unpack_from(data)
    if magic != RECORD_MAGIC:
        raise CorruptBlob("no record starts here")
    if not RECORD_FIXED_BYTES <= header_bytes <= min(RECORD_HEADER_BYTES_MAX, len(data)):
        raise CorruptBlob("record header has an impossible length")
    description = data[RECORD_FIXED_BYTES:header_bytes]
    (crc,) = _CRC.unpack_from(data, _RECORD.size)
    if crc != crc32c(description, crc32c(data[: _RECORD.size], seed)):
        raise CorruptBlob("record header fails its checksum")
    volume_id, offset, payload_bytes, block_bytes, checks_crc, created_ms, sha256 = fields
    if (version, flags, block_bytes) != (FORMAT_VERSION, 0, BLOCK_BYTES):
        raise FormatError(f"record of format {version} (flags {flags}, blocks of {block_bytes})")
    if payload_bytes > BLOB_BYTES_MAX:
        raise CorruptBlob("record claims an impossible payload")
    return RecordHeader(
        volume_id, offset, payload_bytes, sha256, checks_crc, created_ms, description
    )


# --- descriptions -----------------------------------------------------------------------------


def describe(origin: Origin | None, length_min: int = 0) -> bytes:
    """Encode what a payload is written for; headers that would make it too long are left out."""
    if origin is None:
        return b""
    data = msgspec.msgpack.encode(origin)
    if _DESCRIPTION.size + len(data) > DESCRIPTION_BYTES_MAX:
        data = msgspec.msgpack.encode(_without_headers(origin))
    return (_DESCRIPTION.pack(len(data)) + data).ljust(length_min, b"\x00")


def described_again(origin: Origin, length: int) -> bytes:
    """Encode what is known by now into the room that was left; without digests, should it not fit.

    The room is that of a description without digests at least.
    """
    data = describe(origin, length)
    if len(data) > length:
        data = describe(origin.with_digests("", {}), length)
    return data


def read_description(data: bytes) -> Origin | None:
    """Decode what `describe` encoded; CorruptBlob when this version cannot read it."""
    if not data:
        return None
    (length,) = _DESCRIPTION.unpack_from(data.ljust(_DESCRIPTION.size, b"\x00"))
    try:
        return _decode_origin(data[_DESCRIPTION.size : _DESCRIPTION.size + length])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptBlob(f"a record's description cannot be read: {error}") from error


def _without_headers(origin: Origin) -> Origin:
    held = origin.attributes
    kept = ObjectAttributes(
        etag=held.etag,
        headers={},
        checksums=held.checksums,
        checksum_type=held.checksum_type,
        owner=held.owner,
        storage_class=held.storage_class,
        checksum_algorithm=held.checksum_algorithm,
    )
    return msgspec.structs.replace(origin, attributes=kept)


_decode_origin: Final = msgspec.msgpack.Decoder(Origin).decode


# --- block checksums ---------------------------------------------------------------------------


def block_count(payload_bytes: int) -> int:
    """Count the blocks of a payload; the last may be short."""
    return -(-payload_bytes // BLOCK_BYTES)


def checks_bytes(payload_bytes: int) -> int:
    """Return the length of a payload's block checksums."""
    return block_count(payload_bytes) * _CRC.size


def record_bytes(description_bytes: int, payload_bytes: int) -> int:
    """Return the length of a whole record, up to where the next may start."""
    length = RECORD_FIXED_BYTES + description_bytes + payload_bytes + checks_bytes(payload_bytes)
    return -(-length // RECORD_ALIGNMENT) * RECORD_ALIGNMENT


class BlockChecks:
    """Computes the checksum of each block while the payload passes, in pieces of any size."""

    def __init__(self) -> None:
        self._done = bytearray()
        self._crc = 0
        self._filled = 0

    def update(self, data: bytes | memoryview) -> None:
        """Take the next bytes."""
        view = memoryview(data)
        at = 0
        while at < len(view):
            piece = view[at : at + BLOCK_BYTES - self._filled]
            self._crc = crc32c(piece, self._crc)
            self._filled += len(piece)
            at += len(piece)
            if self._filled == BLOCK_BYTES:
                self._close_block()

    def finish(self) -> bytes:
        """Return the checksums, big-endian, one after the other."""
        if self._filled:
            self._close_block()
        return bytes(self._done)

    def _close_block(self) -> None:
        self._done += _CRC.pack(self._crc)
        self._crc = self._filled = 0


def is_block(data: memoryview, checks: bytes) -> bool:
    """Tell whether a payload of one block is what it was when its checksum was made."""
    return checks == _CRC.pack(crc32c(data))


def check_blocks(data: bytes | memoryview, checks: bytes, first: int) -> None:
    """Compare whole blocks, of which the payload's block `first` is the first, to the checksums.

    Only the payload's last block may be short. CorruptBlob on the first that differs.
    """
    view = memoryview(data)
    for number, at in enumerate(range(0, len(view), BLOCK_BYTES), first):
        (expected,) = _CRC.unpack_from(checks, number * _CRC.size)
        if crc32c(view[at : at + BLOCK_BYTES]) != expected:
            raise CorruptBlob(f"block {number} fails its checksum")


# --- volume header -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VolumeHeader:
    """The head of one volume file."""

    store_id: bytes
    volume_id: int
    created_ms: int

    def pack(self) -> bytes:
        """Encode the header, padded to its full length."""
        fixed = _VOLUME.pack(
            VOLUME_MAGIC, FORMAT_VERSION, 0, self.store_id, self.volume_id, self.created_ms
        )
        return (fixed + _CRC.pack(crc32c(fixed))).ljust(VOLUME_HEADER_BYTES, b"\x00")


def unpack_volume_header(data: bytes) -> VolumeHeader:
    """Decode a volume's first bytes; CorruptBlob unless every byte is right."""
    if len(data) < VOLUME_HEADER_BYTES:
        raise CorruptBlob("volume header is cut off")
    magic, version, flags, store_id, volume_id, created_ms = _VOLUME.unpack_from(data)
    (crc,) = _CRC.unpack_from(data, _VOLUME.size)
    if magic != VOLUME_MAGIC or crc != crc32c(data[: _VOLUME.size]):
        raise CorruptBlob("not the header of a volume")
    if (version, flags) != (FORMAT_VERSION, 0):
        raise FormatError(f"volume of format {version} (flags {flags})")
    return VolumeHeader(store_id, volume_id, created_ms)

"""A record read back is what the index says of it, or CorruptBlob."""

from __future__ import annotations

import errno

import msgspec
import pytest

from storage_engine import CorruptBlob, FormatError, StorageEngine, StorageError
from storage_engine.limits import BLOCK_BYTES, READ_BYTES_MAX
from storage_engine.stored import StoredRecord, is_damage
from tests.storage_engine.engine_steps import noise, put

SIZE = READ_BYTES_MAX + BLOCK_BYTES + 5


@pytest.fixture
def record(engine: StorageEngine) -> StoredRecord:
    """Read a blob of several pieces back."""
    info = put(engine, "k", noise(SIZE))
    assert info.sha256 is not None
    blob = engine._lookup.find(info.sha256)
    assert blob is not None
    file = engine._files.acquire(blob.volume_id)
    engine._files.release(file)  # it stays open, unused
    return StoredRecord(file.read, info.sha256, blob, engine._appender.seed)


def test_a_whole_record_is_read_in_pieces(record: StoredRecord) -> None:
    """The pieces are the payload, and it is what its name says."""
    pieces = list(record.pieces())
    assert b"".join(pieces) == noise(SIZE)
    assert max(map(len, pieces)) == READ_BYTES_MAX
    record.check(is_hashed=True)
    assert record.header.payload_bytes == SIZE


def test_every_part_is_compared(record: StoredRecord) -> None:
    """A wrong byte anywhere but in the padding is found, and so is a file that ends early."""
    blob, start = record.blob, record.blob.offset
    whole = record._read(blob.length, start)
    used = blob.header_bytes + SIZE + len(record.checks)
    for at in (0, 9, 60, blob.header_bytes, used - len(record.checks) - 1, used - 1):
        bad = bytearray(whole)
        bad[at] ^= 1
        with pytest.raises(CorruptBlob):
            StoredRecord(
                lambda length, offset, bad=bad: bytes(bad[offset - start :][:length]),  # type: ignore[misc]
                record.sha256,
                blob,
                record._seed,
            ).check(is_hashed=False)
    with pytest.raises(CorruptBlob):
        StoredRecord(
            lambda length, offset: whole[: used - 9][offset - start :][:length],
            record.sha256,
            blob,
            record._seed,
        )


def test_a_record_of_something_else_is_refused(record: StoredRecord) -> None:
    """Another name, place or header length than the index has is CorruptBlob."""
    blob = record.blob
    with pytest.raises(CorruptBlob, match="another blob"):
        StoredRecord(record._read, b"x" * 32, blob, record._seed)
    other = msgspec.structs.replace(blob, header_bytes=blob.header_bytes + 1)
    with pytest.raises(CorruptBlob, match="written"):
        StoredRecord(record._read, record.sha256, other, record._seed)


def test_a_payload_that_agrees_with_its_checks_alone_is_found_by_its_hash(
    record: StoredRecord,
) -> None:
    """Only the SHA-256 tells when payload and checksums were wrong from the start."""
    record.sha256 = b"x" * 32
    record.check(is_hashed=False)
    with pytest.raises(CorruptBlob, match="name"):
        record.check(is_hashed=True)


def test_trouble_of_the_system_is_no_damage() -> None:
    """Bytes that are wrong or gone are told from a machine that is out of something."""
    for error in (CorruptBlob(), FormatError(), OSError(errno.EIO, ""), FileNotFoundError(2, "")):
        assert is_damage(error)
    for error in (StorageError(), OSError(errno.EMFILE, ""), OSError(errno.ENOMEM, "")):
        assert not is_damage(error)

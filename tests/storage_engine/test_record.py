"""The codec of records and volume headers: exact, and deaf to every damage."""

from __future__ import annotations

import itertools
from contextlib import suppress
from dataclasses import replace

import msgspec
import pytest
from awscrt.checksums import crc32c
from hypothesis import given
from hypothesis import strategies as st

from storage_engine import (
    CorruptBlob,
    EngineError,
    FormatError,
    LockMode,
    ObjectAttributes,
    ObjectLock,
    Origin,
    RetentionPeriod,
)
from storage_engine.limits import (
    BLOB_BYTES_MAX,
    BLOCK_BYTES,
    RECORD_ALIGNMENT,
    RECORD_HEADER_BYTES_MAX,
)
from storage_engine.record import (
    DESCRIPTION_BYTES_MAX,
    DIGESTS_BYTES,
    RECORD_FIXED_BYTES,
    VOLUME_HEADER_BYTES,
    BlockChecks,
    RecordHeader,
    VolumeHeader,
    block_count,
    check_blocks,
    checks_bytes,
    describe,
    described_again,
    read_description,
    record_bytes,
    record_seed,
    unpack_record_header,
    unpack_volume_header,
)
from tests.storage_engine.engine_steps import noise

SEED = record_seed(b"a store's own id")
DIGESTS = {"SHA256": "x" * 44, "CRC64NVME": "y" * 12}  # the most that one request brings

u64 = st.integers(0, 2**64 - 1)
short = st.text(max_size=12)
texts = st.dictionaries(short, short, max_size=4)
object_attributes = st.builds(
    ObjectAttributes,
    etag=short,
    headers=texts,
    checksums=texts,
    checksum_type=short,
    owner=short,
    storage_class=short,
    checksum_algorithm=short,
    tags=texts,
)
origins = st.builds(
    Origin,
    bucket_id=u64,
    key=st.text(max_size=50),
    attributes=object_attributes,
    upload_id=short,
    part_number=st.integers(0, 10_000),
    lock=st.builds(ObjectLock, st.sampled_from(LockMode), u64, st.booleans(), st.booleans()),
    default_retention=st.none() | st.builds(RetentionPeriod, st.sampled_from(LockMode), u64),
)
headers = st.builds(
    RecordHeader,
    volume_id=u64,
    offset=u64,
    payload_bytes=st.integers(0, BLOB_BYTES_MAX),
    sha256=st.binary(min_size=32, max_size=32),
    checks_crc=st.integers(0, 2**32 - 1),
    created_ms=u64,
    description=st.binary(max_size=300),
)
volume_headers = st.builds(
    VolumeHeader,
    store_id=st.binary(min_size=16, max_size=16),
    volume_id=u64,
    created_ms=u64,
)


@given(headers, st.binary(max_size=20))
def test_a_record_header_comes_back_as_it_was(header: RecordHeader, rest: bytes) -> None:
    """Unpacking gives back what was packed, whatever follows it."""
    packed = header.pack(SEED)
    assert len(packed) == header.header_bytes
    assert unpack_record_header(packed + rest, SEED) == header


@given(headers, st.binary(min_size=16, max_size=16))
def test_a_record_header_of_another_store_is_refused(header: RecordHeader, store: bytes) -> None:
    """Who does not know the store's id cannot make bytes that pass for one of its records."""
    if record_seed(store) != SEED:
        with pytest.raises(CorruptBlob, match="checksum"):
            unpack_record_header(header.pack(record_seed(store)), SEED)
    with pytest.raises(CorruptBlob, match="checksum"):
        unpack_record_header(header.pack(0), SEED)


@given(headers, st.data())
def test_no_changed_byte_of_a_record_header_passes(
    header: RecordHeader, data: st.DataObject
) -> None:
    """A header with any one byte changed, or cut off, is refused."""
    packed = bytearray(header.pack(SEED))
    at = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(CorruptBlob):
        unpack_record_header(bytes(packed[:at]), SEED)
    packed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(EngineError):
        unpack_record_header(bytes(packed), SEED)


@given(st.binary(max_size=400))
def test_bytes_of_anything_else_are_no_record(data: bytes) -> None:
    """Arbitrary bytes are refused, and never believed about a length."""
    with pytest.raises(CorruptBlob):
        unpack_record_header(data, SEED)


def test_a_header_of_impossible_lengths_is_refused() -> None:
    """A well-checksummed header cannot claim more than the format allows."""
    header = RecordHeader(1, 512, BLOB_BYTES_MAX + 1, bytes(32), 0, 0, b"")
    with pytest.raises(CorruptBlob, match="payload"):
        unpack_record_header(header.pack(SEED), SEED)
    too_long = replace(header, payload_bytes=1, description=bytes(RECORD_HEADER_BYTES_MAX))
    with pytest.raises(CorruptBlob, match="length"):
        unpack_record_header(too_long.pack(SEED), SEED)


def test_a_newer_record_is_told_from_a_damaged_one() -> None:
    """A record of a later format is FormatError, for nothing is wrong with it."""
    packed = bytearray(RecordHeader(1, 512, 1, bytes(32), 0, 0, b"").pack(SEED))
    packed[8:10] = (3).to_bytes(2)
    crc = crc32c(bytes(packed[: RECORD_FIXED_BYTES - 4]), SEED)
    packed[RECORD_FIXED_BYTES - 4 :] = crc.to_bytes(4)
    with pytest.raises(FormatError, match="format 3"):
        unpack_record_header(bytes(packed), SEED)


@given(origins, st.integers(0, 400))
def test_a_description_comes_back_as_it_was(origin: Origin, length_min: int) -> None:
    """Whatever a payload is written for survives in its record, and room left at the end too."""
    packed = describe(origin, length_min)
    assert read_description(packed) == origin
    assert len(packed) >= length_min
    assert read_description(describe(None, length_min)) is None


@given(origins)
def test_a_description_from_before_locks_tells_of_none(origin: Origin) -> None:
    """Records that were written without the last elements are read as ever."""
    fields = msgspec.to_builtins(origin)[:5]
    data = msgspec.msgpack.encode(fields)
    plain = msgspec.structs.replace(origin, lock=ObjectLock(), default_retention=None)
    assert read_description(len(data).to_bytes(2) + data) == plain


@given(origins)
def test_digests_fit_into_the_room_that_was_left(origin: Origin) -> None:
    """What is known only at the end is told as well, and the description stays as long."""
    length = len(describe(origin.with_digests("", {}))) + DIGESTS_BYTES
    known = origin.with_digests("e" * 35, DIGESTS)
    again = described_again(known, length)
    assert len(again) == length
    assert read_description(again) == known


@given(origins)
def test_digests_that_do_not_fit_are_left_out(origin: Origin) -> None:
    """No description outgrows its room; the rest of it is kept."""
    bare = origin.with_digests("", {})
    length = len(describe(bare))
    again = described_again(origin.with_digests("e" * 35, DIGESTS), length)
    assert len(again) == length
    assert read_description(again) == bare


def test_a_description_that_is_too_long_keeps_the_name() -> None:
    """Headers that would not fit are left out; everything else is kept."""
    long = {"x": "y" * RECORD_HEADER_BYTES_MAX}
    kept = ObjectAttributes(etag="e", headers=long, checksums=DIGESTS, owner="o", tags=long)
    packed = describe(Origin(7, "name", kept, "id", 3))
    assert len(packed) <= DESCRIPTION_BYTES_MAX
    bare = ObjectAttributes(etag="e", headers={}, checksums=DIGESTS, owner="o")
    assert read_description(packed) == Origin(7, "name", bare, "id", 3)


@given(st.binary(max_size=60))
def test_a_description_of_anything_else_is_refused_or_read(data: bytes) -> None:
    """Bytes that are no description are CorruptBlob, never another error."""
    with suppress(CorruptBlob):
        read_description(data)


@given(st.integers(0, 3 * BLOCK_BYTES), st.lists(st.integers(0, 2 * BLOCK_BYTES), max_size=6))
def test_block_checksums_do_not_depend_on_how_the_payload_arrives(
    size: int, cuts: list[int]
) -> None:
    """Pieces of any size give the same checksums, and these fit the payload."""
    payload = noise(size)
    checks, whole = BlockChecks(), BlockChecks()
    whole.update(payload)
    edges = [0, *sorted(min(cut, size) for cut in cuts), size]
    for start, stop in itertools.pairwise(edges):
        checks.update(payload[start:stop])
    found = checks.finish()
    assert found == whole.finish()
    assert len(found) == checks_bytes(size) == 4 * block_count(size)
    for first in range(block_count(size)):
        check_blocks(payload[first * BLOCK_BYTES :], found, first)


@given(st.integers(1, 3 * BLOCK_BYTES), st.data())
def test_no_changed_byte_of_a_payload_passes(size: int, data: st.DataObject) -> None:
    """One changed byte is found in its block, whichever block the reading starts at."""
    payload = bytearray(noise(size))
    checks = BlockChecks()
    checks.update(bytes(payload))
    at = data.draw(st.integers(0, size - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    first = data.draw(st.integers(0, at // BLOCK_BYTES))
    with pytest.raises(CorruptBlob):
        check_blocks(payload[first * BLOCK_BYTES :], checks.finish(), first)


@given(st.integers(0, 1000), st.integers(0, 10 * BLOCK_BYTES))
def test_a_record_ends_at_a_sector_and_holds_everything(description: int, payload: int) -> None:
    """A record's length has room for all its parts and less than a sector more."""
    length = record_bytes(description, payload)
    needed = RECORD_FIXED_BYTES + description + payload + checks_bytes(payload)
    assert length % RECORD_ALIGNMENT == 0
    assert needed <= length < needed + RECORD_ALIGNMENT


@given(volume_headers, st.data())
def test_a_volume_header_comes_back_or_is_refused(
    header: VolumeHeader, data: st.DataObject
) -> None:
    """A volume's header round-trips, and no changed byte of its fields passes."""
    packed = bytearray(header.pack())
    assert len(packed) == VOLUME_HEADER_BYTES
    assert unpack_volume_header(bytes(packed)) == header
    with pytest.raises(CorruptBlob):
        unpack_volume_header(bytes(packed[:-1]))
    packed[data.draw(st.integers(0, 47))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(EngineError):
        unpack_volume_header(bytes(packed))


def test_a_newer_volume_is_told_from_a_damaged_one() -> None:
    """A volume of a later format is FormatError."""
    packed = bytearray(VolumeHeader(bytes(16), 1, 0).pack())
    packed[8:10] = (3).to_bytes(2)
    packed[44:48] = crc32c(bytes(packed[:44])).to_bytes(4)
    with pytest.raises(FormatError, match="format 3"):
        unpack_volume_header(bytes(packed))

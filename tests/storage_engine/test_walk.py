"""A volume read from its bytes alone: every valid record, none besides, whatever lies between."""

from __future__ import annotations

import hashlib
import os
import random
from typing import TYPE_CHECKING

import pytest
from awscrt.checksums import crc32c
from hypothesis import given
from hypothesis import strategies as st

from storage_engine.disk import RealDisk
from storage_engine.limits import READ_BYTES_MAX, RECORD_ALIGNMENT
from storage_engine.record import (
    VOLUME_HEADER_BYTES,
    BlockChecks,
    RecordHeader,
    VolumeHeader,
    record_bytes,
    record_seed,
)
from storage_engine.volume import volume_path
from storage_engine.walk import FoundRecord, Gap, Walk
from tests.storage_engine.engine_steps import (
    BUCKET,
    KIB,
    attributes,
    noise,
    put,
    small_store,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VOLUME = 7
STORE_ID = b"s" * 16
SEED = record_seed(STORE_ID)
START = VolumeHeader(STORE_ID, VOLUME, 0).pack()


def record(
    offset: int,
    payload: bytes,
    *,
    volume_id: int = VOLUME,
    description: bytes = b"",
    seed: int = SEED,
) -> bytes:
    """Make a whole record as it would lie at a place."""
    checks = BlockChecks()
    checks.update(payload)
    packed = checks.finish()
    header = RecordHeader(
        volume_id,
        offset,
        len(payload),
        hashlib.sha256(payload).digest(),
        crc32c(packed),
        0,
        description,
    )
    data = header.pack(seed) + payload + packed
    return data.ljust(record_bytes(len(description), len(payload)), b"\x00")


def walk(
    data: bytes, *, is_trusted: Callable[[FoundRecord], bool] | None = None
) -> list[FoundRecord | Gap]:
    """Walk over bytes in memory."""
    items = Walk(
        VOLUME, lambda length, at: data[at : at + length], len(data), SEED, is_trusted=is_trusted
    ).items()
    return list(items)


def places(items: list[FoundRecord | Gap]) -> list[tuple[str, int, int]]:
    """Say what was found where, in short."""
    return [
        ("record" if isinstance(item, FoundRecord) else "gap", item.offset, item.length)
        for item in items
    ]


def test_records_in_a_row_are_found_in_order() -> None:
    """Each record is told with its header and its whole length, and nothing else is."""
    data = START
    expected = []
    for size in (0, 1, 511, 5000, 200 * KIB, 3):
        piece = record(len(data), noise(size, size), description=b"d" * (size % 7))
        expected.append(("record", len(data), len(piece)))
        data += piece
    found = walk(data)
    assert places(found) == expected
    assert isinstance(found[3], FoundRecord)
    assert found[3].header.sha256 == hashlib.sha256(noise(5000, 5000)).digest()


def test_an_empty_volume_holds_nothing() -> None:
    """Neither a header alone nor a file that is cut off before its end yields anything."""
    assert walk(START) == []
    assert walk(b"") == []


def test_a_header_longer_than_one_read_is_found() -> None:
    """Descriptions of tens of KiB belong to the header."""
    data = START + record(len(START), b"payload", description=noise(50 * KIB))
    assert [item[0] for item in places(walk(data))] == ["record"]


@pytest.mark.parametrize("byte", [0, 8, 12, 20, 30, 50, 91, 92])
def test_a_damaged_header_costs_one_record(byte: int) -> None:
    """Behind a header with one wrong byte the walk finds the next record and tells the gap."""
    first = record(len(START), noise(3000), description=b"abc")
    second_at = len(START) + len(first)
    data = bytearray(START + first + record(second_at, b"second"))
    data[len(START) + byte] ^= 1
    found = places(walk(bytes(data)))
    assert [kind for kind, *_ in found] == ["gap", "record"]
    assert found[0][1] - found[0][1] % RECORD_ALIGNMENT == len(START)
    assert found[1][1] == second_at


def test_a_length_is_not_believed_before_its_checksum() -> None:
    """A payload length that damage made huge hides nothing that follows."""
    first = record(len(START), b"first")
    data = bytearray(START + first + record(len(START) + len(first), b"second"))
    data[len(START) + 32 : len(START) + 40] = (1 << 39).to_bytes(8, "big")
    assert [kind for kind, *_ in places(walk(bytes(data)))] == ["gap", "record"]


def test_what_a_client_stored_is_never_taken_for_a_record() -> None:
    """A payload that is itself a valid record at its very place stays a payload."""
    header_bytes = len(record(0, b"")) - 512 + 92
    padding = RECORD_ALIGNMENT - header_bytes % RECORD_ALIGNMENT
    inner_at = len(START) + header_bytes + padding
    payload = bytes(padding) + record(inner_at, b"forged")
    data = START + record(len(START), payload)
    assert data[inner_at : inner_at + 8] == b"S4record"
    assert places(walk(data)) == [("record", len(START), len(data) - len(START))]
    refused = walk(data, is_trusted=lambda found: found.header.payload_bytes < 100)
    assert ("record", inner_at) in [place[:2] for place in places(refused)]


def test_what_a_client_stored_is_no_record_in_abandoned_room_either() -> None:
    """Where a header was never written, a forged record at its very place is refused."""
    data = START + bytes(512) + record(2 * 512, b"forged", seed=record_seed(b"?" * 16))
    assert [kind for kind, *_ in places(walk(data))] == ["gap"]


def test_a_record_of_another_place_or_volume_is_none() -> None:
    """A header that names another place or file is stale, however valid it is."""
    moved = record(len(START) + RECORD_ALIGNMENT, b"x")
    foreign = record(len(START) + len(moved), b"x", volume_id=VOLUME + 1)
    assert [kind for kind, *_ in places(walk(START + moved + foreign))] == ["gap"]


def test_a_record_that_the_file_cuts_off_is_none() -> None:
    """The last record counts as long as nothing but its padding is missing."""
    data = START + record(len(START), b"payload")
    used = len(data.rstrip(b"\x00"))
    assert [kind for kind, *_ in places(walk(data[:used]))] == ["record"]
    assert [kind for kind, *_ in places(walk(data[: used - 1]))] == ["gap"]


def test_zeros_are_no_gap() -> None:
    """Unused room between records is passed over in silence, also when it is long."""
    first = record(len(START), b"first")
    second_at = len(START) + len(first) + 2 * READ_BYTES_MAX + 5 * RECORD_ALIGNMENT
    data = (START + first).ljust(second_at, b"\x00") + record(second_at, b"second")
    found = places(walk(data + bytes(READ_BYTES_MAX)))
    assert [place[:2] for place in found] == [("record", len(START)), ("record", second_at)]


def test_a_record_across_two_reads_is_found() -> None:
    """Where the search's reads end makes no difference."""
    for at in range(START_OF_SECOND - 2 * RECORD_ALIGNMENT, START_OF_SECOND + 1024, 512):
        data = (START + b"\x01").ljust(at, b"\x00") + record(at, noise(3000))
        assert ("record", at) in [place[:2] for place in places(walk(data))]


START_OF_SECOND = VOLUME_HEADER_BYTES + READ_BYTES_MAX


def test_holes_are_skipped(tmp_path: Path) -> None:
    """A gigabyte that is not there is not read."""
    disk, path = RealDisk(), tmp_path / "v"
    descriptor = disk.create(path)
    last_at = 1 << 30
    disk.write(descriptor, [START + record(len(START), b"first")], 0)
    disk.write(descriptor, [record(last_at, b"last")], last_at)
    read = 0

    def counting_read(length: int, at: int) -> bytes:
        nonlocal read
        read += length
        return disk.read(descriptor, length, at)

    items = Walk(
        VOLUME,
        counting_read,
        os.fstat(descriptor).st_size,
        SEED,
        next_data=lambda at: disk.next_data(descriptor, at),
    ).items()
    assert [item.offset for item in items] == [len(START), last_at]
    assert read < 4 * READ_BYTES_MAX
    disk.close(descriptor)


@given(st.integers(0, 2**32), st.lists(st.integers(0, 40 * KIB), max_size=6))
def test_damage_hides_only_what_it_touches(seed: int, sizes: list[int]) -> None:
    """Whatever bytes are overwritten, every record whose header they miss is found."""
    chance = random.Random(seed)  # noqa: S311  # reproducible, not secret
    data = bytearray(START)
    heads = []
    for size in sizes:
        heads.append(len(data))
        data += record(len(data), noise(size, size))
    damaged = set()
    for _ in range(3):
        at = chance.randrange(len(START), len(data) + 1)
        length = min(chance.randrange(1, 600), len(data) - at)
        data[at : at + length] = chance.randbytes(length)
        damaged |= {head for head in heads if at < head + 92 and head < at + length}
    found = {item.offset for item in walk(bytes(data)) if isinstance(item, FoundRecord)}
    assert set(heads) - damaged <= found
    assert found <= set(heads)


def test_what_was_given_back_leaves_no_record(tmp_path: Path) -> None:
    """A payload whose put was refused cannot be walked to, nor hide what took its room."""
    with small_store(tmp_path / "store", volume_bytes_max=1 << 30) as engine:

        def refuse(_current: object) -> None:
            raise PermissionError

        blob = engine.stage_bytes(noise(100 * KIB, 1))
        future = engine.put_object(BUCKET, "refused", blob, attributes(), guard=refuse)
        assert isinstance(future.exception(), PermissionError)
        waiting = engine.begin_blob(700)  # takes the place of the refused record and is not there
        put(engine, "after", noise(1000, 2))
        waiting.abort()
        engine.discard(written(engine, noise(600, 3)))
    data = volume_path(tmp_path / "store" / "volumes", 1).read_bytes()
    seed = record_seed(data[12:28])
    items = Walk(1, lambda length, at: data[at : at + length], len(data), seed).items()
    records = [item for item in items if isinstance(item, FoundRecord)]
    assert [item.header.sha256 for item in records] == [hashlib.sha256(noise(1000, 2)).digest()]

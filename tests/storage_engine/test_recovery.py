"""Recovery: from the checkpoint on, to the journal's end, however often it is begun again."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import time
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

import pytest

from storage_engine import (
    EngineClosed,
    EngineOptions,
    FormatError,
    JournalDamaged,
    index,
    rebuild_index,
    recovery,
)
from storage_engine.checkpoint import CHECKPOINT, read_checkpoint
from storage_engine.disk import RealDisk
from storage_engine.journal import Journal, segment_path, segment_starts
from storage_engine.layout import existing
from storage_engine.limits import JOURNAL_PAGE_BYTES
from tests.storage_engine.counting_disk import KILLED
from tests.storage_engine.engine_steps import KIB, get, noise, problems, put, small_store

if TYPE_CHECKING:
    from pathlib import Path

# Puts objects without a checkpoint since the first, and dies.
DYING = """
import os, sys
from pathlib import Path
from storage_engine import checkpoint
from tests.storage_engine.engine_steps import noise, put, small_store
checkpoint.CHECKPOINT_SECONDS = 1000.0
engine = small_store(Path(sys.argv[1]), inline_bytes_max=4096, map_bytes=1 << 24)
for n in range(int(sys.argv[2])):
    put(engine, f"{n}", noise(3000, n))
os._exit(37)
"""
OBJECTS = 70
OPTIONS = EngineOptions(segment_bytes=64 * KIB)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Make a store whose process was killed long after the last checkpoint."""
    path = tmp_path / "store"
    command = [sys.executable, "-c", DYING, str(path), str(OBJECTS)]
    with Popen(command) as process:
        assert process.wait() == KILLED
    return path


def check(path: Path, count: int = OBJECTS) -> None:
    """Open the store and read everything."""
    with small_store(path) as engine:
        assert [get(engine, f"{n}") for n in range(count)] == [noise(3000, n) for n in range(count)]
        assert problems(engine) == []


def test_what_the_journal_holds_is_made_again(store: Path) -> None:
    """Everything since the checkpoint comes back, though nothing of the index file is believed."""
    data = store / "index" / index.DATA_FILE
    base = read_checkpoint(store / "index")
    garbage = bytearray(data.read_bytes())
    garbage[: 2 * index.META_PAGE_BYTES] = bytes(2 * index.META_PAGE_BYTES)
    data.write_bytes(garbage)
    check(store)
    assert read_checkpoint(store / "index").txn_id > base.txn_id


def test_a_store_that_was_closed_has_nothing_to_replay(store: Path) -> None:
    """After a clean end the checkpoint stands at the journal's end, and the file is left alone."""
    check(store)
    base = read_checkpoint(store / "index")
    place = existing(store)
    assert place is not None
    journal = Journal(RealDisk(), place.journal, place.store_id, 64 * KIB)
    assert list(journal.read(base.tail)) == []
    check(store)
    assert read_checkpoint(store / "index") == base


def test_a_map_that_is_too_small_for_the_replay_grows(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recovery in a smaller map than the journal needs ends as in a large one, pins and all."""
    monkeypatch.setattr(recovery, "REPLAY_BYTES", 10_000)
    with small_store(store, map_bytes=1 << 17) as engine:
        assert engine._index.size_bytes() > 1 << 17
        assert engine._index.resizes
        assert engine._checkpointer.is_pinned
        assert problems(engine) == []
    check(store)


@pytest.mark.parametrize("damage", ["cut", "flip", "remove"])
def test_a_damaged_checkpoint_is_refused_with_a_remedy(store: Path, damage: str) -> None:
    """Without a checkpoint that can be believed nothing is guessed, and the way out is named."""
    path = store / "index" / CHECKPOINT
    data = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(data[:-1])
    elif damage == "flip":
        data[100] ^= 1
        path.write_bytes(data)
    else:
        path.unlink()
    with pytest.raises(FormatError, match="rebuild_index"):
        small_store(store)


def test_an_index_shorter_than_its_checkpoint_is_refused(store: Path) -> None:
    """A file that cannot hold the tree is not opened."""
    check(store)
    data = store / "index" / index.DATA_FILE
    data.write_bytes(data.read_bytes()[: 3 * index.META_PAGE_BYTES])
    with pytest.raises(FormatError, match="shorter"):
        small_store(store)


def test_a_lost_segment_is_not_taken_for_the_journals_end(store: Path) -> None:
    """Without its second segment nothing of the third is believed to have been the end."""
    journal = store / "journal"
    starts = segment_starts(journal)
    assert len(starts) > 2
    (journal / f"{starts[1]:020d}.segment").unlink()
    for _ in range(2):
        with pytest.raises(JournalDamaged, match=f"goes on at {starts[2] + 4096}"):
            small_store(store)
    assert rebuild_index(store, OPTIONS, accept_loss=True).damage
    with small_store(store) as engine:
        assert 0 < engine.namespace_counts(1).objects < OBJECTS
        assert problems(engine) == []
        put(engine, "after", noise(3000))
        assert get(engine, "after") == noise(3000)


# Holds LMDB's lock for a while, as a process does whose other locks the kernel took already.
LINGERING = """
import fcntl, sys, time
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_SH, 1)
print("ready", flush=True)
time.sleep(float(sys.argv[2]))
"""


def linger(store: Path, seconds: float) -> Popen[bytes]:
    """Start a process that holds the lock for so long."""
    lock = store / "index" / index.LOCK_FILE
    command = [sys.executable, "-c", LINGERING, str(lock), str(seconds)]
    process = Popen(command, stdout=PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def test_a_process_that_is_still_ending_is_waited_for(store: Path) -> None:
    """While LMDB's lock of a killed process is still there, nobody goes on with its lock file."""
    began = time.monotonic()
    with linger(store, 0.5):
        check(store)
        assert time.monotonic() - began > 0.3


def test_another_program_in_the_index_is_not_waited_for_ever(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who finds the index open elsewhere says so, and leaves it as it is."""
    monkeypatch.setattr(index, "RELEASE_WAITS", 2)
    with linger(store, 60) as process:
        with pytest.raises(EngineClosed, match="another program"):
            small_store(store)
        process.kill()
    check(store)


def test_a_damaged_first_frame_does_not_hide_its_segment(store: Path) -> None:
    """A segment that goes on right from the tail is looked through, whatever its first frame is."""
    last = segment_path(store / "journal", segment_starts(store / "journal")[-1])
    data = bytearray(last.read_bytes())
    data[JOURNAL_PAGE_BYTES + 100] ^= 1
    last.write_bytes(data)
    with pytest.raises(JournalDamaged, match="goes on at"):
        small_store(store)


def test_a_segment_torn_from_its_header_is_no_damage(store: Path) -> None:
    """The power went in a segment's first write: its frame arrived, the header did not."""
    place = existing(store)
    assert place is not None
    journal = Journal(RealDisk(), place.journal, place.store_id, 64 * KIB)
    last = segment_starts(place.journal)[-1]
    tail = read_checkpoint(place.index).tail
    behind_first = next(after for _, after in journal.read(tail) if after.segment == last)
    path = segment_path(place.journal, last)
    data = bytearray(path.read_bytes())
    data[behind_first.position - last :] = bytes(len(data) - (behind_first.position - last))
    data[:JOURNAL_PAGE_BYTES] = bytes(JOURNAL_PAGE_BYTES)
    path.write_bytes(data)
    with small_store(store) as engine:
        assert 0 < engine.namespace_counts(1).objects < OBJECTS
        assert problems(engine) == []


def test_an_abandoned_segment_without_header_is_no_damage(store: Path) -> None:
    """A dead writer's only frame, where others went on without it, is not taken for a later one."""
    place = existing(store)
    assert place is not None
    journal = Journal(RealDisk(), place.journal, place.store_id, 64 * KIB)
    *_, (_, tail) = journal.read(read_checkpoint(place.index).tail)
    abandoned = journal.plan(tail._replace(chain=tail.chain ^ 1), noise(70_000))
    journal.write(abandoned)
    path = segment_path(place.journal, abandoned.after.segment)
    data = path.read_bytes()
    path.write_bytes(bytes(JOURNAL_PAGE_BYTES) + data[JOURNAL_PAGE_BYTES:])
    check(store)


def test_a_missing_last_segment_is_told(store: Path) -> None:
    """Without the file that frames went into last nothing is put back and nothing is opened."""
    with small_store(store):
        pass
    command = [sys.executable, "-c", DYING.replace('f"{n}"', 'f"x{n}"'), str(store), "5"]
    with Popen(command) as process:
        assert process.wait() == KILLED
    segment_path(store / "journal", read_checkpoint(store / "index").tail.segment).unlink()
    data = (store / "index" / index.DATA_FILE).read_bytes()
    for _ in range(2):
        with pytest.raises(JournalDamaged, match="--accept-loss"):
            small_store(store)
    assert (store / "index" / index.DATA_FILE).read_bytes() == data


def test_an_opening_that_fails_leaves_recovery_to_the_next(store: Path) -> None:
    """Trouble half-way leaves nothing by which the next opening thinks it is not the first."""

    class OutOfDescriptors(RealDisk):
        def open(self, path: Path, *, is_writable: bool = False) -> int:
            if path.name == index.DATA_FILE:
                raise OSError(errno.EMFILE, "too many")
            return super().open(path, is_writable=is_writable)

    for _ in range(2):
        with pytest.raises(OSError, match="too many"):
            small_store(store, disk=OutOfDescriptors())
    check(store)


# Is killed in the middle of its recovery, while it has the store alone.
RECOVERING = """
import os, sys
from pathlib import Path
from storage_engine import recovery
from tests.storage_engine.engine_steps import small_store
def stop(*_):
    print("ready", flush=True)
    sys.stdin.read()
recovery.replay = stop
small_store(Path(sys.argv[1]))
"""


def test_a_recovery_is_nobodys_use(store: Path) -> None:
    """Who gets at the store while a recovery is under way waits for its end, or its death."""
    command = [sys.executable, "-c", RECOVERING, str(store)]
    with Popen(command, stdin=PIPE, stdout=PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        place = existing(store)
        assert place is not None
        descriptor = os.open(place.journal, os.O_RDONLY | os.O_DIRECTORY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        process.kill()
        process.wait()
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        os.close(descriptor)
    check(store)

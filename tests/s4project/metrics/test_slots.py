"""Numbers that processes leave for each other: added up, never lost, never piling up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from s4project.metrics import slots as module
from s4project.metrics.slots import BUCKETS_MAX, OTHER, Figures, Now, Slots, find_slots

if TYPE_CHECKING:
    from pathlib import Path

ONE: Final[Figures] = {"requests": {"GetObject\n200\nphotos": [1, 2, 3]}}
CLAIMING: Final = """
import os, sys
from pathlib import Path
from s4project.metrics.slots import Now, Slots
slot = Slots(Path(sys.argv[1])).claim()
slot.write({"starts": {"worker": [1]}}, Now("worker", os.getpid(), in_flight=5))
print(slot.number, flush=True)
sys.stdin.read()
"""


def write_one(slots: Slots) -> module.Slot:
    """Claim a slot and leave one request in it."""
    slot = slots.claim()
    slot.write(ONE, Now("worker", os.getpid(), in_flight=1))
    return slot


def test_what_processes_counted_is_added_up(tmp_path: Path) -> None:
    """Each process has a slot of its own, and a reader sees the sums of all."""
    slots = Slots(tmp_path)
    first, second = write_one(slots), write_one(slots)
    sums, living = slots.read()
    assert (first.number, second.number) == (0, 1)
    assert sums == {"requests": {"GetObject\n200\nphotos": [2, 4, 6]}}
    assert [now.in_flight for now in living.values()] == [1, 1]


def test_a_successor_goes_on_with_the_sums(tmp_path: Path) -> None:
    """Whoever takes a slot over adds to what was counted in it, and a hundred need one file."""
    slots = Slots(tmp_path)
    for _ in range(100):
        write_one(slots).let_go()
    sums, living = slots.read()
    assert sums == {"requests": {"GetObject\n200\nphotos": [100, 200, 300]}}
    assert living == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "0.lock"]


def test_who_is_killed_leaves_his_sums_and_not_his_present(tmp_path: Path) -> None:
    """After a SIGKILL the sums stand, what was under way does not, and the slot is free."""
    with subprocess.Popen(
        [sys.executable, "-c", CLAIMING, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"0\n"
        slots = Slots(tmp_path)
        assert slots.read()[1][0].in_flight == 5
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert slots.read() == ({"starts": {"worker": [1]}}, {})
    assert slots.claim().number == 0


def test_clearing_forgets_the_dead_alone(tmp_path: Path) -> None:
    """A server that starts begins anew, and takes nothing from a process that is there already."""
    slots = Slots(tmp_path)
    living, dead = write_one(slots), write_one(slots)
    dead.let_go()
    slots.clear()
    assert slots.read()[0] == ONE
    living.let_go()
    slots.remove()
    assert not tmp_path.exists()


def test_a_directory_that_is_gone_is_removed_already(tmp_path: Path) -> None:
    """Server and jobs end at the same time: whoever is second finds nothing, and ends as well."""
    slots = Slots(tmp_path)
    slots.remove()
    slots.remove()
    assert slots.read() == ({}, {})


def test_a_directory_that_is_in_use_stays(tmp_path: Path) -> None:
    """A server that ends leaves the place to the jobs that run beside it."""
    slots = Slots(tmp_path)
    slot = write_one(slots)
    slots.remove()
    assert slots.read()[0] == ONE
    slot.let_go()


def test_what_cannot_be_read_was_nothing(tmp_path: Path) -> None:
    """A file that is cut off, or of another version, costs its own figures and no scrape."""
    slots = Slots(tmp_path)
    write_one(slots)
    (tmp_path / "7").write_bytes(b"\x93\x80")
    assert slots.read()[0] == ONE


def test_so_many_buckets_have_rows_and_the_others_one_together(tmp_path: Path) -> None:
    """The first hundred buckets have rows, in all processes the same; the rest share one."""
    slots, elsewhere = Slots(tmp_path), Slots(tmp_path)
    names = [f"bucket-{number}" for number in range(BUCKETS_MAX)]
    granted = slots.grant(names)
    assert [granted[name] for name in names] == names
    assert elsewhere.grant(["one-too-many"])["one-too-many"] == OTHER
    assert elsewhere.grant(["bucket-5"])["bucket-5"] == "bucket-5"


@pytest.mark.skipif(not module.MEMORY.is_dir(), reason="there is no /dev/shm here")
def test_stores_have_places_of_their_own(tmp_path: Path) -> None:
    """Two data directories never share numbers, and nobody else may read them."""
    one, other = find_slots(tmp_path / "one"), find_slots(tmp_path / "other")
    try:
        write_one(one)
        assert other.read() == ({}, {})
        assert one._directory.stat().st_mode & 0o777 == 0o700
    finally:
        for slots in (one, other):
            for path in slots._directory.iterdir():
                path.unlink()
            slots._directory.rmdir()


def test_a_place_that_somebody_else_could_have_made_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that others may write to is left alone, and the data directory serves instead."""
    memory, data = tmp_path / "memory", tmp_path / "data"
    memory.mkdir()
    data.mkdir()
    monkeypatch.setattr(module, "MEMORY", memory)
    made = find_slots(data)._directory
    made.chmod(0o777)
    assert made.parent == memory
    assert find_slots(data)._directory == data / module.FALLBACK

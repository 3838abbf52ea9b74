"""The scribe: what it writes when, what trouble does to it, and that it rests."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from django.db import IntegrityError, InterfaceError, OperationalError

from iam.audit.acting import Actor, Via
from iam.audit.notes import Note, Outcome, weight
from s4project import scribe
from s4project.scribe import RecordQueue, Scribe
from tests.s4project.probing import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Paper:
    """What was written, and what writing it meets first."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.times: list[float] = []
        self.lost = 0
        self.trouble: list[Exception] = []
        self.refused: set[int] = set()
        self.tries = 0

    def write(self, records: Sequence[int], lost: int) -> None:
        """Take a batch."""
        self.tries += 1
        if self.trouble:
            raise self.trouble.pop()
        if self.refused & set(records):
            raise IntegrityError
        self.times.append(time.monotonic())
        self.lost += lost
        self.batches.append(list(records))  # at last: who waits for it looks at the others then

    @property
    def records(self) -> list[int]:
        """All records, in the order of writing."""
        return [record for batch in self.batches for record in batch]


@pytest.fixture
def paper() -> Paper:
    """Give something to write on."""
    return Paper()


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the scribe try again soon."""
    monkeypatch.setattr(scribe, "RETRY_SECONDS_MIN", 0.01)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the scribe wait for what comes together, however slowly that is put."""
    monkeypatch.setattr(scribe, "GATHER_SECONDS", 2.0)


@pytest.fixture
def at_work(paper: Paper, fast: None) -> Iterator[RecordQueue[int]]:
    """Give a queue that a scribe writes."""
    queue = RecordQueue("numbers", paper.write, records_max=2000)
    writer = Scribe(queue)
    writer.start()
    yield queue
    writer.stop()


def switches() -> int:
    """Count how often the scribe's thread has gone to sleep."""
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "scribe"]
    status = Path(f"/proc/self/task/{thread.native_id}/status").read_text(encoding="ascii")
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


def sleeps() -> bool:
    """Tell whether the thread does not run for more than a second."""
    before = switches()
    time.sleep(1.2)
    return switches() == before


@pytest.mark.usefixtures("patient")
def test_records_that_come_together_are_written_together_in_order(
    at_work: RecordQueue[int], paper: Paper
) -> None:
    """A burst is one batch, in its order, a moment later."""
    for number in range(400):
        at_work.put(number)
    assert not paper.batches, "it was written at once"
    wait_for(lambda: paper.batches == [list(range(400))])


@pytest.mark.usefixtures("patient")
def test_a_batch_is_bounded(at_work: RecordQueue[int], paper: Paper) -> None:
    """A large burst is written in several batches, without waiting between them."""
    for number in range(1200):
        at_work.put(number)
    wait_for(lambda: paper.records == list(range(1200)))
    assert [len(batch) for batch in paper.batches] == [500, 500, 200]


def test_every_record_of_several_threads_is_written_once(
    at_work: RecordQueue[int], paper: Paper
) -> None:
    """Records may come from any thread, also while the scribe goes to rest."""

    def put(first: int) -> None:
        for number in range(first, first + 300):
            at_work.put(number)
            time.sleep(0.001)

    threads = [threading.Thread(target=put, args=(first,)) for first in (0, 300, 600)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: len(paper.records) >= 900)
    assert sorted(paper.records) == list(range(900))


def test_it_sleeps_while_there_is_nothing(at_work: RecordQueue[int], paper: Paper) -> None:
    """The thread does not run at all before the first record, nor after the last is written."""
    for _ in range(2):
        wait_for(lambda: at_work.count() == 0 and at_work._is_at_rest)
        wait_for(sleeps)  # once it has come to rest
        at_work.put(1)
    wait_for(lambda: len(paper.records) == 2)


@pytest.mark.usefixtures("patient")
def test_trouble_is_waited_out_and_nothing_is_lost(at_work: RecordQueue[int], paper: Paper) -> None:
    """What a troubled database refuses is written later, in order, and told meanwhile."""
    locked, full = OperationalError("database is locked"), OSError("no space left")
    paper.trouble = [InterfaceError("connection already closed"), locked, full]
    with structlog.testing.capture_logs() as lines:
        for number in range(10):
            at_work.put(number)
        wait_for(lambda: paper.records == list(range(10)))
    kinds = ["OSError", "OperationalError", "InterfaceError"]  # the last is no DatabaseError
    wait_for(lambda: len(lines) == 4)
    assert [line["kind"] for line in lines[:3]] == kinds
    assert lines[0]["waiting"] == 10
    assert lines[3]["event"] == "What was noted is written"


def test_trouble_that_lasts_is_told_once(at_work: RecordQueue[int], paper: Paper) -> None:
    """However often writing fails for the same reason, the log has a line of it, and of its end."""
    paper.trouble = [OperationalError("away") for _ in range(3)]
    with structlog.testing.capture_logs() as lines:
        at_work.put(1)
        wait_for(lambda: len(lines) == 2)
    assert paper.records == [1]
    assert [line["log_level"] for line in lines] == ["warning", "info"]


def test_a_full_queue_loses_the_newest_and_tells_how_many(paper: Paper) -> None:
    """Beyond its bound a queue takes nothing; how much it lost goes to its writer and the log."""
    queue = RecordQueue("numbers", paper.write, records_max=3)
    for number in range(5):
        queue.put(number)
    writer = Scribe(queue)
    with structlog.testing.capture_logs() as lines:
        writer.start()
        wait_for(lambda: paper.records == [0, 1, 2])
        writer.stop()
    assert paper.lost == 2
    assert [(line["ledger"], line["lost"]) for line in lines] == [("numbers", 2)]


def test_what_was_lost_is_told_even_when_the_telling_fails_first(paper: Paper) -> None:
    """A batch that must be written again carries its losses again."""
    queue = RecordQueue("numbers", paper.write, records_max=1)
    queue.put(1)
    queue.put(2)
    paper.trouble = [OperationalError()]
    with pytest.raises(OperationalError):
        queue.write_batch()
    assert queue.write_batch() is False
    assert (paper.records, paper.lost) == ([1], 1)


def test_a_record_that_can_never_be_written_costs_only_itself(
    at_work: RecordQueue[int], paper: Paper
) -> None:
    """One bad record is lost and told; those around it are written."""
    paper.refused = {7}
    for number in range(20):
        at_work.put(number)
    wait_for(lambda: len(paper.records) == 19)
    at_work.put(99)
    wait_for(lambda: paper.records == [*range(7), *range(8, 20), 99])
    assert paper.lost == 1


def test_a_ledger_with_a_pause_is_written_no_more_often(paper: Paper, fast: None) -> None:
    """The first record is written soon, what follows only after the pause."""
    queue = RecordQueue("numbers", paper.write, pause_seconds=1.0)
    writer = Scribe(queue)
    writer.start()
    queue.put(1)
    wait_for(lambda: paper.records == [1])
    queue.put(2)
    wait_for(lambda: paper.records == [1, 2])
    assert paper.times[1] - paper.times[0] >= 1
    writer.stop()


def test_the_end_writes_what_waits(paper: Paper) -> None:
    """Records put just before the stop are written before it returns, whatever their pause."""
    queue = RecordQueue("numbers", paper.write, pause_seconds=60.0)
    writer = Scribe(queue)
    writer.start()
    queue.put(1)
    wait_for(lambda: paper.records == [1])
    queue.put(2)
    writer.stop()
    assert paper.records == [1, 2]


def test_the_end_does_not_wait_for_ever(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that hangs holds up the end for a bounded time, and the loss is told."""
    monkeypatch.setattr(scribe, "STOP_SECONDS", 0.2)
    release = threading.Event()
    queue = RecordQueue[int]("numbers", lambda _records, _lost: release.wait(60) and None)
    blocked = Scribe(queue)
    blocked.start()
    for number in range(600):
        queue.put(number)
    wait_for(lambda: queue.count() == 100)  # the rest is being written
    with structlog.testing.capture_logs() as lines:
        begin = time.monotonic()
        blocked.stop()
    assert time.monotonic() - begin < 30
    assert [(line["ledger"], line["lost"]) for line in lines] == [("numbers", 100)]
    release.set()


def test_large_records_fill_a_queue_and_a_batch_sooner(paper: Paper) -> None:
    """What counts is how much waits and is written at once, not in how many records."""
    half = scribe.BATCH_RECORDS_MAX // 2
    queue = RecordQueue("numbers", paper.write, records_max=4 * half, weigh=lambda each: each)
    paper.trouble = [OperationalError("away")]
    for _ in range(6):
        queue.put(half)
    assert queue.count() == 4
    with pytest.raises(OperationalError):
        queue.write_batch()
    queue.put(half)  # what came back is still there
    assert queue.count() == 4
    assert queue.write_batch()
    queue.put(half)
    while queue.write_batch():
        continue
    assert paper.batches == [[half] * 2, [half] * 2, [half]]
    assert paper.lost == 3


def test_a_deletion_of_many_weighs_as_much_as_it_costs() -> None:
    """A note that lists a thousand keys counts for over a hundred that list none."""
    plain = Note(0, Actor(Via.S3), "s3:DeleteObjects", "", Outcome.ALLOWED)
    many = replace(plain, detail={"keys": [{"key": "k"}] * 1000})
    assert (weight(plain), weight(many)) == (1, 126)

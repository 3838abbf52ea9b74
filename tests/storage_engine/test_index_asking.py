"""What LMDB is asked while another thread changes the size of the map is answered nevertheless."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from storage_engine.errors import EngineClosed
from storage_engine.index import Index

if TYPE_CHECKING:
    from pathlib import Path

KIB = 1024


def test_figures_are_told_while_the_map_grows(tmp_path: Path) -> None:
    """No question fails because the map is being resized just then."""
    index = Index(tmp_path, 64 * KIB)
    index.release_first_pin()
    failures: list[BaseException] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                assert index.size_bytes() > 0
                assert index.last_txn_id() >= 0
                assert index.reader_check() >= 0
            except BaseException as error:  # noqa: BLE001  # told below, in the test's own thread
                failures.append(error)
                return

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(16):
        index.grow()
    stop.set()
    for thread in threads:
        thread.join()
    index.close()
    assert failures == []


def test_the_last_commit_has_the_number_that_lmdb_gave_it(tmp_path: Path) -> None:
    """After each commit, also of a map that grew, the number is the one a new reader has."""
    index = Index(tmp_path, 64 * KIB)
    index.release_first_pin()
    for number in range(6):
        with index.begin_write() as txn:
            txn.put(b"k", b"%d" % number, db=index.tables.meta)
            before = index.last_txn_id()
            assert before == txn.id() - 1
        assert index.last_txn_id() == before + 1 == index.view(lambda txn: txn.id())
        if number == 3:
            index.grow()
    index.close()
    with pytest.raises(EngineClosed):
        index.last_txn_id()

"""What LMDB is asked while another thread changes the size of the map is answered nevertheless."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

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

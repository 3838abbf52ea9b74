"""Compaction and scrub: one of each at a time, in whatever process."""

from __future__ import annotations

import sys
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

import pytest

from storage_engine import Busy, CompactionOptions
from tests.storage_engine.engine_steps import noise, put, small_store

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys
from pathlib import Path
from storage_engine import ScrubOptions
from tests.storage_engine.engine_steps import small_store

def wait(_done, _total):
    print("in it", flush=True)
    sys.stdin.readline()

with small_store(Path(sys.argv[1])) as engine:
    engine.scrub(ScrubOptions(progress=wait))
"""


def test_a_second_one_is_refused_and_another_kind_is_not(tmp_path: Path) -> None:
    """While a process scrubs, no other can, in a line; compaction and dry runs go on."""
    store = tmp_path / "store"
    with small_store(store) as engine:
        put(engine, "k", noise(5000))
        command = [sys.executable, "-c", HOLDER, str(store)]
        with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "in it\n"
            with pytest.raises(Busy, match="a scrub of this store is running already"):
                engine.scrub()
            assert engine.compact().is_complete
            assert engine.compact(CompactionOptions(is_dry_run=True)).is_complete
            holder.communicate("\n")
        assert engine.scrub().is_complete


def test_nested_compactions_are_refused(tmp_path: Path) -> None:
    """Within one process it is the same."""
    with small_store(tmp_path / "store") as engine:
        with engine._care._compaction_lock(), pytest.raises(Busy):
            engine.compact()
        assert engine.compact().is_complete

"""The one engine of a process, at the directory that the settings name."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from storage_engine import FormatError
from storage_engine.apps import close_engine, get_engine
from tests.storage_engine.engine_steps import get, put

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from storage_engine import StorageEngine


@pytest.fixture
def data_dir(settings: SettingsWrapper, tmp_path: Path) -> Iterator[Path]:
    """Point the settings at a directory of the test's own."""
    close_engine()
    settings.S4 = replace(settings.S4, data_dir=tmp_path / "data")
    yield tmp_path / "data"
    close_engine()


def test_a_process_has_one_engine(data_dir: Path) -> None:
    """Threads that ask at once get the same engine, open at the configured directory."""
    found: list[StorageEngine] = []
    threads = [threading.Thread(target=lambda: found.append(get_engine())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert (data_dir / "FORMAT").exists()


def test_a_closed_engine_is_opened_again(data_dir: Path) -> None:
    """After close the next caller gets a new engine with the same store; closing twice is fine."""
    first = get_engine()
    put(first, "k", b"x")
    close_engine()
    close_engine()
    second = get_engine()
    assert second is not first
    assert get(second, "k") == b"x"


def test_what_else_lies_in_the_data_directory_is_known(data_dir: Path) -> None:
    """Locks, keys and the SQL database may be there before the first start."""
    data_dir.mkdir()
    for name in ("prepare.lock", "serve.lock", "jobs.lock", "server.key", "s4.sqlite3"):
        (data_dir / name).touch()
    assert get_engine().stats().objects == 0


def test_a_foreign_directory_is_refused(data_dir: Path) -> None:
    """A data directory with somebody else's files in it is FormatError."""
    data_dir.mkdir()
    (data_dir / "diary.txt").touch()
    with pytest.raises(FormatError, match=r"diary\.txt"):
        get_engine()


def test_a_store_that_must_exist_is_not_made(data_dir: Path) -> None:
    """An absent or empty directory is FormatError and left alone; a store is opened."""
    with pytest.raises(FormatError, match="is not a store of S4"):
        get_engine(must_exist=True)
    assert not data_dir.exists()
    data_dir.mkdir()
    with pytest.raises(FormatError, match="is not a store of S4"):
        get_engine(must_exist=True)
    assert list(data_dir.iterdir()) == []
    get_engine()
    close_engine()
    assert get_engine(must_exist=True).stats().objects == 0

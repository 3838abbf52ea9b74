"""Fixtures for the engine: a store of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.storage_engine.engine_steps import problems, small_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage_engine import StorageEngine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[StorageEngine]:
    """Open a store in which everything happens early; it must agree with itself at the end."""
    with small_store(tmp_path / "store") as opened:
        yield opened
        assert problems(opened) == []

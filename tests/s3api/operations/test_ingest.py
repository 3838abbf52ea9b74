"""A large payload that is given up while a thread is still at work on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from s3api.operations.ingest import _Taking
from storage_engine import EngineOptions, open_engine

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_given_up_takes_no_room_any_more(tmp_path: Path) -> None:
    """A thread that comes after the end finds no room to take: nobody would give it back."""
    engine = open_engine(tmp_path / "store", EngineOptions())
    try:
        taking = _Taking(lambda **given: engine.begin_blob(300_000, **given), ["CRC64NVME"])
        taking.abort()
        step = taking.step(b"late")
        with pytest.raises(ValueError, match="given up"):
            step.carry_out()
        assert not list((tmp_path / "store" / "volumes").iterdir())
    finally:
        engine.close()

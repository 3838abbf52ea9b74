"""A large payload that is given up while a thread is still at work, or whose disk is slow."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any, cast

import pytest

from s3api import md5
from s3api.operations import ingest, steps
from s3api.operations.ingest import STEP_BYTES, Taking
from s3api.operations.steps import Step
from storage_engine import EngineOptions, open_engine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_what_was_given_up_takes_no_room_any_more(tmp_path: Path) -> None:
    """A thread that comes after the end finds no room to take: nobody would give it back."""
    engine = open_engine(tmp_path / "store", EngineOptions())
    try:
        taking = Taking(engine, partial(engine.begin_blob, 300_000), ["CRC64NVME"])
        taking.abort()
        step = taking.step(b"late")
        with pytest.raises(ValueError, match="given up"):
            step.carry_out()
        assert not list((tmp_path / "store" / "volumes").iterdir())
    finally:
        engine.close()


class SlowDisk:
    """All that a payload is taken in by, where the disk takes its time over a payload's end."""

    is_bound, trailers = False, dict[str, str]()

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.store = self.engine = self
        self.length = 2 * STEP_BYTES
        self.ending, self.gate = Event(), Event()
        self._pieces = [bytes(STEP_BYTES), bytes(STEP_BYTES)]
        self._pool = pool
        self.begin_on_disk = pool.submit

    @property
    def is_ending(self) -> bool:
        """Whether all was sent."""
        return not self._pieces

    async def read(self) -> bytes:
        """Answer what is sent."""
        return self._pieces.pop() if self._pieces else b""

    async def on_disk(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run something in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    async def catch_up(self) -> None:
        """Nothing has changed."""

    def begin_blob(self, *_: object, **__: object) -> SlowDisk:
        """Take room."""
        return self

    def write(self, data: bytes) -> None:
        """Take bytes."""

    def finish(self, *_: object) -> str:
        """Wait for the disk."""
        self.ending.set()
        assert self.gate.wait(20)
        return "staged"

    def check(self, *_: object) -> None:
        """Find nothing wrong."""


def test_a_slow_disk_keeps_no_others_hash_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a large payload waits for the disk at its end, another one is hashed."""
    monkeypatch.setattr(steps, "CORES", 0)  # one thread for all steps

    async def take() -> str:
        with ThreadPoolExecutor(4) as pool:
            slow: Any = SlowDisk(pool)
            large = asyncio.ensure_future(
                ingest._receive_large(slow, slow, cast("Any", None), {"CRC32"}, slow)
            )
            assert await slow.on_disk(slow.ending.wait, 20)
            other = ingest._desk.work(slow, Step(b"other", md5.new(), [], slow.gate.is_set))
            try:
                assert await asyncio.wait_for(other, 10) is False
            finally:
                slow.gate.set()
            return cast("str", (await large).blob)

    assert asyncio.run(take()) == "staged"

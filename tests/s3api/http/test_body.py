"""What s3api.http.body promises: large steps, bounded patience, and an honest end."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api.errors import S3Error
from s3api.http.body import Body, ClientDisconnected
from tests.s3api.http.requests import receive_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    Receive = Callable[[], Awaitable[dict[str, Any]]]


def body_of(pieces: Iterable[bytes], *, disconnect: bool = False) -> Body:
    """Build a body that arrives in the given pieces."""
    return Body(receive_of(pieces, disconnect=disconnect), idle_seconds=5)


async def silence() -> dict[str, Any]:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError


async def read_all(body: Body, size_hint: int) -> list[bytes]:
    """Read to the end."""
    steps = []
    while step := await body.read(size_hint):
        steps.append(step)
    return steps


@given(pieces=st.lists(st.binary(max_size=20), max_size=10), size_hint=st.integers(1, 50))
def test_steps_are_large_and_complete(pieces: list[bytes], size_hint: int) -> None:
    """Every step but the last is as large as asked for, and together they are the body."""
    body = body_of(pieces)
    steps = asyncio.run(read_all(body, size_hint))
    assert b"".join(steps) == b"".join(pieces)
    assert all(len(step) >= size_hint for step in steps[:-1])
    assert body.is_finished


def test_a_body_in_one_message_is_not_copied() -> None:
    """A small body arrives in one receive, and the very bytes of the server are handed on."""
    payload = b"x" * 1000

    async def arrived() -> dict[str, Any]:
        return {"type": "http.request", "body": payload, "more_body": False}

    for body in (Body(arrived, idle_seconds=5), body_of([payload])):
        assert asyncio.run(body.read()) is payload
        assert asyncio.run(body.read()) == b""


def test_an_absent_body_is_empty() -> None:
    """A request without a body reads as b""."""
    assert asyncio.run(read_all(body_of([]), 10)) == []


def test_a_disconnect_is_not_an_end() -> None:
    """A client that goes away before the end is told apart from one that is done."""
    body = body_of([b"half"], disconnect=True)
    with pytest.raises(ClientDisconnected):
        asyncio.run(read_all(body, 100))
    assert not body.is_finished


def test_a_silent_client_times_out() -> None:
    """A client that sends nothing for too long is refused with RequestTimeout."""
    body = Body(silence, idle_seconds=0.01)
    with pytest.raises(S3Error) as refusal:
        asyncio.run(body.read())
    assert (refusal.value.code, refusal.value.status) == ("RequestTimeout", 400)


def test_patience_is_per_wait() -> None:
    """A slow client that keeps sending is waited for, however long it takes altogether."""

    async def drip() -> dict[str, Any]:
        await asyncio.sleep(0.25)
        return {"type": "http.request", "body": b"x", "more_body": next(more)}

    more = iter([True] * 9 + [False])
    body = Body(drip, idle_seconds=2)
    assert asyncio.run(body.read()) == b"x" * 10


def test_a_cancelled_read_stays_cancelled() -> None:
    """Cancelling the task that reads is not mistaken for the client's silence."""

    async def scenario() -> None:
        task = asyncio.create_task(Body(silence, idle_seconds=60).read())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    asyncio.run(scenario())


def test_a_deadline_around_a_read_is_its_own() -> None:
    """A timeout set by the caller stays a TimeoutError."""

    async def scenario() -> None:
        async with asyncio.timeout(0.01):
            await Body(silence, idle_seconds=60).read()

    with pytest.raises(TimeoutError):
        asyncio.run(scenario())


def test_failures_of_the_server_come_through() -> None:
    """What receive itself raises, before or after a wait, reaches the reader."""

    async def fail_at_once() -> dict[str, Any]:
        raise OSError("broken")

    async def fail_later() -> dict[str, Any]:
        await asyncio.sleep(0)
        raise OSError("broken")

    for receive in (fail_at_once, fail_later):
        with pytest.raises(OSError, match="broken"):
            asyncio.run(Body(receive, idle_seconds=5).read())


def test_a_wait_that_catches_its_cancellation_goes_on() -> None:
    """A receive that survives a cancellation and answers later is still heard."""

    async def stubborn() -> dict[str, Any]:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return {"type": "http.request", "body": b"late"}

    async def scenario() -> bytes:
        piece = await Body(stubborn, idle_seconds=0.01).read()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        return piece

    assert asyncio.run(scenario()) == b"late"


def test_no_timer_outlives_its_body() -> None:
    """Reading to the end, or to a disconnect, leaves nothing scheduled on the loop."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        handles = []
        call_later = loop.call_later

        def note(*arguments: Any) -> asyncio.TimerHandle:
            handles.append(call_later(*arguments))
            return handles[-1]

        loop.call_later = note  # type: ignore[method-assign, assignment]
        assert await read_all(body_of([b"a", b"b", b"c"]), 1) == [b"a", b"b", b"c"]
        with pytest.raises(ClientDisconnected):
            await read_all(body_of([b"a"], disconnect=True), 100)
        assert len(handles) == 2
        assert all(handle.cancelled() for handle in handles)

    asyncio.run(scenario())


def test_a_wait_that_lasted_too_long_makes_no_circle() -> None:
    """What a slow client's request held is free at once: the collector hardly ever comes."""

    async def wait_too_long() -> None:
        with pytest.raises(S3Error):
            await Body(silence, idle_seconds=0.01).read()

    async def scenario() -> int:
        await wait_too_long()
        gc.collect()
        gc.disable()
        try:
            for _ in range(10):
                await wait_too_long()
            return gc.collect()
        finally:
            gc.enable()

    assert asyncio.run(scenario()) < 10

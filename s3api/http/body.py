"""Request bodies as ASGI delivers them, in large steps and with bounded patience.

Knows nothing of what the bytes mean: `payload` decodes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from time import perf_counter
from typing import Any, Final

from s3api.errors import S3Error

STEP_BYTES: Final = 1 << 20

Message = dict[str, Any]
Bytes = bytes | memoryview  # memory, where a large body was received into its own
Receive = Callable[[], Awaitable[Message]]


class ClientDisconnected(Exception):  # noqa: N818 - an event: nobody is left to be told of an error
    """The client went away before its body was complete."""


class Body:
    """The raw body of one request, read once from beginning to end."""

    __slots__ = (
        "_idle_seconds",
        "_receive",
        "_watch",
        "finished",
        "is_finished",
        "received_bytes",
    )

    def __init__(self, receive: Receive, *, idle_seconds: float) -> None:
        """Wrap `receive`; `idle_seconds` is how long one wait may last."""
        self._receive = receive
        self._idle_seconds = idle_seconds
        self._watch: _Watch | None = None  # made by the first wait, which most bodies never need
        self.is_finished = False  # the last byte has arrived
        self.finished = 0.0  # when, by time.perf_counter
        self.received_bytes = 0  # so far, as they came

    async def read(self, size_hint: int = STEP_BYTES) -> Bytes:
        """Return the next bytes, at least `size_hint` of them unless the body ends; b"" at the end.

        Raises ClientDisconnected, and S3Error RequestTimeout after an idle wait.
        """
        pieces: list[Bytes] = []
        size = 0
        while size < size_hint and not self.is_finished:
            piece = await self._next()
            pieces.append(piece)
            size += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _next(self) -> Bytes:
        """Receive one message; its bytes may be empty before the end."""
        message = await _Watched(self._receive, self.watch)
        if message["type"] != "http.request":
            self._end_watch()
            raise ClientDisconnected
        if not message.get("more_body", False):
            self.is_finished = True
            self.finished = perf_counter()
            self._end_watch()
        piece: Bytes = message.get("body", b"")
        self.received_bytes += len(piece)
        return piece

    def watch(self) -> _Watch:
        """Have the waits of this body watched."""
        if self._watch is None:
            self._watch = _Watch(self._idle_seconds)
        return self._watch

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.end()


class _Watched:
    """Awaits one message, and has it watched only when the message is not there yet.

    Most small bodies are: a timer for each of them would cost more than receiving them.
    """

    __slots__ = ("_receive", "_watch")

    def __init__(self, receive: Receive, watch: Callable[[], _Watch]) -> None:
        self._receive = receive
        self._watch = watch

    def __await__(self) -> Generator[Any, Any, Message]:
        steps = self._receive().__await__()
        try:
            awaited = next(steps)
        except StopIteration as arrived:
            message: Message = arrived.value
            return message
        return (yield from self._watch().wait(steps, awaited))


class _Watch:
    """Cancels a wait that lasts too long, with one timer for all waits of a body.

    The timer is not moved with each wait: when it rings it looks how long the current one lasts.
    """

    __slots__ = ("_has_expired", "_idle_seconds", "_since", "_task", "_timer")

    def __init__(self, idle_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        self._has_expired = False
        self._since = 0.0
        self._task: asyncio.Task[Any] | None = None  # whoever waits now
        self._timer: asyncio.TimerHandle | None = None

    def wait(
        self, steps: Generator[Any, Any, Message], awaited: Any
    ) -> Generator[Any, Any, Message]:
        """Go on with an await that was begun; S3Error RequestTimeout when it lasts too long."""
        loop = asyncio.get_running_loop()
        task = self._task = asyncio.current_task()
        assert task is not None, "a body is read inside a task"
        cancelling = task.cancelling()
        self._since = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._idle_seconds, self._look, loop)
        try:
            message = yield from _resume(steps, awaited)
        except asyncio.CancelledError:
            # The same bookkeeping as asyncio.timeout: only our own cancellation becomes an error.
            if self._has_expired and task.uncancel() <= cancelling:
                raise S3Error("RequestTimeout") from None
            raise
        else:
            if self._has_expired:
                task.uncancel()  # the answer came after all, so nothing of ours may linger
            return message
        finally:
            self._has_expired = False
            self._task = None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._task is None:
            return
        seconds_left = self._since + self._idle_seconds - loop.time()
        if seconds_left > 0:
            self._timer = loop.call_later(seconds_left, self._look, loop)
        else:
            self._has_expired = True
            self._task.cancel()

    def end(self) -> None:
        """Stop watching: nothing more will be waited for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _resume(steps: Generator[Any, Any, Message], awaited: Any) -> Generator[Any, Any, Message]:
    """Delegate to `steps` like `yield from`, its first value having been taken already."""
    step: Callable[[], Any]
    while True:
        try:
            yield awaited
        except BaseException as interruption:  # noqa: BLE001 - handed on to where it belongs
            step = partial(steps.throw, interruption)
        else:
            step = steps.__next__
        try:
            awaited = step()
        except StopIteration as arrived:
            message: Message = arrived.value
            return message
        finally:
            del step  # it may hold an interruption, whose traceback holds this frame

"""Where payloads are hashed side by side, and large ones written, a step of 1 MiB at a time.

To hand a step to a thread costs as much as to hash some 64 KiB. One payload alone has several
threads, if cores are idle; of many the MD5s are computed side by side (`s3api.md5`): the more wait,
the less each of them costs.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, TypeVar

from s3api import md5

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from s3api.context import Call
    from s3api.http.body import Bytes
    from s3api.md5 import Md5

Result = TypeVar("Result")

SIDE_BY_SIDE_BYTES: Final = 256 * 1024  # from here on a second thread gains more than it costs
CORES: Final = len(os.sched_getaffinity(0))


class Step:
    """The next bytes of a payload and what is to be done with them, beside their MD5, in any order.

    Then comes the end, whose result is that of the step.
    """

    __slots__ = ("_context", "_future", "_works", "data", "end", "md5")

    def __init__(
        self,
        data: Bytes,
        md5: Md5,
        works: Sequence[Callable[[Bytes], None]],
        end: Callable[[], Any] | None = None,
    ) -> None:
        self.data = data
        self.md5 = md5
        self._works = works
        self.end = end

    def expect(self) -> asyncio.Future[Any]:
        """Return what will have the result; the threads' work is known to be this request's."""
        self._context = copy_context()
        self._future = asyncio.get_running_loop().create_future()
        return self._future

    def carry_out(self) -> None:
        """Do all but the MD5."""
        for work in self._works:
            work(self.data)

    def finish(self) -> None:
        """Do all but the MD5, and what comes at the end; tell who waits for it."""
        try:
            self._context.run(self.carry_out)
            result = None if self.end is None else self._context.run(self.end)
        except BaseException as error:  # noqa: BLE001  # it is raised where the step is waited for
            self.fail(error)
        else:
            self._tell(self._future.set_result, result)

    def fail(self, error: BaseException) -> None:
        """Tell who waits that it went wrong."""
        self._tell(self._future.set_exception, error)

    def _tell(self, settle: Callable[[Any], None], outcome: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody waits
            self._future.get_loop().call_soon_threadsafe(_settle, self._future, settle, outcome)


def _settle(future: asyncio.Future[Any], settle: Callable[[Any], None], outcome: Any) -> None:
    if not future.done():  # whoever waited may have gone
        settle(outcome)


class Desk:
    """Takes steps of all payloads in."""

    def __init__(self) -> None:
        self._steps = 0  # that are being worked on
        self._lock = threading.Lock()
        self._arrived: deque[Step] = deque()
        self._hashed: deque[Step] = deque()  # as far as their MD5 goes
        self._hands = 0  # threads at work on these two
        self._waiting: list[tuple[Md5, Bytes]] = []  # too small for a thread

    async def work(self, call: Call, step: Step) -> Any:
        """Do what is to be done with a step; return the result of its end."""
        self._steps += 1
        try:
            if len(step.data) < SIDE_BY_SIDE_BYTES or self._steps >= CORES:
                return await self._among_others(call, step)
            return await _alone(call, step)
        finally:
            self._steps -= 1

    async def hash_with_others(self, running: Md5, data: Bytes) -> None:
        """Hash what is too small for a thread, with all that came in this round of the loop.

        The first to come back does it for all.
        """
        if len(self._waiting) >= md5.LANES:
            self._waiting = []
        waiting = self._waiting
        waiting.append((running, data))
        try:
            await asyncio.sleep(0)
        finally:
            if waiting:
                md5.update_all(waiting)
                waiting.clear()

    async def _among_others(self, call: Call, step: Step) -> Any:
        outcome = step.expect()
        with self._lock:
            self._arrived.append(step)
        self._call_hand(call.store.begin_on_disk)
        return await outcome

    def _call_hand(self, begin: Callable[..., object]) -> None:
        """Have one more thread help, if there is a core for it."""
        with self._lock:
            if self._hands >= CORES + 1:  # one may wait for the disk
                return
            self._hands += 1
        try:
            begin(self._help, begin)
        except BaseException:
            with self._lock:
                self._hands -= 1
            raise

    def _help(self, begin: Callable[..., object]) -> None:
        """Finish what is hashed before more is hashed: so those that wait become many."""
        while True:
            with self._lock:
                if self._hashed:
                    steps = [self._hashed.popleft()]
                    is_hashed = True
                elif self._arrived:
                    count = min(len(self._arrived), md5.LANES)
                    steps = [self._arrived.popleft() for _ in range(count)]
                    is_hashed = False
                else:
                    self._hands -= 1
                    return
            if is_hashed:
                steps.pop().finish()
            else:
                self._hash(steps)
                if len(steps) > 1:
                    self._call_hand(begin)
                del steps  # and the memory that they refer to

    def _hash(self, steps: list[Step]) -> None:
        try:
            md5.update_all([(step.md5, step.data) for step in steps])
        except BaseException as error:  # noqa: BLE001  # as in Step.finish
            for step in steps:
                step.fail(error)
        else:
            with self._lock:
                self._hashed += steps


async def _alone(call: Call, step: Step) -> Any:
    """Work on one step in two threads."""
    on_disk = call.store.on_disk
    await asyncio.gather(on_disk(step.md5.update, step.data), on_disk(step.carry_out))
    return None if step.end is None else await on_disk(step.end)

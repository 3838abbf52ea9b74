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
from typing import TYPE_CHECKING, Any, Final

from s3api import md5

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from s3api.context import Call
    from s3api.http.body import Bytes
    from s3api.md5 import Md5

SIDE_BY_SIDE_BYTES: Final = 256 * 1024  # from here on a second thread gains more than it costs
CORES: Final = len(os.sched_getaffinity(0))
HANDS_MAX: Final = 16  # half of a store's threads: who reads has the other, while uploads never end


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


class _Crowd:
    """Payloads of one round of the loop, and of one thread's loop."""

    __slots__ = ("_error", "_is_over", "_thread", "pairs")

    def __init__(self) -> None:
        self.pairs: list[tuple[Md5, Bytes]] = []
        self._thread = threading.get_ident()
        self._is_over = False
        self._error: BaseException | None = None

    @property
    def is_open(self) -> bool:
        """Whether one more may join."""
        is_here = self._thread == threading.get_ident()
        return is_here and not self._is_over and len(self.pairs) < md5.LANES

    def hash(self) -> None:
        """Hash all, once; what went wrong is told to each of them: nobody's MD5 is complete."""
        if not self._is_over:
            self._is_over = True
            try:
                md5.update_all(self.pairs)
            except BaseException as error:  # noqa: BLE001  # raised below, to each
                self._error = error
            self.pairs.clear()
        if self._error is not None:
            raise self._error


class Desk:
    """Takes steps of all payloads in."""

    def __init__(self) -> None:
        self._steps = 0  # that are being worked on
        self._lock = threading.Lock()
        self._arrived: deque[Step] = deque()
        self._hashed: deque[Step] = deque()  # as far as their MD5 goes
        self._hands: set[object] = set()  # threads at work on these two, or on their way
        self._crowd = _Crowd()  # of those too small for a thread

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
        crowd = self._crowd
        if not crowd.is_open:
            crowd = self._crowd = _Crowd()
        crowd.pairs.append((running, data))
        try:
            await asyncio.sleep(0)
        finally:
            crowd.hash()

    async def _among_others(self, call: Call, step: Step) -> Any:
        outcome = step.expect()
        with self._lock:
            self._arrived.append(step)
        try:
            self._call_hand(call.store.begin_on_disk)
        except RuntimeError:  # whoever comes next is not to meet it
            with self._lock, suppress(ValueError):
                self._arrived.remove(step)
            raise
        return await outcome

    def _call_hand(self, begin: Callable[..., object]) -> None:
        """Have one more thread help, if there is a core for it.

        RuntimeError when no thread is to be had, and none is at work that would come to it.
        """
        hand = object()
        with self._lock:
            if len(self._hands) >= min(CORES + 1, HANDS_MAX):  # one may wait for the disk
                return
            self._hands.add(hand)
        try:
            begin(self._help, begin, hand)
        except RuntimeError:
            with self._lock:
                self._hands.discard(hand)
                if not self._hands:
                    raise

    def _help(self, begin: Callable[..., object], hand: object) -> None:
        """Finish what is hashed before more is hashed: so those that wait become many."""
        while True:
            with self._lock:
                if hand not in self._hands:  # no thread began for it, and a later one found it
                    return
                if self._hashed:
                    steps = [self._hashed.popleft()]
                    is_hashed = True
                elif self._arrived:
                    count = min(len(self._arrived), md5.LANES)
                    steps = [self._arrived.popleft() for _ in range(count)]
                    is_hashed = False
                else:
                    self._hands.remove(hand)
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

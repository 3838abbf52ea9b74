"""The loop as the engine sees it: when it sleeps, and that it tells in its own thread."""

from __future__ import annotations

import asyncio
import threading

from s3api.home import Home


def test_it_sleeps_while_all_wait_for_mutations() -> None:
    """Not while a request does anything else, nor once one is about to be told."""

    async def look() -> None:
        in_flight = 0
        loop = asyncio.get_running_loop()
        home = Home(loop, lambda: in_flight)
        assert home.is_at_rest()
        in_flight = 2
        waiters = [loop.create_future() for _ in range(2)]
        home.waiting += 1
        assert not home.is_at_rest()
        home.waiting += 1
        assert home.is_at_rest()
        threading.Thread(target=home.tell, args=(waiters,)).start()
        await asyncio.wait(waiters)
        assert home.waiting == 0
        home.waiting = 2
        home.tell([])
        assert not home.is_at_rest()

    asyncio.run(look())


def test_it_knows_its_own_thread() -> None:
    """What others have called is called in the loop; another thread is elsewhere."""

    async def look() -> None:
        home = Home(asyncio.get_running_loop(), lambda: 0)
        found: list[bool] = []
        elsewhere = threading.Thread(target=lambda: found.append(home.is_here()))
        elsewhere.start()
        elsewhere.join()
        called = asyncio.Event()
        threading.Thread(target=home.call_soon, args=(called.set,)).start()
        await called.wait()
        called.clear()
        home.after_a_round(called.set)
        await called.wait()
        assert home.is_here()
        assert found == [False]

    asyncio.run(look())


def test_who_was_cancelled_is_not_woken() -> None:
    """A client that went away keeps none of the others from being told."""

    async def look() -> None:
        loop = asyncio.get_running_loop()
        home = Home(loop, lambda: 0)
        gone, there = loop.create_future(), loop.create_future()
        gone.cancel()
        home.tell([gone, there])
        await there

    asyncio.run(look())

"""Turns: who waits for whom among requests that came together."""

from __future__ import annotations

import asyncio

import pytest

from s3api.turns import CROWD, Turns


async def serve(turns: Turns, turn: int, told: list[str]) -> None:
    """Do as the application does for one request."""
    turns.begun = turn
    told.append(f"decided {turn}")
    if turns.is_crowd:
        await turns.let_others()
    told.append(f"answered {turn}")


def come(turns: Turns, told: list[str], count: int) -> list[asyncio.Task[None]]:
    """Let requests come at once."""
    tasks = []
    for _ in range(count):
        turns.come += 1
        tasks.append(asyncio.create_task(serve(turns, turns.come, told)))
    return tasks


@pytest.mark.parametrize("count", [1, CROWD, CROWD + 1, 50])
def test_all_are_decided_before_the_first_is_answered(count: int) -> None:
    """Nobody is answered while a crowd waits to be begun, and in the order in which they came."""
    turns, told = Turns(), list[str]()

    async def run() -> None:
        await asyncio.gather(*come(turns, told, count))

    asyncio.run(run())
    answered = [word for word in told if word.startswith("answered")]
    first = told.index(answered[0])
    left = sum(word.startswith("decided") for word in told[first:])
    assert left < CROWD
    assert len(answered) == count
    held = [f"answered {turn}" for turn in range(1, count - CROWD + 1)]
    assert answered[len(answered) - len(held) :] == held
    assert not turns.held


def test_one_that_never_began_is_not_waited_for() -> None:
    """A request that was given up before it began makes no crowd of those that come after it."""
    turns, told = Turns(), list[str]()

    async def run() -> None:
        tasks = come(turns, told, CROWD + 1)
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        told.clear()
        await asyncio.gather(*come(turns, told, 1))

    asyncio.run(run())
    assert told == [f"decided {CROWD + 2}", f"answered {CROWD + 2}"]
    assert not turns.is_crowd


def test_who_is_given_up_while_he_waits_is_held_no_longer() -> None:
    """A request that is given up between decision and answer does not count as waiting."""
    turns, told = Turns(), list[str]()

    async def run() -> None:
        tasks = come(turns, told, CROWD + 1)
        asyncio.get_running_loop().call_soon(tasks[0].cancel)
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())
    assert "answered 1" not in told
    assert not turns.held

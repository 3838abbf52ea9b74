"""What HTTP/2 is made of, alone: turns, budgets, heads."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api.errors import S3Error
from s4project.http2.budget import Budget
from s4project.http2.head import read_head
from s4project.http2.turns import Turns

HEAD = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"here"), (b":path", b"/a")]


def test_turns_come_in_order_and_survive_who_gives_up() -> None:
    """Who has waited longest is next, and a turn given to who has gone is passed on."""

    async def play() -> list[int]:
        turns, order = Turns(), []

        async def wait(number: int) -> None:
            await turns.wait()
            order.append(number)

        tasks = [asyncio.create_task(wait(number)) for number in range(4)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        turns.pass_on()  # to the first, who goes as it comes
        for _ in range(3):
            await asyncio.sleep(0)
        assert order == [1]
        turns.release()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        return order

    assert asyncio.run(play()) == [1, 2, 3]


def test_a_budget_is_spent_earned_and_refilled() -> None:
    """Nothing is left when all is spent; time and good deeds bring it back, up to what it was."""
    budget = Budget(100, 10, now=0)
    budget.spend(99)
    assert not budget.is_spent(0)
    budget.spend(1)
    assert budget.is_spent(0)
    assert not budget.is_spent(1)
    budget.earn(1_000)
    budget.spend(100)
    assert budget.is_spent(1)


@pytest.mark.parametrize("has_body", [True, False])
@pytest.mark.parametrize("length", [None, b"7"])
def test_a_body_is_announced_once(has_body: bool, length: bytes | None) -> None:
    """A body has a length, or is said to come without one, as in HTTP/1.1."""
    more = [(b"content-length", length)] if length else []
    head = read_head([*HEAD, *more], has_body=has_body)
    names = [name for name, _ in head.scope["headers"]]
    assert (b"transfer-encoding" in names) == (has_body and length is None)
    assert head.length == (7 if length else None)


FIELDS = st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=8)), max_size=4)


@given(method=st.binary(max_size=5), path=st.binary(max_size=40), fields=FIELDS)
def test_any_head_is_read_or_refused(
    method: bytes, path: bytes, fields: list[tuple[bytes, bytes]]
) -> None:
    """Whatever the library lets through becomes a request or one of S3's refusals."""
    pseudo = [(b":method", method), (b":path", path), (b":authority", b"here")]
    plain = [field for field in fields if field[0][:1] != b":"]
    try:
        head = read_head([*pseudo, *plain], has_body=True)
    except S3Error:
        return
    assert head.scope["raw_path"].startswith(b"/")
    assert sum(name == b"host" for name, _ in head.scope["headers"]) == 1


@pytest.mark.parametrize("path", [b"/a#b", b"/\xff", b"/a b", b"//x?y?z#"])
def test_a_path_is_read_as_http_1_1_does(path: bytes) -> None:
    """The parser of HTTP/1.1's targets reads HTTP/2's as well."""
    heads = [*HEAD[:3], (b":path", path)]
    with suppress(S3Error):
        head = read_head(heads, has_body=False)
        assert b"#" not in head.scope["raw_path"]

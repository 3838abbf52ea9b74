"""Outcomes to come: who waits is told once, and those of one place together."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from storage_engine.futures import Future, tell_all

if TYPE_CHECKING:
    from storage_engine.futures import Heirs

RACES = 300


def test_all_of_one_place_are_told_in_one_call() -> None:
    """Heirs that wait in the same place are told together, those of another apart."""
    here: list[list[Any]] = []
    there: list[list[Any]] = []
    tell_here, tell_there = here.append, there.append
    futures = [Future[int]() for _ in range(3)]
    for number, future in enumerate(futures):
        assert future.tell(tell_here if number < 2 else tell_there, number)
    heirs: Heirs = {}
    for future in futures:
        future.resolve(7, None, heirs)
    assert not here
    assert all(future.done() for future in futures)
    tell_all(heirs)
    assert (here, there) == ([[0, 1]], [[2]])
    assert not futures[0].tell(tell_here, 0), "who comes late need not wait"


def test_a_thread_waits_for_the_outcome() -> None:
    """`result` returns what the mutation did, or raises why it was refused, once it is certain."""
    future, refused = Future[int](), Future[int]()
    with pytest.raises(TimeoutError):
        future.result(timeout=0.01)
    heirs: Heirs = {}
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(future.result()))
    thread.start()
    while len(future._heirs) < 2:
        pass
    future.resolve(7, None, heirs)
    refused.resolve(None, PermissionError("no"), heirs)
    tell_all(heirs)
    thread.join()
    assert seen == [7]
    assert future.exception() is None
    assert isinstance(refused.exception(), PermissionError)
    with pytest.raises(PermissionError):
        refused.result()


def test_whoever_comes_as_it_resolves_is_told_once() -> None:
    """An heir that registers side by side with the outcome is told, or sees it, never both."""
    for _ in range(RACES):
        future, told, start = Future[int](), [], threading.Barrier(2)

        def resolve(future: Future[int] = future, start: threading.Barrier = start) -> None:
            heirs: Heirs = {}
            start.wait()
            future.resolve(7, None, heirs)
            tell_all(heirs)

        thread = threading.Thread(target=resolve)
        thread.start()
        start.wait()
        waits = future.tell(told.extend, "heir")
        thread.join()
        assert told == (["heir"] if waits else [])
        assert future.result() == 7


def test_a_place_that_is_no_more_keeps_nobody_from_being_told() -> None:
    """Who waits elsewhere is told although a loop ended before its own could be."""
    told: list[Any] = []

    def ended(_: list[Any]) -> None:
        raise RuntimeError

    future, heirs = Future[int](), {}
    assert future.tell(told.extend, "heir")
    assert future.tell(ended, "nobody")
    future.resolve(7, None, heirs)
    tell_all(heirs)
    assert told == ["heir"]

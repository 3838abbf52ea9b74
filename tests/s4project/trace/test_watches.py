"""How the trace comes from workers to who watches: rings, pipes, losses, deaths."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import resource
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from s4project.trace import pages, watches
from s4project.trace.events import Asked
from s4project.trace.watches import Tracer, Watch, end_watches, watching
from tests.s4project.trace.courses import ended

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from s4project.trace.watches import Teller

ALL = Asked()


class Worker:
    """A worker: whom it tells of its requests, and its tracer."""

    def __init__(self, directory: Path) -> None:
        self.tellers: list[Teller] = [lambda _course: None]
        self.tracer = Tracer(directory, self.tellers)
        self.tracer.start()

    @property
    def is_watched(self) -> bool:
        """Whether requests know of the trace."""
        return len(self.tellers) > 1

    def end(self, **course: Any) -> None:
        """Let a request end."""
        for tell in self.tellers:
            tell(ended(**course))


@contextmanager
def limited(kind: int) -> Iterator[None]:
    """Grant this process nothing more of a kind."""
    limits = resource.getrlimit(kind)
    resource.setrlimit(kind, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, limits)


def run(story: Callable[[Worker], Awaitable[None]], directory: Path) -> None:
    """Tell a story of a worker, on an event loop."""

    async def told() -> None:
        worker = Worker(directory)
        try:
            await story(worker)
        finally:
            worker.tracer.stop()
            assert not worker.is_watched

    asyncio.run(told())
    assert list(directory.iterdir()) == []


async def until(claim: Callable[[], bool]) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(10):
        while not claim():  # noqa: ASYNC110  # what is waited for knows of no event
            await asyncio.sleep(0.001)


async def keys(watch: Watch) -> AsyncIterator[list[str]]:
    """Read batches of the keys of requests."""
    while True:
        yield [json.loads(line)["key"] for line in await watch.lines(5)]


def test_who_watches_sees_what_he_asked_for_and_nobody_else_pays(tmp_path: Path) -> None:
    """Requests know of the trace from the first who watches on, until the last one leaves."""

    async def story(worker: Worker) -> None:
        assert not worker.is_watched
        with watching(tmp_path, ALL) as every, watching(tmp_path, Asked(status="4+")) as failed:
            await until(lambda: len(worker.tracer._watches) == 2)
            worker.end(key="good")
            worker.end(key="bad", status=500)
            assert await anext(keys(every)) == ["good", "bad"]
            assert await anext(keys(failed)) == ["bad"]
            assert worker.is_watched
        await until(lambda: not worker.is_watched)
        worker.end()

    run(story, tmp_path)


def test_a_worker_that_comes_later_tells_too(tmp_path: Path) -> None:
    """Who is started while somebody watches finds him at once."""

    async def story(_first: Worker) -> None:
        with watching(tmp_path, ALL) as watch:
            second = Worker(tmp_path)
            assert second.is_watched
            second.end(key="late")
            assert await anext(keys(watch)) == ["late"]
            second.tracer.stop()

    run(story, tmp_path)


def test_waiting_in_vain_ends(tmp_path: Path) -> None:
    """Who waits for lines is told after a while that there are none."""

    async def story(_worker: Worker) -> None:
        with watching(tmp_path, ALL) as watch:
            assert await watch.lines(0.01) == []
            assert await watch.lines(0.01) == []

    run(story, tmp_path)


def test_what_is_lost_is_counted_and_told(tmp_path: Path) -> None:
    """A reader who is too slow keeps nobody waiting, and learns how many he missed."""

    async def story(worker: Worker) -> None:
        with watching(tmp_path, ALL) as watch:
            await until(lambda: worker.is_watched)
            sent = 0
            while not any(worker.tracer._lost.values()):
                worker.end(key=str(sent))
                sent += 1
            for _ in range(9):
                worker.end(key="lost")
            seen = []
            while len(seen) < sent - 1:
                seen += await watch.lines(5)
            worker.end(key="last")
            (last,) = [json.loads(line) for line in await watch.lines(5)]
            assert [json.loads(line)["key"] for line in seen] == [*map(str, range(sent - 1))]
            assert (last["key"], last["lost"]) == ("last", 10)
            worker.end(key="next")
            assert "lost" not in json.loads((await watch.lines(5))[0])

    run(story, tmp_path)


def watch_and_die(directory: Path) -> None:
    """Watch until killed."""
    with watching(directory, ALL):
        time.sleep(60)


def test_one_who_dies_while_he_watches_is_forgotten(tmp_path: Path) -> None:
    """The pipe of a process that was killed is taken away at the next request."""

    async def story(worker: Worker) -> None:
        process = multiprocessing.get_context("fork").Process(
            target=watch_and_die, args=(tmp_path,)
        )
        process.start()
        await until(lambda: worker.is_watched)
        process.kill()
        await asyncio.to_thread(process.join)
        worker.end()
        assert not worker.is_watched
        worker.end()

    run(story, tmp_path)


def test_a_pipe_that_nobody_reads_is_no_watch(tmp_path: Path) -> None:
    """What a killed process left is found by the next worker, and taken away."""
    tmp_path.joinpath("dead.asked").write_bytes(b"{}")
    os.mkfifo(tmp_path / "dead.watch")
    tmp_path.joinpath("odd.watch").write_bytes(b"no pipe")
    os.mkfifo(tmp_path / "1.ear")
    tmp_path.joinpath("half.asked").write_bytes(b"{}")
    os.mkfifo(tmp_path / "half.opening")
    for path in tmp_path.glob("half.*"):
        os.utime(path, (1, 1))

    async def story(worker: Worker) -> None:
        assert not worker.is_watched
        with watching(tmp_path, ALL):
            await until(lambda: worker.is_watched)

    run(story, tmp_path)


def test_a_process_without_files_to_open_takes_no_watch_away(tmp_path: Path) -> None:
    """A worker that can open no more files leaves a watch to the others."""

    async def story(worker: Worker) -> None:
        with watching(tmp_path, ALL) as watch:
            await until(lambda: worker.is_watched)
            (name,) = worker.tracer._watches
            worker.tracer._leave(name)
            with limited(resource.RLIMIT_NOFILE):
                worker.tracer._join(name)
            assert not worker.is_watched
            worker.tracer._look()
            worker.end()
            assert await watch.lines(10)

    run(story, tmp_path)


def test_who_cannot_watch_is_told_and_leaves_nothing(
    settings: SettingsWrapper, tmp_path: Path
) -> None:
    """A full disk, or no place for pipes, ends the stream with a word."""
    settings.S4 = replace(settings.S4, data_dir=tmp_path)
    place = tmp_path / watches.NAME

    async def told() -> list[bytes]:
        return [part async for part in pages._stream(ALL, "")]

    with capture_logs(), limited(resource.RLIMIT_FSIZE):
        assert asyncio.run(told()) == [b"event: trouble\ndata:\n\n"]
    assert list(place.iterdir()) == []
    place.rmdir()
    place.write_bytes(b"")
    assert asyncio.run(told()) == [b"event: trouble\ndata:\n\n"]


def test_a_process_that_ends_waits_for_no_watch(tmp_path: Path) -> None:
    """Who waits for lines is woken when his process is to end."""

    async def story(_worker: Worker) -> None:
        with watching(tmp_path, ALL) as watch:
            waiting = asyncio.create_task(watch.lines(60))
            await asyncio.sleep(0.01)
            end_watches()
            assert await waiting == []
            assert watch.is_ended
            assert await watch.lines(60) == []

    run(story, tmp_path)


def test_only_so_many_watch(tmp_path: Path) -> None:
    """One more than may is refused, and one who leaves makes room."""

    async def story(_worker: Worker) -> None:
        with ExitStack() as stack:
            for _ in range(watches.WATCHES_MAX):
                stack.enter_context(watching(tmp_path, ALL))
            with pytest.raises(watches.TooManyError):
                stack.enter_context(watching(tmp_path, ALL))
        with watching(tmp_path, ALL):
            pass

    run(story, tmp_path)


def test_a_directory_that_takes_no_pipe_costs_the_trace_alone(tmp_path: Path) -> None:
    """A worker that can have no ear starts all the same."""
    place = tmp_path / "file"
    place.write_bytes(b"")

    async def story() -> None:
        worker = Worker(place)
        worker.end()
        worker.tracer.stop()

    asyncio.run(story())

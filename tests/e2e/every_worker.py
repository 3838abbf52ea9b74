"""Meeting every worker of a server.

Who comes anew is taken by a worker that has fewest connections, so that of connections that end
one after the other a worker with many may never get one. Those made here stay until the end:
whoever had most has fewest sooner or later.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from tests.e2e.wire import Caller, Connection, Reply

AT_ONCE: Final = 8
CONNECTIONS_MAX: Final = 800


def worker_of(reply: Reply) -> str:
    """Tell which worker answered: each counts its requests from a large number of its own."""
    return reply.headers["x-amz-request-id"][:10]


@contextmanager
def many(caller: Caller, count: int) -> Iterator[list[Connection]]:
    """Open connections that stay for a block: workers have about as many of them each."""
    with ExitStack() as kept:
        yield [kept.enter_context(caller.connect()) for _ in range(count)]


def _replies(caller: Caller, target: str) -> Iterator[Reply]:
    """GET over one new connection after the other, of which all stay."""
    with ExitStack() as kept:
        for _ in range(CONNECTIONS_MAX // AT_ONCE):
            for connection in kept.enter_context(many(caller, AT_ONCE)):
                yield caller.ask("GET", target, over=connection)


def find_workers(caller: Caller, count: int) -> set[str]:
    """Find what each of so many workers calls itself."""
    found: set[str] = set()
    for reply in _replies(caller, "/"):
        found.add(worker_of(reply))
        if len(found) == count:
            return found
    raise AssertionError(f"only {len(found)} workers answer")


def ask_every_worker(caller: Caller, target: str, workers: AbstractSet[str]) -> set[int]:
    """GET at each worker that `find_workers` named; return the statuses that were told."""
    missing, said = set(workers), set()
    for reply in _replies(caller, target):
        missing.discard(worker_of(reply))
        said.add(reply.status)
        if not missing:
            return said
    raise AssertionError(f"{len(missing)} workers did not answer")

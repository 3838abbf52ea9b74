"""Who is measured: S4 as it lies here, another commit of it, a bare ASGI server, and rivals."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import servers
import shares

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from servers import Server
    from shares import Controller

    Start = Callable[[Path, list[str]], AbstractContextManager[Server]]

DURABLE = "synced before the answer"


@dataclass(frozen=True, slots=True)
class Contender:
    """A server to be measured; `start` runs it on a fresh directory, its command after a prefix."""

    name: str
    start: Start
    durability: str = DURABLE
    is_bare: bool = False  # it stores nothing, so only plain requests make sense


def s4(name: str, workers: int, tree: Path = servers.ROOT) -> Contender:
    """Make a contender of a tree of S4."""
    return Contender(
        name, lambda directory, prefix: servers.s4(directory, workers, prefix, tree=tree)
    )


def shared(contender: Contender, workers: int, found: Controller) -> Contender:
    """Make a contender of one, each of whose processes has a share of a core."""

    @contextmanager
    def start(directory: Path, prefix: list[str]) -> Iterator[Server]:
        with ExitStack() as groups, contender.start(directory, prefix) as server:
            pids = shares.children(server.pid, workers + 1)  # and the jobs process
            groups.enter_context(shares.limited(found, pids))
            yield server

    return replace(contender, start=start)


def bare(workers: int) -> Contender:
    """Make a contender of the least an ASGI application can do."""
    return Contender(
        "bare",
        lambda directory, prefix: servers.bare(directory, workers, prefix),
        "nothing is stored",
        is_bare=True,
    )


@contextmanager
def checked_out(commit: str, directory: Path) -> Iterator[tuple[str, Path]]:
    """Put another commit's files under a directory; answer its short name and where they are.

    Raises ServerError when git does not know it.
    """
    name = _git("rev-parse", "--short", f"{commit}^{{commit}}").decode().strip()
    tree = directory / f"tree-{name}"
    tree.mkdir()
    subprocess.run(["tar", "-x", "-C", tree], input=_git("archive", name), check=True)
    _compile(tree)
    yield name, tree


def _compile(tree: Path) -> None:
    """Make the compiled part of a tree, if it has one and there is a compiler, as `make` does."""
    build = "import setuptools; setuptools.setup()"
    arguments = ["--quiet", "build_ext", "--inplace"]
    command = [sys.executable, "-W", "ignore", "-c", build, *arguments]
    subprocess.run(command, cwd=tree, stderr=subprocess.DEVNULL, check=False)


def _git(*arguments: str) -> bytes:
    outcome = subprocess.run(
        ["git", "-C", servers.ROOT, *arguments], capture_output=True, check=False
    )
    if outcome.returncode:
        raise servers.ServerError(outcome.stderr.decode().strip().splitlines()[-1])
    return outcome.stdout


def this_commit() -> str:
    """Name what lies here: the commit, and whether it was changed since."""
    try:
        return _git("describe", "--always", "--dirty", "--abbrev=10").decode().strip()
    except (servers.ServerError, OSError):
        return "unknown"

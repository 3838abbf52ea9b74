"""Fixtures of the clients' tests: a server, what runs a client, and files for it to carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.clients.installed import Runner
from tests.e2e.clients.trees import write_tree
from tests.e2e.server import Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run one server for all clients, who are many and keep to their own buckets."""
    with running(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def run(server: Server, tmp_path: Path) -> Runner:
    """Answer what runs clients against the module's server."""
    home = tmp_path / "home"
    home.mkdir()
    return Runner(server, home)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a tree of files with all kinds of names, an empty one, and one of several parts."""
    root = tmp_path_factory.mktemp("files")
    write_tree(root)
    return root

"""Fixtures of the end-to-end tests: a server for each module, and its log where a test failed."""

from __future__ import annotations

import socket
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.server import DOMAIN, Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.client import BaseClient

_resolve = socket.getaddrinfo
_numbers = count(1)


def _resolve_loopback(host: Any, *arguments: Any, **options: Any) -> Any:
    """Resolve names under the servers' domain to this machine, as RFC 6761 has it."""
    if isinstance(host, str) and (host == DOMAIN or host.endswith("." + DOMAIN)):
        host = "127.0.0.1"
    return _resolve(host, *arguments, **options)


@pytest.fixture(scope="session", autouse=True)
def loopback_names() -> Iterator[None]:
    """Let bucket names under the servers' domain resolve, on systems that would not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", _resolve_loopback)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_foreign_credentials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the clients away from the AWS settings of whoever runs the tests."""
    nothing = str(tmp_path_factory.mktemp("aws") / "nothing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_CONFIG_FILE", nothing)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", nothing)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Server]:
    """Run a server for the module, with the settings its SETTINGS name."""
    settings = getattr(request.module, "SETTINGS", {})
    with running(tmp_path_factory.mktemp("server"), **settings) as server:
        yield server


@pytest.fixture(scope="module")
def s3(server: Server) -> Iterator[BaseClient]:
    """Answer a path-style client of the module's server."""
    client = server.client()
    yield client
    client.close()


@pytest.fixture
def bucket(s3: BaseClient) -> str:
    """Make a bucket for one test."""
    name = f"bucket-{next(_numbers):04d}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Show what a server logged during a test that failed."""
    report = yield
    arguments = getattr(item, "funcargs", {})
    if report.failed:
        for argument in arguments.values():
            if isinstance(argument, Server):
                report.sections.append(("server log", argument.log_tail()))
    return report

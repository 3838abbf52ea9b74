"""Large objects pass through in steps: the workers' memory does not grow with what they carry."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from boto3.s3.transfer import TransferConfig

from tests.e2e.content import content
from tests.e2e.every_worker import many
from tests.e2e.processes import MemoryWatch
from tests.e2e.wire import READ_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

MIB = 1024 * 1024
SIZE = 200 * MIB + 12_345
GROWTH_MAX = 100 * MIB


@pytest.fixture(scope="module")
def warm(server: Server, s3: BaseClient) -> str:
    """Make a bucket, and let both workers see a request, so that growth is not start-up."""
    s3.create_bucket(Bucket="large")
    with many(server.caller, 8) as connections:
        for number, connection in enumerate(connections * 8):
            body = content(f"warm {number}", 256 * 1024)
            server.caller.ask("PUT", f"/large/warm{number}", body, over=connection)
    return "large"


@pytest.fixture
def source(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Write a file of 200 MB that no other test writes."""
    path = tmp_path / "source"
    path.write_bytes(content(request.node.name, SIZE))
    return path


def digest_of(read: Callable[[int], bytes]) -> str:
    """Hash a stream to its end."""
    digest = hashlib.sha256()
    while data := read(READ_BYTES):
        digest.update(data)
    return digest.hexdigest()


def download(s3: BaseClient, key: str) -> tuple[str, dict[str, Any]]:
    """Read an object in one GET, in steps; answer its SHA-256 and the reply."""
    reply = s3.get_object(Bucket="large", Key=key)
    return digest_of(reply["Body"].read), reply


def file_digest(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return digest_of(file.read)


def assert_lean(watch: MemoryWatch) -> None:
    """Insist that no process grew by more than its share."""
    growth = {pid: size // MIB for pid, size in watch.growth.items()}
    assert all(size <= GROWTH_MAX // MIB for size in growth.values()), f"MiB by pid: {growth}"


def test_many_parts_pass_through(server: Server, s3: BaseClient, warm: str, source: Path) -> None:
    """200 MB in parts of 8 MiB from four threads come back whole at little memory."""
    parts = TransferConfig(
        multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=4
    )
    with MemoryWatch([process.pid for process in server.processes()]) as watch:
        s3.upload_file(str(source), warm, "parts", Config=parts)
        digest, reply = download(s3, "parts")
    assert digest == file_digest(source)
    assert reply["ContentLength"] == SIZE
    assert reply["ETag"].endswith('-26"')
    assert_lean(watch)


def test_one_large_body_passes_through(
    server: Server, s3: BaseClient, warm: str, source: Path
) -> None:
    """200 MB in a single PUT come back whole in a single GET at little memory."""
    with MemoryWatch([process.pid for process in server.processes()]) as watch:
        with source.open("rb") as file:
            s3.put_object(Bucket=warm, Key="single", Body=file)
        digest, reply = download(s3, "single")
    assert digest == file_digest(source)
    assert reply["ContentLength"] == SIZE
    assert_lean(watch)


def test_many_readers_share_little_memory(server: Server, s3: BaseClient, warm: str) -> None:
    """Readers that stop reading hold no object in memory, however large it is."""
    body = content("readers", 60 * MIB)
    assert server.caller.ask("PUT", "/large/readers", body).status == 200
    connections = [server.caller.connect() for _ in range(24)]
    with MemoryWatch([process.pid for process in server.processes()]) as watch:
        for connection in connections:
            connection.send(server.caller.request("GET", "/large/readers"))
        assert connections[0].has_begun()
        assert server.caller.ask("HEAD", "/large/readers").status == 200
        assert connections[0].reply().body == body
    for connection in connections:
        connection.close()
    assert_lean(watch)

"""Readiness: what is wrong is found at once, told in plain words, and says for what it matters."""

from __future__ import annotations

import asyncio
import errno
import json
from typing import TYPE_CHECKING, Any

import pytest

from s3api.app import S3App
from s3api.context import S3Config
from s4project import readiness
from s4project.key_uses import KeyUses
from s4project.probes import ConsoleProbes, MinioProbes
from s4project.readiness import LAG_SECONDS_MAX, look
from s4project.s3side import Services
from storage_engine import StorageError
from tests.storage_engine.bad_disks import FaultyDisk
from tests.storage_engine.engine_steps import put, small_store
from tests.stores import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from storage_engine import StorageEngine

RESERVE = 1 << 20


@pytest.fixture
def disk() -> FaultyDisk:
    """Give a disk that refuses on demand."""
    return FaultyDisk(".segment")


@pytest.fixture
def app(
    tmp_path: Path,
    disk: FaultyDisk,
    settings: SettingsWrapper,
    transactional_db: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[S3App]:
    """Make the S3 side over a store on that disk, and be patient with a busy machine."""
    monkeypatch.setattr(readiness, "PATIENCE_SECONDS", 30.0)
    del transactional_db
    data, path = tmp_path / "data", tmp_path / "store"
    data.mkdir()
    with (
        opened(settings, data),
        small_store(path, disk=disk, disk_reserve_bytes=RESERVE) as engine,
    ):
        made = S3App(engine, Services(), KeyUses(), S3Config())
        yield made
        made.close()


def ask(app: S3App, path: str, method: str = "GET", query: bytes = b"") -> tuple[int, Any, bytes]:
    """Ask a probe: its status, its headers and its body."""
    probes = MinioProbes if path.startswith("/minio") else ConsoleProbes
    said: list[Any] = []

    async def send(message: Any) -> None:
        await asyncio.sleep(0)
        said.append(message)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 1),
        "scheme": "http",
    }
    asyncio.run(probes(lambda: app)(scope, receive, send))
    return said[0]["status"], dict(said[0]["headers"]), said[1]["body"]


def failing(app: S3App) -> dict[str, str]:
    """Ask what fails; the status must say so too."""
    status, headers, body = ask(app, "/health/ready")
    told = json.loads(body)
    assert status == (503 if told["failing"] else 200)
    assert (b"retry-after" in headers) == bool(told["failing"])
    assert told["status"] == ("not ready" if told["failing"] else "ready")
    found: dict[str, str] = told["failing"]
    return found


def minio(app: S3App) -> tuple[int, ...]:
    """Ask MinIO's four."""
    paths = ("live", "ready", "cluster/read", "cluster")
    return tuple(ask(app, f"/minio/health/{path}")[0] for path in paths)


def fill(engine: StorageEngine) -> None:
    """Write something."""
    put(engine, "a", b"x")


def test_all_is_well(app: S3App) -> None:
    """A store that works is ready for everything, and each check is named."""
    assert failing(app) == {}
    assert minio(app) == (200, 200, 200, 200)
    told = json.loads(ask(app, "/health/ready")[2])["checks"]
    names = ("worker", "index", "identities", "journal", "space", "checkpoint", "sql")
    assert tuple(told) == names
    assert set(told.values()) == {"ok"}


def test_a_full_disk_takes_no_writes_and_answers_reads(app: S3App, disk: FaultyDisk) -> None:
    """Below the reserve the store is not ready, reads go on, and room makes it ready again."""
    disk.free = RESERVE - 1
    assert list(failing(app)) == ["space"]
    assert minio(app) == (200, 200, 200, 503)
    disk.free = None
    assert failing(app) == {}


def test_a_failed_sync_is_told_without_what_the_system_said(app: S3App, disk: FaultyDisk) -> None:
    """After a failed sync of the journal nothing is written; who asks learns that, and no path."""
    fill(app.store.engine)
    disk.refuses_syncs = errno.EIO
    with pytest.raises(StorageError):
        fill(app.store.engine)
    found = failing(app)
    assert list(found) == ["journal"]
    assert "/" not in found["journal"]
    assert minio(app) == (200, 200, 200, 503)


def test_a_checkpoint_that_does_not_come_is_told(
    app: S3App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written and in no checkpoint for minutes makes the store not ready."""
    checkpointer = app.store.engine._checkpointer
    checkpointer.stop()  # as one that hangs
    app.store.engine.checkpoint()
    fill(app.store.engine)
    monkeypatch.setattr("storage_engine.checkpoint.CHECKPOINT_SECONDS", 1000.0)
    checkpointer._tick()
    assert failing(app) == {}
    assert checkpointer._behind is not None
    checkpointer._behind = checkpointer._behind[0], checkpointer._behind[1] - LAG_SECONDS_MAX
    assert list(failing(app)) == ["checkpoint"]
    app.store.engine.checkpoint()
    checkpointer._tick()
    assert failing(app) == {}


def test_a_worker_that_is_full_is_not_ready(app: S3App) -> None:
    """Who serves as many requests as he may is sent no more, while there are others."""
    app.store.in_flight = app.store.config.requests_max
    assert list(failing(app)) == ["worker"]
    assert minio(app) == (200, 503, 503, 503)
    app.store.in_flight -= 1
    assert failing(app) == {}


def test_an_engine_that_is_closed_answers_nothing(app: S3App) -> None:
    """Without the index neither reads nor writes are answered."""
    assert failing(app) == {}
    app.store.engine.close()
    assert "index" in failing(app)
    assert minio(app) == (200, 503, 503, 503)


def test_maintenance_is_always_a_loss(app: S3App) -> None:
    """Asked whether this machine could be spared, the only one there is says no."""
    for path in ("/minio/health/cluster", "/minio/health/cluster/read"):
        assert ask(app, path, query=b"maintenance=true")[0] == 412


def test_looking_reads_users_and_buckets_first(app: S3App) -> None:
    """A worker that was asked nothing yet reads what it must know, so that it is ready."""
    assert not app.store.snapshots.are_read
    assert asyncio.run(look(app)).writes
    assert app.store.snapshots.are_read

"""Who may read the metrics by which setting, and what is told when the database does not answer."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from django.db import OperationalError, connection
from django.test import Client

from buckets.services import create_bucket
from iam.keyring import RoleName
from s4project.metrics.collecting import Collector
from s4project.metrics.pages import TOKEN_FILE, make_token, source
from s4project.metrics.publishing import WORKER, Publisher
from s4project.metrics.slots import Slots
from s4project.tls.certificate import Pair
from s4project.tls.making import Names, certificate_text, issue, key_text, make_authority
from tests.people import browser, person
from tests.stores import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from storage_engine import StorageEngine

TOKEN: Final = "a-token-of-metrics"


@pytest.fixture
def engine(
    settings: SettingsWrapper, tmp_path: Path, transactional_db: None
) -> Iterator[StorageEngine]:
    """Open a store and serve its metrics in this process."""
    memory, data = tmp_path / "memory", tmp_path / "data"
    memory.mkdir()
    data.mkdir()
    with opened(settings, data) as engine:
        settings.S4 = replace(settings.S4, metrics_token=TOKEN)
        slots = Slots(memory)
        source.publisher = Publisher(slots, WORKER, engine)
        source.collector = Collector(slots, engine)
        yield engine
        source.publisher.end()
        source.publisher = source.collector = None


def ask(client: Client | None = None, token: str = "", path: str = "/metrics") -> Any:
    """Ask as whoever the client is signed in as, or with a bearer token."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return (client or Client()).get(path, headers=headers)


@contextmanager
def database_down() -> Iterator[None]:
    """Let no statement through, as a database that is gone."""

    def refuse(*_: object) -> None:
        raise OperationalError("the server closed the connection")

    with connection.execute_wrapper(refuse):
        yield


def test_the_token_that_is_set_counts(engine: StorageEngine, settings: SettingsWrapper) -> None:
    """With S4_METRICS_TOKEN that token opens, and what lies in the file does not."""
    (settings.S4.data_dir / TOKEN_FILE).write_text("another")
    assert ask(token=TOKEN).status_code == 200
    assert ask(token="another").status_code == 401
    assert ask().status_code == 401


def test_only_superusers_read_by_their_session(engine: StorageEngine) -> None:
    """The session of a SuperUser opens; that of a Writer is told who may."""
    person("boss", RoleName.SUPERUSER)
    person("wilma", RoleName.WRITER)
    assert ask(browser("boss")).status_code == 200
    refused = ask(browser("wilma"))
    assert (refused.status_code, refused.content) == (403, b"Only a SuperUser may do this.\n")


def test_public_metrics_ask_nobody(engine: StorageEngine, settings: SettingsWrapper) -> None:
    """With S4_METRICS_PUBLIC whoever comes reads, in MinIO's paths too."""
    settings.S4 = replace(settings.S4, metrics_public=True)
    assert ask().status_code == 200
    assert ask(path="/minio/v2/metrics/node").status_code == 200


def test_metrics_that_are_off_are_not_there(
    engine: StorageEngine, settings: SettingsWrapper
) -> None:
    """With S4_METRICS_ENABLED=false even the token finds nothing, and no token is made."""
    settings.S4 = replace(settings.S4, metrics_enabled=False, metrics_token="")
    assert ask(token=TOKEN).status_code == 404
    make_token(settings.S4.data_dir)
    assert not (settings.S4.data_dir / TOKEN_FILE).exists()


def test_nothing_but_reading_is_answered(engine: StorageEngine) -> None:
    """A POST is refused, whoever sends it."""
    refused = Client().post("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (refused.status_code, refused["Allow"]) == (405, "GET, HEAD")


def test_the_token_is_made_once(engine: StorageEngine, settings: SettingsWrapper) -> None:
    """A token that is there stays as it is; an empty file gets one."""
    settings.S4 = replace(settings.S4, metrics_token="")
    path = settings.S4.data_dir / TOKEN_FILE
    make_token(settings.S4.data_dir)
    first = path.read_text()
    make_token(settings.S4.data_dir)
    assert path.read_text() == first
    assert ask(token=first).status_code == 200
    path.write_text("")  # nobody can send nothing
    make_token(settings.S4.data_dir)
    assert path.read_text() not in {first, ""}
    assert path.stat().st_mode & 0o077 == 0


def test_without_sql_the_rest_is_told(engine: StorageEngine) -> None:
    """Who has the token reads while the database is down: the store, and buckets as last known."""
    owner = person("boss", RoleName.SUPERUSER)
    create_bucket("photos", owner.canonical_id)
    assert b"s4_sql_up 1.0" in ask(token=TOKEN).content
    with database_down():
        told = ask(token=TOKEN)
        assert told.status_code == 200
        assert b"s4_sql_up 0.0" in told.content
        assert b's4_bucket_objects{bucket="photos"} 0.0' in told.content


def test_the_end_of_the_certificate_is_told(
    engine: StorageEngine, settings: SettingsWrapper, tmp_path: Path
) -> None:
    """With TLS there is a series of when the certificate ends; files that are none harm nothing."""
    pair = Pair(tmp_path / "server.crt", tmp_path / "server.key")
    settings.S4 = replace(settings.S4, tls_cert=pair.certificate, tls_key=pair.key)
    sample = re.compile(r"^s4_certificate_expiry_timestamp_seconds (.*)$", re.MULTILINE)
    assert sample.findall(ask(token=TOKEN).content.decode()) == []
    certificate, key = issue(Names(("localhost",)), 30, make_authority())
    pair.certificate.write_bytes(certificate_text(certificate))
    pair.key.write_bytes(key_text(key))
    (end,) = sample.findall(ask(token=TOKEN).content.decode())
    assert float(end) == certificate.not_valid_after_utc.timestamp()


def test_an_idle_process_writes_nothing(tmp_path: Path, engine: StorageEngine) -> None:
    """A tick at which nothing has changed since the one before touches no file."""
    publisher = Publisher(Slots(tmp_path / "memory"), WORKER, engine)
    publisher.tick(1, 0)
    path = tmp_path / "memory" / "0"
    before = path.stat()
    for _ in range(5):
        publisher.tick(1, 0)
    assert path.stat() == before
    publisher.tick(2, 0)
    assert path.stat().st_ino != before.st_ino
    publisher.end()


def test_memory_without_room_is_waited_out(tmp_path: Path, engine: StorageEngine) -> None:
    """Where numbers cannot be left, the process goes on, and leaves them as soon as it can."""
    place = tmp_path / "gone"
    publisher = Publisher(Slots(place), WORKER, engine)
    publisher.publish()
    place.mkdir()
    publisher.publish()
    assert Slots(place).read()[0]["starts"] == {WORKER: [1]}
    publisher.end()

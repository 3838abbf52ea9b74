"""The log tells once of each quota that comes near its bound, reaches it, or has room again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from structlog.testing import capture_logs

from buckets import services
from iam import services as iam_services
from iam.keyring import RoleName
from iam.quotas import Quota
from s4project.quota_watch import QuotaWatch
from tests.buckets.contents import put, remove
from tests.people import person

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

    from storage_engine import StorageEngine


def told(watch: QuotaWatch) -> list[dict[str, Any]]:
    """Look once, and answer what the log said."""
    with capture_logs() as lines:
        watch.look()
    return [dict(line) for line in lines]


def test_each_change_is_told_once(store: StorageEngine) -> None:
    """A line comes with a change of state, never with a request, and names what it is about."""
    ada = person("ada", RoleName.WRITER)
    bucket_id = services.create_bucket("photos", ada.canonical_id).id
    services.set_quota(bucket_id, Quota(bytes=10))
    iam_services.set_user_quota(ada.pk, Quota(objects=100))
    watch = QuotaWatch()
    assert told(watch) == []
    put(store, bucket_id, "k", b"x" * 8)
    (line,) = told(watch)
    figures = {"bucket": "photos", "percent": 80, "bytes": 8, "objects": 1}
    near = {"event": "A quota is nearly used up", "log_level": "warning"}
    assert line == figures | near
    put(store, bucket_id, "k", b"x" * 9)
    assert told(watch) == []
    put(store, bucket_id, "k", b"x" * 10)
    (line,) = told(watch)
    assert (line["event"], line["percent"]) == ("A quota is used up", 100)
    remove(store, bucket_id, "k")
    (line,) = told(watch)
    assert line == {"event": "A quota has room again", "bucket": "photos", "log_level": "info"}
    iam_services.set_user_quota(ada.pk, Quota(objects=1))
    put(store, bucket_id, "k", b"")
    (line,) = told(watch)
    assert (line["event"], line["user"]) == ("A quota is used up", "ada")
    assert [line["user"] for line in told(QuotaWatch())] == ["ada"], "after a start, once more"


def test_where_nothing_was_committed_nothing_is_looked_at(
    store: StorageEngine, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """An idle store costs no query."""
    watch = QuotaWatch()
    watch.look()
    with django_assert_num_queries(0):
        assert told(watch) == []
    store.bump_generation("test")
    with django_assert_num_queries(2):
        assert told(watch) == []

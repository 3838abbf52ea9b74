"""Lifecycle rules as rows: what is written is read, and what the engine obeys meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from buckets import services
from buckets.alignment import align_engine, settle_bucket
from buckets.configuration import Lifecycle
from buckets.models import Bucket
from buckets.models import LifecycleRule as Row
from storage_engine import DAY_MS, EngineError, LifecycleRule
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from buckets.registry import BucketState
    from iam.models import User
    from storage_engine import StorageEngine

FULL = LifecycleRule(
    id="everything é",
    is_enabled=False,
    prefix="a/ü",
    tags={"k": "v", "l": ""},
    size_above=0,
    size_below=2**40,
    expire_at_ms=20_000 * DAY_MS,
    noncurrent_days=2**31 - 1,
    noncurrent_kept=100,
)
PLAIN = LifecycleRule(id="plain", expire_days=3, abort_days=1)
MARKERS = LifecycleRule(id="markers", expires_markers=True)
IDLE = LifecycleRule(id="idle")
MANY = Lifecycle(
    rules=(FULL, PLAIN, MARKERS, IDLE),
    blank=frozenset({"plain"}),
    idle=frozenset({"idle"}),
    minimum_size="varies_by_storage_class",
)
BARE = Lifecycle(rules=(PLAIN, MARKERS), bare=frozenset({"plain", "markers"}))


@pytest.fixture
def bucket(ada: User) -> int:
    """Make a bucket."""
    return services.create_bucket("photos", ada.canonical_id).id


def found() -> BucketState:
    """Read the bucket."""
    return services.find_bucket("photos")


@pytest.mark.parametrize("lifecycle", [MANY, BARE, None], ids=["all", "bare", "none"])
def test_what_is_set_is_read(bucket: int, lifecycle: Lifecycle | None) -> None:
    """Rules and their form come back as they were set, over others, and the engine has them."""
    services.configure_bucket(bucket, lifecycle=Lifecycle(rules=(MARKERS, PLAIN)))
    services.configure_bucket(bucket, lifecycle=lifecycle)
    assert found().configuration.lifecycle == lifecycle
    assert get_engine().lifecycle(bucket).rules == (lifecycle.rules if lifecycle else ())
    assert Row.objects.count() == (len(lifecycle.rules) if lifecycle else 0)


def test_rules_are_read_only_when_they_are_others(bucket: int, ada: User) -> None:
    """A change of something else costs no look at rules; one of rules reads those of the bucket."""
    services.configure_bucket(bucket, lifecycle=MANY)
    other = services.create_bucket("other", ada.canonical_id).id
    reader = services.RegistryReader()
    reader.read()

    def queries() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            reader.read()
        return [each["sql"] for each in captured.captured_queries]

    assert not any("lifecyclerule" in sql for sql in queries())
    services.configure_bucket(other, tags={"a": "b"})
    assert not any("lifecyclerule" in sql for sql in queries())
    services.configure_bucket(bucket, lifecycle=None)
    services.configure_bucket(bucket, lifecycle=MANY)
    assert sum("lifecyclerule" in sql for sql in queries()) == 1
    services.configure_bucket(bucket, lifecycle=BARE)
    state = reader.read().find("photos")
    assert state is not None
    assert state.configuration.lifecycle == BARE


def test_rules_go_with_their_bucket(bucket: int, ada: User) -> None:
    """A bucket that is deleted takes its rules along, and the next of its name has none."""
    services.configure_bucket(bucket, lifecycle=MANY)
    services.delete_bucket("photos")
    assert Row.objects.count() == 0
    made = services.create_bucket("photos", ada.canonical_id)
    assert found().configuration.lifecycle is None
    assert get_engine().lifecycle(made.id).rules == ()


class Death(BaseException):
    """The process dies."""


@pytest.mark.parametrize("step", [1, 2, 3])
def test_whoever_dies_on_the_way_leaves_no_rule_that_acts(
    bucket: int, step: int, monkeypatch: pytest.MonkeyPatch, store: StorageEngine
) -> None:
    """Before SQL says something else the engine obeys nothing; what is left is settled later."""
    services.configure_bucket(bucket, lifecycle=BARE)
    calls: list[tuple[LifecycleRule, ...]] = []
    really = store.set_lifecycle

    def dying(bucket_id: int, rules: Any) -> Any:
        calls.append(tuple(rules))
        if step == 1 or (step, len(calls)) == (3, 2):
            raise Death
        future = really(bucket_id, rules)
        if step == 2:
            future.result()
            raise Death
        return future

    monkeypatch.setattr(store, "set_lifecycle", dying)
    with pytest.raises(Death):
        services.configure_bucket(bucket, lifecycle=MANY)
    monkeypatch.undo()
    in_sql = found().configuration.lifecycle
    assert in_sql == (MANY if step == 3 else BARE)
    acting = store.lifecycle(bucket).rules
    assert acting == (BARE.rules if step == 1 else ())
    assert align_engine() == ({"buckets": 1} if step > 1 else {})
    assert align_engine() == {}
    assert store.lifecycle(bucket).rules == in_sql.rules


def test_a_change_taken_back_is_settled(bucket: int, store: StorageEngine) -> None:
    """A transaction around it that fails leaves the old rules in SQL, and none that acts."""
    services.configure_bucket(bucket, lifecycle=BARE)
    with transaction.atomic():
        services.configure_bucket(bucket, lifecycle=MANY)
        transaction.set_rollback(True)
    assert found().configuration.lifecycle == BARE
    assert store.lifecycle(bucket).rules == ()
    assert settle_bucket(bucket)
    assert store.lifecycle(bucket).rules == BARE.rules


def test_the_same_rules_again_leave_the_engine_alone(bucket: int, store: StorageEngine) -> None:
    """What changes only how rules are written is no reason to look at all keys again."""
    services.configure_bucket(bucket, lifecycle=Lifecycle(rules=(PLAIN,)))
    generation = store.lifecycle(bucket)
    services.configure_bucket(
        bucket, lifecycle=Lifecycle(rules=(PLAIN,), blank=frozenset({"plain"}))
    )
    assert store.lifecycle(bucket) == generation
    assert found().configuration.lifecycle == Lifecycle(rules=(PLAIN,), blank=frozenset({"plain"}))


def test_settling_a_bucket_that_is_gone_is_nothing(bucket: int) -> None:
    """Whoever was deleted has nothing left to settle."""
    Bucket.objects.filter(pk=bucket).delete()
    assert settle_bucket(bucket) is False
    with pytest.raises((services.NoSuchBucket, EngineError)):
        services.configure_bucket(bucket, lifecycle=MANY)

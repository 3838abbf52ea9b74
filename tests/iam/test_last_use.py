"""When keys were last used: what the service writes, and what it leaves alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from iam import services
from iam.models import AccessKey

if TYPE_CHECKING:
    from iam.models import User
    from storage_engine import StorageEngine


@pytest.fixture
def keys(store: StorageEngine, ada: User) -> list[str]:
    """Make three keys."""
    return [services.create_key(ada.pk).access_key for _ in range(3)]


def moments() -> dict[str, datetime | None]:
    """Read when each key was last used."""
    return dict(AccessKey.objects.values_list("access_key", "last_used_at"))


def at(milliseconds: int) -> datetime:
    """Turn epoch milliseconds into a moment."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def test_a_key_that_was_never_used_says_so(keys: list[str]) -> None:
    """A new key has no last use."""
    assert moments() == dict.fromkeys(keys)


def test_uses_of_many_keys_are_written_at_once(keys: list[str]) -> None:
    """Several keys' uses cost one UPDATE, and other keys' are not touched."""
    with CaptureQueriesContext(connection) as queries:
        assert services.record_uses({keys[0]: 1_000, keys[1]: 2_500}) == {}
    updates = [query for query in queries if query["sql"].startswith("UPDATE")]
    assert len(updates) == 1
    assert moments() == {keys[0]: at(1_000), keys[1]: at(2_500), keys[2]: None}


def test_no_time_is_moved_back(keys: list[str]) -> None:
    """What another worker wrote stays where it is later, and only there."""
    services.record_uses({keys[0]: 5_000, keys[1]: 1_000})
    services.record_uses({keys[0]: 4_999, keys[1]: 1_001})
    assert moments() == {keys[0]: at(5_000), keys[1]: at(1_001), keys[2]: None}


def test_a_use_is_no_change_of_identity(store: StorageEngine, keys: list[str]) -> None:
    """No worker reads anything anew because a key was used."""
    before = store.generation()
    services.record_uses({keys[0]: 1_000})
    assert store.generation() == before


def test_a_deleted_key_has_no_uses(keys: list[str]) -> None:
    """A use of a key that is gone meanwhile is forgotten, and holds up nothing."""
    services.delete_key(keys[0])
    assert services.record_uses({keys[0]: 1_000, keys[1]: 1_000}) == {}
    assert moments() == {keys[1]: at(1_000), keys[2]: None}


def test_changing_a_key_leaves_its_last_use(keys: list[str]) -> None:
    """A key that is renamed or disabled keeps when it was used."""
    services.record_uses({keys[0]: 1_000})
    services.update_key(keys[0], name="other", expires_at=None)
    services.set_key_enabled(keys[0], enabled=False)
    assert moments()[keys[0]] == at(1_000)

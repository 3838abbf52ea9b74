"""Access keys through the services, as the data path then sees them in the keyring."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from datetime import timezone as zone
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from iam import sealing, services
from iam.errors import AccessKeyTaken, InvalidIdentity, NoSuchAccessKey, NoSuchUser
from iam.keyring import RoleName
from iam.models import AccessKey

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_django import DjangoAssertNumQueries

    from iam.models import User
    from storage_engine import StorageEngine


def test_a_generated_key_signs_for_its_user(store: StorageEngine, ada: User) -> None:
    """A generated key has AWS's shape, is new each time, and stands in the keyring for its user."""
    key, other = services.create_key(ada.pk), services.create_key(ada.pk)
    assert re.fullmatch(r"S4AK[A-Z2-7]{16}", key.access_key)
    assert re.fullmatch(r"[A-Za-z0-9]{40}", key.secret_key)
    assert key.access_key != other.access_key
    assert key.secret_key != other.secret_key
    credential = services.load_keyring().find(key.access_key)
    assert credential is not None
    assert credential.secret_key == key.secret_key
    assert credential.principal.username == "ada"


def test_a_secret_is_nowhere_in_clear(store: StorageEngine, ada: User) -> None:
    """Neither the row nor the repr of the answer holds the secret."""
    key = services.create_key(ada.pk)
    row = AccessKey.objects.get()
    assert key.secret_key.encode() not in bytes(row.sealed_secret)
    assert key.secret_key not in repr(key)
    assert key.secret_key not in repr(vars(row))


@pytest.mark.parametrize(
    ("access_key", "secret_key"),
    [("abc", "12345678"), ("A" * 128, "!" * 128), ("a.b_c+d=e@f-g", "/+=~#%&?\\'\"")],
)
def test_given_keys_are_kept_verbatim(
    store: StorageEngine, ada: User, access_key: str, secret_key: str
) -> None:
    """A key chosen elsewhere is taken over unchanged, at the bounds of what is allowed too."""
    services.create_key(ada.pk, access_key=access_key, secret_key=secret_key)
    credential = services.load_keyring().find(access_key)
    assert credential is not None
    assert credential.secret_key == secret_key


@pytest.mark.parametrize(
    ("field", "access_key", "secret_key"),
    [
        ("access_key", "ab", "12345678"),
        ("access_key", "A" * 129, "12345678"),
        ("access_key", "with/slash", "12345678"),
        ("access_key", "line\n", "12345678"),
        ("access_key", "with space", "12345678"),
        ("secret_key", "ABC", "1234567"),
        ("secret_key", "ABC", "x" * 129),
        ("secret_key", "ABC", "with space"),
        ("secret_key", "ABC", "ümlaut-secret"),
        ("secret_key", "ABC", "tab\tsecret"),
    ],
)
def test_impossible_keys_are_refused_by_field(
    store: StorageEngine, ada: User, field: str, access_key: str, secret_key: str
) -> None:
    """A key that no client could sign with is refused, and nothing is written."""
    with pytest.raises(InvalidIdentity) as refusal:
        services.create_key(ada.pk, access_key=access_key, secret_key=secret_key)
    assert refusal.value.field == field
    assert secret_key not in str(refusal.value)
    assert not AccessKey.objects.exists()


def test_a_key_belongs_to_one_user(store: StorageEngine, ada: User, boss: User) -> None:
    """An access key cannot be made twice, and the first keeps its secret."""
    services.create_key(ada.pk, access_key="SHARED", secret_key="first-secret")
    with pytest.raises(AccessKeyTaken):
        services.create_key(boss.pk, access_key="SHARED", secret_key="other-secret")
    credential = services.load_keyring().find("SHARED")
    assert credential is not None
    assert credential.secret_key == "first-secret"
    assert services.load_keyring().find("shared") is None


def test_disabling_and_enabling(store: StorageEngine, ada: User) -> None:
    """A disabled key leaves the keyring and comes back when it is enabled."""
    key = services.create_key(ada.pk).access_key
    services.set_key_enabled(key, enabled=False)
    assert services.load_keyring().find(key) is None
    services.set_key_enabled(key, enabled=True)
    assert services.load_keyring().find(key) is not None


def test_a_disabled_user_has_no_working_key(store: StorageEngine, ada: User) -> None:
    """Disabling a user ends all his keys; he stays known as an owner."""
    key = services.create_key(ada.pk).access_key
    services.set_active(ada.pk, active=False)
    keyring = services.load_keyring()
    assert keyring.find(key) is None
    assert keyring.principal(ada.canonical_id) is not None


def test_expiry_reaches_the_keyring(store: StorageEngine, ada: User) -> None:
    """A key works before its expiry and not from it on, to the millisecond."""
    moment = timezone.now() + timedelta(hours=1)
    key = services.create_key(ada.pk, expires_at=moment).access_key
    moment_ms = int(moment.timestamp() * 1000)
    keyring = services.load_keyring()
    assert keyring.find(key, now_ms=moment_ms - 1) is not None
    assert keyring.find(key, now_ms=moment_ms) is None


def test_expiry_is_refused_in_the_past_and_may_be_moved_there(
    store: StorageEngine, ada: User
) -> None:
    """No key is made expired, but one may be ended by moving its expiry to the past."""
    past = timezone.now() - timedelta(seconds=1)
    with pytest.raises(InvalidIdentity):
        services.create_key(ada.pk, expires_at=past)
    key = services.create_key(ada.pk).access_key
    services.update_key(key, name="old", expires_at=past)
    assert services.load_keyring().find(key) is None
    assert AccessKey.objects.get().name == "old"


@pytest.mark.parametrize(
    "moment",
    [
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=zone(timedelta(hours=-1))),
        datetime(1, 1, 1, tzinfo=zone(timedelta(hours=1))),
    ],
)
def test_an_expiry_that_nobody_could_read_is_refused(
    store: StorageEngine, ada: User, moment: datetime
) -> None:
    """A moment that has no year from 1 to 9999 in UTC is told, whatever the database would take."""
    key = services.create_key(ada.pk).access_key
    with pytest.raises(InvalidIdentity, match="none from 1 to 9999"):
        services.create_key(ada.pk, expires_at=moment)
    with pytest.raises(InvalidIdentity, match="none from 1 to 9999"):
        services.update_key(key, expires_at=moment)
    assert services.load_keyring().find(key) is not None


def test_a_deleted_key_is_gone(store: StorageEngine, ada: User) -> None:
    """A deleted key is not found and cannot be deleted again."""
    key = services.create_key(ada.pk).access_key
    services.delete_key(key)
    assert services.load_keyring().find(key) is None
    with pytest.raises(NoSuchAccessKey):
        services.delete_key(key)


@pytest.mark.parametrize(
    "change",
    [
        lambda: services.set_key_enabled("NONE", enabled=True),
        lambda: services.update_key("NONE", name="", expires_at=None),
        lambda: services.delete_key("NONE"),
    ],
)
def test_an_unknown_key_is_reported(store: StorageEngine, change: Callable[[], None]) -> None:
    """Every service says NoSuchAccessKey for a key there is not."""
    with pytest.raises(NoSuchAccessKey):
        change()


def test_a_key_needs_a_user(store: StorageEngine) -> None:
    """A key cannot be made for a user there is not."""
    with pytest.raises(NoSuchUser):
        services.create_key(10**9)


@pytest.mark.parametrize(
    "change",
    [
        lambda key: services.set_key_enabled(key, enabled=True),
        lambda key: services.set_key_enabled(key, enabled=False),
        lambda key: services.update_key(key, name="x", expires_at=None),
        services.delete_key,
    ],
)
def test_every_change_moves_the_generation(
    store: StorageEngine, ada: User, change: Callable[[str], None]
) -> None:
    """After any service on keys has returned, workers see that something moved."""
    before = store.generations().get("iam", 0)
    key = services.create_key(ada.pk).access_key
    middle = store.generations()["iam"]
    change(key)
    assert before < middle < store.generations()["iam"]


def test_the_keyring_takes_a_handful_of_queries(
    store: StorageEngine, ada: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """However many users and keys there are, thirteen queries read them and what they may do."""
    for number in range(20):
        user = services.create_user(f"user{number}", RoleName.READER)
        services.create_key(user.pk)
        services.create_key(user.pk)
    with django_assert_num_queries(13):
        keyring = services.load_keyring()
    assert len(keyring) == 40


def test_another_server_key_is_one_clear_error(
    store: StorageEngine, ada: User, tmp_path: Path
) -> None:
    """With a server key of another store no key works silently wrong: the keyring says so."""
    services.create_key(ada.pk, access_key="MINE")
    (tmp_path / "server.key").unlink()
    sealing.load_or_create_server_key(tmp_path)
    with pytest.raises(sealing.WrongServerKey, match="MINE does not open"):
        services.load_keyring()


def test_keys_are_listed_for_one_user_or_all(store: StorageEngine, ada: User, boss: User) -> None:
    """A list of keys holds one user's, or everybody's by user."""
    services.create_key(boss.pk, access_key="KEY1")
    services.create_key(ada.pk, access_key="KEY2")
    assert [key.access_key for key in services.list_keys(boss.pk)] == ["KEY1"]
    assert [key.user.username for key in services.list_keys()] == ["ada", "boss"]

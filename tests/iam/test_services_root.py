"""The root user over several starts: what is generated once, what follows the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iam import sealing, services
from iam.errors import AccessKeyTaken, UsernameTaken
from iam.keyring import RoleName
from iam.models import AccessKey, User

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine import StorageEngine


def works(access_key: str, secret_key: str) -> bool:
    """Whether the data path would accept a signature by this pair."""
    credential = services.load_keyring().find(access_key)
    return credential is not None and credential.secret_key == secret_key


def test_the_first_start_generates_what_is_not_given(store: StorageEngine) -> None:
    """The first start makes root with a password and a key that both work."""
    first = services.ensure_root()
    assert first.created
    assert first.username == "root"
    assert first.generated_password is not None
    assert first.generated_secret is not None
    root = services.find_user("root")
    assert root.is_root
    assert root.is_superuser
    assert root.check_password(first.generated_password)
    assert works(first.access_key, first.generated_secret)
    assert first.generated_password not in repr(first)
    assert first.generated_secret not in repr(first)


def test_later_starts_generate_nothing(store: StorageEngine) -> None:
    """A second start changes nothing, tells no secret, and announces nothing."""
    first = services.ensure_root()
    rows = list(User.objects.values()), list(AccessKey.objects.values())
    before = store.generations()
    again = services.ensure_root()
    assert not again.created
    assert again.access_key == first.access_key
    assert again.generated_password is None
    assert again.generated_secret is None
    assert rows == (list(User.objects.values()), list(AccessKey.objects.values()))
    assert store.generations() == before


def test_given_values_are_used_and_not_told(store: StorageEngine) -> None:
    """What the environment gives is used as it is and never echoed."""
    first = services.ensure_root("admin", "a given password", "GIVENKEY", "given-secret")
    assert (first.username, first.access_key) == ("admin", "GIVENKEY")
    assert first.generated_password is None
    assert first.generated_secret is None
    assert services.find_user("admin").check_password("a given password")
    assert works("GIVENKEY", "given-secret")


def test_a_changed_password_is_applied(store: StorageEngine) -> None:
    """A new password in the environment replaces the old one at the next start, and ends tokens."""
    services.ensure_root(password="the first password")
    before = services.find_user("root").token_version
    services.ensure_root(password="the second password")
    root = services.find_user("root")
    assert root.check_password("the second password")
    assert root.token_version == before + 1


def test_an_absent_password_changes_nothing(store: StorageEngine) -> None:
    """A password that was changed in the console is kept when the environment names none."""
    services.ensure_root(password="the first password")
    root = services.find_user("root")
    services.set_password(root.pk, "chosen in the console")
    services.ensure_root()
    assert services.find_user("root").check_password("chosen in the console")


def test_another_key_in_the_environment_ends_the_one_before(store: StorageEngine) -> None:
    """When the environment's key changes, the old one is refused and root's other keys stay."""
    services.ensure_root(access_key="FIRST", secret_key="first-secret")
    own = services.create_key(services.find_user("root").pk)
    services.ensure_root(access_key="SECOND", secret_key="second-secret")
    assert works("SECOND", "second-secret")
    assert services.load_keyring().find("FIRST") is None
    assert works(own.access_key, own.secret_key)


def test_another_secret_in_the_environment_is_applied(store: StorageEngine) -> None:
    """The same key with another secret signs with the new secret only, and workers are told."""
    services.ensure_root(access_key="KEY", secret_key="first-secret")
    before = store.generations()["iam"]
    services.ensure_root(access_key="KEY", secret_key="second-secret")
    assert works("KEY", "second-secret")
    assert store.generations()["iam"] > before


def test_what_was_disabled_stays_disabled(store: StorageEngine) -> None:
    """A start with the same or another secret does not enable a key that an administrator ended."""
    services.ensure_root(access_key="KEY", secret_key="first-secret")
    services.set_key_enabled("KEY", enabled=False)
    services.ensure_root(access_key="KEY", secret_key="second-secret")
    assert services.load_keyring().find("KEY") is None


def test_a_key_of_somebody_else_is_not_taken(store: StorageEngine) -> None:
    """The environment cannot turn another user's key into root's."""
    services.ensure_root()
    ada = services.create_user("ada", RoleName.WRITER)
    services.create_key(ada.pk, access_key="ADAS", secret_key="adas-secret")
    with pytest.raises(AccessKeyTaken):
        services.ensure_root(access_key="ADAS", secret_key="other-secret")
    assert works("ADAS", "adas-secret")


def test_root_is_renamed_with_the_environment(store: StorageEngine) -> None:
    """Another name in the environment renames root; a name in use is refused, nothing is made."""
    services.ensure_root("root")
    services.ensure_root("admin")
    assert [user.username for user in User.objects.filter(is_root=True)] == ["admin"]
    services.create_user("ada", RoleName.WRITER)
    with pytest.raises(UsernameTaken):
        services.ensure_root("ada")
    assert services.find_user("ada").role_id == RoleName.WRITER


def test_a_start_with_another_server_key_is_refused(store: StorageEngine, tmp_path: Path) -> None:
    """A start beside a server key that opens nothing ends before anything is written."""
    services.ensure_root(access_key="KEY", secret_key="first-secret")
    rows = list(AccessKey.objects.values())
    (tmp_path / "server.key").unlink()
    sealing.load_or_create_server_key(tmp_path)
    with pytest.raises(sealing.WrongServerKey):
        services.ensure_root(access_key="KEY", secret_key="second-secret")
    assert list(AccessKey.objects.values()) == rows

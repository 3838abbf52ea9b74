"""Users through the services: what is written, what is refused, what workers notice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction

from iam import services
from iam.audit.acting import Actor, Via, acting
from iam.errors import (
    AccountIdTaken,
    CanonicalIdTaken,
    InvalidIdentity,
    LastSuperUser,
    NoSuchUser,
    OwnRightsKept,
    RootUserKept,
    UsernameTaken,
)
from iam.keyring import RoleName
from iam.models import User

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage_engine import StorageEngine

NOBODY = 10**9
LEAVE: dict[str, Callable[[int], None]] = {
    "demote": lambda pk: services.set_role(pk, RoleName.WRITER),
    "disable": lambda pk: services.set_active(pk, active=False),
    "delete": services.delete_user,
}


def test_a_new_user_is_in_the_keyring_with_what_was_said(store: StorageEngine, ada: User) -> None:
    """A user appears to the data path with exactly the given names, role and id."""
    principal = services.load_keyring().principal(ada.canonical_id)
    assert principal is not None
    assert principal.user_id == ada.pk
    assert (principal.username, principal.display_name) == ("ada", "Ada L.")
    assert (principal.email, principal.role) == ("ada@example.org", RoleName.WRITER)
    assert not principal.is_root


def test_defaults_are_safe_ones(store: StorageEngine) -> None:
    """Without more said, a user cannot sign in, is shown by his name, and has a random id."""
    first, second = (services.create_user(name, RoleName.READER) for name in ("eve", "fay"))
    assert not first.is_staff
    assert not first.check_password("")
    assert len(first.canonical_id) == 64
    assert first.canonical_id != second.canonical_id
    principal = services.load_keyring().principal(first.canonical_id)
    assert principal is not None
    assert principal.display_name == "eve"


def test_the_password_is_kept_as_argon2id(store: StorageEngine) -> None:
    """A password is stored only as an Argon2id hash that verifies it."""
    user = services.create_user("eve", RoleName.READER, password="correct horse")
    assert User.objects.get(pk=user.pk).password.startswith("argon2$argon2id$")
    assert user.check_password("correct horse")
    assert not user.check_password("wrong horse")
    assert user.is_staff


def test_only_an_active_superuser_has_djangos_permissions(boss: User, ada: User) -> None:
    """Whatever Django's own code asks permission for, only an active SuperUser has it."""
    for user, is_allowed in ((boss, True), (ada, False)):
        assert user.has_perm("iam.change_user") == is_allowed
        assert user.has_perms(["iam.change_user"]) == is_allowed
        assert user.has_module_perms("iam") == is_allowed
    boss.is_active = False
    assert not boss.has_perm("iam.change_user")


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("username", {"username": ""}),
        ("username", {"username": "has space"}),
        ("username", {"username": "line\n"}),
        ("username", {"username": "slash/"}),
        ("username", {"username": "x" * 151}),
        ("role", {"role": "Owner"}),
        ("email", {"email": "not an address"}),
        ("canonical_id", {"canonical_id": "A" * 64}),
        ("canonical_id", {"canonical_id": "a" * 63}),
        ("account_id", {"account_id": "1" * 11}),
        ("account_id", {"account_id": "12345678901x"}),
        ("canonical_id", {"canonical_id": "a" * 64 + "\n"}),
        ("password", {"password": "short"}),
        ("password", {"password": "password123"}),
        ("password", {"password": "new-user-name"}),
        ("display_name", {"display_name": "x" * 151}),
    ],
)
def test_impossible_values_are_refused_by_field(
    store: StorageEngine, field: str, values: dict[str, Any]
) -> None:
    """Each value that cannot be is refused, the refusal names its field, and nothing is written."""
    with pytest.raises(InvalidIdentity) as refusal:
        services.create_user(
            **{"username": "new-user-name", "role": RoleName.READER, **values}  # type: ignore[arg-type]
        )
    assert refusal.value.field == field
    assert not User.objects.exists()


def test_names_and_ids_are_unique(ada: User) -> None:
    """A second user of the same name, canonical id or account id is refused as such."""
    with pytest.raises(UsernameTaken):
        services.create_user("ada", RoleName.READER)
    with pytest.raises(CanonicalIdTaken):
        services.create_user("bob", RoleName.READER, canonical_id=ada.canonical_id)
    with pytest.raises(AccountIdTaken):
        services.create_user("bob", RoleName.READER, account_id=ada.account_id)
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda pk: services.set_role(pk, RoleName.READER),
        lambda pk: services.set_active(pk, active=False),
        lambda pk: services.set_active(pk, active=True),
        lambda pk: services.set_password(pk, "another horse"),
        lambda pk: services.update_profile(pk, display_name="A", email=""),
        services.delete_user,
    ],
)
def test_every_change_moves_the_generation(
    store: StorageEngine, ada: User, change: Callable[[int], None]
) -> None:
    """After any service workers see that something moved, also where the row was so already."""
    before = store.generations().get("iam", 0)
    change(ada.pk)
    assert store.generations()["iam"] > before


@pytest.mark.parametrize(
    "change",
    [
        lambda: services.set_role(NOBODY, RoleName.READER),
        lambda: services.set_active(NOBODY, active=False),
        lambda: services.set_password(NOBODY, "another horse"),
        lambda: services.update_profile(NOBODY, display_name="A", email=""),
        lambda: services.delete_user(NOBODY),
        lambda: services.find_user("nobody"),
    ],
)
def test_an_unknown_user_is_reported(
    store: StorageEngine, boss: User, change: Callable[[], object]
) -> None:
    """Every service says NoSuchUser for a user there is not."""
    with pytest.raises(NoSuchUser):
        change()


def test_a_change_is_announced_before_it_is_committed(store: StorageEngine, ada: User) -> None:
    """Workers look again though a writer died just after his commit; a rollback leaves nothing."""
    before = store.generations()["iam"]
    with transaction.atomic():
        services.set_role(ada.pk, RoleName.READER)
        assert store.generations()["iam"] > before
        transaction.set_rollback(True)
    assert services.find_user("ada").role_id == RoleName.WRITER


@pytest.mark.parametrize("way", LEAVE)
def test_the_last_superuser_stays(store: StorageEngine, boss: User, ada: User, way: str) -> None:
    """The last active SuperUser is neither demoted, disabled nor deleted, whoever is disabled."""
    other = services.create_user("other", RoleName.SUPERUSER)
    services.set_active(other.pk, active=False)
    assert services.is_last_superuser(boss.pk)
    with pytest.raises(LastSuperUser):
        LEAVE[way](boss.pk)
    kept = services.find_user("boss")
    assert kept.is_superuser


@pytest.mark.parametrize("way", LEAVE)
def test_one_of_two_superusers_may_leave(store: StorageEngine, boss: User, way: str) -> None:
    """A SuperUser may leave while another active one remains."""
    services.create_user("other", RoleName.SUPERUSER)
    LEAVE[way](boss.pk)
    assert not User.objects.filter(pk=boss.pk, role=RoleName.SUPERUSER, is_active=True).exists()


@pytest.mark.parametrize("way", LEAVE)
def test_nobody_takes_what_he_is_himself(store: StorageEngine, boss: User, way: str) -> None:
    """A SuperUser does not shut himself out by any door, even beside another, who may do it."""
    other = services.create_user("other", RoleName.SUPERUSER)
    with acting(lambda: Actor(Via.REST, user_id=boss.canonical_id)), pytest.raises(OwnRightsKept):
        LEAVE[way](boss.pk)
    assert services.find_user("boss").is_superuser
    with acting(lambda: Actor(Via.CONSOLE, user_id=other.canonical_id)):
        LEAVE[way](boss.pk)
    assert not User.objects.filter(pk=boss.pk, role=RoleName.SUPERUSER, is_active=True).exists()


def test_root_is_neither_deleted_nor_demoted(store: StorageEngine) -> None:
    """Root stays a SuperUser even beside others, but may be disabled then."""
    services.ensure_root(password="correct horse")
    services.create_user("other", RoleName.SUPERUSER)
    root = services.find_user("root")
    for way in ("demote", "delete"):
        with pytest.raises(RootUserKept):
            LEAVE[way](root.pk)
    LEAVE["disable"](root.pk)
    assert not services.find_user("root").is_active


@pytest.mark.parametrize(
    "change",
    [
        lambda pk: services.set_role(pk, RoleName.READER),
        lambda pk: services.set_active(pk, active=False),
        lambda pk: services.set_password(pk, "another horse"),
    ],
)
def test_tokens_end_with_role_password_or_disabling(
    ada: User, change: Callable[[int], None]
) -> None:
    """A change of rights or password steps the token version, once."""
    change(ada.pk)
    assert services.find_user("ada").token_version == ada.token_version + 1


def test_a_password_form_of_django_gives_no_role_back(boss: User) -> None:
    """Saving a password on a user read before a demotion keeps the demotion, and ends tokens."""
    services.create_user("other", RoleName.SUPERUSER)
    stale = User.objects.get(pk=boss.pk)
    services.set_role(boss.pk, RoleName.READER)
    stale.set_password("another horse")
    stale.save()
    now = User.objects.get(pk=boss.pk)
    assert now.role_id == RoleName.READER
    assert now.check_password("another horse")
    assert now.token_version == boss.token_version + 2


def test_a_deleted_user_takes_his_keys_along(store: StorageEngine, ada: User) -> None:
    """After a user is deleted none of his keys signs anything."""
    key = services.create_key(ada.pk)
    services.delete_user(ada.pk)
    keyring = services.load_keyring()
    assert keyring.find(key.access_key) is None
    assert keyring.principal(ada.canonical_id) is None


def test_users_are_listed_by_name(store: StorageEngine, boss: User, ada: User) -> None:
    """The list of users is in order of name."""
    assert [user.username for user in services.list_users()] == ["ada", "boss"]

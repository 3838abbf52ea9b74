"""Keyrings read one after the other: each says what the database has, and makes what is new."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iam import services
from iam.documents import Effect, Question
from iam.errors import IdentityError
from iam.keyring import Keyring, RoleName
from iam.models import AccessKey, User
from iam.services import KeyringReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage_engine import StorageEngine

NAMES = ["ada", "bob", "eve"]


def document(resource: str) -> str:
    """Write a policy that allows reading one bucket."""
    statement = {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{resource}/*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def told(keyring: Keyring) -> dict[str, object]:
    """Say all that a keyring knows, as values."""
    keys = AccessKey.objects.order_by("pk").values_list("access_key", flat=True)
    found = {access_key: keyring.find(access_key) for access_key in keys}
    users = [
        keyring.principal(canonical_id)
        for canonical_id in User.objects.order_by("pk").values_list("canonical_id", flat=True)
    ]
    return {
        "keys": {
            name: (each.secret_key, each.principal, each.expires_ms, each.policy)
            for name, each in found.items()
            if each is not None
        },
        "users": users,
        "rights": [[line.source for line in user.rights] for user in users if user is not None],
        "policies": [[line.policy for line in user.rights] for user in users if user is not None],
    }


def pk(name: str) -> int:
    """Find a user's id."""
    return services.find_user(name).pk


def key_of(name: str) -> str:
    """Find one of a user's keys."""
    return AccessKey.objects.filter(user__username=name).latest("pk").access_key


CHANGES: dict[str, Callable[[str, str], object]] = {
    "create": lambda name, _: services.create_user(name, RoleName.WRITER),
    "delete": lambda name, _: services.delete_user(pk(name)),
    "disable": lambda name, _: services.set_active(pk(name), active=False),
    "enable": lambda name, _: services.set_active(pk(name), active=True),
    "demote": lambda name, _: services.set_role(pk(name), RoleName.READER),
    "custom role": lambda name, _: services.set_role(pk(name), "auditor"),
    "rename": lambda name, other: services.update_profile(pk(name), display_name=other, email=""),
    "make key": lambda name, _: services.create_key(pk(name)),
    "end key": lambda name, _: services.update_key(
        key_of(name), name="", expires_at=timezone.now()
    ),
    "narrow key": lambda name, other: services.update_key(
        key_of(name), name="", expires_at=None, policy=document(other)
    ),
    "disable key": lambda name, _: services.set_key_enabled(key_of(name), enabled=False),
    "delete key": lambda name, _: services.delete_key(key_of(name)),
    "attach": lambda name, _: services.set_policies(pk(name), ["one", "two"]),
    "detach": lambda name, _: services.set_policies(pk(name), ["two"]),
    "join": lambda name, _: services.set_groups(pk(name), ["team"]),
    "leave": lambda name, _: services.set_groups(pk(name), []),
}


@pytest.fixture
def furnished(store: StorageEngine) -> None:
    """Make policies, a group and a role that users may have."""
    for name in ("one", "two"):
        services.create_policy(name, document(name))
    services.create_group("team", policies=["one"])
    services.create_role("auditor", policies=["two"])


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    changes=st.lists(
        st.tuples(st.sampled_from(sorted(CHANGES)), st.sampled_from(NAMES), st.sampled_from(NAMES)),
        max_size=12,
    )
)
def test_a_keyring_read_after_changes_is_the_one_read_anew(
    furnished: None, changes: list[tuple[str, str, str]]
) -> None:
    """Whatever has changed, what is taken from the keyring before is what the database has."""
    reader = KeyringReader()
    for change, name, other in changes:
        try:
            CHANGES[change](name, other)
        except (IdentityError, AccessKey.DoesNotExist):
            continue
        assert told(reader.read()) == told(services.load_keyring())


def test_what_a_change_does_not_touch_is_the_same_object(furnished: None) -> None:
    """A change costs the making of what it changes, whatever else there is."""
    reader = KeyringReader()
    for name in NAMES:
        services.create_user(name, RoleName.WRITER)
        services.create_key(pk(name))
    keys = [key_of(name) for name in NAMES]
    before = reader.read()
    services.set_policies(pk("bob"), ["one"])
    after = reader.read()
    same = [after.find(key) is before.find(key) for key in keys]
    assert same == [True, False, True]


def test_a_changed_policy_reaches_all_who_hold_it(furnished: None) -> None:
    """By himself, by a group or by a role: whoever has a policy has what it says now."""
    for name in NAMES:
        services.create_user(name, None)
    services.set_policies(pk("ada"), ["one"])
    services.set_groups(pk("bob"), ["team"])
    services.create_role("reader-of-one", policies=["one"])
    services.create_role("including", includes=["reader-of-one"])
    services.set_role(pk("eve"), "including")
    reader, users = KeyringReader(), [services.find_user(name).canonical_id for name in NAMES]
    asked = Question("s3:GetObject", "arn:aws:s3:::one/k", frozenset(), {})

    def effects() -> list[Effect]:
        keyring = reader.read()
        principals = [keyring.principal(user) for user in users]
        return [each.rights.ask(asked).effect for each in principals if each is not None]

    assert effects() == [Effect.ALLOW] * 3
    changed = services.find_policy("one").pk
    services.update_policy(changed, document=document("other"), description="")
    assert effects() == [Effect.NONE] * 3

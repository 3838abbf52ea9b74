"""Each service that changes anything leaves exactly one entry, with who did it and no secret."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction
from django.utils import timezone

from buckets import services as buckets
from iam import services
from iam.audit.acting import Actor, Via, acting
from iam.errors import IdentityError
from iam.models import AccessKey, AuditEntry, User
from iam.quotas import Quota
from iam.services.audit import search_entries
from tests.people import PASSWORD, browser
from tests.readings import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage_engine import StorageEngine

BOSS = Actor(Via.REST, "boss", "b" * 64, "token:1", "192.0.2.7", "R7")
SECRET = "a-secret-key-of-40-characters-0123456789"
DOCUMENT = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    }
)
OTHER_DOCUMENT = DOCUMENT.replace("GetObject", "PutObject")
READS = re.compile(r"(find|list|load|is)_|[A-Z]")
# What only looks, holds or tells, and what S4 notes of itself: no change that somebody makes.
NO_CHANGE = {
    "announce",
    "forget_changes",
    "forget_sign_ins",
    "hash_password",
    "lock_owner",
    "quota_column",
    "record_uses",
    "settle_server_key",
    "settle_user",
    "sign_in",
}


class World:
    """What the services are tried on."""

    def __init__(self) -> None:
        self.ada = services.create_user("ada", "Writer")
        self.group = services.create_group("devs")
        self.free_group = services.create_group("free")
        self.role = services.create_role("Auditor")
        self.policy = services.create_policy("Reads", DOCUMENT)
        self.key = services.create_key(self.ada.pk, access_key="AKADA").access_key
        services.put_inline_policy(self.group, "own", DOCUMENT)
        services.create_policy("Held", DOCUMENT)
        self.keeper = services.create_role("Keeper", policies=["Held"])


Change = tuple[str, "Callable[[World], object]", str, str, dict[str, Any]]
CHANGES: list[Change] = [
    (
        "create_user",
        lambda _: services.create_user("cy", "Reader", password=PASSWORD, email="c@x.org"),
        "iam:CreateUser",
        "user/cy",
        {"role_id": "Reader", "email": "c@x.org", "has_password": True},
    ),
    (
        "set_password",
        lambda it: services.set_password(it.ada.pk, PASSWORD),
        "iam:UpdateLoginProfile",
        "user/ada",
        {},
    ),
    (
        "set_role",
        lambda it: services.set_role(it.ada.pk, "Auditor"),
        "s4:SetUserRole",
        "user/ada",
        {"role": {"old": "Writer", "new": "Auditor"}},
    ),
    (
        "set_groups",
        lambda it: services.set_groups(it.ada.pk, ["devs"]),
        "s4:SetUserGroups",
        "user/ada",
        {"groups": {"old": [], "new": ["devs"]}},
    ),
    (
        "set_policies",
        lambda it: services.set_policies(it.ada.pk, ["Reads"]),
        "s4:SetUserPolicies",
        "user/ada",
        {"policies": {"old": [], "new": ["Reads"]}},
    ),
    (
        "set_user_quota",
        lambda it: services.set_user_quota(it.ada.pk, Quota(bytes=9)),
        "s4:SetUserQuota",
        "user/ada",
        {"quota": {"old": None, "new": {"bytes": 9, "objects": 0, "warn_percent": 80}}},
    ),
    (
        "set_active",
        lambda it: services.set_active(it.ada.pk, active=False),
        "s4:DisableUser",
        "user/ada",
        {},
    ),
    (
        "update_profile",
        lambda it: services.update_profile(it.ada.pk, display_name="Ada", email=""),
        "iam:UpdateUser",
        "user/ada",
        {"display_name": {"old": "", "new": "Ada"}},
    ),
    ("end_tokens", lambda it: services.end_tokens(it.ada.pk), "s4:EndTokens", "user/ada", {}),
    (
        "delete_user",
        lambda it: services.delete_user(it.ada.pk),
        "iam:DeleteUser",
        "user/ada",
        {"access_keys": ["AKADA"]},
    ),
    (
        "set_key_rate",
        lambda _: services.set_key_rate("AKADA", 50),
        "s4:SetKeyRateLimit",
        "user/ada",
        {"access_key": "AKADA", "requests_per_second": {"old": None, "new": 50}},
    ),
    (
        "create_key",
        lambda it: services.create_key(
            it.ada.pk, access_key="AKNEW", secret_key=SECRET, name="ci", policy=DOCUMENT
        ),
        "iam:CreateAccessKey",
        "user/ada",
        {"access_key": "AKNEW", "name": "ci", "policy": DOCUMENT, "expires_at": None},
    ),
    (
        "rotate_credentials",
        lambda it: services.rotate_credentials(it.ada.pk),
        "iam:CreateAccessKey",
        "user/ada",
        {"name": "credentials"},
    ),
    (
        "set_key_enabled",
        lambda it: services.set_key_enabled(it.key, enabled=False),
        "iam:UpdateAccessKey",
        "user/ada",
        {"access_key": "AKADA", "is_enabled": {"old": True, "new": False}},
    ),
    (
        "update_key",
        lambda it: services.update_key(it.key, name="ci", policy=DOCUMENT),
        "iam:UpdateAccessKey",
        "user/ada",
        {"access_key": "AKADA", "name": {"old": "", "new": "ci"}},
    ),
    (
        "delete_key",
        lambda it: services.delete_key(it.key),
        "iam:DeleteAccessKey",
        "user/ada",
        {"access_key": "AKADA"},
    ),
    (
        "create_group",
        lambda _: services.create_group("ops", policies=["Reads"]),
        "iam:CreateGroup",
        "group/ops",
        {"policies": ["Reads"]},
    ),
    (
        "update_group",
        lambda it: services.update_group(it.group.pk, description="", policies=["Reads"]),
        "iam:UpdateGroup",
        "group/devs",
        {"policies": {"old": [], "new": ["Reads"]}},
    ),
    (
        "delete_group",
        lambda it: services.delete_group(it.free_group.pk),
        "iam:DeleteGroup",
        "group/free",
        {"members": []},
    ),
    (
        "create_role",
        lambda _: services.create_role("Ops", includes=["Auditor"]),
        "iam:CreateRole",
        "role/Ops",
        {"includes": ["Auditor"], "policies": []},
    ),
    (
        "update_role",
        lambda it: services.update_role(
            it.role.pk, description="Looks.", policies=["Reads"], includes=["Reader"]
        ),
        "iam:UpdateRole",
        "role/Auditor",
        {
            "description": {"old": "", "new": "Looks."},
            "policies": {"old": [], "new": ["Reads"]},
            "includes": {"old": [], "new": ["Reader"]},
        },
    ),
    (
        "delete_role",
        lambda it: services.delete_role(it.role.pk),
        "iam:DeleteRole",
        "role/Auditor",
        {"description": ""},
    ),
    (
        "create_policy",
        lambda _: services.create_policy("Writes", OTHER_DOCUMENT),
        "iam:CreatePolicy",
        "policy/Writes",
        {"document": OTHER_DOCUMENT},
    ),
    (
        "update_policy",
        lambda it: services.update_policy(it.policy.pk, document=OTHER_DOCUMENT, description=""),
        "s4:UpdatePolicy",
        "policy/Reads",
        {"document": {"old": DOCUMENT, "new": OTHER_DOCUMENT}},
    ),
    (
        "delete_policy",
        lambda it: services.delete_policy(it.policy.pk),
        "iam:DeletePolicy",
        "policy/Reads",
        {"document": DOCUMENT},
    ),
    (
        "attach_policy",
        lambda it: services.attach_policy(it.group, "Reads"),
        "iam:AttachGroupPolicy",
        "group/devs",
        {"policy": "Reads"},
    ),
    (
        "detach_policy",
        lambda it: services.detach_policy(it.keeper, "Held"),
        "iam:DetachRolePolicy",
        "role/Keeper",
        {"policy": "Held"},
    ),
    (
        "put_inline_policy",
        lambda it: services.put_inline_policy(it.group, "own", OTHER_DOCUMENT),
        "iam:PutGroupPolicy",
        "group/devs",
        {"policy": "own", "document": {"old": DOCUMENT, "new": OTHER_DOCUMENT}},
    ),
    (
        "put_inline_policy",
        lambda it: services.put_inline_policy(it.ada, "own", DOCUMENT),
        "iam:PutUserPolicy",
        "user/ada",
        {"policy": "own", "document": {"old": None, "new": DOCUMENT}},
    ),
    (
        "delete_inline_policy",
        lambda it: services.delete_inline_policy(it.group, "own"),
        "iam:DeleteGroupPolicy",
        "group/devs",
        {"policy": "own", "document": DOCUMENT},
    ),
]
NAMES = [f"{name}-{action}" for name, _, action, _, _ in CHANGES]


@pytest.fixture
def world(store: StorageEngine, boss: User) -> World:
    """Make somebody and something of each kind."""
    return World()


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_a_change_leaves_one_entry(world: World, change: Change) -> None:
    """The entry of a change says who made it, to what, and what is not as it was; no secret."""
    _, make, action, resource, detail = change
    before = AuditEntry.objects.count()
    hashes = set(User.objects.values_list("password", flat=True))
    with acting(lambda: BOSS):
        made = make(world)
    assert AuditEntry.objects.count() == before + 1
    entry = search_entries(limit=1).entries[0]
    assert (entry.actor, entry.credential, entry.address) == ("boss", "token:1", "192.0.2.7")
    assert (entry.via, entry.request_id, entry.outcome) == ("rest", "R7", "allowed")
    assert entry.action == action
    assert entry.resource.startswith("arn:aws:iam::")
    assert entry.resource.endswith(f":{resource}")
    assert {name: entry.detail.get(name) for name in detail} == detail
    text = json.dumps(entry.as_dict())
    hashes |= set(User.objects.values_list("password", flat=True))
    secrets = {SECRET, PASSWORD, getattr(made, "secret_key", SECRET), *hashes}
    assert not [secret for secret in secrets if secret in text]


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_a_change_taken_back_leaves_none(world: World, change: Change) -> None:
    """The entry of a change goes with it when the transaction is rolled back; workers see none."""
    before, worker = AuditEntry.objects.count(), Worker()
    known = worker.reading
    with transaction.atomic():
        change[1](world)
        transaction.set_rollback(True)
    assert AuditEntry.objects.count() == before
    worker.keeps_up()
    assert worker.reading == known


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_a_change_reaches_who_reads_what_changed(world: World, change: Change) -> None:
    """After every service a worker that reads only its change knows what another knows."""
    services.set_groups(world.ada.pk, ["devs", "free"])
    if change[0] not in {"delete_policy", "set_policies"}:
        services.set_policies(world.ada.pk, ["Reads"])
    if change[0] != "delete_user":
        buckets.create_bucket("hers", world.ada.canonical_id)
    worker = Worker()
    change[1](world)
    worker.keeps_up()


REPEATABLE = {
    *("set_role", "set_groups", "set_policies", "set_active", "update_profile"),
    *("set_key_enabled", "update_key", "update_group", "update_role", "update_policy"),
    *("attach_policy", "put_inline_policy", "set_user_quota", "set_key_rate"),
}


@pytest.mark.parametrize("change", [row for row in CHANGES if row[0] in REPEATABLE])
def test_what_changes_nothing_leaves_none(world: World, change: Change) -> None:
    """Saying again what is already so is no change."""
    change[1](world)
    before = AuditEntry.objects.count()
    change[1](world)
    assert AuditEntry.objects.count() == before


def test_what_is_refused_leaves_none(world: World, boss: User) -> None:
    """A service that refuses has changed nothing, and leaves no entry of a change."""
    before = AuditEntry.objects.count()
    for refused in (
        lambda: services.set_role(boss.pk, "Reader"),
        lambda: services.delete_user(boss.pk),
        lambda: services.create_user("ada", "Reader"),
        lambda: services.create_key(world.ada.pk, access_key="AKADA"),
        lambda: services.delete_key("AKNOBODY"),
        lambda: services.create_policy("Reads", DOCUMENT),
        lambda: services.create_role("Auditor"),
        lambda: services.create_group("devs"),
    ):
        with pytest.raises(IdentityError):
            refused()
    assert AuditEntry.objects.count() == before


def test_no_service_is_forgotten() -> None:
    """Every service that changes anything stands in the table above."""
    elsewhere = {"ensure_root", "delete_credentials", "replace_server_key"}  # tested below
    elsewhere.add("ensure_builtins")  # tested with what it mends
    elsewhere.add("keep_hash")  # which set_password calls
    covered = {name for name, *_ in CHANGES} | elsewhere
    changing = {name for name in services.__all__ if not READS.match(name)}
    assert changing - NO_CHANGE == covered


def test_credentials_that_are_replaced_leave_two_entries(world: World) -> None:
    """A key in another's place is one that is deleted and one that is made."""
    services.rotate_credentials(world.ada.pk)
    before = AuditEntry.objects.count()
    services.rotate_credentials(world.ada.pk)
    services.delete_credentials(world.ada.pk)
    made = search_entries(limit=AuditEntry.objects.count() - before).entries
    assert [entry.action for entry in reversed(made)] == [
        "iam:DeleteAccessKey",
        "iam:CreateAccessKey",
        "iam:DeleteAccessKey",
    ]


def test_the_environment_leaves_entries(store: StorageEngine) -> None:
    """What the environment says of the root user is noted where it changes something."""
    services.ensure_root("root", PASSWORD, "AKROOT", SECRET)
    assert actions() == ["iam:CreateUser", "iam:CreateAccessKey"]
    services.ensure_root("root", PASSWORD, "AKROOT", SECRET)
    assert actions() == ["iam:CreateUser", "iam:CreateAccessKey"]
    services.ensure_root("chief", PASSWORD + "!", "AKROOT", SECRET + "!")
    assert actions()[2:] == ["iam:UpdateUser", "iam:UpdateLoginProfile", "iam:UpdateAccessKey"]
    services.ensure_root("chief", PASSWORD + "!", "AKCHIEF", SECRET)
    assert actions()[5:] == ["iam:DeleteAccessKey", "iam:CreateAccessKey"]
    text = json.dumps([entry.as_dict() for entry in search_entries().entries])
    assert SECRET not in text
    assert PASSWORD not in text
    assert AccessKey.objects.count() == 1


def actions() -> list[str]:
    """List what was done, the oldest first."""
    return [entry.action for entry in reversed(search_entries().entries)]


def test_another_server_key_leaves_an_entry(world: World) -> None:
    """That all secrets were sealed anew is told, with how many, and neither key is."""
    before = AuditEntry.objects.count()
    services.replace_server_key(lambda _done, _of: None)
    assert AuditEntry.objects.count() == before + 1
    entry = search_entries(limit=1).entries[0]
    assert (entry.action, entry.detail) == ("s4:ReplaceServerKey", {"secrets": 1})


def test_who_changes_his_own_password_is_told_apart(world: World, boss: User) -> None:
    """Who changes his own password in the console leaves ChangePassword, and no secret."""
    page = browser("boss")
    changed = {"old_password": PASSWORD, "new_password1": "another horse 1"}
    page.post("/password_change/", changed | {"new_password2": "another horse 1"})
    entry = search_entries(limit=1).entries[0]
    assert (entry.action, entry.actor, entry.via) == ("iam:ChangePassword", "boss", "console")
    assert entry.credential.startswith("session:")
    assert page.session.session_key not in json.dumps(entry.as_dict())
    assert "another horse" not in json.dumps(entry.as_dict())
    assert abs((timezone.now() - entry.time).total_seconds()) < 20

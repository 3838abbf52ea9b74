"""Policies, roles and groups through their services: refusals, and what a user has of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from iam import services
from iam.actions import ACTIONS
from iam.builtin import BUILTINS
from iam.documents import Effect, Question
from iam.errors import (
    BuiltinKept,
    IdentityError,
    InvalidPolicyDocument,
    LimitExceeded,
    NameTaken,
    NoSuchGroup,
    NoSuchPolicy,
    NoSuchRole,
    RoleLoop,
    StillInUse,
    SuperUserNotGiven,
)
from iam.keyring import RoleName
from iam.models import AuditEntry, Policy, Role
from iam.services.documents import size

if TYPE_CHECKING:
    from collections.abc import Callable

    from iam.models import User
    from storage_engine import StorageEngine


def document(action: str = "s3:GetObject", effect: str = "Allow", resource: str = "*") -> str:
    """Write a policy of one statement."""
    statement = {"Effect": effect, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def said(user: User, action: str, account: str = "0" * 12) -> tuple[Effect, str]:
    """Ask what a user's policies say of something of an account's, and whose word it is."""
    principal = services.load_keyring().principal(user.canonical_id)
    assert principal is not None
    context = {
        "aws:resourceaccount": (account,),
        "aws:principalaccount": (principal.account_id,),
    }
    answer = principal.rights.ask(Question(action, "arn:aws:s3:::b/k", principal.names, context))
    return answer.effect, answer.source


def test_s4s_own_roles_hold_what_this_version_says(store: StorageEngine) -> None:
    """The built-in roles stand in the database as policies, and nobody changes or deletes them."""
    for name, builtin in BUILTINS.items():
        role = services.find_role(name)
        assert [policy.document for policy in role.policies.all()] == [builtin.document]
        policy = services.find_policy(name)
        changes: list[Callable[[], object]] = [
            lambda role=role: services.update_role(
                role.pk, description="", policies=(), includes=()
            ),
            lambda role=role: services.delete_role(role.pk),
            lambda role=role: services.put_inline_policy(role, "More", document()),
            lambda policy=policy: services.delete_policy(policy.pk),
            lambda policy=policy: services.update_policy(
                policy.pk, document=document(), description=""
            ),
        ]
        for change in changes:
            with pytest.raises(BuiltinKept):
                change()
    assert Role.objects.count() == Policy.objects.count() == len(BUILTINS)


def test_a_user_has_the_policies_of_role_groups_and_his_own(
    store: StorageEngine, ada: User
) -> None:
    """Each way to have a policy gives what it allows, and the answer says by which way."""
    services.create_policy("Tags", document("s3:GetBucketTagging"))
    services.create_policy("Acl", document("s3:GetBucketAcl"))
    services.create_role("auditor", policies=["Acl"], includes=[])
    services.create_role("chief", includes=["auditor", "Reader"])
    group = services.create_group("ops", policies=["Tags"])
    services.put_inline_policy(group, "Cors", document("s3:GetBucketCORS"))
    services.put_inline_policy(ada, "Mine", document("s3:GetBucketPolicy"))
    services.set_groups(ada.pk, ["ops"])
    services.set_role(ada.pk, "chief")
    for action, source in {
        "s3:GetBucketTagging": 'policy "Tags" of the group "ops"',
        "s3:GetBucketCORS": 'inline policy "Cors" of the group "ops"',
        "s3:GetBucketPolicy": 'inline policy "Mine" of the user',
        "s3:GetBucketAcl": 'policy "Acl" of the role "auditor"',
    }.items():
        assert said(ada, action) == (Effect.ALLOW, source)
    assert said(ada, "s3:GetObject") == (Effect.NONE, "")
    assert said(ada, "s3:GetObject", ada.account_id)[0] is Effect.ALLOW, "as a Reader"
    services.set_policies(ada.pk, [])
    services.set_groups(ada.pk, [])
    services.delete_inline_policy(ada, "Mine")
    services.set_role(ada.pk, None)
    assert said(ada, "s3:GetBucketTagging") == said(ada, "s3:GetBucketAcl") == (Effect.NONE, "")


def test_a_deny_in_any_of_them_wins(store: StorageEngine, ada: User) -> None:
    """What one policy of a user denies, none of his others allows."""
    services.create_policy("No", document("s3:Delete*", "Deny"))
    assert said(ada, "s3:DeleteObject", ada.account_id)[0] is Effect.ALLOW
    services.set_policies(ada.pk, ["No"])
    assert said(ada, "s3:DeleteObject", ada.account_id) == (
        Effect.DENY,
        'policy "No" of the user',
    )


def test_roles_make_no_loop_and_give_no_superuser(store: StorageEngine) -> None:
    """A role that would include itself, at any distance, is refused, and so is SuperUser."""
    one = services.create_role("one")
    services.create_role("two", includes=["one"])
    services.create_role("three", includes=["two"])
    for includes in (["one"], ["two"], ["three"]):
        with pytest.raises(RoleLoop):
            services.update_role(one.pk, description="", policies=(), includes=includes)
    with pytest.raises(SuperUserNotGiven):
        services.update_role(one.pk, description="", policies=(), includes=["SuperUser"])
    with pytest.raises(NoSuchRole):
        services.create_role("four", includes=["five"])
    assert not one.includes.exists()
    assert not Role.objects.filter(name="four").exists()


def test_what_is_in_use_is_not_deleted(store: StorageEngine, ada: User) -> None:
    """A policy or role that somebody holds stays, and the refusal says who holds it."""
    policy = services.create_policy("Used", document())
    role = services.create_role("used", policies=["Used"])
    services.set_role(ada.pk, "used")
    with pytest.raises(StillInUse, match="the role used"):
        services.delete_policy(policy.pk)
    with pytest.raises(StillInUse, match="the user ada"):
        services.delete_role(role.pk)
    services.set_role(ada.pk, RoleName.WRITER)
    services.delete_role(role.pk)
    services.delete_policy(policy.pk)


def test_names_are_taken_once(store: StorageEngine) -> None:
    """A second policy, role or group of a name is refused."""
    services.create_policy("x", document())
    services.create_role("x")
    services.create_group("x")
    for again in (
        lambda: services.create_policy("x", document()),
        lambda: services.create_role("x"),
        lambda: services.create_group("x"),
    ):
        with pytest.raises(NameTaken):
            again()


@pytest.mark.parametrize("text", ["", "{", '{"Statement": []}', document("s3:Fly"), "[]"])
def test_what_is_not_understood_is_not_saved(store: StorageEngine, ada: User, text: str) -> None:
    """A malformed document is refused wherever it would be put, and nothing of it is kept."""
    ways: list[Callable[[], object]] = [
        lambda: services.create_policy("p", text),
        lambda: services.put_inline_policy(ada, "p", text),
    ]
    if text:
        ways.append(lambda: services.create_key(ada.pk, policy=text))
    for way in ways:
        with pytest.raises(InvalidPolicyDocument):
            way()
    assert not Policy.objects.filter(is_builtin=False).exists()
    assert not ada.inline_policies.exists()
    assert not ada.access_keys.exists()


def test_documents_have_limits(store: StorageEngine, ada: User) -> None:
    """AWS's sizes are counted as AWS does, without white space; one more character is refused."""

    def long(characters: int) -> str:
        text = document(resource="arn:aws:s3:::b/")
        return text.replace("b/", "b/" + "x" * (characters - size(text)))

    services.create_policy("longest", long(6_144) + " " * 100)
    with pytest.raises(LimitExceeded, match="Cannot exceed quota for PolicySize: 6144"):
        services.create_policy("longer", long(6_145))
    services.put_inline_policy(ada, "one", long(1_000))
    services.put_inline_policy(ada, "two", long(1_048))
    services.put_inline_policy(ada, "two", long(1_040))
    with pytest.raises(LimitExceeded, match="Maximum policy size of 2048 bytes exceeded for user"):
        services.put_inline_policy(ada, "three", document())
    with pytest.raises(LimitExceeded):
        services.create_key(ada.pk, policy=long(2_048))
    assert not ada.access_keys.exists()


def test_eleven_policies_are_too_many(store: StorageEngine, ada: User) -> None:
    """A user, a group and a role hold ten managed policies at most, and none that is not there."""
    names = [f"p{number}" for number in range(11)]
    for name in names:
        services.create_policy(name, document())
    services.set_policies(ada.pk, names[:10])
    for give in (
        lambda: services.set_policies(ada.pk, names),
        lambda: services.create_group("g", policies=names),
        lambda: services.create_role("r", policies=names),
    ):
        with pytest.raises(LimitExceeded):
            give()
    with pytest.raises(NoSuchPolicy):
        services.set_policies(ada.pk, ["absent"])
    with pytest.raises(NoSuchGroup):
        services.set_groups(ada.pk, ["absent"])
    with pytest.raises(BuiltinKept):
        services.set_policies(ada.pk, ["SuperUser"])
    assert ada.policies.count() == 10
    assert issubclass(LimitExceeded, IdentityError)


def test_what_s4s_own_roles_say_depends_on_nothing_but_the_account(store: StorageEngine) -> None:
    """The shorter way to ask a built-in role answers as the longer one, for its own and others'."""
    for name in RoleName:
        user = services.create_user(f"one-{name.lower()}", name)
        principal = services.load_keyring().principal(user.canonical_id)
        assert principal is not None
        assert principal.rights.is_plain
        assert principal.rights.keys <= {"aws:resourceaccount", "aws:principalaccount"}
        for action in ACTIONS:
            own, others = said(user, action, user.account_id), said(user, action)
            answers = (
                principal.rights.ask_plain(action, is_own=is_own) for is_own in (True, False)
            )
            assert [(each.effect, each.source) for each in answers] == [own, others]


def test_s4s_own_roles_are_mended_at_each_start(store: StorageEngine, ada: User) -> None:
    """Whatever took a built-in role's policies, or gave it more, the next start has them right."""
    before, entries = store.generation(), AuditEntry.objects.count()
    services.ensure_builtins()
    assert (store.generation(), AuditEntry.objects.count()) == (before, entries)
    custom = services.create_role("custom")
    writer = Role.objects.get(name=RoleName.WRITER)
    for spoil in (
        writer.policies.clear,  # as an upgrade that is killed after its migrations
        lambda: writer.includes.add(custom),
        lambda: Policy.objects.filter(name=RoleName.WRITER).update(document=document("*")),
        lambda: Policy.objects.filter(name=RoleName.WRITER).update(is_builtin=False),
        lambda: writer.inline_policies.create(name="more", document=document("*")),
    ):
        spoil()
        before = store.generation()
        services.ensure_builtins()
        assert store.generation() > before
        assert AuditEntry.objects.latest("pk").action == "s4:RestoreBuiltinRoles"
        (line,) = services.load_rights_of_role(RoleName.WRITER)
        assert line.is_builtin
        assert line.policy.text == BUILTINS[RoleName.WRITER].document
    assert said(ada, "s3:PutObject", ada.account_id)[0] is Effect.ALLOW

"""Policies: managed ones, which have a name of their own, and inline ones of one holder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from iam.errors import BuiltinKept, LimitExceeded, NameTaken, NoSuchPolicy, NotAttached, StillInUse
from iam.models import Group, InlinePolicy, Policy, Role, User
from iam.services.audit import record_change, record_difference
from iam.services.documents import (
    ATTACHED_MAX,
    INLINE_CHARACTERS_MAX,
    check_document,
    check_managed,
    size,
)
from iam.services.writing import KINDS, announce_change, arn, check_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Holder = User | Group | Role


def create_policy(name: str, document: str, *, description: str = "") -> Policy:
    """Make a managed policy. InvalidIdentity, InvalidPolicyDocument, LimitExceeded, NameTaken."""
    policy = Policy(name=name, document=document, description=description)
    check_managed(document)
    check_row(policy)
    try:
        with transaction.atomic():
            policy.save(force_insert=True)
            record_change("iam:CreatePolicy", arn(policy), **_noted(policy))
            announce_change(policy)
    except IntegrityError as error:
        raise NameTaken("policy", name) from error
    return policy


def update_policy(
    policy_id: int, *, document: str | None = None, description: str | None = None
) -> None:
    """Change what of a policy is not None. NoSuchPolicy, BuiltinKept, and as `create_policy`."""
    if document is not None:
        check_managed(document)
    with transaction.atomic():
        policy = _lock(policy_id)
        before = _noted(policy)
        policy.document = policy.document if document is None else document
        policy.description = policy.description if description is None else description
        policy.updated_at = timezone.now()
        check_row(policy)
        policy.save(update_fields=["document", "description", "updated_at"])
        record_difference("s4:UpdatePolicy", arn(policy), before, _noted(policy))
        announce_change(policy)


def delete_policy(policy_id: int) -> None:
    """Delete a managed policy that nobody holds. NoSuchPolicy, BuiltinKept, StillInUse."""
    with transaction.atomic():
        policy = _lock(policy_id)
        holders = [
            *(f"the user {user.username}" for user in policy.users.order_by("username")),
            *(f"the group {group.name}" for group in policy.groups.order_by("name")),
            *(f"the role {role.name}" for role in policy.roles.order_by("name")),
        ]
        if holders:
            raise StillInUse(f"The policy {policy.name}", listed(holders))
        record_change("iam:DeletePolicy", arn(policy), **_noted(policy))
        announce_change(policy)
        policy.delete()


def find_policy(name: str) -> Policy:
    """Find a managed policy by name; NoSuchPolicy."""
    policy = Policy.objects.filter(name=name).first()
    if policy is None:
        raise NoSuchPolicy(name)
    return policy


def list_policies() -> Sequence[Policy]:
    """List every managed policy in order of name."""
    return list(Policy.objects.order_by("name"))


def hold_policies(names: Iterable[str]) -> list[Policy]:
    """Hold managed policies to the end of the transaction, to be attached.

    NoSuchPolicy, LimitExceeded; BuiltinKept for those of S4's own roles, which are had as roles.
    """
    wanted = set(names)
    if len(wanted) > ATTACHED_MAX:
        raise LimitExceeded(f"At most {ATTACHED_MAX} policies can be attached.", "policies")
    found = list(Policy.objects.select_for_update().filter(name__in=wanted).order_by("pk"))
    missing = wanted - {policy.name for policy in found}
    if missing:
        raise NoSuchPolicy(min(missing))
    for policy in found:
        if policy.is_builtin:
            raise BuiltinKept(f"The policy {policy.name}, which is had by the role of that name,")
    return found


def attach_policy(holder: Holder, name: str) -> None:
    """Attach a managed policy to a user, group or role, which may hold it already.

    NoSuchPolicy, LimitExceeded, BuiltinKept.
    """
    with transaction.atomic():
        _hold(holder)
        held = set(holder.policies.values_list("name", flat=True))
        holder.policies.set(hold_policies({*held, name}))
        if name not in held:
            _record("Attach", holder, name)
        announce_change(holder)


def detach_policy(holder: Holder, name: str) -> None:
    """Take a managed policy from a user, group or role. NotAttached, NoSuchPolicy, BuiltinKept."""
    with transaction.atomic():
        _hold(holder)
        policy = find_policy(name)
        if not holder.policies.filter(pk=policy.pk).exists():
            raise NotAttached(name, holder)
        holder.policies.remove(policy)
        _record("Detach", holder, name)
        announce_change(holder)


def _record(verb: str, holder: Holder, name: str) -> None:
    kind = KINDS[holder.__class__].capitalize()
    record_change(f"iam:{verb}{kind}Policy", arn(holder), policy=name)
    if isinstance(holder, User):
        User.objects.filter(pk=holder.pk).update(updated_at=timezone.now())


def put_inline_policy(holder: Holder, name: str, document: str) -> None:
    """Give a user, group or role a policy of its own, perhaps in place of one of that name.

    InvalidIdentity, InvalidPolicyDocument, LimitExceeded, BuiltinKept.
    """
    check_document(document)
    kind = KINDS[holder.__class__]
    with transaction.atomic():
        _hold(holder)
        row = holder.inline_policies.filter(name=name).first()
        row = row or InlinePolicy(name=name, **{kind: holder})
        before, row.document = row.document or None, document
        check_row(row)
        others = holder.inline_policies.exclude(name=name).values_list("document", flat=True)
        most = INLINE_CHARACTERS_MAX[kind]
        if size(document) + sum(map(size, others)) > most:
            raise LimitExceeded(
                f"Maximum policy size of {most} bytes exceeded for {kind} {holder}. So many have "
                "its inline policies together, without white space."
            )
        row.save()
        record_difference(
            f"iam:Put{kind.capitalize()}Policy",
            arn(holder),
            {"document": before},
            {"document": document},
            policy=name,
        )
        announce_change(holder)


def delete_inline_policy(holder: Holder, name: str) -> None:
    """Take a policy of its own from a user, group or role. NoSuchPolicy, BuiltinKept."""
    with transaction.atomic():
        _hold(holder)
        row = holder.inline_policies.filter(name=name).first()
        if row is None:
            raise NoSuchPolicy(name)
        action = f"iam:Delete{KINDS[holder.__class__].capitalize()}Policy"
        record_change(action, arn(holder), policy=name, document=row.document)
        row.delete()
        announce_change(holder)


def listed(holders: Sequence[str], most: int = 5) -> str:
    """Name some of those who hold something, and say how many more there are."""
    shown = ", ".join(holders[:most])
    return f"{shown} and {len(holders) - most} more" if len(holders) > most else shown


def _hold(holder: Holder) -> None:
    """Hold a row to the end of the transaction, so that limits are counted by one at a time."""
    holder.__class__._default_manager.select_for_update().filter(pk=holder.pk).first()  # noqa: SLF001
    if isinstance(holder, Role) and holder.is_builtin:
        raise BuiltinKept(f"The role {holder.name}")


def _noted(policy: Policy) -> dict[str, Any]:
    """Show what of a managed policy is noted."""
    return {"document": policy.document, "description": policy.description}


def _lock(policy_id: int) -> Policy:
    """Hold a policy to the end of the transaction. NoSuchPolicy, BuiltinKept."""
    policy = Policy.objects.select_for_update().filter(pk=policy_id).first()
    if policy is None:
        raise NoSuchPolicy(policy_id)
    if policy.is_builtin:
        raise BuiltinKept(f"The policy {policy.name}")
    return policy

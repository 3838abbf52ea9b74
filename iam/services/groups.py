"""Groups: made, filled, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction

from iam.errors import NameTaken, NoSuchGroup
from iam.models import Group
from iam.services.audit import record_change, record_difference
from iam.services.policies import hold_policies
from iam.services.writing import announce_change, arn, check_row, names_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def create_group(name: str, *, description: str = "", policies: Iterable[str] = ()) -> Group:
    """Make a group with policies, by name.

    InvalidIdentity, NameTaken, NoSuchPolicy, LimitExceeded, BuiltinKept.
    """
    group = Group(name=name, description=description)
    check_row(group)
    try:
        with transaction.atomic():
            group.save(force_insert=True)
            group.policies.set(hold_policies(policies))
            record_change("iam:CreateGroup", arn(group), **_noted(group))
            announce_change(group)
    except IntegrityError as error:
        raise NameTaken("group", name) from error
    return group


def update_group(
    group_id: int, *, description: str | None = None, policies: Iterable[str] | None = None
) -> None:
    """Change what of a group is not None. NoSuchGroup, and as `create_group`."""
    with transaction.atomic():
        group = _lock(group_id)
        before = _noted(group)
        group.description = group.description if description is None else description
        check_row(group)
        group.save(update_fields=["description"])
        if policies is not None:
            group.policies.set(hold_policies(policies))
        record_difference("iam:UpdateGroup", arn(group), before, _noted(group))
        announce_change(group)


def delete_group(group_id: int) -> None:
    """Delete a group; its members lose what it gave them. NoSuchGroup."""
    with transaction.atomic():
        group = _lock(group_id)
        members = list(group.members.order_by("username").values_list("username", flat=True))
        record_change("iam:DeleteGroup", arn(group), members=members, **_noted(group))
        announce_change(group)
        group.delete()


def find_group(name: str) -> Group:
    """Find a group by name; NoSuchGroup."""
    group = Group.objects.filter(name=name).first()
    if group is None:
        raise NoSuchGroup(name)
    return group


def list_groups() -> Sequence[Group]:
    """List every group in order of name."""
    return list(Group.objects.order_by("name"))


def hold_groups(names: Iterable[str]) -> list[Group]:
    """Hold groups to the end of the transaction, to be joined; NoSuchGroup."""
    wanted = set(names)
    found = list(Group.objects.select_for_update().filter(name__in=wanted).order_by("pk"))
    missing = wanted - {group.name for group in found}
    if missing:
        raise NoSuchGroup(min(missing))
    return found


def _noted(group: Group) -> dict[str, Any]:
    """Show what of a group is noted."""
    return {"description": group.description, "policies": names_of(group.policies)}


def _lock(group_id: int) -> Group:
    """Hold a group to the end of the transaction; NoSuchGroup."""
    group = Group.objects.select_for_update().filter(pk=group_id).first()
    if group is None:
        raise NoSuchGroup(group_id)
    return group

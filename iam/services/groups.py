"""Groups: made, filled, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from iam.errors import NameTaken, NoSuchGroup
from iam.models import Group
from iam.services.policies import hold_policies
from iam.services.writing import announce_change, check_row

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
            announce_change()
    except IntegrityError as error:
        raise NameTaken("group", name) from error
    return group


def update_group(group_id: int, *, description: str, policies: Iterable[str]) -> None:
    """Change what a group holds. NoSuchGroup, and as `create_group`."""
    with transaction.atomic():
        group = _lock(group_id)
        group.description = description
        check_row(group)
        group.save(update_fields=["description"])
        group.policies.set(hold_policies(policies))
        announce_change()


def delete_group(group_id: int) -> None:
    """Delete a group; its members lose what it gave them. NoSuchGroup."""
    with transaction.atomic():
        _lock(group_id).delete()
        announce_change()


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


def _lock(group_id: int) -> Group:
    """Hold a group to the end of the transaction; NoSuchGroup."""
    group = Group.objects.select_for_update().filter(pk=group_id).first()
    if group is None:
        raise NoSuchGroup(group_id)
    return group

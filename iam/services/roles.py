"""Roles: those S4 has by itself, and others made of policies and of other roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction

from iam.builtin import BUILTINS
from iam.errors import BuiltinKept, NameTaken, NoSuchRole, RoleLoop, StillInUse, SuperUserNotGiven
from iam.keyring import RoleName
from iam.models import Policy, Role
from iam.models.changes import Kind
from iam.services.audit import record_change, record_difference
from iam.services.changes import announce
from iam.services.policies import hold_policies, listed
from iam.services.writing import announce_change, arn, check_row, names_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def create_role(
    name: str,
    *,
    description: str = "",
    policies: Iterable[str] = (),
    includes: Iterable[str] = (),
) -> Role:
    """Make a role of policies and other roles, by name.

    InvalidIdentity, NameTaken, NoSuchPolicy, LimitExceeded, BuiltinKept, NoSuchRole,
    SuperUserNotGiven, RoleLoop.
    """
    role = Role(name=name, description=description)
    check_row(role)
    try:
        with transaction.atomic():
            roles = _hold_roles()
            role.save(force_insert=True)
            _fill(role, roles, policies, includes)
            record_change("iam:CreateRole", arn(role), **_noted(role))
            announce_change(role)
    except IntegrityError as error:
        raise NameTaken("role", name) from error
    return role


def update_role(
    role_id: int,
    *,
    description: str | None = None,
    policies: Iterable[str] | None = None,
    includes: Iterable[str] | None = None,
) -> None:
    """Change what of a role is not None. NoSuchRole, BuiltinKept, and as `create_role`."""
    with transaction.atomic():
        roles = _hold_roles()
        found = {row.pk: row for row in roles.values()}
        role = _changeable(found.get(role_id), role_id)
        before = _noted(role)
        role.description = role.description if description is None else description
        check_row(role)
        role.save(update_fields=["description"])
        _fill(role, roles, policies, includes)
        record_difference("iam:UpdateRole", arn(role), before, _noted(role))
        announce_change(role)


def delete_role(role_id: int) -> None:
    """Delete a role that nobody has. NoSuchRole, BuiltinKept, StillInUse."""
    with transaction.atomic():
        found = Role.objects.select_for_update().filter(pk=role_id).first()
        role = _changeable(found, role_id)
        holders = [
            *(f"the user {user.username}" for user in role.users.order_by("username")),
            *(f"the role {other.name}" for other in role.included_by.order_by("name")),
        ]
        if holders:
            raise StillInUse(f"The role {role.name}", listed(holders))
        record_change("iam:DeleteRole", arn(role), **_noted(role))
        announce_change(role)
        role.delete()


def find_role(name: str) -> Role:
    """Find a role by name; NoSuchRole."""
    role = Role.objects.filter(name=name).first()
    if role is None:
        raise NoSuchRole(name)
    return role


def list_roles() -> Sequence[Role]:
    """List every role, S4's own first."""
    return list(Role.objects.order_by("-is_builtin", "name"))


def ensure_builtins() -> None:
    """Make S4's own roles what this version says, where they are not; else it costs one query.

    They are not when an upgrade was stopped after its migrations, when a new version has other
    ones without a migration, or when somebody wrote in SQL.
    """
    if _builtins() == _wanted_builtins():
        return
    with transaction.atomic():
        keep_builtins()
        record_change("s4:RestoreBuiltinRoles", "", roles=sorted(BUILTINS))
        announce(Kind.EVERYTHING)


def _builtins() -> set[tuple[object, ...]]:
    """Read what S4's own roles are and hold."""
    rows = Role.objects.filter(name__in=BUILTINS).order_by()
    of_policy = (f"policies__{name}" for name in ("name", "description", "is_builtin", "document"))
    more = ("includes__name", "inline_policies__name")
    return set(rows.values_list("name", "description", "is_builtin", *of_policy, *more))


def _wanted_builtins() -> set[tuple[object, ...]]:
    """Say what `_builtins` should find."""
    wanted: set[tuple[object, ...]] = set()
    for name, builtin in BUILTINS.items():
        fields = (name, builtin.description, True)
        wanted.add((*fields, *fields, builtin.document, None, None))
    return wanted


def keep_builtins(**_signal: object) -> None:
    """Make S4's own roles and their policies what this version says; after each migration."""
    for name, builtin in BUILTINS.items():
        fields = {"description": builtin.description, "is_builtin": True}
        documented = {**fields, "document": builtin.document}
        policy = Policy.objects.update_or_create(name=name, defaults=documented)[0]
        role = Role.objects.update_or_create(name=name, defaults=fields)[0]
        role.policies.set([policy])
        role.includes.clear()
        role.inline_policies.all().delete()


def _hold_roles() -> dict[str, Role]:
    """Hold every role to the end of the transaction, in one order and before any policy.

    Of two callers who would each close one half of a loop, one waits, and none for the other.
    """
    return {row.name: row for row in Role.objects.select_for_update().order_by("pk")}


def _fill(
    role: Role,
    roles: dict[str, Role],
    policies: Iterable[str] | None,
    includes: Iterable[str] | None,
) -> None:
    """Give a role policies and roles to include, all there and without a loop; None: as it is."""
    if policies is not None:
        role.policies.set(hold_policies(policies))
    if includes is None:
        return
    wanted = set(includes)
    if RoleName.SUPERUSER in wanted:
        raise SuperUserNotGiven
    missing = wanted - roles.keys()
    if missing:
        raise NoSuchRole(min(missing))
    reached = [roles[name] for name in sorted(wanted)]
    for other in reached:  # grows while it is walked
        if other.pk == role.pk:
            raise RoleLoop(role.name)
        reached += [more for more in other.includes.all() if more not in reached]
    role.includes.set([roles[name] for name in wanted])


def _noted(role: Role) -> dict[str, Any]:
    """Show what of a role is noted."""
    held = {"policies": names_of(role.policies), "includes": names_of(role.includes)}
    return {"description": role.description, **held}


def _changeable(role: Role | None, role_id: int) -> Role:
    """Insist that a role is there, and not one of S4's own. NoSuchRole, BuiltinKept."""
    if role is None:
        raise NoSuchRole(role_id)
    if role.is_builtin:
        raise BuiltinKept(f"The role {role.name}")
    return role

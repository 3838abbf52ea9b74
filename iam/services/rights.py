"""Reads what each user's policies are: of his role and what that includes, of his groups, his own.

A handful of queries, however many users there are. Users with the same policies share one `Rights`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from iam.models import Group, InlinePolicy, Policy, Role, User
from iam.rights import DeferredRights, Line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db import models

    from iam.rights import Rights


Pairs = list[tuple[int, int]]


class Tables(NamedTuple):
    """Everything that rights are made of, as it stands in the database, each table in one order."""

    roles: list[tuple[int, str, bool]]
    groups: list[tuple[int, str]]
    policies: list[tuple[int, str, str]]
    inline: list[tuple[str, str, int | None, int | None, str | None]]
    of_role: Pairs
    of_group: Pairs
    of_user: Pairs
    included: Pairs
    members: Pairs


def read_tables() -> Tables:
    """Read all of it, in a query for each table."""
    return Tables(
        roles=list(Role.objects.order_by("pk").values_list("pk", "name", "is_builtin")),
        groups=list(Group.objects.order_by("pk").values_list("pk", "name")),
        policies=list(Policy.objects.order_by("pk").values_list("pk", "name", "document")),
        inline=list(
            InlinePolicy.objects.order_by("pk").values_list(
                "name", "document", "user_id", "group_id", "role__name"
            )
        ),
        of_role=_pairs(Role.policies.through, "role_id", "policy_id"),
        of_group=_pairs(Group.policies.through, "group_id", "policy_id"),
        of_user=_pairs(User.policies.through, "user_id", "policy_id"),
        included=_pairs(Role.includes.through, "from_role_id", "to_role_id"),
        members=_pairs(User.groups.through, "user_id", "group_id"),
    )


def load_rights(user: User) -> Rights:
    """Read what the policies of one user are at this moment."""
    return RightsReader().of(user.pk, user.role_id)


def load_rights_of_role(name: str) -> Rights:
    """Read what a role gives at this moment, with all that it includes."""
    return DeferredRights(RightsReader().of_role.get(name, ()))


class RightsReader:
    """Who holds which policies, as of one moment.

    What is as it was in `before` is the same object: most of it, after most changes.
    """

    def __init__(self, tables: Tables | None = None, before: RightsReader | None = None) -> None:
        self.tables = tables = read_tables() if tables is None else tables
        self._documents = {pk: (name, document) for pk, name, document in tables.policies}
        self._inline: dict[tuple[str, object], list[tuple[str, str]]] = defaultdict(list)
        for name, document, user_id, group_id, role in tables.inline:
            owner = ("user", user_id) if user_id else ("group", group_id)
            self._inline[("role", role) if role else owner].append((name, document))
        self._members = _held(tables.members)
        self._of_user = _held(tables.of_user)
        self.own = {pk: self._lines("user", None, (pk,), "the user") for pk in self._documents}
        self.of_group = self._lines_of_groups()
        self.of_role = self._lines_of_roles()
        self.made: dict[tuple[Line, ...], Rights] = {}
        self._earlier: dict[tuple[Line, ...], Rights] = {}
        if before is not None:
            _keep_equal(self.own, before.own)
            _keep_equal(self.of_group, before.of_group)
            _keep_equal(self.of_role, before.of_role)
            self._earlier = before.made

    def of(self, user_id: int, role: str | None) -> Rights:
        """Put together what a user's policies are; those who hold the same share it."""
        lines: tuple[Line, ...] = ()
        for policy in self._of_user.get(user_id, ()):
            lines += self.own.get(policy, ())
        if ("user", user_id) in self._inline:
            lines += self._lines("user", user_id, (), "the user")
        for group in self._members.get(user_id, ()):
            lines += self.of_group.get(group, ())
        if role is not None:
            lines += self.of_role.get(role, ())
        rights = self.made.get(lines)
        if rights is None:
            rights = self._earlier.get(lines) or DeferredRights(lines)
            self.made[lines] = rights
        return rights

    def forget_earlier(self) -> None:
        """Let go of what nobody holds any more."""
        self._earlier = {}

    def _lines_of_groups(self) -> dict[int, tuple[Line, ...]]:
        """Find what each group gives its members."""
        held = _held(self.tables.of_group)
        return {
            pk: self._lines("group", pk, held.get(pk, ()), f'the group "{name}"')
            for pk, name in self.tables.groups
        }

    def _lines_of_roles(self) -> dict[str, tuple[Line, ...]]:
        """Find what each role gives, with all that it includes."""
        held, included = _held(self.tables.of_role), _held(self.tables.included)
        own = {
            pk: self._lines("role", name, held.get(pk, ()), f'the role "{name}"', is_builtin=is_own)
            for pk, name, is_own in self.tables.roles
        }
        found = {}
        for pk, name, _ in self.tables.roles:
            roles = [pk]
            for role in roles:  # grows while it is walked
                roles += [more for more in included.get(role, ()) if more not in roles]
            found[name] = tuple(line for role in roles for line in own.get(role, ()))
        return found

    def _lines(  # whose they are, in the database and in words
        self,
        kind: str,
        owner: object,
        held: Iterable[int],
        whose: str,
        *,
        is_builtin: bool = False,
    ) -> tuple[Line, ...]:
        """Name the policies of one holder: those attached, then those written for it alone."""
        attached = (self._documents[pk] for pk in held if pk in self._documents)
        return (
            *(Line(f'policy "{name}" of {whose}', text, is_builtin) for name, text in attached),
            *(
                Line(f'inline policy "{name}" of {whose}', text, is_builtin=False)
                for name, text in self._inline.get((kind, owner), ())
            ),
        )


def _keep_equal(now: dict[Any, tuple[Line, ...]], before: dict[Any, tuple[Line, ...]]) -> None:
    """Take what is as it was from before: what is the same object is compared at a glance."""
    for owner, lines in before.items():
        if now.get(owner) == lines:
            now[owner] = lines


def _pairs(table: type[models.Model], holder: str, held: str) -> Pairs:
    """Read a table of pairs, in a fixed order."""
    rows = table._default_manager.order_by("pk")  # noqa: SLF001  # Django's public name
    return list(rows.values_list(holder, held))


def _held(pairs: Pairs) -> dict[int, list[int]]:
    """Say what each holder holds, in the order of the pairs."""
    found: dict[int, list[int]] = defaultdict(list)
    for holder, held in pairs:
        found[holder].append(held)
    return found

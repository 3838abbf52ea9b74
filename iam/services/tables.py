"""What people are and hold, as it stands in the database: each table by whose its rows are.

All of it is read in a query for each table, and later what changed: of some users, groups or the
like every row that is theirs, whatever it was before.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.db.models import IntegerField, TextField
from django.db.models.functions import Cast

from iam.models import AccessKey, Group, InlinePolicy, Policy, Role, User
from iam.models.changes import Kind
from iam.services.prepared import Prepared, Row

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.db.models import Model, QuerySet

Rows = dict[int, list[Row]]  # by the key of whose they are; no list is empty


class UserRow(NamedTuple):
    """A user as stored, without his password's hash."""

    pk: int
    username: str
    canonical_id: str
    account_id: str
    display_name: str
    email: str
    role_id: str | None
    active: str  # as `_flag`
    root: str


class KeyRow(NamedTuple):
    """A key as stored."""

    pk: int
    user_id: int
    access_key: str
    sealed_secret: bytes | memoryview  # PostgreSQL gives a view
    expires: str | None
    policy: str
    requests_per_second: int | None


def _flag(name: str) -> Cast:
    """Have a truth value read as a text: making a bool of each row takes as long as the query."""
    return Cast(Cast(name, IntegerField()), TextField())


class Source(NamedTuple):
    """Where a table's rows are read: each is what changes with one of `kind`, by his key."""

    kind: Kind
    rows: Prepared


def _source(kind: Kind, rows: QuerySet[Any], owner: str, *columns: str) -> Source:
    """Read columns of some rows; `owner` is the one with the key of whose they are."""
    chosen = rows.order_by("pk").values_list(owner, *columns)
    return Source(kind, Prepared(chosen.all, owner))


def _users() -> Source:
    rows = User.objects.annotate(active=_flag("is_active"), root=_flag("is_root"))
    return _source(Kind.USER, rows, *UserRow._fields)


def _keys() -> Source:
    """Read the keys that are enabled; who disables one takes it away here."""
    rows = AccessKey.objects.filter(is_enabled=True)
    return _source(
        Kind.KEY, rows.annotate(expires=Cast("expires_at", TextField())), *KeyRow._fields
    )


def _inline(kind: Kind) -> Source:
    """Read the policies that holders of a kind have written for them alone."""
    owner = f"{kind}_id"
    rows = InlinePolicy.objects.filter(**{f"{owner}__isnull": False})
    return _source(kind, rows, owner, "name", "document")


def _pairs(kind: Kind, table: type[Model], holder: str, held: str) -> Source:
    """Read who holds what."""
    return _source(kind, table._default_manager.all(), holder, held)  # noqa: SLF001  # public


SOURCES: Final = {
    "users": _users(),
    "keys": _keys(),
    "policies": _source(Kind.POLICY, Policy.objects.all(), "pk", "name", "document"),
    "groups": _source(Kind.GROUP, Group.objects.all(), "pk", "name"),
    "roles": _source(Kind.ROLE, Role.objects.all(), "pk", "name", "is_builtin"),
    "of_user": _pairs(Kind.USER, User.policies.through, "user_id", "policy_id"),
    "of_group": _pairs(Kind.GROUP, Group.policies.through, "group_id", "policy_id"),
    "of_role": _pairs(Kind.ROLE, Role.policies.through, "role_id", "policy_id"),
    "members": _pairs(Kind.USER, User.groups.through, "user_id", "group_id"),
    "included": _pairs(Kind.ROLE, Role.includes.through, "from_role_id", "to_role_id"),
    "inline_of_user": _inline(Kind.USER),
    "inline_of_group": _inline(Kind.GROUP),
    "inline_of_role": _inline(Kind.ROLE),
}


class Tables:
    """All of it, as of the last reading."""

    def __init__(self, *without: str) -> None:
        self._sources = {name: each for name, each in SOURCES.items() if name not in without}
        self.rows: dict[str, Rows] = {name: {} for name in SOURCES}

    def read_everything(self) -> None:
        """Read every row."""
        for name, source in self._sources.items():
            self.rows[name] = _by_owner(source.rows.read())

    def read(self, kind: Kind, numbers: Collection[int]) -> None:
        """Read every row of some of a kind; who has none any more is gone."""
        for name, source in self._sources.items():
            if source.kind is kind and numbers:
                rows, found = self.rows[name], _by_owner(source.rows.read(numbers))
                for number in numbers:
                    if number in found:
                        rows[number] = found[number]
                    else:
                        rows.pop(number, None)


def _by_owner(rows: list[Row]) -> Rows:
    """Sort rows by whose they are."""
    found: Rows = defaultdict(list)
    for row in rows:
        found[row[0]].append(row)
    return found

"""Puts together what each user's policies are: of his role and all it includes, of groups, his own.

Users with the same policies share one `Rights`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from iam.models.changes import Kind
from iam.rights import DeferredRights, Line
from iam.services.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iam.models import User
    from iam.rights import Rights
    from iam.services.changes import Changes
    from iam.services.tables import Rows

Lines = tuple[Line, ...]

HOLDING: Final = (Kind.POLICY, Kind.GROUP, Kind.ROLE)  # what many may have


def load_rights(user: User) -> Rights:
    """Read what the policies of one user are at this moment."""
    return _read_rights().of(user.pk, user.role_id)


def load_rights_of_role(name: str) -> Rights:
    """Read what a role gives at this moment, with all that it includes."""
    return DeferredRights(_read_rights().of_role(name))


def _read_rights() -> RightsReader:
    tables = Tables("users", "keys")
    tables.read_everything()
    return RightsReader(tables)


class RightsReader:
    """Who holds which policies, as of the last reading of the tables.

    Rights that are as they were are the same object, as long as anybody has them.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._made = WeakValueDictionary[Lines, "Rights"]()
        self.forget_everything()

    def forget_everything(self) -> None:
        """Put all together anew: the tables were read from the first row on."""
        self._lines: dict[tuple[Kind, int], Lines] = {}  # of each holder, once it is wanted
        self._roles = {name: key for ((key, name, _),) in self._tables.rows["roles"].values()}

    def forget(self, changes: Changes) -> set[int]:
        """Put together anew what depends on these changes; name the users who have it.

        Those whose own rows changed are not among them.
        """
        policies, groups, roles = (set(changes.of(kind)) for kind in HOLDING)
        if not (policies or groups or roles):
            return set()
        rows = self._tables.rows
        groups |= _holders(rows["of_group"], policies)
        roles |= _holders(rows["of_role"], policies)
        while more := _holders(rows["included"], roles) - roles:
            roles |= more
        for kind, numbers in zip(HOLDING, (policies, groups, roles), strict=True):
            for number in numbers:
                self._lines.pop((kind, number), None)
        users = _holders(rows["members"], groups) | _holders(rows["of_user"], policies)
        if roles:
            self._roles = {name: key for ((key, name, _),) in rows["roles"].values()}
            names = {name for name, key in self._roles.items() if key in roles}
            users |= {key for key, ((*_, role, _, _),) in rows["users"].items() if role in names}
        return users

    def of(self, user_id: int, role: str | None) -> Rights:
        """Put together what a user's policies are; those who hold the same share it."""
        rows = self._tables.rows
        lines: Lines = ()
        for _, policy in rows["of_user"].get(user_id, ()):
            lines += self._of(Kind.POLICY, policy)
        if user_id in rows["inline_of_user"]:
            lines += self._inline(Kind.USER, user_id, "the user")
        for _, group in rows["members"].get(user_id, ()):
            lines += self._of(Kind.GROUP, group)
        if role is not None:
            lines += self.of_role(role)
        rights = self._made.get(lines)
        if rights is None:
            rights = self._made[lines] = DeferredRights(lines)
        return rights

    def of_role(self, name: str) -> Lines:
        """Say what a role gives, with all that it includes."""
        key = self._roles.get(name)
        return () if key is None else self._of(Kind.ROLE, key)

    def _of(self, kind: Kind, number: int) -> Lines:
        """Say what a group or a role gives, or a policy that a user holds himself."""
        lines = self._lines.get((kind, number))
        if lines is None:
            lines = self._lines[kind, number] = MAKERS[kind](self, number)
        return lines

    def _of_policy(self, number: int) -> Lines:
        return self._attached((number,), "the user")

    def _of_group(self, number: int) -> Lines:
        rows = self._tables.rows
        if number not in rows["groups"]:  # its members are not read anew when it is deleted
            return ()
        ((_, name),) = rows["groups"][number]
        whose = f'the group "{name}"'
        held = (policy for _, policy in rows["of_group"].get(number, ()))
        return self._attached(held, whose) + self._inline(Kind.GROUP, number, whose)

    def _of_role(self, number: int) -> Lines:
        rows = self._tables.rows
        found = [number]
        for role in found:  # grows while it is walked
            more = (other for _, other in rows["included"].get(role, ()))
            found += [other for other in more if other not in found]
        lines: Lines = ()
        for role in found:
            for _, name, is_builtin in rows["roles"].get(role, ()):
                whose = f'the role "{name}"'
                held = (policy for _, policy in rows["of_role"].get(role, ()))
                lines += self._attached(held, whose, is_builtin=bool(is_builtin))
                lines += self._inline(Kind.ROLE, role, whose)
        return lines

    def _attached(self, policies: Iterable[int], whose: str, *, is_builtin: bool = False) -> Lines:
        """Name the managed policies that a holder has."""
        table = self._tables.rows["policies"]
        rows = (row for policy in policies for row in table.get(policy, ()))
        return tuple(
            Line(f'policy "{name}" of {whose}', document, is_builtin) for _, name, document in rows
        )

    def _inline(self, kind: Kind, number: int, whose: str) -> Lines:
        """Name the policies that were written for a holder alone."""
        rows = self._tables.rows[f"inline_of_{kind}"].get(number, ())
        return tuple(
            Line(f'inline policy "{name}" of {whose}', document, is_builtin=False)
            for _, name, document in rows
        )


MAKERS: Final = {
    Kind.POLICY: RightsReader._of_policy,  # noqa: SLF001  # its own
    Kind.GROUP: RightsReader._of_group,  # noqa: SLF001
    Kind.ROLE: RightsReader._of_role,  # noqa: SLF001
}


def _holders(pairs: Rows, held: set[int]) -> set[int]:
    """Find who holds any of these."""
    if not held:
        return set()
    return {holder for holder, rows in pairs.items() if any(row[1] in held for row in rows)}

"""Reads what each user's policies are: of his role and what that includes, of his groups, his own.

A handful of queries, however many users there are. Users with the same policies share one `Rights`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from iam.documents import load_policy
from iam.models import Group, InlinePolicy, Policy, Role, User
from iam.rights import Attached, Rights

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db import models


class RightsReader:
    """Who holds which policies, as of one moment."""

    def __init__(self) -> None:
        rows = Role.objects.order_by().values_list("pk", "name", "is_builtin")
        roles = {pk: name for pk, name, _ in rows}
        self._builtin = {name for _, name, is_builtin in rows if is_builtin}
        self._groups = dict(Group.objects.values_list("pk", "name"))
        self._documents = {
            pk: (name, document)
            for pk, name, document in Policy.objects.values_list("pk", "name", "document")
        }
        self._of_role = _pairs(Role.policies.through, "role_id", "policy_id", roles)
        self._of_group = _pairs(Group.policies.through, "group_id", "policy_id")
        self._of_user = _pairs(User.policies.through, "user_id", "policy_id")
        self._included = {
            name: [roles[pk] for pk in found if pk in roles]
            for name, found in _pairs(
                Role.includes.through, "from_role_id", "to_role_id", roles
            ).items()
        }
        self._members = _pairs(User.groups.through, "user_id", "group_id")
        self._inline: dict[tuple[str, object], list[tuple[str, str]]] = defaultdict(list)
        inline = InlinePolicy.objects.values_list(
            "name", "document", "user_id", "group_id", "role__name"
        )
        for name, document, user_id, group_id, role in inline:
            owner = ("user", user_id) if user_id else ("group", group_id)
            self._inline[("role", role) if role else owner].append((name, document))
        self._made: dict[tuple[object, ...], Rights] = {}

    def of(self, user_id: int, role: str | None) -> Rights:
        """Put together what a user's policies are."""
        groups = tuple(self._members.get(user_id, ()))
        own = tuple(self._of_user.get(user_id, ()))
        inline = self._inline.get(("user", user_id))
        key = (role, groups, own, user_id if inline else None)
        rights = self._made.get(key)
        if rights is None:
            attached = [
                *self._read("user", user_id, own, "the user"),
                *(
                    each
                    for group in groups
                    for each in self._read(
                        "group",
                        group,
                        self._of_group.get(group, ()),
                        f'the group "{self._groups.get(group)}"',
                    )
                ),
                *(each for name in self._with_included(role) for each in self._of(name)),
            ]
            rights = self._made[key] = Rights(attached)
        return rights

    def _of(self, role: str) -> Iterable[Attached]:
        """Read the policies of one role."""
        held = self._of_role.get(role, ())
        is_builtin = role in self._builtin
        return self._read("role", role, held, f'the role "{role}"', is_builtin=is_builtin)

    def _with_included(self, role: str | None) -> list[str]:
        """List a role and all that it includes, each once."""
        found = [] if role is None else [role]
        for name in found:  # grows while it is walked
            found += [more for more in self._included.get(name, ()) if more not in found]
        return found

    def _read(
        self, kind: str, owner: object, held: Iterable[int], whose: str, *, is_builtin: bool = False
    ) -> Iterable[Attached]:
        for pk in held:
            if pk in self._documents:  # or it is as new as the change that made it
                name, document = self._documents[pk]
                source = f'policy "{name}" of {whose}'
                yield Attached(source, load_policy(document), is_builtin)
        for name, document in self._inline.get((kind, owner), ()):
            yield Attached(f'inline policy "{name}" of {whose}', load_policy(document))


def _pairs(
    table: type[models.Model], holder: str, held: str, names: dict[int, str] | None = None
) -> dict[object, list[int]]:
    """Read a table of pairs: what each holder holds, in a fixed order; by `names` if given."""
    found: dict[object, list[int]] = defaultdict(list)
    rows = table._default_manager.order_by("pk").values_list(holder, held)  # noqa: SLF001  # Django's public name
    for one, other in rows:
        key = one if names is None else names.get(one)
        if key is not None:
            found[key].append(other)
    return found

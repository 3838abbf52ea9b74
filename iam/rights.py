"""What all the policies of a user say together: those of his role and his groups and his own.

Pure: knows no Django and no request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from iam.documents import SILENT, Effect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam.documents import Answer, Policy, Question


class Attached(NamedTuple):
    """A policy, and in words where it comes from, such as `policy "Readers" of group "ops"`.

    `is_builtin`: it belongs to one of S4's own roles.
    """

    source: str
    policy: Policy
    is_builtin: bool = False


class Rights:
    """Policies that are asked as one. Never changes once made."""

    __slots__ = ("_attached", "is_plain", "keys")

    def __init__(self, attached: Iterable[Attached] = ()) -> None:
        self._attached = tuple(attached)
        self.keys: frozenset[str] = frozenset().union(
            *(each.policy.keys for each in self._attached)
        )
        # S4's own roles speak of all objects of an account alike, and let who may read also list.
        self.is_plain = all(each.is_builtin for each in self._attached)

    def __iter__(self) -> Iterator[Attached]:
        return iter(self._attached)

    def ask(self, question: Question) -> Answer:
        """Say what the policies say: an explicit deny of any before any allow."""
        found = SILENT
        for source, policy, _ in self._attached:
            answer = policy.ask(question)
            if answer.effect is Effect.DENY:
                return answer._replace(source=source)
            if found is SILENT and answer.effect is Effect.ALLOW:
                found = answer._replace(source=source)
        return found


NO_RIGHTS: Final = Rights()

"""What all the policies of a user say together: those of his role and his groups and his own.

Pure: knows no Django and no request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from iam.documents import SILENT, Question, load_policy, places_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam.documents import Answer, Chosen, Policy


class Attached(NamedTuple):
    """A policy, and in words where it comes from, such as `policy "Readers" of group "ops"`.

    `is_builtin`: it belongs to one of S4's own roles.
    """

    source: str
    policy: Policy
    is_builtin: bool = False


class Rights:
    """Policies that are asked as one. Never changes once made."""

    __slots__ = ("__weakref__", "_attached", "_by_action", "_plain", "is_plain", "keys")

    def __init__(self, attached: Iterable[Attached] = ()) -> None:
        self._attached = tuple(attached)
        self.keys: frozenset[str] = frozenset().union(
            *(each.policy.keys for each in self._attached)
        )
        # S4's own roles look at nothing but whose a thing is, and let who may read also list.
        self.is_plain = all(each.is_builtin for each in self._attached)
        self._by_action: dict[str, list[tuple[str, Chosen]]] = {}
        self._plain: dict[tuple[str, bool], Answer] = {}

    def __iter__(self) -> Iterator[Attached]:
        return iter(self._attached)

    def ask(self, question: Question) -> Answer:
        """Say what the policies say: an explicit deny of any before any allow."""
        found, places = SILENT, places_of(question)
        for source, chosen in self._on(question.action):
            statement = chosen.find(question, places)
            if statement is None:
                continue
            if not statement.is_allow:
                return statement.answer(source)
            if found is SILENT:
                found = statement.answer(source)
        return found

    def _on(self, action: str) -> list[tuple[str, Chosen]]:
        """Choose the policies that have something on an action, once for each action."""
        chosen = self._by_action.get(action)
        if chosen is None:
            each = ((source, policy.on(action)) for source, policy, _ in self._attached)
            chosen = self._by_action[action] = [pair for pair in each if pair[1].all]
        return chosen

    def ask_plain(self, action: str, *, is_own: bool) -> Answer:
        """Say what S4's own roles say of what is the user's own, or another's: as `ask`, once."""
        answer = self._plain.get((action, is_own))
        if answer is None:
            assert self.is_plain, "other policies depend on more"
            accounts = ("its", "its" if is_own else "another's")
            keys = zip(("aws:principalaccount", "aws:resourceaccount"), accounts, strict=True)
            context = {key: (account,) for key, account in keys}
            answer = self.ask(Question(action, "*", frozenset(), context))
            self._plain[action, is_own] = answer
        return answer


class Line(NamedTuple):
    """An `Attached` whose policy is not read yet."""

    source: str
    document: str
    is_builtin: bool


class DeferredRights(Rights):
    """Rights whose policies are read when they are first asked: of most users nobody asks."""

    __slots__ = ("_lines",)

    def __init__(self, lines: tuple[Line, ...]) -> None:
        # Nothing of the base is set: what is asked for first is missing, and comes to __getattr__.
        self._lines = lines

    def __getattr__(self, name: str) -> Any:
        super().__init__(
            Attached(source, load_policy(document), is_builtin)
            for source, document, is_builtin in self._lines
        )
        return object.__getattribute__(self, name)


NO_RIGHTS: Final = Rights()

"""Policies in AWS's JSON: read once, then asked. What they must look like `iam.grammar` says.

Pure: knows no Django and no request; `Question` has what a request is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from iam.conditions import Template
from iam.grammar import (
    ARN,
    MalformedPolicy,
    principals,
    read_bucket_document,
    read_document,
    read_identity_document,
    texts,
)
from iam.patterns import compile_pattern
from iam.resources import EVERYWHERE, Names, Resources, is_open

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from iam.conditions import Condition
    from iam.grammar import Document

DOCUMENT_BYTES_MAX: Final = 20 * 1024  # of a bucket's policy: bucket-policies.html
ANYBODY: Final = "*"
FEW: Final = 8  # so many statements are asked one by one
USER_KINDS: Final = {"AWS", "CanonicalUser"}  # the others name nobody who calls here
# Keys of which one fixed value keeps the public out (the page named at `Policy.is_public`).
NARROWING: Final = frozenset(
    {
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    }
)


class Effect(Enum):
    """What a policy says of an action."""

    NONE = "none"  # nothing
    ALLOW = "allow"
    DENY = "deny"


class Question(msgspec.Struct, frozen=True):
    """What a policy is asked about.

    `names` are all names that a principal element may call the caller by; nobody has none. The keys
    of `context` are in lower case.
    """

    action: str
    resource: str  # ARN
    names: frozenset[str]
    context: Mapping[str, Sequence[str]]
    is_prefix: bool = False  # it is about everything whose ARN begins with `resource`


class Answer(msgspec.Struct, frozen=True):
    """An effect, and the statement it comes from: by its Sid, or by its place from 1 on.

    `source` says in words which of several policies it is a statement of.
    """

    effect: Effect
    statement: str = ""
    source: str = ""


SILENT: Final = Answer(Effect.NONE)


def places_of(question: Question) -> tuple[str, ...]:
    """Name the places that a question is within, as resources do; none: it may be in any."""
    resource = question.resource
    if question.is_prefix or not resource.startswith(ARN):
        return ()
    bucket, _, key = resource[len(ARN) :].partition("/")
    return EVERYWHERE, bucket, f"{bucket}/{key.partition('/')[0]}"


@dataclass(frozen=True, slots=True)
class _Principals:
    """Who a statement of a resource's policy speaks of."""

    names: frozenset[str]
    is_not: bool

    @property
    def has_anybody(self) -> bool:
        """Whether it is open to whoever comes."""
        return self.is_not or ANYBODY in self.names

    def holds(self, names: frozenset[str]) -> bool:
        is_named = ANYBODY in self.names or not self.names.isdisjoint(names)
        return is_named is not self.is_not


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, ready to be asked."""

    sid: str
    is_allow: bool
    principals: _Principals | None  # None: an identity's policy, which speaks of its identity
    actions: Names
    resources: Resources
    conditions: tuple[Condition, ...]
    number: int = 0  # in its policy

    @property
    def keys(self) -> set[str]:
        """Name what of a request the statement may depend on, in lower case."""
        found = set[str]().union(*(condition.keys for condition in self.conditions))
        return found.union(*(template.keys for template in self.resources.variable))

    @property
    def is_for_everybody(self) -> bool:
        """Whether neither principals nor a condition with fixed values narrow who is meant."""
        if self.principals is None or not self.principals.has_anybody:
            return False
        return not any(condition.fixes(NARROWING) for condition in self.conditions)

    def speaks_of(self, question: Question) -> bool:
        """Tell whether the statement applies; its action is known to."""
        if not self._is_about(question):
            return False
        if question.is_prefix:
            return not any(self._misses(question))
        for condition in self.conditions:  # noqa: SIM110  # a loop: see `Names.holds`
            if not condition.holds(question.context):
                return False
        return True

    def answer(self, source: str = "") -> Answer:
        """Say what it says where it applies."""
        return Answer(Effect.ALLOW if self.is_allow else Effect.DENY, self.sid, source)

    def lacks(self, question: Question) -> list[str]:
        """Name the keys of the conditions that alone keep the statement from applying."""
        return list(self._misses(question)) if self._is_about(question) else []

    def might(self, question: Question) -> bool:
        """Tell whether it may allow anything that is asked about, or denies all of it.

        What of the context is not known, a request may say either way.
        """
        known = [each for each in self.conditions if each.keys <= question.context.keys()]
        if not self.is_allow and len(known) < len(self.conditions):
            return False
        if self.principals is not None and not self.principals.holds(question.names):
            return False
        if not all(condition.holds(question.context) for condition in known):
            return False
        return self.resources.holds(question, is_allow=not self.is_allow)

    def _is_about(self, question: Question) -> bool:
        if self.principals is not None and not self.principals.holds(question.names):
            return False
        return self.resources.holds(question, is_allow=self.is_allow)

    def _misses(self, question: Question) -> Iterator[str]:
        """Name the keys of the conditions that are not met.

        Below a prefix each has tags and versions of its own: an allow is not met there, a deny is.
        """
        for condition in self.conditions:
            if question.is_prefix and is_open(condition.keys, question.action):
                is_met = not self.is_allow
            else:
                is_met = condition.holds(question.context)
            if not is_met:
                yield condition.key


class Chosen:
    """The statements on one action; where they are many, by the place that they are about."""

    __slots__ = ("_by_place", "_places", "all")

    def __init__(self, statements: tuple[Statement, ...]) -> None:
        self.all = statements
        self._places: frozenset[str] = frozenset().union(
            *(each.resources.places for each in statements)
        )
        self._by_place: dict[str, list[Statement]] = {}
        if len(statements) > FEW:
            for statement in statements:
                for place in statement.resources.places:
                    self._by_place.setdefault(place, []).append(statement)

    def find(self, question: Question, places: tuple[str, ...]) -> Statement | None:
        """Find the statement that decides: one that denies before any that allows.

        `places` are those of the question.
        """
        if places and self._places.isdisjoint(places):
            return None
        found = None
        for statement in self._near(places):
            if found is not None and statement.is_allow:
                continue
            if statement.speaks_of(question):
                if not statement.is_allow:
                    return statement
                found = statement
        return found

    def _near(self, places: tuple[str, ...]) -> Sequence[Statement]:
        """List all that may be about what is in these places, in their order, and perhaps more."""
        if not places or not self._by_place:
            return self.all
        found = [self._by_place[place] for place in places if place in self._by_place]
        if len(found) == 1:
            return found[0]
        return sorted({each.number: each for some in found for each in some}.values(), key=_NUMBER)


_NUMBER: Final = attrgetter("number")


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that was understood whole."""

    statements: tuple[Statement, ...]
    keys: frozenset[str] = frozenset()  # of the request, in lower case: all it may depend on
    text: str = field(default="", repr=False)  # as it was written
    _by_action: dict[str, Chosen] = field(default_factory=dict, repr=False, compare=False)

    def ask(self, question: Question) -> Answer:
        """Say what the policy says: an explicit deny before any allow."""
        found = self.on(question.action).find(question, places_of(question))
        return SILENT if found is None else found.answer()

    def might(self, question: Question) -> Effect:
        """Say whether it may allow something that is asked about, or denies all of it."""
        found = Effect.NONE
        for statement in self.on(question.action).all:
            if statement.might(question):
                if not statement.is_allow:
                    return Effect.DENY
                found = Effect.ALLOW
        return found

    def lacks(self, question: Question) -> dict[str, list[str]]:
        """Name the statements that only conditions keep from allowing it, and the keys of these."""
        allowing = (each for each in self.on(question.action).all if each.is_allow)
        found = {each.sid: each.lacks(question) for each in allowing}
        return {sid: keys for sid, keys in found.items() if keys}

    @property
    def is_public(self) -> bool:
        """Whether it allows anything to everybody.

        access-control-block-public-access.html, "The meaning of public".
        """
        return any(each.is_allow and each.is_for_everybody for each in self.statements)

    def on(self, action: str) -> Chosen:
        """Choose the statements on an action, once for each action."""
        chosen = self._by_action.get(action)
        if chosen is None:
            folded = action.lower()
            chosen = Chosen(tuple(each for each in self.statements if each.actions.holds(folded)))
            self._by_action[action] = chosen
        return chosen


_EVERYTHING: Final = Names((compile_pattern("*"),), is_not=False)
_UNREADABLE: Final = Policy(
    (
        Statement(
            sid="which cannot be read",
            is_allow=False,
            principals=None,
            actions=_EVERYTHING,
            resources=Resources(_EVERYTHING, (), ("*",)),
            conditions=(),
        ),
    )
)


# --- reading -------------------------------------------------------------------------------------


def read_bucket_policy(text: str, bucket: str, is_known: Callable[[str, str], bool]) -> Policy:
    """Read the policy of a bucket; MalformedPolicy.

    `is_known` tells whether a principal (its kind, its name) exists: S3 refuses those that do not.
    """
    return _compile(read_bucket_document(text, bucket, is_known), text)


def read_identity_policy(text: str) -> Policy:
    """Read a policy of a user, group, role or access key; MalformedPolicy."""
    return _compile(read_identity_document(text), text)


@lru_cache(1024)
def load_policy(text: str) -> Policy:
    """Read a policy that was checked when it was saved, once for all requests.

    One that is not understood any more, by a later version that is stricter, denies everything:
    nobody guesses what it was to deny.
    """
    try:
        return _compile(read_document(text), text)
    except MalformedPolicy:
        return _UNREADABLE


def _compile(document: Document, text: str) -> Policy:
    made = tuple(
        _statement(number, fields, document) for number, fields in enumerate(document.statements, 1)
    )
    return Policy(made, frozenset().union(*(each.keys for each in made)), text)


def _statement(number: int, fields: dict[str, Any], document: Document) -> Statement:
    actions = [compile_pattern(action.lower()) for action in texts(fields, "Action")]
    resources = texts(fields, "Resource")
    variable = [each for each in resources if document.knows_variables and "${" in each]
    fixed = [compile_pattern(each) for each in resources if each not in variable]
    meant = None
    if "Principal" in fields or "NotPrincipal" in fields:
        names = frozenset(name for kind, name in principals(fields) if kind in USER_KINDS)
        meant = _Principals(names, "NotPrincipal" in fields)
    return Statement(
        sid=fields.get("Sid") or str(number),
        is_allow=fields["Effect"] == "Allow",
        principals=meant,
        actions=Names(tuple(actions), "NotAction" in fields),
        resources=Resources(
            Names(tuple(fixed), "NotResource" in fields),
            tuple(map(Template, variable)),
            tuple(resources),
        ),
        conditions=document.conditions(fields),
        number=number,
    )

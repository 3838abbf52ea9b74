"""Policies in AWS's JSON: read once, refused when anything in them is not understood, then asked.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html. Pure: knows no
Django and no request; `Question` has what a request is.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from iam.actions import ACTIONS, OF_BUCKET, OF_OBJECT, OF_SERVICE, PREFIX, is_condition_key
from iam.conditions import InvalidCondition, Template, read_conditions
from iam.patterns import as_itself, compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from iam.conditions import Condition

DOCUMENT_BYTES_MAX: Final = 20 * 1024  # of a bucket's policy: bucket-policies.html
VERSIONS: Final = ("2008-10-17", "2012-10-17")
WITH_VARIABLES: Final = "2012-10-17"
EFFECTS: Final = ("Allow", "Deny")  # no set: what is held against them may be a list
ARN: Final = "arn:aws:s3:::"
ANYBODY: Final = "*"
PRINCIPAL_KINDS: Final = {"AWS", "CanonicalUser", "Federated", "Service"}
USER_KINDS: Final = {"AWS", "CanonicalUser"}  # the others name nobody who calls here
TOP_FIELDS: Final = {"Version", "Id", "Statement"}
STATEMENT_FIELDS: Final = {
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
    *("Resource", "NotResource", "Condition"),
}
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
OBJECT_TAG: Final = "s3:existingobjecttag/"
PART: Final = re.compile(r"[*?]|\$\{")  # where a resource begins to be a pattern
SID: Final = re.compile(r"[A-Za-z0-9]*", re.ASCII)
ACTION: Final = re.compile(r"[A-Za-z0-9-]+:[A-Za-z*?]+", re.ASCII)


class MalformedPolicy(ValueError):  # noqa: N818  # AWS's name of the error
    """A policy that is refused; the text says why."""


class Effect(Enum):
    """What a policy says of an action."""

    NONE = "none"  # nothing
    ALLOW = "allow"
    DENY = "deny"


class Question(NamedTuple):
    """What a policy is asked about.

    `names` are all names that a principal element may call the caller by; nobody has none. The keys
    of `context` are in lower case.
    """

    action: str
    resource: str  # ARN
    names: frozenset[str]
    context: Mapping[str, Sequence[str]]
    is_prefix: bool = False  # it is about everything whose ARN begins with `resource`


class Answer(NamedTuple):
    """An effect, and the statement it comes from: by its Sid, or by its place from 1 on.

    `source` says in words which of several policies it is a statement of.
    """

    effect: Effect
    statement: str = ""
    source: str = ""


SILENT: Final = Answer(Effect.NONE)


@dataclass(frozen=True, slots=True)
class _Names:
    """A set of patterns, or of everything but them."""

    tests: tuple[Callable[[str], bool], ...]
    is_not: bool

    def holds(self, text: str) -> bool:
        return any(test(text) for test in self.tests) is not self.is_not


@dataclass(frozen=True, slots=True)
class _Resources:
    """As `_Names`, for ARNs, in which variables may stand."""

    fixed: _Names
    variable: tuple[Template, ...]
    texts: tuple[str, ...] = ()  # all of them, as they were written

    def holds(self, question: Question, *, is_allow: bool) -> bool:
        if question.is_prefix:
            return self._hold_below(question.resource, is_whole=is_allow)
        if not self.variable:
            return self.fixed.holds(question.resource)
        fixed, context = self.fixed, question.context
        resource = as_itself(question.resource)
        # One with a variable that the request lacks fits nothing: reference_policies_variables.
        texts = (each.fill(context, as_itself) for each in self.variable)
        is_met = any(test(question.resource) for test in fixed.tests) or any(
            compile_pattern(text)(resource) for text in texts if text is not None
        )
        return is_met is not fixed.is_not

    def _hold_below(self, prefix: str, *, is_whole: bool) -> bool:
        """Tell whether they hold for everything below a prefix, or else for anything there."""
        if is_whole is not self.fixed.is_not:
            is_met = any(_covers(text, prefix) for text in self.texts)
        else:
            is_met = any(_touches(text, prefix) for text in self.texts)
        return is_met is not self.fixed.is_not


def _covers(pattern: str, prefix: str) -> bool:
    """Tell whether a pattern fits all that begins with a prefix.

    One that ends in `*` and fits the prefix itself does; what variables stand for is not asked.
    """
    return pattern.endswith("*") and "${" not in pattern and bool(compile_pattern(pattern)(prefix))


def _touches(pattern: str, prefix: str) -> bool:
    """Tell whether a pattern may fit anything that begins with a prefix."""
    head = PART.split(pattern, maxsplit=1)[0]
    return head.startswith(prefix) or (head != pattern and prefix.startswith(head))


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
    actions: _Names
    resources: _Resources
    conditions: tuple[Condition, ...]

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

    @property
    def _is_about_objects(self) -> bool:
        """Whether it holds for one object and not for another."""
        return any(condition.key.startswith(OBJECT_TAG) for condition in self.conditions)

    def speaks_of(self, question: Question) -> bool:
        """Tell whether the statement applies; its action is known to."""
        if self.principals is not None and not self.principals.holds(question.names):
            return False
        if not self.resources.holds(question, is_allow=self.is_allow):
            return False
        if question.is_prefix and self._is_about_objects:
            return not self.is_allow
        return all(condition.holds(question.context) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that was understood whole."""

    statements: tuple[Statement, ...]
    keys: frozenset[str] = frozenset()  # of the request, in lower case: all it may depend on
    text: str = field(default="", repr=False)  # as it was written
    _by_action: dict[str, tuple[Statement, ...]] = field(default_factory=dict, repr=False)

    def ask(self, question: Question) -> Answer:
        """Say what the policy says: an explicit deny before any allow."""
        found = SILENT
        for statement in self._about(question.action):
            if found.effect is Effect.ALLOW and statement.is_allow:
                continue
            if statement.speaks_of(question):
                if not statement.is_allow:
                    return Answer(Effect.DENY, statement.sid)
                found = Answer(Effect.ALLOW, statement.sid)
        return found

    @property
    def is_public(self) -> bool:
        """Whether it allows anything to everybody.

        access-control-block-public-access.html, "The meaning of public".
        """
        return any(each.is_allow and each.is_for_everybody for each in self.statements)

    def _about(self, action: str) -> tuple[Statement, ...]:
        """Choose the statements on an action, once for each action."""
        chosen = self._by_action.get(action)
        if chosen is None:
            folded = action.lower()
            chosen = tuple(each for each in self.statements if each.actions.holds(folded))
            self._by_action[action] = chosen
        return chosen


_EVERYTHING: Final = _Names((compile_pattern("*"),), is_not=False)
_UNREADABLE: Final = Policy(
    (
        Statement(
            sid="which cannot be read",
            is_allow=False,
            principals=None,
            actions=_EVERYTHING,
            resources=_Resources(_EVERYTHING, (), ("*",)),
            conditions=(),
        ),
    )
)


# --- reading -------------------------------------------------------------------------------------


def read_bucket_policy(text: str, bucket: str, is_known: Callable[[str, str], bool]) -> Policy:
    """Read the policy of a bucket; MalformedPolicy.

    `is_known` tells whether a principal (its kind, its name) exists: S3 refuses those that do not.
    """
    statements = _read(text)
    for fields in statements:
        _check_resource_policy(fields, bucket, is_known)
    policy = _compile(statements, text)
    if not all(map(is_condition_key, policy.keys)):
        raise MalformedPolicy("Policy has an invalid condition key")
    return policy


@lru_cache(1024)
def load_policy(text: str) -> Policy:
    """Read a policy that was checked when it was saved, once for all requests.

    One that is not understood any more, by a later version that is stricter, denies everything:
    nobody guesses what it was to deny.
    """
    try:
        return _compile(_read(text), text)
    except MalformedPolicy:
        return _UNREADABLE


def read_identity_policy(text: str) -> Policy:
    """Read a policy of a user, group or role; MalformedPolicy."""
    statements = _read(text)
    for fields in statements:
        if "Principal" in fields or "NotPrincipal" in fields:
            raise MalformedPolicy("Policy document should not specify a principal.")
    return _compile(statements, text)


def _read(text: str) -> list[dict[str, Any]]:
    """Read the document's frame: its version, and its statements as they stand."""
    document = _load(text)
    if unknown := document.keys() - TOP_FIELDS:
        raise MalformedPolicy(f"Unknown field {min(unknown)}")
    if document.get("Version", VERSIONS[0]) not in VERSIONS:
        raise MalformedPolicy("The policy must contain a valid version string")
    if not isinstance(document.get("Id", ""), str):
        raise MalformedPolicy("Invalid policy syntax.")
    statements = _listed(document.get("Statement"))
    if not statements or not all(isinstance(each, dict) for each in statements):
        raise MalformedPolicy("Missing required field Statement")
    sids = [each["Sid"] for each in statements if each.get("Sid")]
    if len(set(map(str, sids))) < len(sids):
        raise MalformedPolicy("Statement IDs (SID) in a single policy must be unique.")
    for each in statements:
        _check_statement(each)
    return statements


def _load(text: str) -> dict[str, Any]:
    if not text.startswith("{"):
        raise MalformedPolicy("Policies must be valid JSON and the first byte must be '{'")
    try:
        document = json.loads(text, object_pairs_hook=_object)
    except MalformedPolicy:
        raise
    except (ValueError, RecursionError) as error:  # a number may have more digits than int takes
        raise MalformedPolicy(
            "Policies must be valid JSON and the first byte must be '{'"
        ) from error
    assert isinstance(document, dict), "it begins as an object does"
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object; one that says the same thing twice is refused."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise MalformedPolicy("Policies must not have duplicate fields.")
    return made


def _check_statement(fields: dict[str, Any]) -> None:
    if unknown := fields.keys() - STATEMENT_FIELDS:
        raise MalformedPolicy(f"Unknown field {min(unknown)}")
    sid = fields.get("Sid", "")
    if not isinstance(sid, str) or not SID.fullmatch(sid):
        raise MalformedPolicy("Statement IDs (SID) must be alpha-numeric.")
    if "Effect" not in fields:
        raise MalformedPolicy("Missing required field Effect")
    if fields["Effect"] not in EFFECTS:
        raise MalformedPolicy(f"Invalid effect: {fields['Effect']}")
    for name in ("Action", "Resource"):
        if name in fields and f"Not{name}" in fields:
            raise MalformedPolicy(f"{name} and Not{name} cannot stand in one statement.")
        if name not in fields and f"Not{name}" not in fields:
            raise MalformedPolicy(f"Missing required field {name}")
        _texts(fields, name)
    for action in _texts(fields, "Action"):
        _check_action(action)


def _texts(fields: dict[str, Any], name: str) -> list[str]:
    """List what stands in an element or in its Not form; at least one text."""
    texts = _listed(fields.get(name, fields.get(f"Not{name}")))
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise MalformedPolicy(f"Policy has invalid {name.lower()}")
    return texts


def _listed(found: Any) -> list[Any]:
    """Make a list of what may stand alone or in a list."""
    return found if isinstance(found, list) else [found]


def _check_action(action: str) -> None:
    if action == "*":
        return
    if not ACTION.fullmatch(action):
        raise MalformedPolicy("Policy has invalid action")
    if action.lower().startswith(PREFIX) and not _covered(action):
        raise MalformedPolicy("Policy has invalid action")


def _covered(action: str) -> set[str]:
    """List the actions of S3 that a pattern covers."""
    test = compile_pattern(action.lower())
    return {known for known in ACTIONS if test(known.lower())}


def _check_resource_policy(
    fields: dict[str, Any], bucket: str, is_known: Callable[[str, str], bool]
) -> None:
    """Check what only a bucket's policy must have: principals, and resources of the bucket."""
    if ("Principal" in fields) is ("NotPrincipal" in fields):
        raise MalformedPolicy("Missing required field Principal")
    for kind, name in _principals(fields.get("Principal", fields.get("NotPrincipal"))):
        if (kind, name) != ("AWS", ANYBODY) and not is_known(kind, name):
            raise MalformedPolicy("Invalid principal in policy")
    resources = _texts(fields, "Resource")
    own = ARN + bucket
    if any(each != own and not each.startswith(f"{own}/") for each in resources):
        raise MalformedPolicy("Policy has invalid resource")
    if "Action" in fields and "Resource" in fields:
        _check_applies(_texts(fields, "Action"), resources)


def _check_applies(actions: Iterable[str], resources: Sequence[str]) -> None:
    """Refuse an action that can be done to none of the statement's resources."""
    has_object = any("/" in resource for resource in resources)
    has_bucket = any("/" not in resource for resource in resources)
    fitting = (OF_OBJECT if has_object else frozenset()) | (
        OF_BUCKET | OF_SERVICE if has_bucket else frozenset()
    )
    for action in actions:
        covered = ACTIONS if action == "*" else _covered(action)
        if not covered:
            raise MalformedPolicy("Policy has invalid action")
        if covered.isdisjoint(fitting):
            raise MalformedPolicy("Action does not apply to any resource(s) in statement")


def _principals(element: object) -> list[tuple[str, str]]:
    """List (kind, name) of a principal element."""
    if element == ANYBODY:
        return [("AWS", ANYBODY)]
    if not isinstance(element, dict) or not element or element.keys() - PRINCIPAL_KINDS:
        raise MalformedPolicy("Invalid principal in policy")
    found = []
    for kind, names in element.items():
        for name in _listed(names):
            if not isinstance(name, str) or not name:
                raise MalformedPolicy("Invalid principal in policy")
            found.append((kind, name))
    if not found:
        raise MalformedPolicy("Invalid principal in policy")
    return found


def _compile(statements: list[dict[str, Any]], text: str) -> Policy:
    knows_variables = json.loads(text).get("Version", VERSIONS[0]) == WITH_VARIABLES
    made = tuple(
        _statement(number, fields, knows_variables=knows_variables)
        for number, fields in enumerate(statements, 1)
    )
    return Policy(made, frozenset().union(*(each.keys for each in made)), text)


def _statement(number: int, fields: dict[str, Any], *, knows_variables: bool) -> Statement:
    actions = [compile_pattern(action.lower()) for action in _texts(fields, "Action")]
    resources = _texts(fields, "Resource")
    try:
        variable = tuple(Template(each) for each in resources if knows_variables and "${" in each)
    except ValueError as error:
        raise MalformedPolicy("Policy has invalid resource") from error
    texts = {each.text for each in variable}
    fixed = tuple(compile_pattern(each) for each in resources if each not in texts)
    principals = None
    if "Principal" in fields or "NotPrincipal" in fields:
        named = _principals(fields.get("Principal", fields.get("NotPrincipal")))
        names = frozenset(name for kind, name in named if kind in USER_KINDS)
        principals = _Principals(names, "NotPrincipal" in fields)
    try:
        conditions = read_conditions(fields.get("Condition", {}), knows_variables=knows_variables)
    except InvalidCondition as error:
        raise MalformedPolicy(str(error)) from error
    return Statement(
        sid=fields.get("Sid") or str(number),
        is_allow=fields["Effect"] == "Allow",
        principals=principals,
        actions=_Names(tuple(actions), "NotAction" in fields),
        resources=_Resources(_Names(fixed, "NotResource" in fields), variable, tuple(resources)),
        conditions=conditions,
    )
